"""Every answer says what it cost, whole or streamed, where that is known."""

import asyncio
from contextlib import suppress
from typing import Any

import pytest

from promptwire import v1 as pb
from promptwire_server.core.call import Call, Target
from promptwire_server.core.clock import ManualClock
from promptwire_server.core.errors import StreamInterrupted, UpstreamFailed
from promptwire_server.core.facts import Facts
from promptwire_server.core.price import OPERATOR, PUBLISHED, Price, Rates
from promptwire_server.core.reply import Reply
from promptwire_server.layers.book import Account, Book
from tests.unit.layers.conftest import MakeCall, answer, streamed
from tests.unit.layers.purses import Till
from tests.unit.layers.vendors import Published

MINI = Target("openai", "mini")
PRICE = Facts(Price(Rates(input=1000, output=2000), PUBLISHED))


def book(clock: ManualClock, published: Published | None = None, **accounts: Account) -> Book:
    return Book({"openai": Account("https://openai"), **accounts}, published or Published({"mini": PRICE}), clock)


async def priced(call: Call, reply: Reply, known: Book) -> Reply:
    async def inner(_: Call) -> Reply:
        return reply

    return await Till(ManualClock()).before(inner, known)(call)


async def test_a_whole_answer_has_its_cost(clock: ManualClock, make_call: MakeCall) -> None:
    reply = await priced(make_call(target=MINI), Reply.whole(answer()), book(clock))
    cost = (await reply.read()).cost
    assert (cost.input_nano_usd, cost.output_nano_usd, cost.total_nano_usd, cost.price_source) == (3, 4, 7, "genai-prices")


async def test_a_stream_has_its_cost_at_its_end(clock: ManualClock, make_call: MakeCall) -> None:
    reply = await priced(make_call(target=MINI), streamed(answer(), clock=clock), book(clock))
    *_, last = [event async for event in reply]
    assert last.finished.response.cost.total_nano_usd == 7


async def test_an_answer_of_no_known_price_has_no_cost(clock: ManualClock, make_call: MakeCall) -> None:
    reply = await priced(make_call(target=Target("openai", "unheard-of")), Reply.whole(answer()), book(clock))
    assert not (await reply.read()).HasField("cost")


async def test_an_answer_whose_price_lacks_a_part_has_no_cost(clock: ManualClock, make_call: MakeCall) -> None:
    known = book(clock, Published({"mini": Facts(Price(Rates(input=1), PUBLISHED))}))
    assert not (await (await priced(make_call(target=MINI), Reply.whole(answer()), known)).read()).HasField("cost")


async def test_who_answers_from_here_is_free(clock: ManualClock, make_call: MakeCall) -> None:
    reply = await priced(make_call(target=Target("echo", "echo")), Reply.whole(answer()), book(clock, echo=Account(free=True)))
    assert (await reply.read()).cost == pb.Cost(total_nano_usd=0, price_source="free")


async def test_the_operator_s_price_holds(clock: ManualClock, make_call: MakeCall) -> None:
    account = Account("https://openai", overrides={"mini": Facts(Price(Rates(input=0, output=0), OPERATOR))})
    cost = (await (await priced(make_call(target=MINI), Reply.whole(answer()), book(clock, openai=account))).read()).cost
    assert (cost.HasField("total_nano_usd"), cost.total_nano_usd, cost.price_source) == (True, 0, "operator")


async def test_what_the_vendor_says_it_charged_is_believed(clock: ManualClock, make_call: MakeCall) -> None:
    charged = answer(cost=pb.Cost(total_nano_usd=5, price_source="provider"))
    reply = await priced(make_call(target=MINI), Reply.whole(charged), book(clock))
    assert (await reply.read()).cost.total_nano_usd == 5


async def test_a_failure_stays_what_it_is(clock: ManualClock, make_call: MakeCall) -> None:
    async def inner(_: Call) -> Reply:
        raise UpstreamFailed("down")

    with pytest.raises(UpstreamFailed):
        await Till(clock).before(inner, book(clock))(make_call(target=MINI))


def broken(**more: Any) -> pb.Attempt:
    failure = pb.Failure(reason=pb.ERROR_REASON_UPSTREAM_FAILED)
    return pb.Attempt(provider="openai", model="mini", failure=failure, usage=pb.Usage(input_tokens=3, output_tokens=2), **more)


@pytest.mark.parametrize("error", [UpstreamFailed("down"), asyncio.CancelledError()])
async def test_attempts_that_failed_have_their_cost(clock: ManualClock, make_call: MakeCall, error: BaseException) -> None:
    async def inner(call: Call) -> Reply:
        call.trail.attempts.append(broken())
        raise error

    call = make_call(target=MINI)
    with pytest.raises(type(error)):
        await Till(clock).before(inner, book(clock))(call)
    assert [attempt.cost.total_nano_usd for attempt in call.trail.attempts] == [7]


@pytest.mark.parametrize("stop_after", [2, None])
async def test_a_stream_that_is_left_or_breaks_off_has_its_cost(clock: ManualClock, make_call: MakeCall, stop_after: int | None) -> None:
    call = make_call(target=MINI, stream=True)
    async with await priced(call, streamed(answer(), clock=clock, stop_after=stop_after), book(clock)) as reply:
        call.trail.attempts.append(broken())
        with suppress(StreamInterrupted):
            async for batch in reply.batches():
                if stop_after is None and batch[0].HasField("part_delta"):
                    break
    assert [attempt.cost.total_nano_usd for attempt in call.trail.attempts] == [7]


async def test_only_what_is_known_to_be_spent_is_priced(clock: ManualClock, make_call: MakeCall) -> None:
    before, charged = broken(), broken(cost=pb.Cost(total_nano_usd=5))
    elsewhere, nothing = broken(), pb.Attempt(provider="openai", model="mini")
    elsewhere.provider = "another"

    async def inner(call: Call) -> Reply:
        call.trail.attempts.extend([charged, elsewhere, nothing])
        raise UpstreamFailed("down")

    call = make_call(target=MINI)
    call.trail.attempts.append(before)
    with pytest.raises(UpstreamFailed):
        await Till(clock).before(inner, book(clock))(call)
    assert charged.cost.total_nano_usd == 5
    assert not any(attempt.HasField("cost") for attempt in (before, elsewhere, nothing))


async def test_an_attempt_of_no_known_price_has_no_cost(clock: ManualClock, make_call: MakeCall) -> None:
    async def inner(call: Call) -> Reply:
        call.trail.attempts.append(broken())
        raise UpstreamFailed("down")

    call = make_call(target=MINI)
    with pytest.raises(UpstreamFailed):
        await Till(clock).before(inner, book(clock, Published({"mini": Facts(Price(Rates(input=1), PUBLISHED))})))(call)
    assert not call.trail.attempts[0].HasField("cost")


async def test_a_price_is_looked_up_once_a_minute(clock: ManualClock) -> None:
    published = Published({"mini": PRICE})
    known = book(clock, published)
    assert known.at_hand(MINI) is None
    assert await known.facts(MINI) == await known.facts(Target("openai", "mini")) == known.at_hand(MINI) == PRICE
    clock.advance(61)
    await known.facts(MINI)
    assert len(published.asked) == 2


async def test_models_that_callers_invent_do_not_fill_the_memory(clock: ManualClock) -> None:
    known = book(clock)
    for number in range(5000):
        await known.facts(Target("openai", f"m{number}"))
    assert len(known._kept) <= 4096


async def test_a_provider_without_account_is_unknown(clock: ManualClock) -> None:
    assert await book(clock).facts(Target("nobody", "x")) == Facts()
