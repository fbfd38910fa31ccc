"""Calls and providers for tests, made in a line."""

import random
from collections.abc import Awaitable, Callable

from promptwire import v1 as pb
from promptwire_server.core.call import ANONYMOUS, Call, Target
from promptwire_server.core.clock import Chance, Clock, ManualClock, SystemClock
from promptwire_server.core.embedding import EmbedCall
from promptwire_server.core.ids import Ids
from promptwire_server.core.reply import Event, Reply
from promptwire_server.providers.json_value import JsonObject, dumped
from promptwire_server.providers.openai.answer import ChatAnswer
from promptwire_server.providers.sse import Parser

Ask = Callable[[Call], Awaitable[Reply]]


def make_call(
    request: pb.ChatRequest | str = "hi there",
    *,
    model: str = "m",
    stream: bool = False,
    clock: Clock | None = None,
    within_s: float = 10.0,
) -> Call:
    """A call for the test's model; a string is the prompt."""
    asked = pb.ChatRequest(prompt=request) if isinstance(request, str) else request
    now_s = (clock or SystemClock()).monotonic()
    return Call(asked, ANONYMOUS, "req-test", "0" * 31 + "1", now_s + within_s, now_s, stream, Target("openai", model))


def make_embed_call(request: pb.EmbedRequest, *, model: str = "m", within_s: float = 10.0) -> EmbedCall:
    """A call for vectors of the test's model."""
    return EmbedCall(request, make_call(pb.ChatRequest(model=request.model), model=model, within_s=within_s))


def make_ids() -> Ids:
    """Ids that are the same in every run."""
    return Ids(ManualClock(), Chance(random.Random(7)))


async def ask(provider: Ask, call: Call) -> pb.ChatResponse:
    """The whole answer, streamed or not."""
    async with await provider(call) as reply:
        return await reply.read()


async def events_of(provider: Ask, call: Call) -> list[Event]:
    """Every event of the answer."""
    async with await provider(call) as reply:
        return [event async for event in reply]


def sse_bytes(*chunks: JsonObject | str) -> bytes:
    """The chunks as a stream of server-sent events; a string is data as it stands."""
    return b"".join(f"data: {chunk if isinstance(chunk, str) else dumped(chunk)}\n\n".encode() for chunk in chunks)


def taken(call: Call, *chunks: JsonObject | str, provider: str = "openai") -> list[Event]:
    """The events that these chunks mean."""
    out: list[Event] = []
    parser = Parser(provider, max_line_bytes=1 << 20, max_event_bytes=1 << 20)
    ChatAnswer(call, provider, make_ids()).take(parser.feed(sse_bytes(*chunks)), out)
    return out
