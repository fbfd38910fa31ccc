"""What is written down about a question, however it ends."""

import asyncio
from collections.abc import AsyncIterator

import pytest

from promptwire import v1 as pb
from promptwire_server.core.call import Call, Principal
from promptwire_server.core.clock import ManualClock
from promptwire_server.core.entry import Entry
from promptwire_server.core.errors import PromptwireError, UpstreamFailed
from promptwire_server.core.handler import Handler
from promptwire_server.core.reply import Batch, Reply
from promptwire_server.layers.journal import Journal
from promptwire_server.layers.metrics import Metrics
from promptwire_server.layers.observe import Observe
from promptwire_server.layers.tally import Tally
from tests.unit.layers.conftest import MakeCall, answer, streamed


class Book:
    """A sink that remembers."""

    def __init__(self) -> None:
        self.entries: list[tuple[str, Entry]] = []

    def append(self, tenant: str, entry: Entry) -> None:
        self.entries.append((tenant, entry))

    @property
    def only(self) -> Entry:
        ((_, entry),) = self.entries
        return entry


@pytest.fixture
def book() -> Book:
    return Book()


def journaled(inner: Handler, book: Book, clock: ManualClock) -> Observe:
    return Observe(inner, tally=Tally(Metrics(), write=Journal(book, clock).write), clock=clock)


async def ask(book: Book, clock: ManualClock, call: Call, inner: Handler) -> None:
    async with await journaled(inner, book, clock)(call) as reply:
        clock.advance(0.25)
        await reply.read()


def handing(response: pb.ChatResponse) -> Handler:
    async def inner(_: Call) -> Reply:
        return Reply.whole(response)

    return inner


async def test_every_field_comes_from_where_it_belongs(book: Book, clock: ManualClock, make_call: MakeCall) -> None:
    response = pb.ChatResponse(provider="openai", model="gpt-4o-mini", served_from=pb.SERVED_FROM_PROVIDER)
    response.usage.CopyFrom(
        pb.Usage(
            input_tokens=1,
            output_tokens=2,
            cached_input_tokens=3,
            cache_write_5m_tokens=4,
            cache_write_1h_tokens=5,
            reasoning_tokens=6,
            input_audio_tokens=7,
            output_audio_tokens=8,
            input_image_tokens=9,
            output_image_tokens=10,
            estimated=True,
        )
    )
    response.cost.CopyFrom(pb.Cost(total_nano_usd=11, saved_nano_usd=12))
    request = pb.ChatRequest(model="fast", labels={"team": "search"})
    call = make_call(
        request=request, principal=Principal("shop", "till"), request_id="r", trace_id="t", run_id="run", step_id="step", stream=True
    )
    await ask(book, clock, call, handing(response))
    assert book.entries[0][0] == "shop"
    assert book.only == Entry(
        ended_us=int(clock.time() * 1e6),
        request_id="r",
        trace_id="t",
        principal="till",
        provider="openai",
        model="gpt-4o-mini",
        model_asked="fast",
        outcome="OK",
        served_from="PROVIDER",
        stream=True,
        input_tokens=1,
        output_tokens=2,
        cached_input_tokens=3,
        cache_write_5m_tokens=4,
        cache_write_1h_tokens=5,
        reasoning_tokens=6,
        input_audio_tokens=7,
        output_audio_tokens=8,
        input_image_tokens=9,
        output_image_tokens=10,
        estimated=True,
        cost_nano_usd=11,
        saved_nano_usd=12,
        duration_us=250_000,
        run_id="run",
        step_id="step",
        labels={"team": "search"},
    )


def test_every_count_of_usage_is_written_down() -> None:
    counts = {field.name for field in pb.Usage.DESCRIPTOR.fields} - {"provider_units"}
    assert counts <= set(Entry._fields)


@pytest.mark.parametrize(("cost", "kept"), [(None, None), (pb.Cost(), None), (pb.Cost(total_nano_usd=0), 0)])
async def test_unknown_cost_is_none_and_known_zero_is_zero(
    book: Book, clock: ManualClock, make_call: MakeCall, cost: pb.Cost | None, kept: int | None
) -> None:
    response = answer()
    if cost is not None:
        response.cost.CopyFrom(cost)
    await ask(book, clock, make_call(), handing(response))
    assert (book.only.cost_nano_usd, book.only.saved_nano_usd) == (kept, None)


@pytest.mark.parametrize(
    ("served_from", "kept"),
    [(pb.SERVED_FROM_UNSPECIFIED, "PROVIDER"), (pb.SERVED_FROM_CACHE, "CACHE"), (pb.SERVED_FROM_DEDUP, "DEDUP"), (99, "PROVIDER")],
)
async def test_where_the_answer_was_served_from(book: Book, clock: ManualClock, make_call: MakeCall, served_from: int, kept: str) -> None:
    await ask(book, clock, make_call(), handing(answer(served_from=served_from)))
    assert book.only.served_from == kept


async def test_a_call_that_fails_at_once_says_who_was_tried(book: Book, clock: ManualClock, make_call: MakeCall) -> None:
    async def failing(call: Call) -> Reply:
        call.trail.attempts.append(pb.Attempt(provider="openai", model="gpt"))
        raise UpstreamFailed("gone")

    with pytest.raises(UpstreamFailed):
        await ask(book, clock, make_call(), failing)
    entry = book.only
    assert (entry.outcome, entry.provider, entry.model, entry.served_from) == ("UPSTREAM_FAILED", "openai", "gpt", "")
    assert (entry.input_tokens, entry.cost_nano_usd) == (0, None)


async def test_a_bug_is_written_down_without_its_text(book: Book, clock: ManualClock, make_call: MakeCall) -> None:
    async def broken(_: Call) -> Reply:
        raise ValueError("a secret")

    with pytest.raises(ValueError, match="a secret"):
        await ask(book, clock, make_call(), broken)
    assert book.only.outcome == "INTERNAL"
    assert "secret" not in repr(book.only)


async def test_a_stream_that_breaks_off_keeps_what_it_had_used(book: Book, clock: ManualClock, make_call: MakeCall) -> None:
    used = pb.ChatResponse(provider="openai", model="gpt")
    used.usage.output_tokens = 7

    async def source() -> AsyncIterator[Batch]:
        yield [pb.StreamChatResponse(part_delta=pb.PartDelta(text="he"))]
        raise UpstreamFailed("gone")

    async def breaking(_: Call) -> Reply:
        return Reply(source(), partial=lambda: used)

    with pytest.raises(PromptwireError):
        await ask(book, clock, make_call(stream=True), breaking)
    entry = book.only
    assert (entry.provider, entry.output_tokens, entry.served_from) == ("openai", 7, "")
    assert entry.outcome != "OK"


@pytest.mark.parametrize(("late_s", "outcome"), [(0.0, "CANCELLED"), (10.0, "DEADLINE")])
async def test_a_call_cancelled_while_the_upstream_waits_is_written_down(
    book: Book, clock: ManualClock, make_call: MakeCall, late_s: float, outcome: str
) -> None:
    waiting = asyncio.Event()

    async def slow(_: Call) -> Reply:
        waiting.set()
        await asyncio.Event().wait()
        raise AssertionError

    task = asyncio.ensure_future(ask(book, clock, make_call(timeout_s=5.0), slow))
    await waiting.wait()
    clock.advance(late_s)
    task.cancel()
    with pytest.raises(asyncio.CancelledError):
        await task
    assert book.only.outcome == outcome


async def test_a_reader_who_leaves_midway_is_written_down_once(book: Book, clock: ManualClock, make_call: MakeCall) -> None:
    async def stream(_: Call) -> Reply:
        return streamed(answer(), clock=clock)

    async with await journaled(stream, book, clock)(make_call(stream=True)) as reply:
        async for _ in reply.batches():
            break
    assert book.only.outcome == "CANCELLED"


async def test_nothing_is_written_before_the_end(book: Book, clock: ManualClock, make_call: MakeCall) -> None:
    async with await journaled(handing(answer()), book, clock)(make_call()) as reply:
        await reply.read()
        assert book.entries == []
    assert len(book.entries) == 1


async def test_a_name_of_the_callers_choice_is_cut(book: Book, clock: ManualClock, make_call: MakeCall) -> None:
    await ask(book, clock, make_call(model="x" * 1000), handing(answer()))
    assert len(book.only.model_asked) == 128
