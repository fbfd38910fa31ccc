"""Purse: budgets, what is spent of them and what is held, decided by scripts of one Redis server, whichever replica asks.

What is guaranteed when the server loses its data, all of it (FLUSHALL) or the latest of it (a restart from an old copy, a stale replica
promoted): hard budgets are closed at once, for all processes, since every script compares the server's own name of its life, and the
generation, with what was written down by the first one. Then every living process writes back what it knows, of itself and of others; the
greater figure counts. The store opens when all that anybody knew to live have done so, or are silent for a lease. What living processes
have spent and hold is known exactly; it may be counted twice where a reply was lost in that moment, never not at all.

What is not: spending of a process that dies before another one has looked (a second) and whose server loses its data in that same second;
data lost while no process lives. Rows of holds that nobody knows any more are not written, though they count as spent. A row is written to
this process's own file after the server has counted it: who dies in between leaves the sum right, and no row. Alerts may be told again.
Above 9 million USD a figure may be wrong by some nano-USD.
"""

import asyncio
import json
from collections import deque
from collections.abc import Callable, Iterable, Sequence
from typing import Final, NamedTuple, cast

from promptwire_server.core.budget import MOST_NANO_USD, Balance, Budget, PerCall, Spender
from promptwire_server.core.clock import Clock
from promptwire_server.core.ledger import ADJUSTMENT, CORRECTION, Amounts, Entry, entry_of, text_of
from promptwire_server.core.purse import Ask, Change, Denial, Gift, Given, Hold, Once, Reached, Reused, TooMuch
from promptwire_server.core.store import StoreDown
from promptwire_server.stores.redis import till
from promptwire_server.stores.redis.connection import Argument, Redis
from promptwire_server.stores.redis.fuse import Changed
from promptwire_server.stores.redis.recollection import Reply, pairs, read, written
from promptwire_server.stores.redis.teller import Teller, range_of

_PAUSE_S: Final = 0.1  # before what was not taken is sent again
_AT_ONCE: Final = 16  # settlements under way
_CAPACITY: Final = 16_384  # rows without a hold that wait for a server that is away: about 20 MB
_MOST_ADJUSTED: Final = 10 * MOST_NANO_USD  # all adjustments of a window together

Tell = Callable[[Sequence[Reached]], None]  # must not raise
Lost = Callable[[int, str], None]  # rows, and why; must not raise


class _Bill(NamedTuple):
    """What is to be settled."""

    bill_id: str
    hold_id: str
    entries: Sequence[Entry]
    owner: str
    orphan: bool = False


class Purse:
    """Budgets of one server. Needs `tick` about once a second. `rows` writes down what is settled."""

    def __init__(  # noqa: PLR0913 - what it tells, and to whom, has defaults
        self,
        redis: Redis,
        owner: str,
        clock: Clock,
        rows: Callable[[Sequence[Entry]], None],
        tell: Tell = lambda reached: None,  # noqa: ARG005 - a Tell's shape
        settled: Callable[[], None] = lambda: None,
        *,
        lost: Lost = lambda count, why: None,  # noqa: ARG005 - a Lost's shape
        changed: Changed = lambda up, why: None,  # noqa: ARG005 - a Changed's shape
        lease_s: float = 15.0,
        quiet_s: float = 3.0,
    ) -> None:
        """`owner` names this process, and no other ever; `settled` hears that something was given back.

        Without a sign for `lease_s`, the same in all replicas, one is dead, and what it held counts as spent. After a loss the store stays
        closed for `quiet_s` at least, in which all that live have ticked.
        """
        self._teller = Teller(redis, owner, clock, lease_s, quiet_s, changed)
        self._owner = owner
        self._rows = rows
        self._tell = tell
        self._settled = settled
        self._lost = lost
        self._numbers = 0
        self._waiting = 0  # rows without a hold
        self._bills: deque[_Bill] = deque()
        self._under_way = 0
        self._sender: asyncio.Task[None] | None = None

    def budgets(self) -> Iterable[Budget]:
        """All of them, as of a second ago at the most, or of this process's last change."""
        return self._teller.known.budgets.values()

    @property
    def empty(self) -> bool:
        """There are no budgets at all."""
        return not self._teller.known.budgets

    def counting(self, spender: Spender) -> tuple[Budget, ...]:
        """Those that an attempt counts against."""
        return tuple(budget for budget in self._teller.known.budgets.values() if budget.scope.holds(spender))

    async def hold(self, ask: Ask) -> Hold | Denial:
        """Set money aside in all budgets of the wish, or in none. Raises StoreDown. A cancelled wish holds nothing."""

        def arguments() -> Sequence[Argument]:
            budgets = self._teller.found(ask.budgets)
            spans = self._teller.spans(budgets)
            intent = ask.intent and ask.intent._replace(hold_id=ask.hold_id, budgets=tuple(each.budget_id for each in budgets))
            wish = {
                "id": ask.hold_id,
                "most": str(ask.most_nano_usd),
                "least": str(ask.least_nano_usd),
                "parent": ask.parent,
                "intent": text_of(intent) if intent else "",
                "budgets": [self._teller.asked(budget, spans[budget.budget_id]) for budget in budgets],
            }
            return (self._owner, *range_of(spans), self._teller.known.version, json.dumps(wish))

        try:
            reply = await self._teller.ask(till.HOLD, arguments)
            if reply.word == "denied" and (self._bills or self._under_way):  # what was settled before makes room
                await self._drained()
                reply = await self._teller.ask(till.HOLD, arguments)
        except (asyncio.CancelledError, StoreDown):
            self.settle(ask.hold_id, ())  # behind the decision, which may still be made
            raise
        rest = cast("Sequence[object]", reply.rest)
        if reply.word == "denied":
            return self._denial(rest, reply.now_us)
        self._heard(rest[1])
        return Hold(ask.hold_id, int(str(rest[0])))

    def settle(self, hold_id: str, entries: Sequence[Entry]) -> None:
        """Give a hold back, and write down what was spent instead. Never waits, never raises."""
        self._post(_Bill(hold_id, hold_id, entries, self._owner))

    def spend(self, entries: Sequence[Entry]) -> None:
        """Write down what was spent without a hold: budgets that only tell count it too. Never waits, never raises.

        While the server is away it is kept and written later; what is more than can be kept is lost, and told.
        """
        if self._waiting + len(entries) > _CAPACITY:
            self._lost(len(entries), "too many wait: the server is too slow or away")
            return
        self._waiting += len(entries)
        self._numbers += 1
        self._post(_Bill(f"{self._owner}/{self._numbers}", "", entries, self._owner))

    async def every(self) -> Sequence[Budget]:
        """All of them, as the store has them now, by identifier. Raises StoreDown."""
        await self._teller.learn()
        return sorted(self._teller.known.budgets.values(), key=lambda budget: budget.budget_id)

    async def change(self, change: Change, once: Once) -> Budget | None:
        """Make, change or delete a budget, and what it is then; of a request that was made before, what came of it then.

        What is held and spent stays with a change and goes with a deletion; holds go on without it. Raises Conflict, Reused, StoreDown.
        """
        await self._drained()
        await self._teller.learn()

        def arguments() -> Sequence[Argument]:
            before = self._teller.known.budgets.get(change.budget_id)
            # Found in the script first: what was made before is answered, whatever there is now.
            fits = (None if before is None else before.etag) == change.before
            version = self._teller.known.version if fits else -1
            return self._changing(change, once, version, reset=change.reset)

        reply = await self._teller.ask(till.CHANGE, arguments, fits=lambda: self._fits(change))
        return await self._changed(change, reply)

    async def put(self, budget: Budget) -> None:
        """Make a budget, or change one, whatever it was. Raises StoreDown."""
        await self._force(Change(budget.budget_id, None, budget))

    async def delete(self, budget_id: str) -> None:
        """Forget a budget and what was spent of it; holds go on without it. Raises StoreDown."""
        await self._force(Change(budget_id, None, None))

    async def adjust(self, budget: Budget, gift: Gift, once: Once) -> tuple[Given, Balance]:
        """Give a budget more, or less, with a row of kind ADJUSTMENT; of a request that was made before, what was given then.

        Raises Conflict when the budget is gone, Reused, TooMuch and StoreDown.
        """
        await self._drained()
        await self._teller.learn()

        def arguments() -> Sequence[Argument]:
            present = self._teller.found([budget.budget_id])
            spans = self._teller.spans(present)
            asked = self._teller.asked(present[0], spans[budget.budget_id]) if present else {}
            version = self._teller.known.version if present else -1
            who = (budget.budget_id, gift.reason, once.principal)
            limits = (*range_of(spans), _MOST_ADJUSTED, gift.amount_nano_usd, json.dumps(asked), *who)
            return (_name(once), once.digest, version, self._owner, *limits)

        reply = await self._teller.ask(till.ADJUST, arguments, fits=lambda: bool(self._teller.found([budget.budget_id])))
        given = self._given(reply, gift)
        return given, await self.balance(budget)

    async def balance(self, budget: Budget) -> Balance:
        """What of a budget is left. Raises StoreDown."""
        return (await self.balances([budget]))[0]

    async def balances(self, budgets: Sequence[Budget]) -> Sequence[Balance]:
        """What of some budgets is left, at one moment. Raises StoreDown."""
        await self._drained()
        await self._teller.learn()

        def arguments() -> Sequence[Argument]:
            spans = self._teller.spans(budgets)
            return (*range_of(spans), json.dumps([self._teller.asked(budget, spans[budget.budget_id]) for budget in budgets]))

        reply = await self._teller.ask(till.LOOK, arguments)
        found = cast("Sequence[Sequence[object]]", reply.rest)
        return [_balance(budget, figures, reply.now_us) for budget, figures in zip(budgets, found, strict=True)]

    async def tick(self) -> None:
        """Show that this process lives, count what dead ones held as spent, take in what others have changed. Raises StoreDown.

        The first time, waits until the store is open.
        """
        reply = await self._teller.tick()
        if reply.word != "open":
            return
        known = self._teller.known
        owners, orphans, own = cast("Sequence[Sequence[object]]", reply.rest)
        known.owners = {str(each) for each in owners}
        known.holds = {name: kept for name, kept in known.holds.items() if kept[1] or kept[0] > reply.seq}
        for owner, hold_id, text in cast("Sequence[Sequence[object]]", orphans):
            await self._sweep(str(owner), str(hold_id), str(text))
        self._forget(pairs(own), reply)

    async def aclose(self) -> int:
        """Send what waits, for a second at most; how many settlements the server did not take."""
        await self._drained()
        if self._sender is not None:
            self._sender.cancel()
            await asyncio.gather(self._sender, return_exceptions=True)
        await self._teller.redis.aclose()
        return len(self._bills) + self._under_way

    def _forget(self, own: dict[str, str], reply: Reply) -> None:
        """Holds that this process does not know of: it had given up waiting when they were decided."""
        for hold_id, text in own.items():
            if hold_id not in self._teller.known.holds and int(json.loads(text)["at"]) < reply.now_us - self._teller.lease_us:
                self.settle(hold_id, ())

    async def _sweep(self, owner: str, hold_id: str, text: str) -> None:
        hold = json.loads(text)
        rows = []
        if hold["intent"]:
            cost = int(hold["nano"])
            rows = [entry_of(hold["intent"])._replace(at_us=self._teller.now_us(), estimated=True, amounts=Amounts(total=cost))]
        await self._send(_Bill(f"{hold_id}/swept", hold_id, rows, owner, orphan=True))

    def _post(self, bill: _Bill) -> None:
        self._bills.append(bill)
        if self._sender is None or self._sender.done():
            self._sender = asyncio.get_running_loop().create_task(self._send_all())  # owned here: see aclose

    async def _send_all(self) -> None:
        """Send what waits, in its order, until it is taken."""
        while self._bills:
            some = [self._bills.popleft() for _ in range(min(_AT_ONCE, len(self._bills)))]
            self._under_way = len(some)
            failed = [bill for bill, taken in zip(some, await asyncio.gather(*map(self._taken, some)), strict=True) if not taken]
            self._under_way = 0
            self._bills.extendleft(reversed(failed))
            if failed:
                await asyncio.sleep(_PAUSE_S)

    async def _taken(self, bill: _Bill) -> bool:
        try:
            await self._send(bill)
        except StoreDown:
            return False
        if not bill.hold_id:
            self._waiting -= len(bill.entries)
        return True

    async def _send(self, bill: _Bill) -> None:
        """Have it settled. Raises StoreDown."""

        def arguments() -> Sequence[Argument]:
            budgets = self._teller.found({budget_id for entry in bill.entries for budget_id in entry.budgets})
            spans = self._teller.spans(budgets)
            asked = [self._teller.asked(budget, spans[budget.budget_id]) | _costs(bill.entries, budget) for budget in budgets]
            total = sum(entry.amounts.total or 0 for entry in bill.entries)
            told = {"id": bill.bill_id, "hold": bill.hold_id, "owner": bill.owner, "orphan": bill.orphan, "total": str(total)}
            return (self._owner, *range_of(spans), self._teller.known.version, json.dumps(told | {"budgets": asked}))

        reply = await self._teller.ask(till.SETTLE, arguments)
        if reply.word == "again" and bill.orphan:
            return
        counted, reached = ("", []) if reply.word == "again" else cast("Sequence[object]", reply.rest)
        rows = [_corrected(entry, int(str(counted))) for entry in bill.entries] if counted else bill.entries
        if rows:
            self._rows(rows)
        self._settled()
        self._heard(reached)

    async def _drained(self) -> None:
        """Wait until what this process has settled is with the store, for a second at most."""
        if self._sender is not None and not self._sender.done():
            await asyncio.wait({self._sender}, timeout=1.0)

    async def _force(self, change: Change) -> None:
        await self._drained()
        await self._teller.learn()
        arguments = lambda: self._changing(change, Once(""), self._teller.known.version, reset=False)  # noqa: E731
        await self._changed(change, await self._teller.ask(till.CHANGE, arguments))

    def _fits(self, change: Change) -> bool:
        before = self._teller.known.budgets.get(change.budget_id)
        return (None if before is None else before.etag) == change.before

    def _changing(self, change: Change, once: Once, version: int, *, reset: bool) -> Sequence[Argument]:
        old = self._teller.known.tills.get(change.budget_id, "")
        new = f"{change.budget_id}@{self._teller.known.version + 1}"
        if old and not reset:
            new = old
        if change.after is None:
            new = ""
        definition = "" if change.after is None else written(change.after)
        gone = [member for member in self._teller.known.parts if old and member.startswith(f"{old}|")]
        return (_name(once), once.digest, version, old, new, definition, definition, *gone)

    async def _changed(self, change: Change, reply: Reply) -> Budget | None:
        if reply.word == "reused":
            raise Reused
        await self._teller.learn()
        self._settled()  # there may be room now
        if reply.word == "answered":
            return read(str(reply.rest)) if reply.rest else None
        return change.after

    def _given(self, reply: Reply, gift: Gift) -> Given:
        if reply.word == "reused":
            raise Reused
        if reply.word == "much":
            raise TooMuch
        answer = str(reply.rest) if reply.word == "answered" else str(cast("Sequence[object]", reply.rest)[0])
        kept = json.loads(answer)
        given = Given(int(kept["number"]), kept["id"], int(kept["amount"]), kept["reason"], int(kept["at"]), kept["by"])
        if reply.word == "changed":
            row = gift.entry._replace(
                kind=ADJUSTMENT, at_us=given.at_us, budgets=(given.budget_id,), adjustment_nano_usd=given.amount_nano_usd
            )
            self._rows([row])
            self._settled()
            self._heard(cast("Sequence[object]", reply.rest)[1])
        return given

    def _denial(self, rest: Sequence[object], now_us: int) -> Denial:
        till_id, free, by_holds = rest
        budget = self._teller.known.budgets[str(till_id).rpartition("@")[0]]
        return Denial(budget.budget_id, budget.limit_nano_usd, int(str(free)), bool(by_holds), budget.window.ends_us(now_us))

    def _heard(self, told: object) -> None:
        found = []
        for till_id, percent, spent, held, limit, since in cast("Sequence[Sequence[object]]", told):
            name = str(till_id).rpartition("@")[0]
            found.append(Reached(name, int(str(percent)), int(str(spent)), int(str(held)), int(str(limit)), int(str(since))))
        if found:
            self._tell(found)


def _costs(entries: Sequence[Entry], budget: Budget) -> dict[str, object]:
    costs = [entry.amounts.total for entry in entries if budget.budget_id in entry.budgets]
    if isinstance(budget.window, PerCall):  # of which nothing is added up
        costs = []
    return {"spent": str(sum(cost or 0 for cost in costs)), "unpriced": str(costs.count(None))}


def _corrected(entry: Entry, counted: int) -> Entry:
    """What to write when a hold was counted as spent before its owner came back: the difference."""
    return entry._replace(kind=CORRECTION, amounts=Amounts(total=(entry.amounts.total or 0) - counted))


def _name(once: Once) -> str:
    return f"{once.account}|{once.request_id}" if once.request_id else ""


def _balance(budget: Budget, figures: Sequence[object], now_us: int) -> Balance:
    spent, adjusted, unpriced, held, told = figures
    return Balance(
        limit_nano_usd=budget.limit_nano_usd,
        adjusted_nano_usd=int(str(adjusted)),
        spent_nano_usd=int(str(spent)),
        held_nano_usd=int(str(held)),
        window_start_us=budget.window.since_us(now_us),
        reset_us=budget.window.ends_us(now_us),
        reached_percents=tuple(sorted(int(str(each)) for each in cast("Sequence[object]", told))),
        unpriced_calls=int(str(unpriced)),
        as_of_us=now_us,
    )
