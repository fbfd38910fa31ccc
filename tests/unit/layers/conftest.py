"""Calls and answers for layers."""

from collections.abc import AsyncIterator, Callable, Sequence
from dataclasses import replace
from typing import Any

import pytest

from promptwire import v1 as pb
from promptwire_server.core.answer import events_of
from promptwire_server.core.call import ANONYMOUS, Call
from promptwire_server.core.clock import ManualClock
from promptwire_server.core.reply import Batch, Reply

MakeCall = Callable[..., Call]


@pytest.fixture
def clock() -> ManualClock:
    return ManualClock(now_s=100.0)


@pytest.fixture
def make_call(clock: ManualClock) -> MakeCall:
    def make(*, model: str = "fast", timeout_s: float = 10.0, **more: Any) -> Call:
        call = Call(pb.ChatRequest(model=model), ANONYMOUS, "req-1", "f" * 32, clock.now_s + timeout_s, clock.now_s)
        return replace(call, **more)

    return make


def answer(text: str = "hello", **more: Any) -> pb.ChatResponse:
    response = pb.ChatResponse(text=text, provider="echo", model="echo", **more)
    response.candidates.add().message.parts.add(text=text)
    response.usage.input_tokens = 3
    response.usage.output_tokens = 2
    return response


def streamed(response: pb.ChatResponse, *, clock: ManualClock, pause_s: float = 0.0, stop_after: int | None = None) -> Reply:
    """The answer event by event, `pause_s` before each; `stop_after` events the upstream goes away."""
    events: Sequence[pb.StreamChatResponse] = list(events_of(response))

    async def source() -> AsyncIterator[Batch]:
        for event in events[:stop_after]:
            clock.advance(pause_s)
            yield [event]

    return Reply(source())
