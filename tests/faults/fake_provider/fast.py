"""The fast mode: precomputed answers for benchmarks, tens of thousands a second.

It shares two cores with the server under test, so it parses as little as it can: the
length, the model name and two flags are found by search. Answers come from the same
dialect as all others, with a content length; of the script only what the model says,
the status and the delays count. No ledger but a count.
"""

import asyncio
import json
from collections.abc import Mapping
from dataclasses import dataclass
from typing import cast
from urllib.parse import parse_qsl

from tests.faults.fake_provider.dialects import reply
from tests.faults.fake_provider.head import changed, written
from tests.faults.fake_provider.http1 import head_bytes
from tests.faults.fake_provider.model_name import model_of
from tests.faults.fake_provider.openai_dialect import CHAT, MODELS
from tests.faults.fake_provider.reply import Call, Identity, JsonObject, Reply
from tests.faults.fake_provider.script import Script, ScriptError, Timing, scripted

CREATED = 1_760_000_000
PROMPT = "A benchmark asks the same every time."
# More models than a benchmark uses; bounded since a name may carry anything.
MAX_CACHED = 1024
_CHAT = b"POST /v1/chat/"
_ELSEWHERE = (b"POST /v1/messages", b"POST /v1/responses", b"POST /v1beta/", b"POST /api/")
LENGTH = b"content-length:"
HEAD_END = b"\r\n\r\n"
STREAM = (b'"stream":true', b'"stream": true')
USAGE = (b'"include_usage":true', b'"include_usage": true')


@dataclass(frozen=True, slots=True)
class Prepared:
    """The writes of one answer; without delays they are a single one."""

    writes: tuple[bytes, ...]
    timing: Timing

    def delay_s(self, at: int) -> float:
        """Return the seconds to wait before write number `at`."""
        timing = self.timing
        match at:
            case 0:
                return timing.head_ms / 1000
            case 1:
                return timing.first_event_ms / 1000
            case _:
                return timing.delay_ms / 1000


class Book:
    """Prepared answers by model and flags, and the count of requests served."""

    def __init__(self) -> None:
        self.requests = 0
        self._prepared: dict[tuple[bytes, bool, bool], Prepared] = {}
        self._others: dict[tuple[bytes, bytes, bool], Prepared] = {}
        self._models = _prepare({}, Script(), path=MODELS)

    def find(self, data: bytes) -> Prepared:
        """Return the answer to one request, head and body together."""
        if not data.startswith(_CHAT):
            return self._other(data)
        self.requests += 1
        streamed = STREAM[0] in data or STREAM[1] in data
        usage = streamed and (USAGE[0] in data or USAGE[1] in data)
        key = (_model(data), streamed, usage)
        return self._prepared.get(key) or self._make(key)

    def _make(self, key: tuple[bytes, bool, bool]) -> Prepared:
        if len(self._prepared) >= MAX_CACHED:
            self._prepared.clear()
        model, streamed, usage = key
        name = model.decode("utf-8", "replace")
        body: JsonObject = {
            "model": name,
            "messages": [{"role": "user", "content": PROMPT}],
            "stream": streamed,
            "stream_options": {"include_usage": usage},
        }
        try:
            script = scripted(model=name, api_key="", attempt=1)
        except ScriptError as error:
            return _plain(400, {"error": {"message": str(error)}})
        prepared = _prepare(body, script, path=CHAT)
        self._prepared[key] = prepared
        return prepared

    def _other(self, data: bytes) -> Prepared:
        if data.startswith(b"GET /v1/models"):
            return self._models
        if data.startswith(_ELSEWHERE):
            self.requests += 1
            key = (data[: data.find(b" HTTP/")], _model(data), STREAM[0] in data)
            return self._others.get(key) or self._others.setdefault(key, _of_dialect(data))
        if data.startswith(b"POST /_reset"):
            self.requests = 0
        return _plain(200, {"requests": self.requests})


class FastConnection(asyncio.Protocol):
    """One connection; a request that comes during a paced answer waits for its end."""

    def __init__(self, book: Book) -> None:
        self._book = book
        self._buffer = b""
        self._timer: asyncio.TimerHandle | None = None
        self._transport: asyncio.Transport

    def connection_made(self, transport: asyncio.BaseTransport) -> None:
        self._transport = cast("asyncio.Transport", transport)

    def connection_lost(self, exc: Exception | None) -> None:
        if self._timer is not None:
            self._timer.cancel()

    def data_received(self, data: bytes) -> None:
        self._buffer = self._buffer + data if self._buffer else data
        if self._timer is None:
            self._answer()

    def _answer(self) -> None:
        while self._buffer and (size := _request_size(self._buffer)):
            request, self._buffer = self._buffer[:size], self._buffer[size:]
            prepared = self._book.find(request)
            if len(prepared.writes) > 1:
                self._pace(prepared, 0)
                return
            self._transport.write(prepared.writes[0])

    def _pace(self, prepared: Prepared, at: int) -> None:
        """Write from number `at` on, until a delay or the end comes."""
        loop = asyncio.get_running_loop()
        self._timer = loop.call_later(prepared.delay_s(at), self._write_paced, prepared, at)

    def _write_paced(self, prepared: Prepared, at: int) -> None:
        self._transport.write(prepared.writes[at])
        if at + 1 < len(prepared.writes):
            self._pace(prepared, at + 1)
            return
        self._timer = None
        self._answer()


def _of_dialect(data: bytes) -> Prepared:
    """The answer of another dialect to the first such request, which is read in full: all that follow are answered alike."""
    head, _, text = data.partition(HEAD_END)
    path, _, query = head.split(b" ", 2)[1].decode().partition("?")
    body: JsonObject = json.loads(text)
    names = (line.partition(b": ") for line in head.split(b"\r\n")[1:])
    headers = {name.decode().lower(): value.decode() for name, _, value in names}
    script = scripted(model=model_of(path, body.get("model")) or "", api_key="", attempt=1)
    return _prepare(body, script, path=path, headers=headers, query=dict(parse_qsl(query)))


def _request_size(data: bytes) -> int:
    """Return the length of the first request, 0 while it is not complete."""
    end = data.find(HEAD_END)
    if end < 0:
        return 0
    head = data[:end].lower()
    at = head.find(LENGTH)
    size = end + len(HEAD_END)
    if at >= 0:
        stop = head.find(b"\r", at)
        size += int(head[at + len(LENGTH) : stop if stop >= 0 else None])
    return size if len(data) >= size else 0


def _model(data: bytes) -> bytes:
    at = data.find(b'"model"')
    start = data.find(b'"', at + 7) + 1
    return data[start : data.find(b'"', start)] if at >= 0 else b"fake"


def _prepare(
    body: JsonObject, script: Script, *, path: str, headers: Mapping[str, str] | None = None, query: Mapping[str, str] | None = None
) -> Prepared:
    call = Call(
        method="POST" if body else "GET",
        path=path,
        authorised=True,
        body=body,
        script=script,
        identity=Identity(1, CREATED),
        headers=headers or {},
        query=query or {},
    )
    made = changed(reply(call), script.head, CREATED)
    parts = [event.data for event in made.events]
    if made.trailer:
        parts.append(made.trailer)
    writes = [_head(made, sum(map(len, parts))), *parts]
    timing = script.timing
    paced = timing.head_ms or timing.first_event_ms or timing.delay_ms
    return Prepared(tuple(writes) if paced else (b"".join(writes),), timing)


def _head(made: Reply, size: int) -> bytes:
    framing = (("connection", "keep-alive"), ("content-length", str(size)))
    return written(made, framing, CREATED)


def _plain(status: int, value: JsonObject) -> Prepared:
    body = json.dumps(value).encode()
    headers = [("content-type", "application/json"), ("content-length", str(len(body)))]
    return Prepared((head_bytes(status, headers) + body,), Timing())
