"""Questions that several servers ask at once: what every board promises, and what it makes of two of them."""

import asyncio
import random
from collections import Counter
from collections.abc import AsyncIterator

import pytest

from promptwire import v1 as pb
from promptwire_server.core.clock import Chance, SystemClock
from promptwire_server.core.errors import DeadlineExceeded, StreamInterrupted, UpstreamFailed
from promptwire_server.core.ids import Ids
from promptwire_server.layers.dedup.abroad import Abroad
from promptwire_server.stores.redis.connection import Redis
from promptwire_server.stores.redis.flights import Flights
from tests.contract.stores.redis_server import RedisServer
from tests.unit.layers.dedup.house import COST, House, settle

LEASE_S = 0.4
BOTH = pytest.mark.parametrize("stream", [False, True], ids=["whole", "streamed"])
AT = ("shop", "question")
DISCARD = pb.StreamChatRequest.RESTART_POLICY_RESTART_WITH_DISCARD


class Node:
    """A server, which shares a Redis with others."""

    def __init__(self, redis: Redis, *, words: int = 3, pace_s: float = 0.002, room_bytes: int = 4 << 20) -> None:
        clock = SystemClock()
        self.redis = redis
        self.flights = Flights(redis, lease_s=LEASE_S)
        self.abroad = Abroad(self.flights, clock=clock, ids=Ids(clock, Chance()), lease_s=LEASE_S, room_bytes=room_bytes)
        self.house = House(words=words, asking=self.abroad, pace_s=pace_s)

    async def aclose(self) -> None:
        await self.house.dedup.aclose()
        await self.abroad.aclose()
        await self.flights.aclose()
        await self.redis.aclose()


class Nodes:
    def __init__(self, server: RedisServer) -> None:
        self.server = server
        self.all: list[Node] = []

    def another(self, **more: object) -> Node:
        self.all.append(Node(self.server.client(), **more))  # type: ignore[arg-type]  # by name
        return self.all[-1]

    @property
    def calls(self) -> int:
        return sum(len(node.house.calls) for node in self.all)


@pytest.fixture
async def nodes(redis_server: RedisServer) -> AsyncIterator[Nodes]:
    nodes = Nodes(redis_server)
    yield nodes
    for node in nodes.all:
        await node.aclose()


@pytest.fixture
async def board(redis: Redis) -> AsyncIterator[Flights]:
    flights = Flights(redis, lease_s=LEASE_S)
    yield flights
    await flights.aclose()


async def test_one_leads_and_what_it_tells_is_heard_from_the_start(board: Flights) -> None:
    assert await board.take(*AT, "a") == "a"
    assert await board.take(*AT, "b") == "a"
    assert await board.take("other", "question", "b") == "b"
    assert await board.tell(*AT, "a", 1, [b"one", b"two"], last=False)
    listener = board.listen(*AT, "a")
    assert await listener.next(1.0) == (1, b"one")
    assert await listener.next(1.0) == (2, b"two")
    waiting = asyncio.create_task(listener.next(5.0))
    await asyncio.sleep(0.05)
    assert await board.tell(*AT, "a", 3, [b"three"], last=True)
    assert await waiting == (3, b"three")
    assert await listener.next(0.01) is None
    assert await board.take(*AT, "b") == "b"
    listener.close()


async def test_whoever_lost_its_lease_tells_nothing_any_more(board: Flights) -> None:
    await board.take(*AT, "a")
    await asyncio.sleep(LEASE_S * 1.5)
    assert await board.take(*AT, "b") == "b"
    assert not await board.tell(*AT, "a", 1, [b"late"], last=False)
    assert await board.renew(*AT, "a") == -1
    assert await board.give_up(*AT, "a") == -1
    assert not await board.follow(*AT, "a", "me")
    assert await board.renew(*AT, "b") == 0


async def test_a_lead_is_given_up_only_when_nobody_follows(board: Flights) -> None:
    await board.take(*AT, "a")
    assert await board.follow(*AT, "a", "x")
    assert await board.follow(*AT, "a", "y")
    assert await board.give_up(*AT, "a") == 2
    for _ in range(3):  # x does not say any more that it is there
        await asyncio.sleep(LEASE_S / 2)
        assert await board.follow(*AT, "a", "y")
        await board.renew(*AT, "a")
    assert await board.renew(*AT, "a") == 1
    await asyncio.sleep(LEASE_S * 0.6)
    await board.renew(*AT, "a")
    await asyncio.sleep(LEASE_S * 0.6)
    assert await board.give_up(*AT, "a") == 0
    assert await board.take(*AT, "b") == "b"


async def test_of_an_answer_that_is_too_long_only_the_newest_entries_stay(board: Flights) -> None:
    await board.take(*AT, "a")
    for number in range(1, 11):
        await board.tell(*AT, "a", number, [str(number).encode()], last=False, most=3)
    assert await board.listen(*AT, "a").next(1.0) == (8, b"8")


async def gathered(nodes: Nodes, count: int, *, stream: bool) -> list[pb.ChatResponse]:
    asked = [nodes.all[number % len(nodes.all)].house for number in range(count)]
    return await asyncio.gather(*[house.ask(house.call(stream=stream)) for house in asked])


@BOTH
async def test_200_identical_calls_on_two_nodes_make_one_call(nodes: Nodes, *, stream: bool) -> None:
    for node in (nodes.another(), nodes.another()):
        asyncio.get_running_loop().call_later(0.2, node.house.gate.set)
        node.house.gate.clear()
    answers = await gathered(nodes, 200, stream=stream)
    assert nodes.calls == 1
    assert {answer.text for answer in answers} == {"answer 1"}
    assert len({answer.trace_id for answer in answers}) == 100  # of each node's own numbers
    assert Counter(answer.served_from for answer in answers) == {pb.SERVED_FROM_PROVIDER: 1, pb.SERVED_FROM_DEDUP: 199}
    assert sum(answer.cost.total_nano_usd for answer in answers) == COST


@pytest.mark.parametrize("first", [False, True], ids=["whole", "streamed"])
async def test_a_stream_here_and_a_whole_there_share_one_answer(nodes: Nodes, *, first: bool) -> None:
    one, other = nodes.another(words=5), nodes.another()
    one.house.gate.clear()
    leading = asyncio.create_task(one.house.ask(one.house.call(stream=first)))
    await asyncio.sleep(0.03)
    following = asyncio.create_task(other.house.ask(other.house.call(stream=not first)))
    await asyncio.sleep(0.03)
    one.house.gate.set()
    assert (await leading).text == (await following).text == "answer 1"
    assert nodes.calls == 1


async def test_a_late_joiner_on_another_node_reads_the_stream_from_its_start(nodes: Nodes) -> None:
    one, other = nodes.another(words=20, pace_s=0.02), nodes.another()
    leading = asyncio.create_task(one.house.ask(one.house.call(stream=True)))
    await asyncio.sleep(0.1)
    assert (await other.house.ask(other.house.call(stream=True))).text == "answer 1"
    assert (await leading).text == "answer 1"
    assert nodes.calls == 1


@BOTH
async def test_a_leader_cancelled_at_any_of_50_phases_hurts_nobody_elsewhere(nodes: Nodes, *, stream: bool) -> None:
    chance = random.Random(5)
    one, other = nodes.another(words=9), nodes.another(words=9)
    for phase in range(50):
        before = nodes.calls
        leader = asyncio.create_task(one.house.ask(one.house.call(f"phase {phase}", stream=stream)))
        await settle(3)
        rest = [asyncio.create_task(other.house.ask(other.house.call(f"phase {phase}", stream=stream))) for _ in range(3)]
        await asyncio.sleep(chance.uniform(0, 0.03))
        leader.cancel()
        answers = await asyncio.gather(*rest)
        await asyncio.gather(leader, return_exceptions=True)
        assert len({answer.text for answer in answers}) == 1
        assert 1 <= nodes.calls - before <= 2  # two where it left before the other node could say that it follows
    for node in nodes.all:
        await node.house.dedup.aclose()
        assert node.house.open == 0


async def test_a_leader_whom_nobody_follows_ends_the_call_when_its_last_caller_leaves(nodes: Nodes) -> None:
    one = nodes.another()
    one.house.gate.clear()
    task = asyncio.create_task(one.house.ask(one.house.call()))
    await asyncio.sleep(0.05)
    assert one.house.open == 1
    task.cancel()
    await asyncio.wait_for(one.house.dedup.aclose(), LEASE_S)
    assert one.house.open == 0
    await asyncio.gather(task, return_exceptions=True)


def die(node: Node) -> None:
    """As kill -9: nothing is said to the store any more, and the provider is never heard."""

    async def nothing(*_: object, **__: object) -> int:
        await asyncio.sleep(3600)
        return 0

    node.flights.tell = node.flights.renew = node.flights.give_up = nothing  # type: ignore[method-assign,assignment]  # it is dead
    node.house.gate.clear()


@BOTH
async def test_a_dead_leader_of_which_nothing_was_heard_is_taken_over_silently(nodes: Nodes, *, stream: bool) -> None:
    one, other = nodes.another(), nodes.another()
    one.house.gate.clear()
    lost = asyncio.create_task(one.house.ask(one.house.call(stream=stream)))
    await asyncio.sleep(0.05)
    waiting = [asyncio.create_task(other.house.ask(other.house.call(stream=stream))) for _ in range(5)]
    await asyncio.sleep(0.05)
    die(one)
    answers = await asyncio.gather(*waiting)
    assert {answer.text for answer in answers} == {"answer 1"}
    assert len(other.house.calls) == 1
    await _bury(one, lost)


async def test_a_dead_leader_of_which_something_was_heard_interrupts_streams_unless_they_restart(nodes: Nodes) -> None:
    one, other = nodes.another(words=9, pace_s=0.02), nodes.another()
    lost = asyncio.create_task(one.house.ask(one.house.call(stream=True)))
    await asyncio.sleep(0.05)
    house = other.house
    plain = asyncio.create_task(house.ask(house.call(stream=True)))
    restarting = asyncio.create_task(house.ask(house.call(stream=True, restart=DISCARD)))
    whole = asyncio.create_task(house.ask(house.call()))
    await asyncio.sleep(0.1)
    die(one)
    with pytest.raises(StreamInterrupted):
        await plain
    assert (await restarting).text.endswith("answer 1")
    assert (await whole).text == "answer 1"
    assert len(house.calls) == 1
    await _bury(one, lost)


async def _bury(node: Node, lost: "asyncio.Task[pb.ChatResponse]") -> None:
    lost.cancel()
    ended = [lost, *node.abroad._telling, *node.house.dedup._tasks]
    for task in ended:
        task.cancel()
    await asyncio.gather(*ended, return_exceptions=True)


@BOTH
async def test_the_providers_error_is_everybodys_and_the_leaders_own_is_not(nodes: Nodes, *, stream: bool) -> None:
    for error, alike in ((UpstreamFailed("broken", retry_after_s=2.0), True), (DeadlineExceeded.during("upstream"), False)):
        one, other = nodes.another(), nodes.another()
        one.house.gate.clear()
        one.house.failures = [error]
        leading = asyncio.create_task(one.house.ask(one.house.call(stream=stream)))
        await asyncio.sleep(0.03)
        following = asyncio.create_task(other.house.ask(other.house.call(stream=stream)))
        await asyncio.sleep(0.05)
        one.house.gate.set()
        with pytest.raises(type(error)):
            await leading
        if alike:
            with pytest.raises(UpstreamFailed) as caught:
                await following
            assert caught.value.retry_after_s == 2.0
        else:
            assert (await following).text == "answer 1"


@BOTH
async def test_while_redis_is_down_each_node_asks_for_itself(nodes: Nodes, redis_server: RedisServer, *, stream: bool) -> None:
    nodes.another()
    nodes.another()
    redis_server.kill()
    answers = await gathered(nodes, 20, stream=stream)
    assert {answer.text for answer in answers} == {"answer 1"}
    assert nodes.calls == 2


@BOTH
async def test_redis_that_dies_midway_costs_nobody_here_the_answer(nodes: Nodes, redis_server: RedisServer, *, stream: bool) -> None:
    one = nodes.another(words=9, pace_s=0.01)
    tasks = [asyncio.create_task(one.house.ask(one.house.call(stream=stream))) for _ in range(5)]
    await asyncio.sleep(0.03)
    redis_server.kill()
    assert {answer.text for answer in await asyncio.gather(*tasks)} == {"answer 1"}
    assert nodes.calls == 1


async def test_an_answer_longer_than_the_store_keeps_is_asked_for_by_whoever_comes_late(nodes: Nodes) -> None:
    one, other = nodes.another(words=9, pace_s=0.03, room_bytes=20), nodes.another()
    leading = asyncio.create_task(one.house.ask(one.house.call(stream=True)))
    await asyncio.sleep(0.2)
    assert (await other.house.ask(other.house.call(stream=True))).text == "answer 1"
    await leading
    assert nodes.calls == 2
