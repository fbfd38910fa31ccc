"""A gateway for tests of chains: says what its script tells it to, and keeps account of what it was asked and what was closed."""

import asyncio
from collections.abc import AsyncIterator, Callable, Mapping, Sequence
from dataclasses import dataclass, field

from google.protobuf import json_format

from promptwire import v1 as pb
from promptwire_server.chains.check import Job, check
from promptwire_server.chains.plans import Plans
from promptwire_server.chains.run import Context, Engine, Watcher
from promptwire_server.chains.settings import RunSettings
from promptwire_server.core import answer
from promptwire_server.core.call import ANONYMOUS, Call
from promptwire_server.core.clock import Chance, Clock, SystemClock
from promptwire_server.core.errors import PromptwireError
from promptwire_server.core.ids import Ids
from promptwire_server.core.reply import Batch, Ending, Event, Reply


@dataclass(frozen=True)
class Hang:
    """Never answers: while the handler is awaited, or after so many words of a stream."""

    words: int | None = None


@dataclass(frozen=True)
class Break:
    """A stream that fails after so many words."""

    words: int
    error: PromptwireError


@dataclass(frozen=True)
class Tried:
    """A line before which these attempts were made."""

    attempts: Sequence[pb.Attempt]
    line: "str | pb.ChatResponse | PromptwireError | Break"


def attempt(provider: str, *, model: str = "m", cost: int = 0) -> pb.Attempt:
    """An attempt that failed, and took two tokens."""
    made = pb.Attempt(provider=provider, model=model, failure=pb.Failure(message="down"), usage=pb.Usage(input_tokens=2))
    if cost:
        made.cost.total_nano_usd = cost
    return made


Line = Tried | str | pb.ChatResponse | PromptwireError | Hang | Break


def response_of(text: str, **fields: object) -> pb.ChatResponse:
    """An answer of one text part that cost 5 nano-USD."""
    part = [pb.ContentPart(text=text)] if text else []
    candidate = pb.Candidate(message=pb.ChatMessage(role=pb.ROLE_ASSISTANT, parts=part), finish_reason=pb.FINISH_REASON_STOP)
    response = pb.ChatResponse(
        text=text,
        candidates=[candidate],
        model="model-1",
        provider="scripted",
        usage=pb.Usage(input_tokens=3, output_tokens=4),
        cost=pb.Cost(total_nano_usd=5),
    )
    response.MergeFrom(json_format.ParseDict(fields, pb.ChatResponse()))
    return response


@dataclass
class Gateway:
    """A Handler. Its script is a list of lines in order, or a function of the request; after the last line it echoes the prompt."""

    script: Sequence[Line] | Callable[[pb.ChatRequest], Line] = ()
    calls: list[Call] = field(default_factory=list)
    endings: list[Ending] = field(default_factory=list)
    waiting: asyncio.Event = field(default_factory=asyncio.Event)  # set when a Hang is reached
    left_while_asked: int = 0  # times that the handler was cancelled before it had a Reply
    released: int = 0

    async def __call__(self, call: Call) -> Reply:
        self.calls.append(call)
        line = self._line(call.request)
        if isinstance(line, Tried):
            call.trail.attempts.extend(line.attempts)
            line = line.line
        if isinstance(line, PromptwireError):
            raise line
        if line == Hang():
            await self._hang()
        reply = self._reply(line, stream=call.stream)
        reply.tell([Event(attempt_failed=each) for each in answer.failures(call.trail.attempts, "scripted", "model-1")])
        reply.on_done(self.endings.append)
        return reply

    @property
    def prompts(self) -> list[str]:
        return [call.request.prompt for call in self.calls]

    def _line(self, request: pb.ChatRequest) -> Line:
        if callable(self.script):
            return self.script(request)
        turn = len(self.calls) - 1
        return self.script[turn] if turn < len(self.script) else f"re: {request.prompt}"

    async def _hang(self) -> None:
        self.waiting.set()
        try:
            await asyncio.Event().wait()
        finally:
            self.left_while_asked += 1

    def _reply(self, line: Line, *, stream: bool) -> Reply:
        if isinstance(line, str):
            line = response_of(line)
        if isinstance(line, pb.ChatResponse) and not stream:
            return Reply.whole(line)
        return Reply(self._batches(line), self._release)

    def _release(self) -> None:
        self.released += 1

    async def _batches(self, line: Line) -> AsyncIterator[Batch]:
        whole = line if isinstance(line, pb.ChatResponse) else response_of("one two three four five six")
        text = whole.text
        yield [answer.started("", "scripted", "model-1", "")]
        yield [pb.StreamChatResponse(part_started=pb.PartStarted(part=pb.ContentPart(text="")))]
        for number, word in enumerate(text.split(" ")):
            if isinstance(line, Break) and number == line.words:
                raise line.error
            if isinstance(line, Hang) and number == line.words:
                await self._hang()
            yield [pb.StreamChatResponse(part_delta=pb.PartDelta(text=word if number == 0 else f" {word}"))]
        yield [pb.StreamChatResponse(part_finished=pb.PartFinished(part=pb.ContentPart(text=text))), answer.finished(whole)]


@dataclass
class Log:
    """A watcher that remembers."""

    events: list[pb.RunEvent] = field(default_factory=list)
    parts: bool = True

    async def send(self, event: pb.RunEvent) -> None:
        copy = pb.RunEvent()
        copy.CopyFrom(event)
        self.events.append(copy)

    @property
    def kinds(self) -> list[str]:
        return [str(event.WhichOneof("event")) for event in self.events]

    @property
    def watcher(self) -> Watcher:
        return Watcher(self.send, parts=self.parts)

    def of(self, kind: str) -> list[pb.RunEvent]:
        return [event for event in self.events if event.WhichOneof("event") == kind]


def request_of(*steps: Mapping[str, object], given: Mapping[str, str] | None = None, **spec: object) -> pb.RunChainRequest:
    """A request with a chain of these steps, written as in YAML; `given` are its inputs."""
    message = {"spec": {**spec, "steps": list(steps)}, "inputs": dict(given or {})}
    return json_format.ParseDict(message, pb.RunChainRequest())


def prompts_of(*prompts: str, **inputs: str) -> pb.RunChainRequest:
    """A request in the short form."""
    return pb.RunChainRequest(prompts=prompts, inputs=inputs)


def job_of(request: pb.RunChainRequest) -> Job:
    """The job of a request that has no fault."""
    return check(request, Plans())


def context_of(clock: Clock, seconds: float = 60.0) -> Context:
    """A caller with so much time."""
    now = clock.monotonic()
    return Context(ANONYMOUS, "req-1", "0" * 31 + "1", now + seconds, now)


async def no_sleep(_: float) -> None:
    """A pause that takes no time."""


def engine_of(gateway: Gateway, clock: Clock | None = None, **settings: object) -> Engine:
    clock = clock or SystemClock()
    return Engine(gateway, clock, Ids(clock, Chance()), settings=RunSettings(**{"sleep": no_sleep, **settings}))  # type: ignore[arg-type]  # tests name what they need


async def run(request: pb.RunChainRequest, gateway: Gateway | None = None, log: Log | None = None, seconds: float = 60.0) -> pb.RunResult:
    """Run the chain to its end."""
    engine = engine_of(gateway or Gateway())
    watcher = log.watcher if log else None
    response = await engine.run(job_of(request), context_of(engine.clock, seconds), watcher).finish()
    return response.result
