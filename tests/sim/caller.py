"""Caller: asks the gateway as an RPC does, with a deadline, perhaps leaving early, and notes what came of it."""

import asyncio
from collections.abc import Sequence
from dataclasses import dataclass, field
from typing import Literal

from promptwire import v1 as pb
from promptwire_server.core.call import Call, Principal
from promptwire_server.core.clock import Clock
from promptwire_server.core.errors import PromptwireError
from promptwire_server.core.handler import Handler
from promptwire_server.core.reply import Ending, Reply

End = Literal["answer", "error", "left"]


@dataclass(frozen=True, slots=True)
class Wish:
    """What one caller wants."""

    number: int
    at_s: float
    model: str
    within_s: float = 10.0
    stream: bool = False
    restart: "pb.StreamChatRequest.RestartPolicy" = pb.StreamChatRequest.RESTART_POLICY_UNSPECIFIED
    priority: "pb.Priority" = pb.PRIORITY_UNSPECIFIED
    tenant: str = "default"
    fallbacks: tuple[str, ...] = ()
    leaves_after_s: float | None = None  # cancels, whatever it has
    closes_after: int | None = None  # events, then it closes the stream in peace
    reads_slowly_s: float = 0.0  # between two events

    def call(self, now_s: float) -> Call:
        """The call."""
        request = pb.ChatRequest(model=self.model, prompt=f"call-{self.number}.", priority=self.priority, fallback_models=self.fallbacks)
        principal = Principal(self.tenant, "sim")
        call = Call(request, principal, f"req-{self.number}", f"{self.number + 1:032x}", now_s + self.within_s, now_s, self.stream)
        call.restart = self.restart
        return call


@dataclass(slots=True)
class Outcome:
    """What came of it."""

    wish: Wish
    call: Call
    end: End | None = None  # there is one in the end
    ended_s: float = 0.0
    error: PromptwireError | None = None
    answer: pb.ChatResponse | None = None
    events: list[pb.StreamChatResponse] = field(default_factory=list)
    endings: int = 0  # that callbacks of the reply were told of

    def __str__(self) -> str:
        what = f"{type(self.error).__name__}: {self.error}" if self.error else self.end
        tried = ", ".join(f"{one.provider}/{one.model} ({one.chosen_because})" for one in self.call.trail.attempts)
        how = "stream" if self.wish.stream else "whole"
        asked = f"call {self.wish.number} {self.wish.at_s:.3f} {self.wish.model} {how} within {self.wish.within_s:g}"
        return f"{asked}: {what} at {self.ended_s:.3f}; tried {tried or 'nobody'}"


async def ask(handler: Handler, wish: Wish, clock: Clock) -> Outcome:
    """Ask when it is time. Raises what no caller should ever see: anything but a PromptwireError."""
    await asyncio.sleep(max(0.0, wish.at_s - clock.monotonic()))
    outcome = Outcome(wish, wish.call(clock.monotonic()))
    try:
        async with asyncio.timeout(wish.leaves_after_s) as patience:
            await _ask(handler, wish, outcome)
    except PromptwireError as error:
        outcome.end, outcome.error = "error", error
    except TimeoutError:
        if not patience.expired():
            raise
        outcome.end = "left"
    outcome.ended_s = clock.monotonic()
    return outcome


async def _ask(handler: Handler, wish: Wish, outcome: Outcome) -> None:
    async with await handler(outcome.call) as reply:
        reply.on_done(lambda ending: _count(outcome, ending))
        if not wish.stream:
            outcome.answer = await reply.read()
        elif not await _read(reply, wish, outcome.events):
            outcome.end = "left"
            return
        outcome.end = "answer"


async def _read(reply: Reply, wish: Wish, events: list[pb.StreamChatResponse]) -> bool:
    """Read to the end; False when the caller has closed before."""
    async for event in reply:
        events.append(event)
        if len(events) == wish.closes_after:
            return False
        if wish.reads_slowly_s:
            await asyncio.sleep(wish.reads_slowly_s)
    return True


def _count(outcome: Outcome, _: Ending) -> None:
    outcome.endings += 1


def text_read(events: Sequence[pb.StreamChatResponse]) -> str:
    """What a client has put together: what it was told to drop is gone."""
    text = ""
    for event in events:
        if event.HasField("attempt_failed") and event.attempt_failed.discard_partial_output:
            text = ""
        text += event.part_delta.text
    return text
