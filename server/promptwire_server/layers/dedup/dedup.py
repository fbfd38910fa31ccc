"""Dedup: the layer. Identical questions under way make one call to a provider; each caller gets an answer of its own.

Two questions are identical when `key` says so: same tenant, same words, same settings. Whether a model would answer both alike plays no
part: at a temperature above 0 and without a seed, callers who want answers that differ say `dedup: false`. Steps of one run never share an
answer, since a chain that asks the same twice means to have two.
"""

import asyncio
from collections.abc import Awaitable, Callable
from dataclasses import dataclass
from functools import partial
from typing import Protocol

from promptwire_server.core.call import Call
from promptwire_server.core.clock import Clock
from promptwire_server.core.errors import PromptwireError
from promptwire_server.core.handler import Handler
from promptwire_server.core.reply import Reply
from promptwire_server.layers.dedup.question import Passenger, Question

Key = Callable[[Call], str]  # equal for questions that are the same, of one tenant; never equal for others


@dataclass(frozen=True, slots=True)
class DedupSettings:
    """What holds for calls that wish nothing else, and for all."""

    on: bool = False
    share: bool = False  # whether all callers of one answer pay the same; else the one who leads pays
    room_bytes: int = 4 << 20  # of one answer that is kept for late joiners; beyond it nobody joins
    longest_s: float = 600.0  # the longest that a call may take


class Asking(Protocol):
    """How a question gets to whoever answers it."""

    def __call__(self, question: Question, ask: Handler) -> Awaitable[None]:
        """Have the question answered, by `ask` or otherwise, and give it what comes. Raises what it failed with."""
        ...


class Dedup:
    """Joins a call to the same question under way, if there is one."""

    def __init__(self, inner: Handler, *, clock: Clock, key: Key, settings: DedupSettings, asking: Asking | None = None) -> None:
        """`asking`: how to find out whether another node asks the same; default: it is not looked for."""
        self._inner = inner
        self._clock = clock
        self._key = key
        self._settings = settings
        self._on = settings.on
        self._asking: Asking = asking or _here
        self._questions: dict[str, Question] = {}  # that may be joined
        self._tasks: set[asyncio.Task[None]] = set()

    def __call__(self, call: Call) -> Awaitable[Reply]:
        """The inner answer, or another caller's. Raises what the inner raises, DeadlineExceeded."""
        request = call.request  # where nothing is wished, this costs half of what a coroutine of its own would
        if not (request.dedup or (self._on and not request.HasField("dedup"))):
            return self._inner(call)
        return self._joined(call)

    async def _joined(self, call: Call) -> Reply:
        key, rounds = self._key(call), 0
        while True:
            question = self._questions.get(key)
            if question is not None and call.run_id and call.run_id in question.runs:
                return await self._inner(call)
            passenger = self._begin(key, call) if question is None else Passenger(question, call)
            try:
                return await passenger.reply(call.remaining_s(self._clock.monotonic()))
            except PromptwireError as error:
                rounds += 1
                if not passenger.goes_round(error, rounds):
                    raise

    async def aclose(self) -> None:
        """Wait until what was cancelled has ended."""
        await asyncio.gather(*self._tasks, return_exceptions=True)

    def _begin(self, key: str, call: Call) -> Passenger:
        settings = self._settings
        question = Question(
            key,
            call,
            room_bytes=settings.room_bytes,
            closed=partial(self._closed, key),
            until_s=self._clock.monotonic() + settings.longest_s,
            share=settings.share,
        )
        self._questions[key] = question
        passenger = question.opener = Passenger(question, call)
        task = question.flight.start(self._ask(question))  # owned here: it ends when its last caller leaves
        self._tasks.add(task)
        task.add_done_callback(self._tasks.discard)
        return passenger

    async def _ask(self, question: Question) -> None:
        try:
            await self._asking(question, self._inner)
        finally:
            question.conclude()

    def _closed(self, key: str) -> None:
        self._questions.pop(key, None)


async def _here(question: Question, ask: Handler) -> None:
    await question.take(await ask(question.call))
