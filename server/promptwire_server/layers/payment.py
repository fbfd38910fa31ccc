"""Payment: sets money aside for an attempt: as much as it may cost at worst, or as much as there is when that still makes sense."""

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Final, Protocol

from promptwire import v1 as pb
from promptwire_server.core.bound import Bound, affordable_output_tokens, bound_of, most_nano_usd
from promptwire_server.core.budget import Budget, PerCall, Spender
from promptwire_server.core.call import Call, Target
from promptwire_server.core.clock import Clock
from promptwire_server.core.errors import BudgetExhausted, BudgetStoreUnavailable, PriceUnknown
from promptwire_server.core.facts import UNKNOWN, Facts
from promptwire_server.core.ledger import Entry
from promptwire_server.core.money import dollars
from promptwire_server.core.price import Price
from promptwire_server.core.purse import Ask, Denial, Hold
from promptwire_server.core.store import StoreDown
from promptwire_server.layers.waiters import Waiters

_OF_CALL: Final = "max_cost_nano_usd"


class Purse(Protocol):
    """Where budgets are kept."""

    @property
    def empty(self) -> bool:
        """There are no budgets at all."""
        ...

    def counting(self, spender: Spender) -> Sequence[Budget]:
        """Those that an attempt counts against."""
        ...

    async def hold(self, ask: Ask) -> Hold | Denial:
        """Set money aside in all budgets of the wish, or in none. Raises StoreDown. A cancelled wish holds nothing."""
        ...

    def settle(self, hold_id: str, entries: Sequence[Entry]) -> None:
        """Give a hold back, and write down what was spent instead. Never waits, never raises."""
        ...

    def spend(self, entries: Sequence[Entry]) -> None:
        """Write down what was spent without a hold. Never waits, never raises."""
        ...


@dataclass(frozen=True, slots=True)
class PaymentSettings:
    """How holds are made."""

    patience_s: float = 10.0  # for money that calls under way hold, and half of the time that the call has left at most
    least_output_tokens: int = 256  # an answer of fewer is of no use, unless the caller asks for fewer
    lease_s: float = 15.0  # without a sign for so long, a process is dead, and what it held is counted as spent


@dataclass(frozen=True, slots=True)
class Paid:
    """An attempt that may be made."""

    call: Call  # whose answer cannot cost more than was set aside
    hold_id: str = ""  # empty: nothing had to be
    nano_usd: int = 0  # set aside
    output_tokens: int = 0  # that it may have; 0: no matter


class Cashier:
    """Lets attempts through for which there is money."""

    def __init__(self, purse: Purse, waiters: Waiters, settings: PaymentSettings, clock: Clock) -> None:
        self.purse = purse
        self._waiters = waiters
        self._settings = settings
        self._clock = clock

    async def pay(self, call: Call, target: Target, facts: Facts, budgets: Sequence[Budget], hold_id: str, intent: Entry) -> Paid:
        """The attempt, paid for. Raises BudgetExhausted, PriceUnknown and BudgetStoreUnavailable."""
        limit = _limit_of_call(call, budgets)
        shared = [budget for budget in budgets if not isinstance(budget.window, PerCall)]
        if limit is None and not any(budget.binds for budget in shared):
            return Paid(call)
        price = facts.price
        bound = _bound(call, facts)
        most = None if price is None else most_nano_usd(price, bound)
        if price is None or most is None:
            raise _unpriced(target, limit, shared)
        wish = _Wish(price, bound, most, self._least(call, price, bound))
        if limit is not None:
            wish = wish.within(limit - call.trail.cost_nano_usd, _of_call(limit, call))
        if any(budget.binds for budget in shared):
            granted = await self._granted(call, wish, shared, hold_id, intent)
        else:
            granted, hold_id = wish.most, ""
        tokens = wish.bound.output_tokens if granted >= most else affordable_output_tokens(price, bound, granted) * bound.candidates
        return Paid(_limited(call, tokens // bound.candidates, fitted=granted < most), hold_id, granted, tokens)

    async def reserve(self, call: Call, limit_nano_usd: int) -> str:
        """Set aside what a run may cost, in the budgets that count it whatever model it asks. See chains/funds.py."""
        principal = call.principal
        spender = Spender(principal.tenant, "", "", principal.name, principal.api_key_id, call.chain, call.request.labels)
        budgets = [budget for budget in self.purse.counting(spender) if not isinstance(budget.window, PerCall)]
        if not any(budget.binds for budget in budgets):
            return ""
        ask = Ask(f"{call.run_id}.run", tuple(budget.budget_id for budget in budgets), limit_nano_usd, limit_nano_usd, None)
        decided = await self._when_free(call, ask)
        if isinstance(decided, Denial):
            raise _exhausted(decided, limit_nano_usd)
        return decided.hold_id

    def release(self, hold_id: str) -> None:
        """Give back what is left of a run's hold."""
        self.purse.settle(hold_id, ())

    def _least(self, call: Call, price: Price, bound: Bound) -> int:
        """What the shortest answer that is of use may cost."""
        each = min(bound.output_tokens // bound.candidates, self._settings.least_output_tokens)
        return most_nano_usd(price, bound.with_output(0 if call.embed is not None else each)) or 0

    async def _granted(self, call: Call, wish: "_Wish", budgets: Sequence[Budget], hold_id: str, intent: Entry) -> int:
        """How much is set aside: all of the wish, once that is possible; less, when waiting for it is of no use."""
        ids = tuple(budget.budget_id for budget in budgets)
        decided = await self._when_free(call, Ask(hold_id, ids, wish.most, wish.most, intent, call.fund))
        if isinstance(decided, Denial) and wish.least < wish.most:
            decided = await self._asked(Ask(hold_id, ids, wish.most, wish.least, intent, call.fund))
        if isinstance(decided, Denial):
            raise _exhausted(decided, wish.least)
        self._waiters.call()  # there may be room for the next
        return decided.nano_usd

    async def _when_free(self, call: Call, ask: Ask) -> Hold | Denial:
        """What is decided once it helps no more to wait for those who hold."""
        now_s = self._clock.monotonic()
        until_s = now_s + min(self._settings.patience_s, call.remaining_s(now_s) / 2)
        decided = await self._asked(ask)
        while isinstance(decided, Denial) and decided.by_holds and (left_s := until_s - self._clock.monotonic()) > 0:
            await self._waiters.wait(left_s)
            decided = await self._asked(ask)
        return decided

    async def _asked(self, ask: Ask) -> Hold | Denial:
        try:
            return await self.purse.hold(ask)
        except StoreDown as error:
            raise BudgetStoreUnavailable(f"a hard budget counts this call, and its store does not answer: {error}") from error


@dataclass(frozen=True, slots=True)
class _Wish:
    """What an attempt may cost."""

    price: Price
    bound: Bound
    most: int
    least: int

    def within(self, room: int, refusal: BudgetExhausted) -> "_Wish":
        """The same within this much. Raises the refusal when that is too little."""
        if self.most <= room:
            return self
        if self.least > room:
            raise refusal
        return _Wish(self.price, self.bound, room, self.least)


def _bound(call: Call, facts: Facts) -> Bound:
    if call.embed is None:
        return bound_of(call.request, facts)
    return bound_of(call.request, UNKNOWN).with_output(0)  # each text has a context window of its own


def _limit_of_call(call: Call, budgets: Sequence[Budget]) -> int | None:
    """What this call may cost by itself, as its caller and its operator say; None: nobody says."""
    limits = [budget.limit_nano_usd for budget in budgets if isinstance(budget.window, PerCall) and budget.binds]
    if call.request.HasField("max_cost_nano_usd"):
        limits.append(call.request.max_cost_nano_usd)
    return min(limits, default=None)


def _limited(call: Call, output_tokens: int, *, fitted: bool) -> Call:
    """The call with a limit of its answer: without one, no hold would be a bound."""
    if call.embed is not None or call.request.generation.max_output_tokens == output_tokens:
        return call
    request = pb.ChatRequest()
    request.CopyFrom(call.request)
    request.generation.max_output_tokens = output_tokens
    if fitted:
        message = f"was set to {output_tokens}, which is what the budget allows"
        call.notice(pb.Notice.CODE_OUTPUT_LIMITED, message, "generation.max_output_tokens")
    return call.asking(request)


def _of_call(limit: int, call: Call) -> BudgetExhausted:
    spent = f", of which its attempts took {dollars(call.trail.cost_nano_usd)}" if call.trail.cost_nano_usd else ""
    message = f"{_OF_CALL}: this call may cost {dollars(limit)} at most{spent}, and may cost more; raise it, or lower max_output_tokens"
    return BudgetExhausted(message, metadata={"budget_id": _OF_CALL, "limit_nano_usd": str(limit)})


def _exhausted(denial: Denial, least: int) -> BudgetExhausted:
    free = f"{dollars(max(0, denial.free_nano_usd))} of {dollars(denial.limit_nano_usd)} is left"
    held = ", the rest held by calls under way" if denial.by_holds else ""
    message = f"budget '{denial.budget_id}': {free}{held}, and this call may cost {dollars(least)} even with a short answer"
    metadata = {"budget_id": denial.budget_id, "limit_nano_usd": str(denial.limit_nano_usd), "free_nano_usd": str(denial.free_nano_usd)}
    if denial.reset_us is not None:
        metadata["reset_unix_s"] = str(denial.reset_us // 1_000_000)
    return BudgetExhausted(message, metadata=metadata)


def _unpriced(target: Target, limit: int | None, budgets: Sequence[Budget]) -> PriceUnknown:
    names = [f"budget '{budget.budget_id}'" for budget in budgets if budget.binds] or [_OF_CALL if limit is not None else "a budget"]
    return PriceUnknown(f"{names[0]} is hard, and the price of {target} is not known; its operator can write it under model_facts")
