"""Bursar: budgets as those see and change them who may: operators all of them, a tenant its own."""

from collections.abc import Awaitable, Callable, Sequence
from contextlib import suppress
from dataclasses import replace
from typing import Final, NoReturn, Protocol, TypeVar

from promptwire_server.core.budget import Balance, Budget, Scope
from promptwire_server.core.call import Principal
from promptwire_server.core.clock import Clock
from promptwire_server.core.errors import (
    AlreadyExists,
    BudgetStoreUnavailable,
    EtagMismatch,
    InvalidRequest,
    NotFound,
    PolicyDenied,
    RequestIdReused,
)
from promptwire_server.core.ids import Ids
from promptwire_server.core.purse import Change, Conflict, Gift, Given, Once, Reused, TooMuch
from promptwire_server.core.store import StoreDown

_TRIES: Final = 5  # of a change that others overtake
_NEVER: Final = "-"  # an etag that no budget has

T = TypeVar("T")
Edit = Callable[[Budget], Budget]


class Purse(Protocol):
    """Where budgets are kept. Everything raises StoreDown."""

    async def every(self) -> Sequence[Budget]:
        """All of them, as the store has them now, by identifier."""
        ...

    async def change(self, change: Change, once: Once) -> Budget | None:
        """Make, change or delete a budget, and what it is then. Raises Conflict and Reused."""
        ...

    async def adjust(self, budget: Budget, gift: Gift, once: Once) -> tuple[Given, Balance]:
        """Give a budget more, or less, once. Raises Conflict, Reused and TooMuch."""
        ...

    async def balances(self, budgets: Sequence[Budget]) -> Sequence[Balance]:
        """What of some budgets is left, at one moment."""
        ...


class Bursar:
    """Budgets, for who may see them. Everything raises PolicyDenied, and BudgetStoreUnavailable when the store does not answer."""

    def __init__(self, purse: Purse, clock: Clock, ids: Ids) -> None:
        self._purse = purse
        self._clock = clock
        self._ids = ids

    async def create(self, who: Principal, budget: Budget, once: Once) -> Budget:
        """A new budget; its identifier, when empty, is made. Raises AlreadyExists and RequestIdReused."""
        scope = budget.scope if budget.scope.tenant or who.operator else replace(budget.scope, tenant=_tenant(who))
        if not _may(who, scope):
            raise PolicyDenied(f"scope.tenant: this credential makes budgets of tenant '{_tenant(who)}' only; leave it out")
        now_us = self._now_us()
        made = replace(
            budget,
            budget_id=budget.budget_id or self._ids.request().replace("req-", "budget-"),
            scope=scope,
            created_us=now_us,
            updated_us=now_us,
            etag=self._etag(),
        )
        try:
            return await self._changed(Change(made.budget_id, None, made), once) or made
        except Conflict:
            raise AlreadyExists(f"there is a budget '{made.budget_id}' already; choose another budget_id, or change that one") from None

    async def get(self, who: Principal, budget_id: str) -> Budget:
        """One budget. Raises NotFound, also for somebody else's."""
        found = [budget for budget in await self.visible(who) if budget.budget_id == budget_id]
        if not found:
            _unknown(budget_id)
        return found[0]

    async def visible(self, who: Principal) -> Sequence[Budget]:
        """Those that somebody may see, by identifier."""
        _tenant(who)
        return [budget for budget in await _up(self._purse.every()) if _may(who, budget.scope)]

    async def update(self, who: Principal, budget_id: str, edit: Edit, etag: str, once: Once) -> Budget:
        """A budget, changed. Raises NotFound, EtagMismatch and RequestIdReused."""
        now_us = self._now_us()

        def change(budget: Budget) -> Change:
            return Change(budget_id, budget.etag, replace(edit(budget), updated_us=now_us, etag=self._etag()))

        changed = await self._edited(who, budget_id, change, etag, once)
        if changed is None:
            _unknown(budget_id)
        return changed

    async def delete(self, who: Principal, budget_id: str, etag: str, once: Once) -> None:
        """Delete a budget. Raises NotFound, EtagMismatch and RequestIdReused."""
        await self._edited(who, budget_id, lambda budget: Change(budget_id, budget.etag, None), etag, once)

    async def balances(self, budgets: Sequence[Budget]) -> Sequence[Balance]:
        """What of some budgets is left."""
        return await _up(self._purse.balances(budgets))

    async def adjust(self, who: Principal, budget_id: str, gift: Gift, once: Once) -> tuple[Given, Budget, Balance]:
        """Give a budget more, or less, once. Raises NotFound, InvalidRequest and RequestIdReused."""
        budget = await self.get(who, budget_id)
        row = gift.entry._replace(tenant=budget.scope.tenant)
        try:
            given, balance = await _up(self._purse.adjust(budget, replace(gift, entry=row), once))
        except Conflict:
            _unknown(budget_id)
        except TooMuch:
            raise InvalidRequest.at(
                "amount_nano_usd", "with what was given before it is more than can be counted; raise the limit"
            ) from None
        return given, budget, balance

    async def _edited(self, who: Principal, budget_id: str, change: Callable[[Budget], Change], etag: str, once: Once) -> Budget | None:
        """A change of what stands there now, tried anew when somebody else is faster, unless the caller has said what he saw."""
        for _ in range(1 if etag else _TRIES):
            try:
                budget = await self.get(who, budget_id)
            except NotFound:
                return await self._repeated(budget_id, once)
            if budget.configured:
                raise PolicyDenied(f"budget '{budget_id}' is written in the configuration file, budgets.{budget_id}: change it there")
            wish = change(budget)
            with suppress(Conflict):
                return await self._changed(replace(wish, before=etag) if etag else wish, once)
        raise EtagMismatch(f"budget '{budget_id}' is not as it was; read it again, then decide")

    async def _repeated(self, budget_id: str, once: Once) -> Budget | None:
        """What came of a request of before, whose budget is gone now. Raises NotFound when there was none."""
        try:
            return await self._changed(Change(budget_id, _NEVER, None), once)
        except Conflict:
            _unknown(budget_id)

    async def _changed(self, change: Change, once: Once) -> Budget | None:
        return await _up(self._purse.change(change, once))

    def _etag(self) -> str:
        return self._ids.trace()[:16]

    def _now_us(self) -> int:
        return int(self._clock.time() * 1e6)


def _tenant(who: Principal) -> str:
    if not who.tenant and not who.operator:
        raise PolicyDenied("this needs a credential of a tenant, or an operator's")
    return who.tenant


def _may(who: Principal, scope: Scope) -> bool:
    return who.operator or scope.tenant == who.tenant


async def _up(asked: Awaitable[T]) -> T:
    """What the store answers."""
    try:
        return await asked
    except StoreDown as error:
        raise BudgetStoreUnavailable(f"the store of budgets does not answer: {error}") from error
    except Reused:
        raise RequestIdReused("request_id: it belongs to a request with another body; make a new one") from None


def _unknown(budget_id: str) -> NoReturn:
    raise NotFound(f"there is no budget '{budget_id[:64]}' that this credential may see; ListBudgets has them all")
