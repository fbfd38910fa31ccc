"""A vendor that refuses within a stream, after its head, in each dialect: whoever has to know it does."""

from collections.abc import AsyncIterator, Callable

import pytest

from promptwire_server.core.clock import SystemClock
from promptwire_server.core.errors import PromptwireError, StreamInterrupted, UpstreamRateLimited
from promptwire_server.core.secret import Secret
from promptwire_server.layers.limits import Limits, ProviderLimits
from promptwire_server.providers.keys import Keys
from promptwire_server.providers.provider import Provider
from promptwire_server.providers.registry import build
from promptwire_server.providers.settings import HttpSettings
from promptwire_server.stores import memory_limits
from tests.contract.subjects import WIRED
from tests.faults.fake_provider.ledger import secret
from tests.faults.fake_provider.process import FakeProvider
from tests.unit.providers.support import ask, make_call, make_ids

DIALECTS = pytest.mark.parametrize("name", [name for name in WIRED if name != "ollama"])  # which says no more than that it failed
MIDWAY = "error_event=6;delay_ms=10"  # behind the first words in each dialect
LIMITED = "code=rate_limit_exceeded;error_type=rate_limit_error"
EMPTY = "code=insufficient_quota;error_type=billing_error"


@pytest.fixture
def keys() -> Keys:
    return Keys(SystemClock())


@pytest.fixture
async def make(fake: FakeProvider, keys: Keys) -> AsyncIterator[Callable[..., Provider]]:
    made: list[Provider] = []

    def provider(name: str, *values: str) -> Provider:
        wired = WIRED[name]
        settings = HttpSettings(
            dialect=wired.dialect,
            vendor="openai" if wired.dialect == "openai" else "",
            base_url=f"{fake.origin}{wired.path}",
            api_keys=[Secret(value) for value in values],
            options={"api": "responses"} if name == "responses" else {},
        )
        made.append(build("openai", settings, clock=SystemClock(), ids=make_ids(), keys=keys))
        return made[-1]

    yield provider
    for one in made:
        await one.aclose()


def limits(provider: Provider) -> Limits:
    return Limits(provider, provider="openai", limits=ProviderLimits(), store=memory_limits.Limits(SystemClock()))


async def broken_off(gateway: Limits) -> PromptwireError:
    with pytest.raises(StreamInterrupted) as caught:
        await ask(gateway, make_call("Say fifty words to me.", model="fake", stream=True))
    return caught.value


@DIALECTS
@pytest.mark.parametrize(("refusal", "state"), [(LIMITED, "resting"), (EMPTY, "dead")], ids=["limited", "empty"])
async def test_the_next_call_shows_another_key(
    make: Callable[..., Provider], keys: Keys, fake: FakeProvider, api_key: str, name: str, refusal: str, state: str
) -> None:
    refused, good = f"{api_key}-1~{MIDWAY};{refusal}", f"{api_key}-2"
    gateway = limits(make(name, refused, good))
    await broken_off(gateway)
    for _ in range(2):
        assert (await ask(gateway, make_call("Say five words to me.", model="fake"))).text
    assert [len(await fake.aledger(key_sha256=secret(key))) for key in (refused, good)] == [1, 2]
    assert {found for _, found, count in keys.counts() if count} == {"working", state}


@DIALECTS
async def test_with_one_key_the_next_call_waits_for_a_while(
    make: Callable[..., Provider], fake: FakeProvider, api_key: str, name: str
) -> None:
    limited = f"{api_key}~{MIDWAY};{LIMITED}"
    gateway = limits(make(name, limited))
    assert (await broken_off(gateway)).retry_after_s == 1.0
    with pytest.raises(UpstreamRateLimited, match="said when to come back"):
        await ask(gateway, make_call("Say five words to me.", model="fake"))
    assert len(await fake.aledger(key_sha256=secret(limited))) == 1
