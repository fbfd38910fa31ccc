"""BudgetService: limits of what may be spent, for operators, and for tenants their own."""

import hashlib
from collections.abc import Callable, Iterable, Mapping, Sequence
from typing import Protocol

from google.protobuf.message import Message

from promptwire.admin import v1 as admin
from promptwire_server.core.budget import Balance, Budget
from promptwire_server.core.budget_message import adjustment_of, budget_of, message_of, status_of
from promptwire_server.core.call import Principal
from promptwire_server.core.errors import InvalidRequest, Violation
from promptwire_server.core.ledger import Entry
from promptwire_server.core.money import dollars
from promptwire_server.core.purse import Gift, Given, Once
from promptwire_server.layers import names
from promptwire_server.rpc import budget_check as check
from promptwire_server.rpc.exchange import Exchange
from promptwire_server.rpc.paging import page_size, text_of, token_of

Audit = Callable[[str, Mapping[str, str]], None]  # an event of `names`, and its fields


class Budgets(Protocol):
    """Budgets, for who may see them. See layers/bursar.py."""

    async def create(self, who: Principal, budget: Budget, once: Once) -> Budget: ...  # noqa: D102
    async def get(self, who: Principal, budget_id: str) -> Budget: ...  # noqa: D102
    async def visible(self, who: Principal) -> Sequence[Budget]: ...  # noqa: D102
    async def update(self, who: Principal, budget_id: str, edit: Callable[[Budget], Budget], etag: str, once: Once) -> Budget: ...  # noqa: D102
    async def delete(self, who: Principal, budget_id: str, etag: str, once: Once) -> None: ...  # noqa: D102
    async def balances(self, budgets: Sequence[Budget]) -> Sequence[Balance]: ...  # noqa: D102
    async def adjust(self, who: Principal, budget_id: str, gift: Gift, once: Once) -> tuple[Given, Budget, Balance]: ...  # noqa: D102


class BudgetService:
    """promptwire.admin.v1.BudgetService."""

    def __init__(self, budgets: Budgets, known: Callable[[], check.Known], audit: Audit) -> None:
        """`known` says which names budgets may use now."""
        self._budgets = budgets
        self._known = known
        self._audit = audit

    async def CreateBudget(self, request: admin.CreateBudgetRequest, exchange: Exchange) -> admin.CreateBudgetResponse:  # noqa: N802 - the contract's name
        """The budget, made."""
        _raise_for(check.check_create(request, self._known()))
        once = _once(request, request.request_id, exchange)
        budget = await self._budgets.create(exchange.principal, budget_of(request.budget), once)
        self._note(names.BUDGET_CREATED, exchange, {"budget_id": budget.budget_id, "limit": dollars(budget.limit_nano_usd)})
        return admin.CreateBudgetResponse(budget=message_of(budget))

    async def GetBudget(self, request: admin.GetBudgetRequest, exchange: Exchange) -> admin.GetBudgetResponse:  # noqa: N802 - the contract's name
        """One budget."""
        _raise_for(check.budget_id(request.budget_id))
        return admin.GetBudgetResponse(budget=message_of(await self._budgets.get(exchange.principal, request.budget_id)))

    async def ListBudgets(self, request: admin.ListBudgetsRequest, exchange: Exchange) -> admin.ListBudgetsResponse:  # noqa: N802 - the contract's name
        """A page of budgets, and what of each is left."""
        size, after = page_size(request.page_size), text_of(request.page_token)
        visible = await self._budgets.visible(exchange.principal)
        found = [budget for budget in visible if budget.budget_id > after and _names(budget, request.scope)]
        page = found[:size]
        balances = await self._budgets.balances(page) if request.include_status and page else ()
        return admin.ListBudgetsResponse(
            budgets=map(message_of, page),
            next_page_token=token_of(page[-1].budget_id) if len(found) > size else "",
            statuses=map(status_of, page, balances),
        )

    async def UpdateBudget(self, request: admin.UpdateBudgetRequest, exchange: Exchange) -> admin.UpdateBudgetResponse:  # noqa: N802 - the contract's name
        """The budget, changed."""
        _raise_for(check.check_update(request, self._known()))
        once = _once(request, request.request_id, exchange)
        who, name = exchange.principal, request.budget.budget_id
        budget = await self._budgets.update(who, name, lambda before: _changed(before, request), request.etag, once)
        self._note(names.BUDGET_CHANGED, exchange, {"budget_id": name, "fields": ",".join(request.update_mask.paths)})
        return admin.UpdateBudgetResponse(budget=message_of(budget))

    async def DeleteBudget(self, request: admin.DeleteBudgetRequest, exchange: Exchange) -> admin.DeleteBudgetResponse:  # noqa: N802 - the contract's name
        """Nothing: the budget is gone."""
        _raise_for([*check.request_id(request.request_id), *check.budget_id(request.budget_id)])
        once = _once(request, request.request_id, exchange)
        await self._budgets.delete(exchange.principal, request.budget_id, request.etag, once)
        self._note(names.BUDGET_DELETED, exchange, {"budget_id": request.budget_id})
        return admin.DeleteBudgetResponse()

    async def GetBudgetStatus(self, request: admin.GetBudgetStatusRequest, exchange: Exchange) -> admin.GetBudgetStatusResponse:  # noqa: N802 - the contract's name
        """What of a budget is left."""
        _raise_for(check.budget_id(request.budget_id))
        budget = await self._budgets.get(exchange.principal, request.budget_id)
        return admin.GetBudgetStatusResponse(status=status_of(budget, (await self._budgets.balances([budget]))[0]))

    async def AdjustBudget(self, request: admin.AdjustBudgetRequest, exchange: Exchange) -> admin.AdjustBudgetResponse:  # noqa: N802 - the contract's name
        """The adjustment, given once, and what is left now."""
        _raise_for(check.check_adjust(request))
        once = _once(request, request.request_id, exchange)
        gift = Gift(request.amount_nano_usd, request.reason, _row(exchange))
        given, budget, balance = await self._budgets.adjust(exchange.principal, request.budget_id, gift, once)
        amount = dollars(request.amount_nano_usd)
        self._note(names.BUDGET_ADJUSTED, exchange, {"budget_id": request.budget_id, "amount": amount, "reason": request.reason})
        return admin.AdjustBudgetResponse(adjustment=adjustment_of(given), status=status_of(budget, balance))

    def _note(self, event: str, exchange: Exchange, fields: Mapping[str, str]) -> None:
        self._audit(event, {names.PRINCIPAL: exchange.principal.name, names.REQUEST_ID: exchange.request_id, **fields})


def _raise_for(violations: Iterable[Violation]) -> None:
    if found := list(violations):
        raise InvalidRequest.of(*found)


def _once(request: Message, request_id: str, exchange: Exchange) -> Once:
    """Who asks for what under which name. Operators share their names, since they share the budgets."""
    if request_id:
        exchange.rename(request_id)
    who = exchange.principal
    body = f"{request.DESCRIPTOR.name}\n".encode() + request.SerializeToString(deterministic=True)
    return Once("" if who.operator else who.tenant, request_id, hashlib.sha256(body).hexdigest(), who.name)


def _row(exchange: Exchange) -> Entry:
    """The row of an adjustment."""
    who = exchange.principal
    return Entry(
        tenant=who.tenant,
        principal=who.name,
        api_key_id=who.api_key_id,
        rpc="promptwire.admin.v1.BudgetService/AdjustBudget",
        request_id=exchange.request_id,
        trace_id=exchange.trace_id,
    )


def _changed(budget: Budget, request: admin.UpdateBudgetRequest) -> Budget:
    """The budget with the fields of the mask."""
    message = message_of(budget)
    for path in request.update_mask.paths:
        if path == "alert_thresholds":
            message.ClearField("alert_thresholds")
            message.alert_thresholds.extend(request.budget.alert_thresholds)
        else:
            setattr(message, path, getattr(request.budget, path))
    return budget_of(message)


def _names(budget: Budget, scope: admin.BudgetScope) -> bool:
    """Whether a budget's scope names everything that is set here."""
    own = budget.scope
    return (
        scope.tenant in ("", own.tenant)
        and scope.principal in ("", own.principal)
        and scope.api_key_id in ("", own.api_key_id)
        and scope.chain_name in ("", own.chain)
        and scope.model in ("", own.model)
        and all(own.labels.get(key) == value for key, value in scope.labels.items())
    )
