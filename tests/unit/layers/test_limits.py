"""A call within the limits goes out, one without room is refused at once, and whatever was taken is given back."""

import asyncio
from collections.abc import Callable
from dataclasses import replace
from typing import Any

import pytest

from promptwire import v1 as pb
from promptwire_server.core.call import Call, Target
from promptwire_server.core.clock import ManualClock
from promptwire_server.core.errors import CapabilityMissing, Origin, PromptwireError, UpstreamFailed, UpstreamRateLimited
from promptwire_server.core.handler import Handler
from promptwire_server.core.limits import Allowance, TargetLimits
from promptwire_server.core.reply import Reply
from promptwire_server.layers.limits import Limits, ProviderLimits
from promptwire_server.stores import memory_limits
from tests.unit.layers.conftest import MakeCall, answer, streamed

TARGET = Target("openai", "gpt")
Layer = Callable[..., Limits]
PROMPT = pb.ChatRequest(prompt="x" * 38)  # of 10 tokens
LONG = pb.ChatRequest(prompt="x" * 48)  # of 12


async def whole(_: Call) -> Reply:
    return Reply.whole(answer())


def failing(error: PromptwireError, *, sent: bool = True) -> Handler:
    async def handler(call: Call) -> Reply:
        if sent:
            call.trail.attempts.append(pb.Attempt(provider="openai", model="gpt"))
        raise error

    return handler


def telling(*limits: Allowance) -> Handler:
    async def handler(call: Call) -> Reply:
        assert call.target is not None
        call.trail.limits[call.target] = limits
        return Reply.whole(answer())

    return handler


@pytest.fixture
def store(clock: ManualClock) -> memory_limits.Limits:
    return memory_limits.Limits(clock)


@pytest.fixture
def layer(store: memory_limits.Limits) -> Layer:
    def make(inner: Handler = whole, *, whole_limits: TargetLimits | None = None, **limits: int) -> Limits:
        of = ProviderLimits(whole_limits or TargetLimits(), {"gpt": TargetLimits(**limits)} if limits else {})
        return Limits(inner, provider="openai", limits=of, store=store)

    return make


@pytest.fixture
def call(make_call: MakeCall) -> Callable[..., Call]:
    def make(model: str = "gpt", **more: float) -> Call:
        return make_call(request=PROMPT, target=Target("openai", model), **more)

    return make


async def read(limits: Limits, call: Call) -> pb.ChatResponse:
    async with await limits(call) as reply:
        return await reply.read()


async def test_a_call_without_room_is_refused_before_any_attempt(layer: Layer, call: Callable[..., Call]) -> None:
    limits = layer(requests_per_minute=1)
    await read(limits, call())
    refused = call()
    with pytest.raises(UpstreamRateLimited, match="openai/gpt: its requests_per_minute are used up; try again in") as caught:
        await limits(refused)
    assert caught.value.elsewhere
    assert caught.value.origin.provider == "openai"
    assert 60.0 <= (caught.value.retry_after_s or 0.0) <= 61.0
    assert not refused.trail.attempts


async def test_other_models_have_room_until_the_provider_as_a_whole_has_none(layer: Layer, call: Callable[..., Call]) -> None:
    limits = layer(whole_limits=TargetLimits(requests_per_minute=2), requests_per_minute=1)
    await read(limits, call())
    await read(limits, call("other"))
    with pytest.raises(UpstreamRateLimited, match=r"^openai: its requests_per_minute"):
        await limits(call("third"))


async def test_a_slot_is_held_until_the_answer_has_ended(layer: Layer, call: Callable[..., Call], store: memory_limits.Limits) -> None:
    limits = layer(max_in_flight=1)
    async with await limits(call()) as reply:
        with pytest.raises(UpstreamRateLimited, match="as many calls are under way as its max_in_flight allows"):
            await limits(call())
        await reply.read()
    assert store.in_flight("openai/gpt") == 0
    await read(limits, call())


async def test_a_reader_who_leaves_gives_the_slot_back(
    layer: Layer, call: Callable[..., Call], store: memory_limits.Limits, clock: ManualClock
) -> None:
    async def stream(_: Call) -> Reply:
        return streamed(answer(), clock=clock)

    async with await layer(stream, max_in_flight=1)(call()) as reply:
        async for _ in reply:
            break
        assert store.in_flight("openai/gpt") == 1
    assert store.in_flight("openai/gpt") == 0


@pytest.mark.parametrize("sent", [False, True])
async def test_a_call_that_is_cancelled_gives_its_slot_back(
    layer: Layer, call: Callable[..., Call], store: memory_limits.Limits, *, sent: bool
) -> None:
    waiting = asyncio.Event()

    async def slow(call: Call) -> Reply:
        try:
            waiting.set()
            await asyncio.Event().wait()
        finally:
            if sent:
                call.trail.attempts.append(pb.Attempt(provider="openai", model="gpt"))
        raise AssertionError

    task = asyncio.ensure_future(layer(slow, max_in_flight=1, requests_per_minute=1)(call()))
    await waiting.wait()
    assert store.in_flight("openai/gpt") == 1
    task.cancel()
    with pytest.raises(asyncio.CancelledError):
        await task
    assert store.in_flight("openai/gpt") == 0
    again = layer(max_in_flight=1, requests_per_minute=1)
    if sent:
        with pytest.raises(UpstreamRateLimited, match="requests_per_minute"):
            await again(call())
    else:
        await read(again, call())


async def test_what_never_reached_the_vendor_takes_nothing(layer: Layer, call: Callable[..., Call]) -> None:
    with pytest.raises(CapabilityMissing):
        await layer(failing(CapabilityMissing("no tools"), sent=False), requests_per_minute=1, tokens_per_minute=15)(call())
    await read(layer(requests_per_minute=1, tokens_per_minute=15), call())


async def test_an_attempt_that_failed_counts(layer: Layer, call: Callable[..., Call]) -> None:
    with pytest.raises(UpstreamFailed):
        await layer(failing(UpstreamFailed("gone")), requests_per_minute=1)(call())
    with pytest.raises(UpstreamRateLimited):
        await layer(requests_per_minute=1)(call())


async def test_attempts_at_other_providers_do_not_count_here(layer: Layer, call: Callable[..., Call]) -> None:
    async def hedged(call: Call) -> Reply:
        call.trail.attempts.append(pb.Attempt(provider="anthropic"))  # by the other of two that share a trail
        raise CapabilityMissing("no tools")

    with pytest.raises(CapabilityMissing):
        await layer(hedged, requests_per_minute=1)(call())
    await read(layer(requests_per_minute=1), call())


async def test_the_tokens_that_an_answer_took_are_counted(layer: Layer, call: Callable[..., Call]) -> None:
    limits = layer(tokens_per_minute=20)
    await read(limits, call())  # 5 tokens, by its usage
    await read(limits, call())
    await read(limits, call())
    with pytest.raises(UpstreamRateLimited, match="tokens_per_minute leave no room for this call"):
        await limits(call())


async def test_retry_after_closes_the_target_for_as_long(layer: Layer, call: Callable[..., Call], clock: ManualClock) -> None:
    limits = layer(failing(UpstreamRateLimited("slow down", retry_after_s=7.0)))
    with pytest.raises(UpstreamRateLimited, match="slow down"):
        await limits(call())
    clock.advance(2.0)
    refused = call(timeout_s=3.0)
    with pytest.raises(UpstreamRateLimited, match="said when to come back; try again in 5 s") as caught:
        await limits(refused)
    assert caught.value.retry_after_s == pytest.approx(5.0)
    assert not refused.trail.attempts
    await read(layer(), call("other"))
    clock.advance(5.0)
    await read(layer(), call())


async def test_a_limit_without_a_time_closes_nothing(layer: Layer, call: Callable[..., Call]) -> None:
    with pytest.raises(UpstreamRateLimited):
        await layer(failing(UpstreamRateLimited("slow down", origin=Origin("openai", 429))))(call())
    await read(layer(), call())


async def test_a_failure_with_a_time_closes_nothing(layer: Layer, call: Callable[..., Call]) -> None:
    with pytest.raises(UpstreamFailed):
        await layer(failing(UpstreamFailed("overloaded", retry_after_s=9.0)))(call())
    await read(layer(), call())


async def test_what_the_vendor_tells_of_its_limits_is_kept_to(layer: Layer, call: Callable[..., Call], clock: ManualClock) -> None:
    left = Allowance("requests", "requests", 1.0, 60.0, 59.0, 1.0)
    first = call()
    await read(layer(telling(left)), first)
    assert not first.trail.limits
    limits = layer()
    await read(limits, call())
    with pytest.raises(UpstreamRateLimited, match="a rate limit of the vendor's is used up; try again in 1 s"):
        await limits(call())
    clock.advance(1.0)
    await read(limits, call())


async def test_what_the_vendor_tells_beside_a_failure_is_kept_to(layer: Layer, call: Callable[..., Call]) -> None:
    async def failing_and_telling(call: Call) -> Reply:
        call.trail.attempts.append(pb.Attempt(provider="openai"))
        call.trail.limits[TARGET] = (Allowance("requests", "requests", 0.0, 60.0, 60.0, 1.0),)
        raise UpstreamFailed("broken")

    with pytest.raises(UpstreamFailed):
        await layer(failing_and_telling)(call())
    with pytest.raises(UpstreamRateLimited, match="of the vendor's"):
        await layer()(call())


async def test_prompts_are_counted_only_where_somebody_asks(store: memory_limits.Limits, call: Callable[..., Call]) -> None:
    unreadable: Any = object()
    limits = Limits(whole, provider="openai", limits=ProviderLimits(), store=store)
    await read(limits, replace(call(), request=unreadable))
    with pytest.raises(AttributeError):
        await Limits(whole, provider="openai", limits=ProviderLimits(TargetLimits(tokens_per_minute=9)), store=store)(
            replace(call(), request=unreadable)
        )


async def test_a_prompt_is_counted(layer: Layer, call: Callable[..., Call]) -> None:
    limits = layer(tokens_per_minute=14)
    await read(limits, replace(call(), request=LONG))  # 5 tokens, by its usage
    with pytest.raises(UpstreamRateLimited, match="tokens_per_minute"):
        await limits(replace(call(), request=LONG))


async def test_a_call_without_a_target_passes(layer: Layer, make_call: MakeCall) -> None:
    await read(layer(max_in_flight=1), make_call())
