"""Vendor: a simulated upstream that speaks OpenAI's chat completions in virtual time, as its sky has it."""

import asyncio
import json
import random
from collections import deque
from collections.abc import Collection, Iterator, Mapping
from functools import cache
from typing import Final

from promptwire_server.core.clock import Clock
from promptwire_server.core.errors import DeadlineExceeded, PromptwireError
from promptwire_server.providers.failed import failed
from promptwire_server.providers.patience import Cause, Patience
from promptwire_server.providers.upstream import Answer, Request, Timeouts
from tests.sim.ledger import Ledger, Visit
from tests.sim.sky import Fate, Sky, Weather

KEY: Final = "authorization"  # the header
_NEVER: Final = float("inf")
_JSON: Final = {"content-type": "application/json"}
_SSE: Final = {"content-type": "text/event-stream"}
_CODES: Final[Mapping[Fate, tuple[int, str]]] = {
    "500": (500, "server_error"),
    "503": (503, "overloaded"),
    "529": (529, "overloaded_error"),
    "429": (429, "rate_limit_exceeded"),
    "401": (401, "invalid_api_key"),
    "402": (402, "insufficient_quota"),
    "404": (404, "model_not_found"),
    "bad": (400, "invalid_request_error"),
    "long": (400, "context_length_exceeded"),
    "policy": (400, "content_policy_violation"),
}
_WITH_RETRY_AFTER: Final = ("429", "503", "529")
_SAD: Final = b'data: {"error":{"message":"sorry","type":"server_error","code":"server_error"}}\n\n'
_DONE: Final = b"data: [DONE]\n\n"
_MIDWAY: Final[Mapping[Fate, bytes | None]] = {"broken": None, "garbled": b"data: {what\n\n", "sorry": _SAD}
Step = tuple[float, bytes | None]  # wait so long, then these bytes; None: the connection breaks; b"": the end


def _chunk(delta: Mapping[str, str], finish: str | None = None) -> bytes:
    choice = {"index": 0, "delta": delta, "finish_reason": finish}
    return b"data: " + json.dumps({"id": "c", "object": "chat.completion.chunk", "choices": [choice]}).encode() + b"\n\n"


_HEAD: Final = _chunk({"role": "assistant", "content": ""})
_WORDS: Final = [_chunk({"content": f"word{number} "}) for number in range(64)]
_STOP: Final = _chunk({}, "stop")
_USAGE: Final = b'data: {"id":"c","choices":[],"usage":{"prompt_tokens":5,"completion_tokens":3,"total_tokens":8}}\n\n'


def text_of(tokens: int) -> str:
    """What a vendor says."""
    return "".join(f"word{number} " for number in range(tokens))


@cache
def _whole(tokens: int) -> bytes:
    choice = {"index": 0, "message": {"role": "assistant", "content": text_of(tokens)}, "finish_reason": "stop"}
    usage = {"prompt_tokens": 5, "completion_tokens": tokens, "total_tokens": 5 + tokens}
    return json.dumps({"id": "c", "object": "chat.completion", "choices": [choice], "usage": usage}).encode()


class Vendor:
    """An Upstream. Its timers are the product's own: they decide as for a real connection."""

    def __init__(
        self, name: str, sky: Sky, *, timeouts: Timeouts, ledger: Ledger, clock: Clock, seed: int, dead: Collection[str] = ()
    ) -> None:
        self.sky = sky
        self._name = name
        self._timeouts = timeouts
        self._ledger = ledger
        self._clock = clock
        self._seed = seed
        self._dead = dead  # keys whose account is broken, whatever the weather

    async def fetch(self, request: Request) -> Answer:
        """See Upstream."""
        exchange = self._begun(request)
        try:
            status, headers = await exchange.head()
            exchange.still()
            body = b""
            while piece := await exchange.read():
                exchange.still()
                body += piece
            return Answer(status, headers, body)
        finally:
            exchange.close()

    async def open(self, request: Request) -> "Exchange":
        """See Upstream."""
        exchange = self._begun(request)
        try:
            exchange.status, exchange.headers = await exchange.head()
        except BaseException:
            exchange.close()
            raise
        return exchange

    async def aclose(self) -> None:
        """See Upstream."""

    def _begun(self, request: Request) -> "Exchange":
        now_s = self._clock.monotonic()
        remaining_s = request.deadline_s - now_s
        if remaining_s <= 0:
            raise DeadlineExceeded.during("upstream")
        patience = Patience(self._name, self._timeouts, begun_s=now_s, remaining_s=remaining_s)
        stream = b'"stream":true' in request.body
        key = request.headers.get(KEY, "")
        visit = self._ledger.enter(self._name, request.body, key)
        # Of its own, so that one request more or less elsewhere changes nothing here.
        chance = random.Random(f"{self._seed} {visit.call} {visit.target} {visit.turn}")
        weather = self.sky.at(now_s)
        play = _Play(weather, "401" if key in self._dead else weather.fate(chance), chance, stream=stream)
        if "retry-after" in play.headers:
            visit.closed_until_s = now_s + play.first_s + weather.retry_after_s
        return Exchange(self._name, play, patience, self._ledger, visit)


class _Play:
    """What one request gets, and when."""

    def __init__(self, weather: Weather, fate: Fate, chance: random.Random, *, stream: bool) -> None:
        pace = 20.0 if fate == "slow" else 1.0
        self.fate = fate
        self.first_s = weather.latency_s * (chance.lognormvariate(0.0, 0.4) if weather.spread else 1.0) * pace
        self._gap_s = 1.0 if fate == "drip" else weather.token_s * pace
        self._tokens = weather.tokens
        self._breaks_after = chance.randint(1, max(1, weather.tokens - 1))
        self.status, code = _CODES.get(fate, (200, ""))
        self.stream = stream and not code
        self.headers = _SSE if self.stream else _JSON
        if fate in _WITH_RETRY_AFTER and weather.retry_after_s:
            self.headers = {**_JSON, "retry-after": f"{weather.retry_after_s:g}"}
        self.head: Step = self._head()
        self.steps = deque(self._refusal(code) if code else self._streamed() if stream else self._told())

    def _head(self) -> Step:
        match self.fate:
            case "hang":
                return _NEVER, b""
            case "refused":
                return 0.0, None
            case "reset":
                return self.first_s, None
        return (0.0 if self.stream else self.first_s), b""

    def _refusal(self, code: str) -> Iterator[Step]:
        yield 0.0, f'{{"error":{{"message":"no","type":"{code}","code":"{code}"}}}}'.encode()
        yield 0.0, b""

    def _told(self) -> Iterator[Step]:
        body = _whole(self._tokens)
        match self.fate:
            case "stall":
                yield _NEVER, b""
            case "broken":
                yield 0.0, body[:30]
                yield 0.0, None
            case "garbled" | "unfinished":
                yield 0.0, body[:-9]
            case "sorry":
                yield 0.0, _SAD.removeprefix(b"data: ")
            case _:
                yield 0.0, body
        yield 0.0, b""

    def _streamed(self) -> Iterator[Step]:
        yield self.first_s, _HEAD
        for number in range(self._tokens):
            if number == self._breaks_after and self.fate in ("stall", "broken", "garbled", "sorry"):
                yield (_NEVER if self.fate == "stall" else self._gap_s), _MIDWAY.get(self.fate, b"")
            yield self._gap_s, _WORDS[number]
        if self.fate != "unfinished":
            yield self._gap_s, _STOP + _USAGE + _DONE
        yield 0.0, b""


class Exchange:
    """One answer while it arrives: a Stream."""

    def __init__(self, name: str, play: _Play, patience: Patience, ledger: Ledger, visit: Visit) -> None:
        self.status = play.status
        self.headers: Mapping[str, str] = play.headers
        self._name = name
        self._play = play
        self._patience = patience
        self._ledger = ledger
        self._visit = visit
        self._loop = asyncio.get_running_loop()
        self._since_s: float | None = self._loop.time()
        self._waiting_for: Cause = "first_token" if play.stream else "idle"
        self._waiting: asyncio.Future[None] | None = None
        self._closed = False

    async def head(self) -> tuple[int, Mapping[str, str]]:
        """Status and headers."""
        due_s = self._patience.until_first_token_s(self._loop.time()) if self._play.stream else self._patience.end_s
        await self._wait(*self._play.head, due_s)
        return self.status, self.headers

    async def read(self) -> bytes:
        """See Stream."""
        if not self._play.steps:
            return b""
        if self._since_s is None:
            self._since_s = self._loop.time()
        until = self._patience.until_first_token_s if self._waiting_for == "first_token" else self._patience.until_idle_s
        data = await self._wait(*self._play.steps.popleft(), until(self._since_s))
        if not self._play.steps:
            self._end()
        return data

    def progress(self) -> None:
        """See Stream."""
        self._since_s = None
        self._waiting_for = "idle"
        if self._visit.told_s is None:
            self._visit.told_s = self._loop.time()

    def still(self) -> None:
        """Something of a whole answer has come."""
        self._since_s = self._loop.time()

    def close(self) -> None:
        """See Stream."""
        self._closed = True
        self._ledger.leave(self._visit, "left")
        if self._waiting is not None and not self._waiting.done():
            self._waiting.set_exception(failed(self._name, "its answer broke off"))

    def finish(self) -> None:
        """See Stream."""
        self._end()
        self.close()

    def _end(self) -> None:
        self._ledger.leave(self._visit, "answered" if self._play.fate in ("well", "slow", "drip") else self._play.fate)

    async def _wait(self, delay_s: float, data: bytes | None, due_s: float) -> bytes:
        """The data after its time. Raises what a connection would: that it broke, that a timer ran out, that it was closed."""
        now_s = self._loop.time()
        error: PromptwireError | None = None
        if now_s + delay_s > due_s:
            delay_s, error = due_s - now_s, self._patience.error(due_s, self._waiting_for)
        elif data is None:
            error = failed(self._name, "it closed the connection")
        await self._pause(delay_s)
        if error is not None:
            self._ledger.leave(self._visit, "silence" if data is not None else self._play.fate)
            raise error
        return data or b""

    async def _pause(self, seconds: float) -> None:
        if self._closed:
            raise failed(self._name, "its answer broke off")
        self._waiting = self._loop.create_future()
        handle = self._loop.call_later(max(0.0, seconds), _wake, self._waiting)
        try:
            await self._waiting
        finally:
            handle.cancel()
            self._waiting = None
        if self._closed:  # in the same moment: what has come is not read any more
            raise failed(self._name, "its answer broke off")


def _wake(waiting: "asyncio.Future[None]") -> None:
    if not waiting.done():
        waiting.set_result(None)
