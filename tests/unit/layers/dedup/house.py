"""A gateway in front of a provider that answers when a test says so, and that counts."""

import asyncio
import itertools
from collections.abc import AsyncIterator, Callable
from dataclasses import replace

from promptwire import v1 as pb
from promptwire_server.core.answer import events_of
from promptwire_server.core.call import Call, Principal
from promptwire_server.core.clock import SystemClock
from promptwire_server.core.errors import PromptwireError
from promptwire_server.core.handler import Handler
from promptwire_server.core.reply import Batch, Reply
from promptwire_server.layers.cache.key import key_of
from promptwire_server.layers.dedup.dedup import Asking, Dedup, DedupSettings
from promptwire_server.layers.metrics import Metrics
from promptwire_server.layers.observe import Observe
from promptwire_server.layers.restart import Restart
from promptwire_server.layers.tally import Tally

COST = 1_000_003
DEDUP = pb.SERVED_FROM_DEDUP
PROVIDER = pb.SERVED_FROM_PROVIDER


def key(call: Call) -> str:
    return key_of(call.request, call.principal.tenant, "fast")


class House:
    """Observe, Restart and Dedup over the provider."""

    def __init__(self, settings: DedupSettings | None = None, words: int = 3, *, asking: Asking | None = None, pace_s: float = 0.0) -> None:
        self.clock = SystemClock()
        self.words = words
        self.pace_s = pace_s  # between two events
        self.calls: list[Call] = []  # that reached the provider
        self.open = 0  # answers under way there
        self.given = 0  # events, of all answers
        self.failures: list[PromptwireError] = []  # of the next calls, before anything
        self.breaks: dict[int, PromptwireError] = {}  # by the number of the call: after the first word
        self.gate = asyncio.Event()  # what every event of the provider waits for
        self.gate.set()
        self._numbers = itertools.count(1)
        self.dedup = Dedup(self.provider, clock=self.clock, key=key, settings=settings or DedupSettings(on=True), asking=asking)
        inner: Handler = Restart(self.dedup)
        self.handler = Observe(inner, tally=Tally(Metrics()), clock=self.clock)

    def call(self, prompt: str = "hi", *, tenant: str = "acme", timeout_s: float = 10.0, **more: object) -> Call:
        number = next(self._numbers)
        wishes = {"dedup": more.pop("dedup")} if "dedup" in more else {}
        now_s = self.clock.monotonic()
        request = pb.ChatRequest(model="fast", prompt=prompt, **wishes)  # type: ignore[arg-type]  # fields by name
        call = Call(request, Principal(tenant, "me"), f"req-{number}", f"{number:032x}", now_s + timeout_s, now_s)
        return replace(call, **more)  # type: ignore[arg-type]  # fields by name

    async def provider(self, call: Call) -> Reply:
        self.calls.append(call)
        number = len(self.calls)
        self.open += 1
        try:
            await self.gate.wait()
            if self.failures:
                raise self.failures.pop(0)  # noqa: TRY301 - as a provider would
            response = self.answer(number)
            if not call.stream:
                self._attempted(call)
        except BaseException:
            self.open -= 1
            raise
        reply = Reply(self._events(call, response, number)) if call.stream else Reply.whole(response)
        reply.on_done(self._closed)
        return reply

    def answer(self, number: int) -> pb.ChatResponse:
        text = f"answer {number}"
        response = pb.ChatResponse(text=text, provider="p", model="m")
        response.candidates.add(finish_reason=pb.FINISH_REASON_STOP).message.parts.add(text=text)
        response.usage.input_tokens = 3
        response.cost.total_nano_usd = COST
        return response

    async def _events(self, call: Call, response: pb.ChatResponse, number: int) -> AsyncIterator[Batch]:
        head, begun, delta, *rest = events_of(response)
        pieces = _pieces(delta, self.words)
        for place, event in enumerate([head, begun, *pieces, *rest]):
            await asyncio.sleep(self.pace_s)
            await self.gate.wait()
            if place > 2 and number in self.breaks:
                self._attempted(call)
                raise self.breaks.pop(number)
            if event.HasField("finished"):
                self._attempted(call)
            self.given += 1
            yield [event]

    def _attempted(self, call: Call) -> None:
        call.trail.attempts.append(pb.Attempt(provider="p", model="m"))

    def _closed(self, _: object) -> None:
        self.open -= 1

    async def ask(self, call: Call, seen: Callable[[], object] = lambda: None) -> pb.ChatResponse:
        """The whole answer, put together from events where it is a stream."""
        async with await self.handler(call) as reply:
            if not call.stream:
                return await reply.read()
            text = ""
            async for event in reply:
                text += event.part_delta.text
                event.sequence += 1  # as the edge does it
                assert event.sequence == 1
                seen()
                if event.HasField("finished"):
                    response = pb.ChatResponse()
                    response.CopyFrom(event.finished.response)
                    response.text = text
            return response


def _pieces(delta: pb.StreamChatResponse, count: int) -> list[pb.StreamChatResponse]:
    text = delta.part_delta.text
    size = max(1, len(text) // count)
    return [pb.StreamChatResponse(part_delta=pb.PartDelta(text=text[start : start + size])) for start in range(0, len(text), size)]


async def settle(turns: int = 20) -> None:
    """Let everything go on that can."""
    for _ in range(turns):
        await asyncio.sleep(0)
