"""A vendor that limits us within an answer, after its head: the next call does not walk into it."""

from collections.abc import AsyncIterator

import pytest

from promptwire import v1 as pb
from promptwire_server.core.call import Call, Target
from promptwire_server.core.clock import ManualClock
from promptwire_server.core.errors import Origin, PromptwireError, UpstreamAccount, UpstreamFailed, UpstreamRateLimited
from promptwire_server.core.reply import Batch, Reply
from promptwire_server.layers.limits import Limits, ProviderLimits
from promptwire_server.providers.interruption import interrupted
from promptwire_server.stores import memory_limits
from tests.unit.layers.conftest import MakeCall

TARGET = Target("openai", "gpt")
OTHER = Target("openai", "other")


def limited(seconds: float | None) -> PromptwireError:
    error = UpstreamRateLimited("slow down", retry_after_s=seconds, origin=Origin("openai"))
    return interrupted(error, delivered_deltas=1)


class Breaking:
    """Says how it breaks off."""

    def __init__(self, clock: ManualClock, error: PromptwireError) -> None:
        self.layer = Limits(self._answer, provider="openai", limits=ProviderLimits(), store=memory_limits.Limits(clock))
        self.error = error

    async def _answer(self, call: Call) -> Reply:
        async def source() -> AsyncIterator[Batch]:
            yield [pb.StreamChatResponse(started=pb.ChatStarted(provider="openai"))]
            raise self.error

        return Reply(source())

    async def breaks_off(self, call: Call) -> PromptwireError:
        """The error with which one call ends."""
        with pytest.raises(PromptwireError) as caught:
            async with await self.layer(call) as reply:
                [event async for event in reply]
        return caught.value


@pytest.mark.parametrize(("told", "waits"), [(None, 1.0), (7.0, 7.0)])
async def test_a_limit_within_an_answer_closes_the_target_for_a_while(
    told: float | None, waits: float, clock: ManualClock, make_call: MakeCall
) -> None:
    vendor = Breaking(clock, limited(told))
    error = await vendor.breaks_off(make_call(target=TARGET, stream=True))
    assert error.retry_after_s == waits
    with pytest.raises(UpstreamRateLimited, match="said when to come back") as caught:
        await vendor.layer(make_call(target=TARGET))
    assert caught.value.retry_after_s == pytest.approx(waits)
    (await vendor.layer(make_call(target=OTHER))).close()
    clock.advance(waits)
    (await vendor.layer(make_call(target=TARGET))).close()


@pytest.mark.parametrize(
    "error",
    [
        limited(0.0),  # another key is free
        interrupted(UpstreamFailed("broken"), delivered_deltas=1),
        interrupted(UpstreamAccount("no money"), delivered_deltas=1),
    ],
    ids=["another key", "broken", "account"],
)
async def test_anything_else_closes_nothing(error: PromptwireError, clock: ManualClock, make_call: MakeCall) -> None:
    vendor = Breaking(clock, error)
    await vendor.breaks_off(make_call(target=TARGET, stream=True))
    (await vendor.layer(make_call(target=TARGET))).close()


async def test_a_limit_in_the_body_of_a_success_is_one_too(clock: ManualClock, make_call: MakeCall) -> None:
    async def refusing(call: Call) -> Reply:
        raise UpstreamRateLimited("slow down", origin=Origin("openai", 200))

    layer = Limits(refusing, provider="openai", limits=ProviderLimits(), store=memory_limits.Limits(clock))
    for said in ("slow down", "said when to come back"):
        with pytest.raises(UpstreamRateLimited, match=said) as caught:
            await layer(make_call(target=TARGET))
        assert caught.value.retry_after_s == pytest.approx(1.0)
