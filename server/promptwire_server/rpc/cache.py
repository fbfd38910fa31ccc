"""CacheService: the cache of answers, for operators, and for tenants their own part of it."""

import re
from collections.abc import Callable, Iterator, Mapping, Sequence
from typing import Final, Protocol

from promptwire.admin import v1 as admin
from promptwire_server.core.call import Principal
from promptwire_server.core.checks import NAMESPACE
from promptwire_server.core.errors import InvalidRequest, Overloaded, PolicyDenied, Violation
from promptwire_server.core.kept import Selector
from promptwire_server.core.store import StoreDown
from promptwire_server.layers import names
from promptwire_server.rpc.exchange import Exchange

_MOST_ID: Final = 64
_MOST_REASON: Final = 1024
_MODEL: Final = re.compile(r"[^/]+/.+")
_KEY_PREFIX: Final = re.compile(r"[0-9a-f]{1,64}")
Audit = Callable[[str, Mapping[str, str]], None]  # an event of `names`, and its fields


class Cabinet(Protocol):
    """The kept answers. See layers/cache/cabinet.py."""

    instance_id: str  # of this replica, where it keeps its own; empty: replicas share

    async def stats(self, selector: Selector, *, models: bool) -> admin.GetCacheStatsResponse:
        """What is held of what is meant. Raises StoreDown."""
        ...

    async def purge(self, selector: Selector, *, dry_run: bool) -> tuple[int, int]:
        """Drop what is meant, or only count it; how many, and their bytes. Raises StoreDown."""
        ...


class CacheService:
    """promptwire.admin.v1.CacheService."""

    def __init__(self, cabinet: Cabinet, audit: Audit) -> None:
        self._cabinet = cabinet
        self._audit = audit

    async def GetCacheStats(self, request: admin.GetCacheStatsRequest, exchange: Exchange) -> admin.GetCacheStatsResponse:  # noqa: N802 - the contract's name
        """What the cache holds, and what it was good for."""
        _raise_for([*_strange_model(request.model, "model")])
        selector = Selector(tenant=_reach(exchange.principal, request.tenant, "tenant"), model=request.model)
        try:
            return await self._cabinet.stats(selector, models=request.include_models)
        except StoreDown as error:
            raise _down(error) from error

    async def PurgeCache(self, request: admin.PurgeCacheRequest, exchange: Exchange) -> admin.PurgeCacheResponse:  # noqa: N802 - the contract's name
        """How much was dropped."""
        _raise_for([*_too_long(request), *_unclear(request)])
        if request.request_id:
            exchange.rename(request.request_id)
        selector = _selector(request.selector, exchange.principal)
        try:
            count, size_bytes = await self._cabinet.purge(selector, dry_run=request.dry_run)
        except StoreDown as error:
            raise _down(error) from error
        if not request.dry_run:
            self._note(exchange, selector, count, request.reason)
        return admin.PurgeCacheResponse(purged_count=count, purged_bytes=size_bytes, instance_id=self._cabinet.instance_id)

    def _note(self, exchange: Exchange, selector: Selector, count: int, reason: str) -> None:
        told = {"tenant": selector.tenant, "model": selector.model, "key_prefix": selector.key_prefix, "namespace": selector.namespace}
        chosen = {name: text for name, text in told.items() if text}
        who = {names.PRINCIPAL: exchange.principal.name, names.REQUEST_ID: exchange.request_id}
        self._audit(names.CACHE_PURGED, {**who, **chosen, "count": str(count), "reason": reason})


def _reach(principal: Principal, tenant: str, field: str) -> str | None:
    """Whose answers are meant; None: everybody's. Raises PolicyDenied for another tenant's."""
    if principal.operator:
        return tenant or None
    if tenant and tenant != principal.tenant:
        raise PolicyDenied(f"{field}: a tenant's credential reaches the answers of that tenant; leave it out, or use an operator's key")
    return principal.tenant


def _selector(asked: admin.CacheSelector, principal: Principal) -> Selector:
    return Selector(
        tenant=_reach(principal, asked.tenant, "selector.tenant"),
        model=asked.model,
        key_prefix=asked.key_prefix,
        min_age_s=asked.min_age.ToNanoseconds() / 1e9,
        namespace=asked.namespace or None,
    )


def _raise_for(violations: Sequence[Violation]) -> None:
    if violations:
        raise InvalidRequest.of(*violations)


def _down(error: StoreDown) -> Overloaded:
    return Overloaded(f"the cache's store does not answer ({error}); try again in a moment")


def _too_long(request: admin.PurgeCacheRequest) -> Iterator[Violation]:
    for field, text, most in (("request_id", request.request_id, _MOST_ID), ("reason", request.reason, _MOST_REASON)):
        if len(text) > most:
            yield Violation(field, f"has {len(text)} characters; at most {most}")


def _unclear(request: admin.PurgeCacheRequest) -> Iterator[Violation]:
    match request.WhichOneof("what"):
        case "all":
            if not request.all:
                yield Violation("all", "is false, which means nothing; set it to true, or set selector")
        case "selector":
            yield from _strange(request.selector)
        case _:
            yield Violation("selector", "is required, or all: saying nothing does not empty the cache")


def _strange(selector: admin.CacheSelector) -> Iterator[Violation]:
    if not selector.ListFields():
        yield Violation("selector", "is empty; set one of its fields, or all: true for everything that you may reach")
    yield from _strange_model(selector.model, "selector.model")
    if selector.key_prefix and not _KEY_PREFIX.fullmatch(selector.key_prefix):
        yield Violation("selector.key_prefix", "has 1 to 64 hex digits in lower case, as cache_key of an answer has them")
    if selector.namespace and not NAMESPACE.fullmatch(selector.namespace):
        yield Violation("selector.namespace", "has 1 to 64 characters: letters, digits, and any of ._:/-")
    if selector.min_age.ToNanoseconds() < 0:
        yield Violation("selector.min_age", "is negative")


def _strange_model(model: str, field: str) -> Iterator[Violation]:
    if model and not _MODEL.fullmatch(model):
        yield Violation(field, f'"{model[:128]}" is no model: write "provider/model", or "provider/*" for all of a provider')
