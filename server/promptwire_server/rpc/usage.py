"""UsageService: what was used and what it cost, for operators, and for tenants their own."""

import hashlib
from collections.abc import Iterable, Sequence
from typing import Final, NamedTuple, Protocol

from promptwire.admin import v1 as admin
from promptwire_server.core.budget import Calendar
from promptwire_server.core.clock import Clock
from promptwire_server.core.errors import BudgetStoreUnavailable, Disabled, InvalidRequest, PolicyDenied, Violation
from promptwire_server.core.ledger import Entry
from promptwire_server.core.store import StoreDown
from promptwire_server.core.sums import Question, Selection, Summed
from promptwire_server.core.sums_message import entry_message, row_message
from promptwire_server.rpc import usage_check as check
from promptwire_server.rpc.exchange import Exchange
from promptwire_server.rpc.paging import bad_token, page_size, text_of, token_of

_DIGITS: Final = 18  # that fit into 64 bits
_NO_LEDGER: Final = "this server keeps no ledger; its operator can have it kept with usage.journal: true"


class UsageStore(Protocol):
    """The ledger, to read. Everything raises StoreDown."""

    async def newest(self) -> int:
        """The number of the newest row, once everything that has ended is written; 0: there is none."""
        ...

    async def added_up(self, question: Question) -> Summed:
        """Rows added up."""
        ...

    async def entries(self, selection: Selection, after: int, limit: int) -> Sequence[tuple[int, Entry]]:
        """Rows of higher numbers, with these, in the order in which they were written."""
        ...


class UsageService:
    """promptwire.admin.v1.UsageService."""

    def __init__(self, store: UsageStore | None, clock: Clock) -> None:
        """None: no ledger is kept."""
        self._store = store
        self._clock = clock

    async def QueryUsage(self, request: admin.QueryUsageRequest, exchange: Exchange) -> admin.QueryUsageResponse:  # noqa: N802 - the contract's name
        """A page of usage, added up."""
        tenant, store = _tenant(exchange), self._kept()
        now_us = self._now_us()
        _raise_for(check.check_query(request, now_us))
        size = page_size(request.page_size)
        try:
            cursor = _cursor(request) or _Cursor(now_us, await store.newest())
            question = _question(request, tenant, cursor, size)
            summed = await store.added_up(question)
        except StoreDown as error:
            raise _down(error) from error
        following = cursor._replace(offset=cursor.offset + size)
        response = admin.QueryUsageResponse(
            rows=[row_message(question, each) for each in summed.sums],
            next_page_token=following.token(request) if summed.more else "",
            total=row_message(question, summed.total) if summed.total is not None else None,
        )
        response.as_of_time.FromMicroseconds(cursor.as_of_us)
        return response

    async def ExportUsage(self, request: admin.ExportUsageRequest, exchange: Exchange) -> None:  # noqa: N802 - the contract's name
        """Send the entries of the ledger."""
        tenant, store = _tenant(exchange), self._kept()
        _raise_for(check.check_export(request))
        size, end_us = page_size(request.page_size), check.end_of(request, self._now_us())
        wanted = check.selection(request.filter, tenant, check.start_of(request), end_us, request.kinds)
        after = int(request.after_entry_id or 0)
        try:
            newest = await store.newest()
            while entries := await store.entries(wanted, after, size):
                await exchange.send(admin.ExportUsageResponse(entries=[entry_message(*each) for each in entries]))
                after = entries[-1][0]
                if after >= newest or len(entries) < size:
                    return
        except StoreDown as error:
            raise _down(error) from error

    def _kept(self) -> UsageStore:
        if self._store is None:
            raise Disabled(_NO_LEDGER)
        return self._store

    def _now_us(self) -> int:
        return int(self._clock.time() * 1e6)


class _Cursor(NamedTuple):
    """Where a page stands: what was there at the first page is what all pages tell of."""

    as_of_us: int
    newest: int
    offset: int = 0

    def token(self, request: admin.QueryUsageRequest) -> str:
        """As the client sends it back."""
        return token_of(":".join((*map(str, self), _digest(request))))


def _cursor(request: admin.QueryUsageRequest) -> _Cursor | None:
    """Where the client wants to go on; None: at the begin. Raises InvalidRequest."""
    if not request.page_token:
        return None
    *numbers, digest = text_of(request.page_token).split(":")
    sound = all(text.isascii() and text.isdigit() and len(text) <= _DIGITS for text in numbers)
    if len(numbers) != len(_Cursor._fields) or not sound:
        raise bad_token()
    if digest != _digest(request):
        raise InvalidRequest.at("page_token", "belongs to another question; all but page_size must be as it was")
    return _Cursor(*map(int, numbers))


def _digest(request: admin.QueryUsageRequest) -> str:
    """Of everything that must not change between pages."""
    bare = admin.QueryUsageRequest()
    bare.CopyFrom(request)
    bare.ClearField("page_token")
    bare.ClearField("page_size")
    return hashlib.sha256(bare.SerializeToString(deterministic=True)).hexdigest()[:16]


def _question(request: admin.QueryUsageRequest, tenant: str | None, cursor: _Cursor, size: int) -> Question:
    period, zone = check.PERIODS[request.bucket], request.time_zone or "UTC"
    calendar = Calendar(period, zone) if period is not None else None
    start_us, end_us = check.widened(*check.span(request.start_time, request.end_time, request, cursor.as_of_us), calendar)
    return Question(
        selection=check.selection(request.filter, tenant, start_us, end_us),
        until=cursor.newest,
        period=period,
        zone=zone,
        by=tuple(check.DIMENSIONS[dimension] for dimension in request.group_by),
        labels=tuple(request.group_by_label_keys),
        order=check.ORDERS[request.order],
        offset=cursor.offset,
        limit=size,
    )


def _tenant(exchange: Exchange) -> str | None:
    """Whose rows may be seen; None: all."""
    who = exchange.principal
    if who.operator:
        return None
    if not who.tenant:
        raise PolicyDenied("this needs a credential of a tenant, or an operator's")
    return who.tenant


def _raise_for(violations: Iterable[Violation]) -> None:
    if found := list(violations):
        raise InvalidRequest.of(*found)


def _down(error: StoreDown) -> BudgetStoreUnavailable:
    return BudgetStoreUnavailable(f"the ledger does not answer: {error}")
