"""Adapter: a provider made of a dialect that translates and an upstream that waits."""

from collections.abc import Awaitable, Callable, Mapping, Sequence
from functools import partial
from typing import TypeVar

import orjson

from promptwire import v1 as pb
from promptwire_server.core import estimate
from promptwire_server.core.call import Call, Trail
from promptwire_server.core.clock import Clock
from promptwire_server.core.embedding import EmbedCall
from promptwire_server.core.errors import PromptwireError
from promptwire_server.core.reply import Reply
from promptwire_server.providers.answer import Answer, asks_much
from promptwire_server.providers.asked import missing
from promptwire_server.providers.attempt import Try
from promptwire_server.providers.counts import note_estimate
from promptwire_server.providers.credentials import KeyRing
from promptwire_server.providers.dialect import Dialect, Embedded, Refusal, Wire
from promptwire_server.providers.failed import failed, too_long
from promptwire_server.providers.json_value import Json, JsonObject, too_deep, too_rich
from promptwire_server.providers.key import Key
from promptwire_server.providers.limits_headers import rate_limits
from promptwire_server.providers.lone_key import LoneKey
from promptwire_server.providers.reading import Reading
from promptwire_server.providers.upstream import Answer as Response
from promptwire_server.providers.upstream import Bounds, Request, Stream, Upstream

_ERROR_BYTES = 64 << 10  # of an error's body; what is behind does not change what it means
_VECTORS_BYTES = 1 << 20  # of an answer with vectors, besides these
_VECTOR_BYTES = 256 << 10  # of one as text: 8,192 numbers, as long as they get
_LIST_S = 30.0  # patience for what is asked besides answers
_SUCCESS = 200
_JSON = "application/json"

T = TypeVar("T")


class Adapter:
    """One account at one vendor."""

    def __init__(
        self,
        name: str,
        upstream: Upstream,
        dialect: Dialect,
        *,
        clock: Clock,
        bounds: Bounds | None = None,
        models: Sequence[str] = (),
        ring: KeyRing | LoneKey | None = None,
    ) -> None:
        self.name = name
        self._upstream = upstream
        self._dialect = dialect
        self._clock = clock
        self._bounds = bounds or Bounds()
        self._models = tuple(models)  # to list, instead of asking the vendor
        self._ring = ring  # None: it takes no key

    async def __call__(self, call: Call) -> Reply:
        """See Provider."""
        wire, answer = self._dialect.ask(call)
        if self._ring is None:
            return await self._ask(wire, answer, None)
        return await self._ring.lend(answer.model, call.trail, lambda key, refusal: self._ask(wire, answer, key, refusal))

    async def embed(self, call: EmbedCall) -> pb.EmbedResponse:
        """See Provider. Batches go one after the other: all at once would only meet the vendor's rate limit."""
        embeddings = self._dialect.embeddings
        if embeddings is None:
            raise missing("model", "embeddings", "name a model of a provider that does")
        response = pb.EmbedResponse(provider=self.name, model=call.model)
        texts, most = call.request.texts, embeddings.most_texts
        wire = embeddings.to_wire(call)

        async def ask(key: Key | None, refusal: PromptwireError | None) -> None:
            response.ClearField("usage")  # vectors that another key has brought were billed to that attempt
            with Try(call.call, self.name, call.model, self._clock, _because(refusal)) as attempt:
                for start in range(len(response.embeddings), len(texts), most):
                    batch = texts[start : start + most]
                    attempt.asked(partial(_taken, response.usage, batch))
                    most_bytes = min(self._bounds.large_bytes, _VECTORS_BYTES + len(batch) * _VECTOR_BYTES)
                    found = await self._upstream.fetch(_request(wire(batch), call.call.deadline_s, key, most_bytes))
                    self._hear(call.call, found.headers, attempt, key)
                    answer = self._value(self._accepted(found, call.model, key))
                    attempt.begun(lambda: response.usage)
                    self._add(embeddings.from_wire(answer), batch, response)
                attempt.answered()

        await self._lent(ask, call.model, call.call.trail)
        note_estimate(response.usage, call.call.trail.notices, said_something=False)
        self._note_length(call, response)
        return response

    def _add(self, found: Embedded, texts: Sequence[str], response: pb.EmbedResponse) -> None:
        """Add the vectors of one batch, and what it took. Raises UpstreamFailed when some are missing: they could not be told apart."""
        response.usage.input_tokens += found.input_tokens or estimate.of_texts(texts)
        response.usage.estimated |= not found.input_tokens
        if len(found.vectors) != len(texts):
            raise failed(self.name, f"it sent {len(found.vectors)} vectors for {len(texts)} texts")
        length = len(response.embeddings[0].values) if response.embeddings else len(found.vectors[0])
        if any(len(vector) != length for vector in found.vectors):
            raise failed(self.name, "it sent vectors of different lengths")
        response.embeddings.extend([pb.Embedding(values=vector) for vector in found.vectors])
        response.model = found.model or response.model

    def _note_length(self, call: EmbedCall, response: pb.EmbedResponse) -> None:
        """Say that the vectors are not as long as was asked for: some models cannot shorten them, and do not say so."""
        length = len(response.embeddings[0].values)
        if call.request.HasField("dimensions") and call.request.dimensions != length:
            message = f"{self.name}/{call.model} did not heed it; its vectors have {length} numbers"
            call.call.notice(pb.Notice.CODE_SETTING_DROPPED, message, "dimensions")

    async def count_tokens(self, call: Call) -> pb.CountTokensResponse:
        """See Provider."""

        async def fetch(wire: Wire) -> JsonObject:
            return await self._fetch(wire, call.deadline_s, model)

        model = call.target.model if call.target else ""
        counted = await self._dialect.count(call, fetch) or pb.CountTokensResponse(
            input_tokens=estimate.prompt_tokens(call.request), estimated=True, method=estimate.METHOD
        )
        counted.model, counted.provider = counted.model or model, self.name
        return counted

    async def models(self) -> Sequence[pb.Model]:
        """See Provider."""
        if self._models:
            return [self._named(pb.Model(provider_model=name, source="configuration")) for name in self._models]
        found = await self._dialect.models(self._fetch_list)
        return sorted(map(self._named, found), key=lambda model: model.name)

    async def aclose(self) -> None:
        """See Provider."""
        if self._ring is not None:
            self._ring.close()
        await self._upstream.aclose()

    def _named(self, model: pb.Model) -> pb.Model:
        model.name, model.provider = f"{self.name}/{model.provider_model}", self.name
        return model

    async def _fetch_list(self, wire: Wire) -> JsonObject:
        found = await self._found(wire, self._clock.monotonic() + _LIST_S, "models")
        value = self._value(found)
        return {"data": value} if isinstance(value, list) else self._object(found)  # Together's list is bare

    async def _fetch(self, wire: Wire, deadline_s: float, model: str) -> JsonObject:
        return self._object(await self._found(wire, deadline_s, model))

    async def _found(self, wire: Wire, deadline_s: float, model: str) -> Response:
        async def ask(key: Key | None, _: PromptwireError | None) -> Response:
            return self._accepted(await self._upstream.fetch(_request(wire, deadline_s, key)), model, key)

        return await self._lent(ask, model, Trail())

    async def _lent(self, ask: Callable[[Key | None, PromptwireError | None], Awaitable[T]], model: str, trail: Trail) -> T:
        return await (ask(None, None) if self._ring is None else self._ring.lend(model, trail, ask))

    async def _ask(self, wire: Wire, answer: Answer, key: Key | None, refusal: PromptwireError | None = None) -> Reply:
        call = answer.call
        request = _request(wire, call.deadline_s, key, self._most_bytes(call))
        with Try(call, self.name, answer.model, self._clock, _because(refusal)) as attempt:
            if call.stream:
                return await self._streamed(request, answer, attempt, key)
            return Reply.whole(await self._whole(request, answer, attempt, key))

    async def _whole(self, request: Request, answer: Answer, attempt: Try, key: Key | None) -> pb.ChatResponse:
        found = await self._upstream.fetch(request)
        self._hear(answer.call, found.headers, attempt, key)
        response = self._told(self._accepted(found, answer.model, key), answer)
        attempt.answered()
        return response

    def _told(self, found: Response, answer: Answer) -> pb.ChatResponse:
        response = answer.whole(self._object(found, answer.richness))
        answer.check_size(self._bounds)
        return response

    def _most_bytes(self, call: Call) -> int:
        return self._bounds.large_bytes if asks_much(call.request) else self._bounds.body_bytes

    def _hear(self, call: Call, headers: Mapping[str, str], attempt: Try, key: Key | None) -> None:
        """Keep what a head tells. Of several keys each has limits of its own, and goes by them itself."""
        attempt.named(headers.get(self._dialect.request_id, ""))
        limits = rate_limits(headers, self._clock.time())
        if limits and call.target is not None:
            if key is None:
                call.trail.limits[call.target] = limits
            else:
                key.hears(call.target.model, limits, self._clock.monotonic())

    def _accepted(self, found: Response, model: str, key: Key | None) -> Response:
        if found.status != _SUCCESS:
            raise self._refused(found, model, key)
        return found

    def _object(self, found: Response, richness: int = 1) -> JsonObject:
        if too_rich(found.body, richness):
            raise failed(self.name, "its answer has too many values", http_status=_SUCCESS)
        value = self._value(found)
        if not isinstance(value, dict) or too_deep(found.body, value):
            raise failed(self.name, "its answer is not a JSON object; check base_url", http_status=_SUCCESS)
        return value

    def _value(self, found: Response) -> Json:
        try:
            value: Json = orjson.loads(found.body)
        except orjson.JSONDecodeError:
            raise failed(self.name, "its answer is not JSON; check base_url", http_status=_SUCCESS) from None
        return value

    async def _streamed(self, request: Request, answer: Answer, attempt: Try, key: Key | None) -> Reply:
        stream = await self._upstream.open(request)
        opened = False
        try:
            self._hear(answer.call, stream.headers, attempt, key)
            if stream.status != _SUCCESS:
                raise self._refused(await _read(stream, _ERROR_BYTES), answer.model, key)
            if stream.headers.get("content-type", "").startswith(_JSON):
                # It was asked to stream and does not: some servers behave so with some models.
                response = self._told(await _read(stream, request.most_bytes, too_long(self.name, request.most_bytes)), answer)
                attempt.answered()
                return Reply.whole(response)
            listener = None if self._ring is None else self._ring.listener(key, answer.model)
            reading = Reading(stream, self._dialect.parser(self._bounds), answer, attempt, self._bounds, listener)
            first = await reading.first()
            opened = True
            return Reply(reading.batches(first), release=reading.release, partial=answer.partial)
        finally:
            if not opened:
                stream.close()

    def _refused(self, found: Response, model: str, key: Key | None) -> PromptwireError:
        error = self._dialect.refused(Refusal(found.status, found.headers, found.body, model, self._clock.time()))
        if key is not None:
            error.message += f" (key {key.number})"
        return error


def _taken(usage: pb.Usage, texts: Sequence[str]) -> pb.Usage:
    """What vectors have taken when nobody waits any longer for those of some more texts, which the vendor has begun to read."""
    return pb.Usage(input_tokens=usage.input_tokens + estimate.of_texts(texts), estimated=True)


def _because(refusal: PromptwireError | None) -> str:
    """Why a key is asked after one that was refused; of the first, it is why the target is."""
    return "" if refusal is None else f"next key after {refusal.reason_name}"


def _request(wire: Wire, deadline_s: float, key: Key | None, most_bytes: int = 0) -> Request:
    headers = wire.headers if key is None else {**key.headers(), **wire.headers}
    return Request(wire.method, wire.path, deadline_s, wire.body, headers, most_bytes)


async def _read(stream: Stream, limit_bytes: int, beyond: PromptwireError | None = None) -> Response:
    """The body up to about a limit. Raises what the stream raises, and what it is told to when there is more."""
    pieces: list[bytes] = []
    size_bytes = 0
    while size_bytes <= limit_bytes and (data := await stream.read()):
        pieces.append(data)
        size_bytes += len(data)
    if beyond is not None and size_bytes > limit_bytes:
        raise beyond
    return Response(stream.status, stream.headers, b"".join(pieces))
