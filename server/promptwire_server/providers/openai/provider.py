"""OpenAI: the provider that speaks chat completions over an upstream."""

from collections.abc import AsyncIterator, Mapping, Sequence
from dataclasses import dataclass, field

from promptwire import v1 as pb
from promptwire_server.core.call import Call
from promptwire_server.core.clock import Clock
from promptwire_server.core.errors import PromptwireError
from promptwire_server.core.ids import Ids
from promptwire_server.core.reply import Batch, Event, Reply
from promptwire_server.core.secret import Secret
from promptwire_server.providers import estimate, sse
from promptwire_server.providers.attempt import Try
from promptwire_server.providers.failed import failed
from promptwire_server.providers.interruption import interrupted
from promptwire_server.providers.json_value import list_in, object_in, parsed_object, text_in
from promptwire_server.providers.openai.answer import DONE, Answer
from promptwire_server.providers.openai.dialect import Dialect
from promptwire_server.providers.openai.errors import REQUEST_ID, error_of_answer
from promptwire_server.providers.openai.request import body_of, to_wire
from promptwire_server.providers.upstream import Bounds, Request, Stream, Timeouts, Upstream

_CHAT = "/chat/completions"
_MODELS = "/models"
_ERROR_BYTES = 64 << 10  # of an error's body; what is behind does not change what it means
_LIST_S = 30.0  # patience for the list of models
_SUCCESS = 200


@dataclass(frozen=True, slots=True)
class Settings:
    """One account at a vendor that speaks chat completions."""

    api_key: Secret | None = None
    base_url: str | None = None  # default: the vendor's
    organization: str | None = None
    project: str | None = None
    headers: Mapping[str, str] = field(default_factory=dict)
    models: Sequence[str] = ()  # to list, instead of asking the vendor
    timeouts: Timeouts = field(default_factory=Timeouts)
    bounds: Bounds = field(default_factory=Bounds)
    max_connections: int = 256
    proxy: str | None = None


class OpenAI:
    """Translates, and leaves waiting to the upstream."""

    def __init__(
        self,
        name: str,
        upstream: Upstream,
        *,
        dialect: Dialect,
        clock: Clock,
        ids: Ids,
        bounds: Bounds | None = None,
        models: Sequence[str] = (),
    ) -> None:
        self.name = name
        self._upstream = upstream
        self._dialect = dialect
        self._clock = clock
        self._ids = ids
        self._bounds = bounds or Bounds()
        self._models = tuple(models)

    async def __call__(self, call: Call) -> Reply:
        """See Provider."""
        body = body_of(to_wire(call, self.name, self._dialect))
        answer = Answer(call, self.name, self._ids)
        request = Request("POST", _CHAT, call.deadline_s, body)
        with Try(call, self.name, answer.model, self._clock) as attempt:
            if call.stream:
                return await self._streamed(request, answer, attempt)
            return Reply.whole(await self._whole(request, answer, attempt))

    async def count_tokens(self, call: Call) -> pb.CountTokensResponse:
        """An estimate: the dialect has no way to ask."""
        return pb.CountTokensResponse(
            input_tokens=estimate.prompt_tokens(call.request),
            estimated=True,
            model=call.target.model if call.target else "",
            provider=self.name,
            method=estimate.METHOD,
        )

    async def models(self) -> Sequence[pb.Model]:
        """See Provider."""
        if self._models:
            return [self._model(name, "configuration") for name in self._models]
        found = await self._upstream.fetch(Request("GET", _MODELS, self._clock.monotonic() + _LIST_S))
        if found.status != _SUCCESS:
            raise self._refused(found.status, found.headers, found.body, "models")
        names = [text_in(object_in(model).get("id")) for model in list_in((parsed_object(found.body) or {}).get("data"))]
        return [self._model(name, "provider") for name in sorted(names) if name]

    async def aclose(self) -> None:
        """See Provider."""
        await self._upstream.aclose()

    def _model(self, name: str, source: str) -> pb.Model:
        return pb.Model(name=f"{self.name}/{name}", provider=self.name, provider_model=name, source=source)

    async def _whole(self, request: Request, answer: Answer, attempt: Try) -> pb.ChatResponse:
        found = await self._upstream.fetch(request)
        attempt.named(found.headers.get(REQUEST_ID, ""))
        if found.status != _SUCCESS:
            raise self._refused(found.status, found.headers, found.body, answer.model)
        response = self._parsed(found.body, answer)
        attempt.answered()
        return response

    def _parsed(self, body: bytes, answer: Answer) -> pb.ChatResponse:
        parsed = parsed_object(body)
        if parsed is None:
            raise failed(self.name, "its answer is not a JSON object; check base_url", http_status=_SUCCESS)
        return answer.whole(parsed)

    async def _streamed(self, request: Request, answer: Answer, attempt: Try) -> Reply:
        stream = await self._upstream.open(request)
        opened = False
        try:
            attempt.named(stream.headers.get(REQUEST_ID, ""))
            if stream.status != _SUCCESS:
                raise self._refused(stream.status, stream.headers, await _head_of(stream, _ERROR_BYTES), answer.model)
            if stream.headers.get("content-type", "").startswith("application/json"):
                # It was asked to stream and does not: some servers behave so with some models.
                response = self._parsed(await _head_of(stream, self._bounds.body_bytes), answer)
                attempt.answered()
                return Reply.whole(response)
            reading = _Reading(self.name, stream, answer, attempt, self._bounds)
            first: list[Event] = []
            while not answer.begun:
                await reading.more(first)
            opened = True
            return Reply(reading.batches(first), release=reading.release, partial=answer.partial)
        finally:
            if not opened:
                stream.close()

    def _refused(self, status: int, headers: Mapping[str, str], body: bytes, model: str) -> PromptwireError:
        return error_of_answer(status, headers, body, provider=self.name, model=model, now_epoch_s=self._clock.time())


class _Reading:
    """One stream that is being read."""

    __slots__ = ("_answer", "_attempt", "_name", "_parser", "_stream")

    def __init__(self, name: str, stream: Stream, answer: Answer, attempt: Try, bounds: Bounds) -> None:
        self._name = name
        self._stream = stream
        self._answer = answer
        self._attempt = attempt
        self._parser = sse.Parser(name, max_line_bytes=bounds.line_bytes, max_event_bytes=bounds.event_bytes)

    async def more(self, out: list[Event]) -> None:
        """Add what the next bytes mean. What came before an error is in `out`."""
        data = await self._stream.read()
        if not data:
            # The marker counts without its blank line; anything else that was cut off does not.
            if self._parser.rest() != DONE:
                raise failed(self._name, "its stream stopped before its end")
            self._answer.take([("", DONE)], out)
        else:
            self._answer.take(self._parser.feed(data), out)
        if out:
            self._stream.progress()
        if self._answer.done:
            self._attempt.answered()

    async def batches(self, first: list[Event]) -> AsyncIterator[Batch]:
        """The first batch, and all that follow."""
        yield first
        while not self._answer.done:
            batch: list[Event] = []
            try:
                await self.more(batch)
            except PromptwireError as error:
                if batch:
                    yield batch
                final = interrupted(error, delivered_deltas=self._answer.deltas())
                self._attempt.failed(final)
                raise final from None
            if batch:
                yield batch

    def release(self) -> None:
        """Let the connection go: kept after a good end, closed otherwise."""
        if self._answer.done:
            self._stream.finish()
        else:
            self._attempt.abandoned()
            self._stream.close()


async def _head_of(stream: Stream, limit_bytes: int) -> bytes:
    """The body up to a limit. Raises what the stream raises."""
    body = b""
    while len(body) < limit_bytes and (data := await stream.read()):
        body += data
    return body
