"""Answers past their time: served while a new one is fetched, once, in nobody's time."""

import asyncio

import pytest

from promptwire import v1 as pb
from promptwire_server.core.call import Call
from promptwire_server.core.clock import Chance, ManualClock
from promptwire_server.core.errors import UpstreamFailed
from promptwire_server.core.handler import Handler
from promptwire_server.core.ids import Ids
from promptwire_server.core.reply import Reply
from promptwire_server.layers.cache.cache import CacheSettings
from promptwire_server.layers.cache.refresh import Refresher
from tests.unit.layers.cache.house import House, finished
from tests.unit.layers.conftest import MakeCall

MODES = pb.CacheSettings
SETTINGS = CacheSettings(mode=MODES.MODE_READ_WRITE, ttl_s=10, default_model="fast", stale_s=20)


class Slow:
    """A provider that answers refreshes when it is told."""

    def __init__(self, inner: Handler) -> None:
        self._inner = inner
        self.go = asyncio.Event()
        self.under_way = 0

    async def __call__(self, call: Call) -> Reply:
        self.under_way += 1
        try:
            await self.go.wait()
        finally:
            self.under_way -= 1
        return await self._inner(call)


@pytest.fixture
def house(clock: ManualClock) -> House:
    return House(clock, SETTINGS)


def slowed(house: House, most: int = 2) -> Slow:
    slow = Slow(house.provider)
    house.refresher = Refresher(slow, clock=house.clock, ids=Ids(house.clock, Chance()), longest_s=60, most=most)
    house.cache = house.built(house.provider)
    return slow


async def settled() -> None:
    """Let what was begun go on as far as it can."""
    for _ in range(10):
        await asyncio.sleep(0)


async def test_an_answer_past_its_time_is_served_and_a_new_one_fetched(house: House, make_call: MakeCall) -> None:
    await house.ask(make_call())
    house.clock.advance(10)
    stale = await house.ask(make_call(request_id="mine"))
    assert (stale.text, stale.cache_hit.stale, stale.cache_hit.age.seconds) == ("answer 1", True, 10)
    await settled()
    fresh = await house.ask(make_call())
    assert (fresh.text, fresh.cache_hit.stale) == ("answer 2", False)
    refresh = house.calls[-1]
    assert refresh.request_id not in ("", "mine")
    assert refresh.principal == make_call().principal
    assert (refresh.stream, refresh.deadline_s) == (False, house.clock.now_s + 60)


async def test_many_who_meet_it_have_one_new_answer_fetched(house: House, make_call: MakeCall) -> None:
    slow = slowed(house)
    await house.ask(make_call())
    house.clock.advance(15)
    answers = [await house.ask(make_call(stream=number % 2 == 0)) for number in range(20)]
    await settled()
    assert slow.under_way == 1
    assert {answer.text for answer in answers} == {"answer 1"}
    slow.go.set()
    await settled()
    assert house.asked == 2


async def test_beyond_its_second_time_it_is_gone(house: House, make_call: MakeCall) -> None:
    await house.ask(make_call())
    house.clock.advance(30)
    assert (await house.ask(make_call())).text == "answer 2"


async def test_where_too_many_are_under_way_the_caller_asks_for_himself(house: House, make_call: MakeCall) -> None:
    slow = slowed(house, most=1)
    calls = [make_call(request=pb.ChatRequest(model="fast", prompt=prompt)) for prompt in ("one", "two")]
    for call in calls:
        await house.ask(call)
    house.clock.advance(10)
    assert (await house.ask(calls[0])).cache_hit.stale
    assert (await house.ask(calls[1])).text == "answer 3"
    await house.refresher.aclose()
    assert slow.under_way == 0


async def test_one_that_fails_leaves_the_old_answer_and_is_tried_again(house: House, make_call: MakeCall) -> None:
    await house.ask(make_call())
    house.clock.advance(10)

    def fail() -> pb.ChatResponse:
        raise UpstreamFailed("gone")

    says, house.says = house.says, fail
    for _ in range(2):
        assert (await house.ask(make_call())).text == "answer 1"
        await settled()
    assert house.asked == 3
    house.says = says
    await house.ask(make_call())
    await settled()
    assert (await house.ask(make_call())).text == "answer 4"


async def test_who_does_not_write_gets_no_old_answers(house: House, make_call: MakeCall) -> None:
    await house.ask(make_call())
    house.clock.advance(10)
    request = pb.ChatRequest(model="fast", cache=pb.CacheSettings(mode=MODES.MODE_READ_ONLY))
    assert (await house.ask(make_call(request=request))).text == "answer 2"


async def test_who_wants_none_older_gets_none(house: House, make_call: MakeCall) -> None:
    await house.ask(make_call())
    house.clock.advance(12)
    request = pb.ChatRequest(model="fast", cache=pb.CacheSettings(max_age={"seconds": 11}))
    assert (await house.ask(make_call(request=request))).text == "answer 2"


@pytest.mark.parametrize("steps", range(4))
async def test_closing_ends_what_is_under_way_whenever_that_is(house: House, make_call: MakeCall, steps: int) -> None:
    slow = slowed(house)
    await house.ask(make_call())
    house.clock.advance(10)
    await house.ask(make_call())
    for _ in range(steps):
        await asyncio.sleep(0)
    await house.refresher.aclose()
    assert slow.under_way == 0
    assert house.asked == 1


async def test_a_refresh_is_not_kept_when_it_is_not_worth_it(house: House, make_call: MakeCall) -> None:
    await house.ask(make_call())
    house.clock.advance(10)
    house.says = lambda: finished("no", pb.FINISH_REASON_REFUSAL)
    await house.ask(make_call())
    await settled()
    assert (await house.ask(make_call())).text == "answer 1"
