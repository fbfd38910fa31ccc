"""ProviderService: the providers, for their operator."""

from collections.abc import Callable, Iterator, Mapping, Sequence
from typing import Protocol

from promptwire.admin import v1 as admin
from promptwire_server.core.errors import InvalidRequest, PolicyDenied, Violation
from promptwire_server.layers import names
from promptwire_server.rpc.exchange import Exchange
from promptwire_server.rpc.paging import page_size, text_of, token_of

_MOST_ID = 64
_MOST_REASON = 1024
_MOST_DRAIN_S = 86_400.0
_MODES = {name: value for name, value in admin.ProviderMode.items() if value}  # no provider is in an unspecified one
_HEALTHS = dict(admin.ProviderHealth.items())
Audit = Callable[[str, Mapping[str, str]], None]  # an event of `names`, and its fields


class Desk(Protocol):
    """Knows the providers, and does what their operator wants."""

    instance_id: str  # of this replica

    def providers(self) -> Sequence[admin.Provider]:
        """All of them, by name."""
        ...

    def provider(self, name: str) -> admin.Provider:
        """One of them. Raises NotFound."""
        ...

    def reset(self, name: str, model: str) -> None:
        """Close the breakers of a provider, or of one model of it. Raises NotFound."""
        ...

    async def set_enabled(self, name: str, *, enabled: bool, reason: str, drain_s: float | None) -> None:
        """Use a provider or not; end what is under way after `drain_s` seconds, None: let it end. Raises NotFound."""
        ...


class ProviderService:
    """promptwire.admin.v1.ProviderService."""

    def __init__(self, desk: Desk, audit: Audit) -> None:
        self._desk = desk
        self._audit = audit

    async def ListProviders(self, request: admin.ListProvidersRequest, exchange: Exchange) -> admin.ListProvidersResponse:  # noqa: N802 - the contract's name
        """A page of providers."""
        _check_operator(exchange)
        _raise_for([*_unknown("modes", request.modes, _MODES), *_unknown("healths", request.healths, _HEALTHS)])
        size, after = page_size(request.page_size), text_of(request.page_token)
        found = [each for each in self._desk.providers() if each.name > after and _wanted(each, request)]
        token = token_of(found[size - 1].name) if len(found) > size else ""
        return admin.ListProvidersResponse(providers=found[:size], next_page_token=token, instance_id=self._desk.instance_id)

    async def GetProvider(self, request: admin.GetProviderRequest, exchange: Exchange) -> admin.GetProviderResponse:  # noqa: N802 - the contract's name
        """One provider."""
        _check_operator(exchange)
        _raise_for([*_absent(request.name)])
        return admin.GetProviderResponse(provider=self._desk.provider(request.name), instance_id=self._desk.instance_id)

    async def ResetBreaker(self, request: admin.ResetBreakerRequest, exchange: Exchange) -> admin.ResetBreakerResponse:  # noqa: N802 - the contract's name
        """The provider, its breakers closed."""
        _check_operator(exchange)
        _raise_for([*_absent(request.name), *_too_long(request)])
        if request.request_id:
            exchange.rename(request.request_id)
        self._desk.reset(request.name, request.model)
        self._note(names.BREAKER_RESET, exchange, {"provider": request.name, "model": request.model or "all", "reason": request.reason})
        return admin.ResetBreakerResponse(provider=self._desk.provider(request.name), instance_id=self._desk.instance_id)

    async def SetProviderEnabled(  # noqa: N802 - the contract's name
        self, request: admin.SetProviderEnabledRequest, exchange: Exchange
    ) -> admin.SetProviderEnabledResponse:
        """The provider, in use or out of it."""
        _check_operator(exchange)
        _raise_for([*_absent(request.name), *_too_long(request), *_unclear(request)])
        if request.request_id:
            exchange.rename(request.request_id)
        drain_s = request.drain_timeout.ToNanoseconds() / 1e9 if request.HasField("drain_timeout") else None
        await self._desk.set_enabled(request.name, enabled=request.enabled, reason=request.reason, drain_s=drain_s)
        event = names.PROVIDER_ENABLED if request.enabled else names.PROVIDER_DISABLED
        self._note(event, exchange, {"provider": request.name, "reason": request.reason})
        return admin.SetProviderEnabledResponse(provider=self._desk.provider(request.name), instance_id=self._desk.instance_id)

    def _note(self, event: str, exchange: Exchange, fields: Mapping[str, str]) -> None:
        self._audit(event, {names.PRINCIPAL: exchange.principal.name, names.REQUEST_ID: exchange.request_id, **fields})


def _check_operator(exchange: Exchange) -> None:
    if not exchange.principal.operator:
        raise PolicyDenied(
            "this needs an operator's credential: an API key of no tenant (auth.api_keys with tenant: null in the configuration)"
        )


def _wanted(provider: admin.Provider, request: admin.ListProvidersRequest) -> bool:
    return (not request.modes or provider.mode in request.modes) and (not request.healths or provider.health in request.healths)


def _raise_for(violations: Sequence[Violation]) -> None:
    if violations:
        raise InvalidRequest.of(*violations)


def _absent(name: str) -> Iterator[Violation]:
    if not name:
        yield Violation("name", "is required: a provider's name; ListProviders has them all")


def _too_long(request: admin.ResetBreakerRequest | admin.SetProviderEnabledRequest) -> Iterator[Violation]:
    for field, text, most in (("request_id", request.request_id, _MOST_ID), ("reason", request.reason, _MOST_REASON)):
        if len(text) > most:
            yield Violation(field, f"has {len(text)} characters; at most {most}")


def _unclear(request: admin.SetProviderEnabledRequest) -> Iterator[Violation]:
    if not request.HasField("enabled"):
        yield Violation("enabled", "is required: true to use the provider, false to take it out of use")
    if not request.HasField("drain_timeout"):
        return
    if request.enabled:
        yield Violation("drain_timeout", "is of no use with enabled: true; leave it out")
    if not 0 <= request.drain_timeout.ToNanoseconds() / 1e9 <= _MOST_DRAIN_S:
        yield Violation("drain_timeout", f"must be 0 to {_MOST_DRAIN_S:g} seconds")


def _unknown(field: str, values: Sequence[int], known: Mapping[str, int]) -> Iterator[Violation]:
    for position, value in enumerate(values):
        if value not in known.values():
            yield Violation(f"{field}[{position}]", f"is none of {', '.join(known)}")
