"""A call within the limits of its caller goes on, one beyond is refused before anything happens, and tokens are settled truly."""

import asyncio
from collections.abc import Sequence

import pytest
from prometheus_client import CollectorRegistry, generate_latest

from promptwire import v1 as pb
from promptwire_server.core.call import Call, Principal
from promptwire_server.core.clock import ManualClock
from promptwire_server.core.errors import RateLimited, UpstreamFailed
from promptwire_server.core.handler import Handler
from promptwire_server.core.rate import Ask, Refusal
from promptwire_server.core.reply import Reply
from promptwire_server.core.store import StoreDown
from promptwire_server.layers.quota import Limit
from promptwire_server.layers.rates import Lease, RateLimit, RateStores
from promptwire_server.stores.memory_rates import Rates
from tests.unit.layers.conftest import MakeCall, answer, streamed


async def whole(_: Call) -> Reply:
    return Reply.whole(answer())


class Layers:
    """Layers of one process over one store."""

    def __init__(self, clock: ManualClock) -> None:
        self.clock = clock
        self.stores = RateStores(Rates(clock))

    def __call__(self, *limits: Limit, inner: Handler = whole, processes: int = 1) -> RateLimit:
        return RateLimit(
            inner,
            limits=limits,
            stores=self.stores,
            clock=self.clock,
            default_model="usual",
            processes=processes,
        )


@pytest.fixture
def layers(clock: ManualClock) -> Layers:
    return Layers(clock)


def asked(
    make_call: MakeCall, tenant: str = "shop", key: str = "web", *, model: str = "", end_user_id: str = "", session_id: str = ""
) -> Call:
    request = pb.ChatRequest(model=model, end_user_id=end_user_id, session_id=session_id)
    return make_call(principal=Principal(tenant, key), request=request)


async def read(layer: RateLimit, call: Call) -> pb.ChatResponse:
    async with await layer(call) as reply:
        return await reply.read()


async def passed(layer: RateLimit, calls: Sequence[Call]) -> list[bool]:
    results = [await asyncio.gather(read(layer, call), return_exceptions=True) for call in calls]
    assert all(isinstance(result, pb.ChatResponse | RateLimited) for (result,) in results)
    return [isinstance(result, pb.ChatResponse) for (result,) in results]


async def test_a_refusal_names_the_limit_and_says_when_to_come_back(layers: Layers, make_call: MakeCall) -> None:
    inside: list[Call] = []

    async def noting(call: Call) -> Reply:
        inside.append(call)
        return Reply.whole(answer())

    layer = layers(Limit("search-team", ("tenant",), requests_per_minute=30, burst=1), inner=noting)
    await read(layer, asked(make_call))
    with pytest.raises(RateLimited) as caught:
        await read(layer, asked(make_call))
    error = caught.value
    assert error.message == 'the limit "search-team" allows 30 requests a minute, 1 at once; 1 used now; try again in 2 s'
    assert error.retry_after_s == pytest.approx(2.0)
    assert error.metadata == {"subject": "search-team", "limit": "search-team", "kind": "requests", "used": "1", "most": "1"}
    assert len(inside) == 1
    layers.clock.advance(2.0)
    await read(layer, asked(make_call))


@pytest.mark.parametrize(
    ("limit", "expected"),
    [
        (Limit("a", (), requests_per_minute=1), [True, False, False, False, False, False]),
        (Limit("a", ("tenant",), requests_per_minute=1), [True, False, True, False, False, False]),
        (Limit("a", ("key",), requests_per_minute=1), [True, True, True, False, False, False]),
        (Limit("a", ("user",), requests_per_minute=1), [True, False, True, True, True, True]),
        (Limit("a", ("model",), requests_per_minute=1), [True, False, False, True, False, False]),
        (Limit("a", ("tenant", "model"), requests_per_minute=1), [True, False, True, True, False, False]),
        (Limit("a", (), {"tenant": ("shop",)}, requests_per_minute=1), [True, False, True, False, False, False]),
        (Limit("a", (), {"tenant": ("sh*",), "key": ("web", "x")}, requests_per_minute=1), [True, True, True, False, False, False]),
        (Limit("a", (), {"model": ("best", "usual")}, requests_per_minute=1), [True, False, False, False, False, False]),
        (Limit("a", (), {"user": ("ann",)}, requests_per_minute=1), [True, False, False, True, True, True]),
    ],
)
async def test_calls_are_counted_by_what_the_limit_names(layers: Layers, make_call: MakeCall, limit: Limit, expected: list[bool]) -> None:
    calls = [
        asked(make_call, "shop", "web", end_user_id="ann"),
        asked(make_call, "shop", "app", end_user_id="ann"),
        asked(make_call, "bank", "teller", end_user_id="ann"),
        asked(make_call, "shop", "web", model="best"),
        asked(make_call, "shop", "web"),
        asked(make_call, "shop", "web"),
    ]
    assert await passed(layers(limit), calls) == expected


async def test_users_of_two_tenants_with_one_name_are_two(layers: Layers, make_call: MakeCall) -> None:
    layer = layers(Limit("a", ("user", "session"), requests_per_minute=1))
    calls = [asked(make_call, tenant, end_user_id="ann", session_id="1") for tenant in ("shop", "bank", "shop", "bank")]
    assert await passed(layer, calls) == [True, True, False, False]


async def test_a_refused_call_counts_in_none_of_its_limits(layers: Layers, make_call: MakeCall) -> None:
    layer = layers(Limit("wide", (), requests_per_minute=3), Limit("narrow", ("tenant",), requests_per_minute=1))
    calls = [asked(make_call, tenant) for tenant in ("a", "a", "a", "a", "b", "c", "d")]
    assert await passed(layer, calls) == [True, False, False, False, True, True, False]
    assert layers.stores.refused.by_limit == {"narrow": 3, "wide": 1}


PROMPT = pb.ChatRequest(prompt="x" * 40)  # of about 10 tokens


@pytest.mark.parametrize(
    ("inner", "spent"),
    [
        (whole, 5),
        (lambda _: _refuse(), 0),
        (lambda _: _kept(), 0),
        (lambda call: _lost(call, 7), 7),
    ],
    ids=["answered", "failed before anything was sent", "from the cache", "broken off"],
)
async def test_tokens_are_those_that_vendors_took(layers: Layers, make_call: MakeCall, inner: Handler, spent: int) -> None:
    layer = layers(Limit("a", (), tokens_per_minute=20), inner=inner)
    await asyncio.gather(read(layer, make_call(request=PROMPT)), return_exceptions=True)
    left = layers(Limit("a", (), tokens_per_minute=20), inner=whole)
    big = pb.ChatRequest(prompt="x" * 4 * (20 - spent))
    call = make_call(request=big)
    assert await passed(left, [make_call(request=pb.ChatRequest(prompt="x" * 4 * (21 - spent))), call]) == [spent == 0, spent != 0]


async def _refuse() -> Reply:
    raise UpstreamFailed("no")


async def _kept() -> Reply:
    return Reply.whole(answer(served_from=pb.SERVED_FROM_CACHE))


async def _lost(call: Call, tokens: int) -> Reply:
    attempt = pb.Attempt(provider="a", usage=pb.Usage(output_tokens=tokens))
    attempt.failure.message = "broke off"
    call.trail.attempts.append(attempt)
    raise UpstreamFailed("no")


async def test_what_the_answer_may_have_is_kept_for_it_until_it_has_ended(layers: Layers, make_call: MakeCall) -> None:
    layer = layers(Limit("a", (), tokens_per_minute=100), inner=lambda _: _flowing(layers.clock))
    request = pb.ChatRequest(prompt="x" * 40)
    request.generation.max_output_tokens = 80
    reply = await layer(make_call(request=request))
    with pytest.raises(RateLimited, match="allows 100 tokens a minute; 90 used now"):
        await layer(make_call(request=request))
    async with reply:
        await reply.read()
    async with await layer(make_call(request=request)):
        pass


async def _flowing(clock: ManualClock) -> Reply:
    return streamed(answer(), clock=clock)


async def test_a_slot_is_held_until_the_stream_has_ended_or_its_reader_has_gone(layers: Layers, make_call: MakeCall) -> None:
    layer = layers(Limit("a", (), concurrency=1), inner=lambda _: _flowing(layers.clock))
    for _ in range(3):
        async with await layer(make_call()) as reply:
            async for _ in reply.batches():
                with pytest.raises(RateLimited, match="allows 1 call at the same time"):
                    await layer(make_call())
                break


async def test_a_cancelled_call_leaves_its_slot(layers: Layers, make_call: MakeCall) -> None:
    begun = asyncio.Event()

    async def stuck(_: Call) -> Reply:
        begun.set()
        await asyncio.Event().wait()
        raise AssertionError

    task = asyncio.create_task(read(layers(Limit("a", (), concurrency=1), inner=stuck), make_call()))
    await begun.wait()
    task.cancel()
    await asyncio.gather(task, return_exceptions=True)
    await read(layers(Limit("a", (), concurrency=1)), make_call())


async def test_vectors_count_by_their_texts(layers: Layers, make_call: MakeCall) -> None:
    layer = layers(Limit("a", (), tokens_per_minute=20), inner=lambda _: _flowing(layers.clock))
    await layer(make_call(embed=pb.EmbedRequest(texts=["x" * 40, "x" * 40])))
    with pytest.raises(RateLimited, match="20 used now"):
        await layer(make_call(embed=pb.EmbedRequest(texts=["x"])))


class Flaky:
    """A store that replicas share, out of reach at times."""

    def __init__(self, rates: Rates) -> None:
        self.rates = rates
        self.down = False

    async def take(self, ask: Ask) -> Lease | Refusal:
        if self.down:
            raise StoreDown("redis: no answer")
        return await self.rates.take(ask)


async def test_while_the_shared_store_is_down_each_process_keeps_to_its_part(layers: Layers, make_call: MakeCall) -> None:
    shared = Flaky(Rates(layers.clock))
    layers.stores = RateStores(Rates(layers.clock), shared)
    layer = layers(Limit("a", (), requests_per_minute=4), processes=2)
    assert await passed(layer, [make_call()] * 3) == [True] * 3
    shared.down = True
    assert await passed(layer, [make_call()] * 3) == [True, True, False]
    shared.down = False
    assert await passed(layer, [make_call()] * 2) == [True, False]
    assert layers.stores.refused.alone == 3


async def test_prometheus_sees_what_was_refused(layers: Layers, make_call: MakeCall) -> None:
    await passed(layers(Limit("search-team", (), requests_per_minute=1)), [make_call()] * 3)
    registry = CollectorRegistry()
    registry.register(layers.stores.refused)
    assert 'promptwire_rate_limited_total{limit="search-team"} 2.0' in generate_latest(registry).decode()
