"""What operators do, by both clients."""

import asyncio
from collections.abc import Awaitable, Callable

import pytest

from promptwire import Promptwire, SyncPromptwire
from promptwire.admin import v1 as admin
from tests.unit.client.callers import TIMEOUT_S
from tests.unit.client.gateway import Gateway

ACME = admin.Provider(name="acme")
Ask = Callable[..., Awaitable[object]]


async def by_async(target: str, method: str, *args: object, **options: object) -> object:
    async with Promptwire(target, api_key="ops", timeout_s=TIMEOUT_S) as client:
        return await getattr(client.admin, method)(*args, **options)


async def by_sync(target: str, method: str, *args: object, **options: object) -> object:
    def run() -> object:
        with SyncPromptwire(target, api_key="ops", timeout_s=TIMEOUT_S) as client:
            return getattr(client.admin, method)(*args, **options)

    return await asyncio.to_thread(run)


both = pytest.mark.parametrize("ask", [by_async, by_sync])


@both
async def test_all_pages_of_providers_are_listed(gateway: Gateway, ask: Ask) -> None:
    async def page(request: admin.ListProvidersRequest, _: object) -> admin.ListProvidersResponse:
        if request.page_token:
            return admin.ListProvidersResponse(providers=[admin.Provider(name="beta")])
        return admin.ListProvidersResponse(providers=[ACME], next_page_token="more")

    gateway.on["ListProviders"] = page
    assert await ask(gateway.target, "list_providers") == [ACME, admin.Provider(name="beta")]
    assert gateway.seen[0].metadata["authorization"] == "Bearer ops"


@both
async def test_one_provider_is_asked_for_and_steered(gateway: Gateway, ask: Ask) -> None:
    gateway.on["GetProvider"] = admin.GetProviderResponse(provider=ACME)
    gateway.on["ResetBreaker"] = admin.ResetBreakerResponse(provider=ACME)
    gateway.on["SetProviderEnabled"] = admin.SetProviderEnabledResponse(provider=ACME)
    asked: list[tuple[str, dict[str, object]]] = [
        ("get_provider", {}),
        ("reset_breaker", {"model": "m", "reason": "fixed"}),
        ("enable_provider", {}),
        ("disable_provider", {"drain_timeout_s": 1.5}),
    ]
    for method, options in asked:
        assert await ask(gateway.target, method, "acme", **options) == ACME
    get, reset, enable, disable = (seen.request for seen in gateway.seen)
    assert (get.name, reset.model, reset.reason, enable.enabled, disable.HasField("enabled")) == ("acme", "m", "fixed", True, True)
    assert (enable.HasField("drain_timeout"), disable.drain_timeout.ToMilliseconds()) == (False, 1500)
    assert len({reset.request_id, enable.request_id, disable.request_id} - {""}) == 3


@both
async def test_the_cache_is_looked_at_and_purged(gateway: Gateway, ask: Ask) -> None:
    told, purged = admin.GetCacheStatsResponse(store="memory"), admin.PurgeCacheResponse(purged_count=2)
    gateway.on["GetCacheStats"], gateway.on["PurgeCache"] = told, purged
    assert await ask(gateway.target, "cache_stats", tenant="shop", model="acme/*") == told
    assert await ask(gateway.target, "purge_cache", admin.CacheSelector(model="acme/*"), dry_run=True, reason="why") == purged
    assert await ask(gateway.target, "purge_cache") == purged
    stats, some, everything = (seen.request for seen in gateway.seen)
    assert (stats.tenant, stats.model, stats.include_models) == ("shop", "acme/*", True)
    assert (some.selector.model, some.dry_run, some.reason, some.all) == ("acme/*", True, "why", False)
    assert (everything.all, everything.HasField("selector")) == (True, False)
    assert len({some.request_id, everything.request_id} - {""}) == 2
