"""Several keys, and limits, before each dialect and a real upstream."""

import time
from collections.abc import AsyncIterator, Awaitable, Callable

import pytest

from promptwire import v1 as pb
from promptwire_server.core.call import Call
from promptwire_server.core.clock import SystemClock
from promptwire_server.core.errors import UpstreamAccount, UpstreamRateLimited
from promptwire_server.core.secret import Secret
from promptwire_server.layers.limits import Limits, ProviderLimits
from promptwire_server.providers.provider import Provider
from promptwire_server.providers.registry import build
from promptwire_server.providers.settings import HttpSettings
from promptwire_server.stores import memory_limits
from tests.contract.subjects import WIRED
from tests.faults.fake_provider.ledger import secret
from tests.faults.fake_provider.process import FakeProvider
from tests.unit.providers.support import ask, make_call, make_embed_call, make_ids

BOTH = pytest.mark.parametrize("stream", [False, True], ids=["whole", "streamed"])
DIALECTS = pytest.mark.parametrize("name", WIRED)
LIMITED = "status=429;retry_after=7"
EMPTY = "status=401"

Make = Callable[..., Provider]


@pytest.fixture
async def make(fake: FakeProvider) -> AsyncIterator[Make]:
    made: list[Provider] = []

    def provider(name: str, *keys: str) -> Provider:
        wired = WIRED[name]
        settings = HttpSettings(
            dialect=wired.dialect,
            vendor="openai" if wired.dialect == "openai" else "",
            base_url=f"{fake.origin}{wired.path}",
            api_key=Secret(keys[0]),
            api_keys=[Secret(key) for key in keys[1:]],
            options={"api": "responses"} if name == "responses" else {},
        )
        made.append(build("openai", settings, clock=SystemClock(), ids=make_ids()))
        return made[-1]

    yield provider
    for one in made:
        await one.aclose()


@pytest.fixture
def asked(fake: FakeProvider) -> Callable[[str], Awaitable[int]]:
    async def count(key: str) -> int:
        return len(await fake.aledger(key_sha256=secret(key)))

    return count


def limited(provider: Provider) -> Limits:
    """The provider behind the layer that keeps to limits."""
    store = memory_limits.Limits(SystemClock())
    return Limits(provider, provider="openai", limits=ProviderLimits(), store=store)


def a_call(*, stream: bool = False, within_s: float = 10.0) -> Call:
    return make_call("Say five words to me.", model="fake", stream=stream, within_s=within_s)


@BOTH
@DIALECTS
@pytest.mark.parametrize("refusal", [EMPTY, LIMITED, "status=429;code=insufficient_quota"])
async def test_of_two_keys_the_one_that_works_is_used(
    make: Make, asked: Callable[[str], Awaitable[int]], api_key: str, name: str, refusal: str, *, stream: bool
) -> None:
    refused, good = f"{api_key}-1~{refusal}", f"{api_key}-2"
    provider = make(name, refused, good)
    calls = [a_call(stream=stream) for _ in range(3)]
    for call in calls:
        assert (await ask(provider, call)).text
    first, second = calls[0].trail.attempts
    assert first.failure.reason in (pb.ERROR_REASON_UPSTREAM_ACCOUNT, pb.ERROR_REASON_UPSTREAM_RATE_LIMITED)
    assert first.failure.message.endswith("(key 1)")
    assert api_key not in first.failure.message
    assert not second.HasField("failure")
    refusal_name = pb.ErrorReason.Name(first.failure.reason).removeprefix("ERROR_REASON_")
    assert (first.chosen_because, second.chosen_because) == ("", f"next key after {refusal_name}")
    assert [len(call.trail.attempts) for call in calls[1:]] == [1, 1]
    assert (await asked(refused), await asked(good)) == (1, 3)


@DIALECTS
async def test_while_all_keys_are_limited_nobody_is_asked(
    make: Make, asked: Callable[[str], Awaitable[int]], api_key: str, name: str
) -> None:
    keys = (f"{api_key}-1~{LIMITED}", f"{api_key}-2~{LIMITED}")
    provider = make(name, *keys)
    for _ in range(2):
        with pytest.raises(UpstreamRateLimited) as caught:
            await ask(provider, a_call())
        assert 6.0 < (caught.value.retry_after_s or 0.0) <= 7.0
    assert [await asked(key) for key in keys] == [1, 1]


@DIALECTS
async def test_when_all_accounts_are_empty_that_is_said(make: Make, api_key: str, name: str) -> None:
    provider = make(name, f"{api_key}-1~{EMPTY}", f"{api_key}-2~{EMPTY}")
    call = a_call()
    with pytest.raises(UpstreamAccount):
        await ask(provider, call)
    assert len(call.trail.attempts) == 2


async def test_vectors_lists_and_counts_go_by_the_same_keys(make: Make, asked: Callable[[str], Awaitable[int]], api_key: str) -> None:
    empty, good = f"{api_key}-1~{EMPTY}", f"{api_key}-2"
    provider = make("gemini", empty, good)
    call = make_embed_call(pb.EmbedRequest(texts=[f"text {number}" for number in range(150)]), model="fake")
    assert len((await provider.embed(call)).embeddings) == 150
    assert [attempt.HasField("failure") for attempt in call.call.trail.attempts] == [True, False]
    assert call.call.trail.attempts[1].chosen_because == "next key after UPSTREAM_ACCOUNT"
    assert (await provider.count_tokens(a_call())).input_tokens
    assert await provider.models()
    assert await asked(empty) == 1


@BOTH
@DIALECTS
async def test_retry_after_beyond_the_deadline_is_told_at_once_after_one_attempt(
    make: Make, asked: Callable[[str], Awaitable[int]], api_key: str, name: str, *, stream: bool
) -> None:
    key = f"{api_key}~{LIMITED}"
    gateway = limited(make(name, key))
    with pytest.raises(UpstreamRateLimited) as caught:
        await ask(gateway, a_call(stream=stream, within_s=3.0))
    assert caught.value.retry_after_s == 7.0
    began_s = time.monotonic()
    with pytest.raises(UpstreamRateLimited, match="said when to come back") as caught:
        await ask(gateway, a_call(stream=stream, within_s=3.0))
    assert time.monotonic() - began_s < 0.1
    assert 6.0 < (caught.value.retry_after_s or 0.0) <= 7.0
    assert await asked(key) == 1


SAID = {  # names that the fake does not send by itself
    "openai": ("x-ratelimit-remaining-project-tokens:0", "x-ratelimit-limit-project-tokens:60", "x-ratelimit-reset-project-tokens:1m0s"),
    "mistral": ("x-ratelimit-remaining-req-minute:0", "x-ratelimit-limit-req-minute:60"),
    "cerebras": ("x-ratelimit-remaining-requests-day:0", "x-ratelimit-limit-requests-day:60", "x-ratelimit-reset-requests-day:33011.38"),
}


@BOTH
@pytest.mark.parametrize("vendor", SAID)
async def test_a_limit_that_is_used_up_by_the_vendors_word_is_kept_to(
    make: Make, asked: Callable[[str], Awaitable[int]], api_key: str, vendor: str, *, stream: bool
) -> None:
    key = f"{api_key}~" + ";".join(f"header={header}" for header in SAID[vendor])
    gateway = limited(make("openai", key))
    assert (await ask(gateway, a_call(stream=stream))).text
    with pytest.raises(UpstreamRateLimited, match="a rate limit of the vendor's is used up"):
        await ask(gateway, a_call(stream=stream))
    assert await asked(key) == 1


async def test_of_two_keys_the_one_with_something_left_is_asked(make: Make, asked: Callable[[str], Awaitable[int]], api_key: str) -> None:
    used_up = f"{api_key}-1~" + ";".join(f"header={header}" for header in SAID["mistral"])
    other = f"{api_key}-2"
    gateway = limited(make("openai", used_up, other))
    for _ in range(4):
        assert (await ask(gateway, a_call())).text
    assert (await asked(used_up), await asked(other)) == (1, 3)
