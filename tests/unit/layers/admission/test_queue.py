"""The order of priorities, and the shares that nobody loses."""

import asyncio
from collections import Counter
from collections.abc import Iterator

import pytest

from promptwire import v1 as pb
from promptwire_server.core.call import Call, Principal
from promptwire_server.layers.admission.queue import RANKS, Queue
from promptwire_server.layers.admission.settings import AdmissionSettings
from promptwire_server.layers.admission.waiter import Waiter

CRITICAL, HIGH, NORMAL, LOW = range(4)


@pytest.fixture
def loop() -> Iterator[asyncio.AbstractEventLoop]:
    loop = asyncio.new_event_loop()
    yield loop
    loop.close()


class Line:
    """A queue that never runs out of some ranks."""

    def __init__(self, loop: asyncio.AbstractEventLoop, *ranks: int, most: int = 1000) -> None:
        self.queue = Queue(AdmissionSettings(queue_calls=most))
        self._loop = loop
        self._ranks = ranks
        for rank in ranks:
            self.push(rank)

    def push(self, rank: int, tenant: str = "t") -> Waiter:
        waiter = Waiter(Call(pb.ChatRequest(), Principal(tenant, "x"), "r", "t", 10.0, 0.0), rank, 0.0, self._loop.create_future())
        self.queue.push(waiter)
        return waiter

    def served(self, count: int) -> "Counter[int]":
        ranks: Counter[int] = Counter()
        for _ in range(count):
            waiter, _ = self.queue.pop(1.0)
            ranks[waiter.rank] += 1
            self.push(waiter.rank)
        return ranks


def test_the_names_are_those_of_the_contract() -> None:
    assert [f"PRIORITY_{name.upper()}" for name in RANKS] == [pb.Priority.Name(number) for number in (1, 2, 3, 4)]


def test_the_most_urgent_go_first_and_nobody_starves(loop: asyncio.AbstractEventLoop) -> None:
    ranks = Line(loop, CRITICAL, HIGH, NORMAL, LOW).served(1000)
    assert ranks[CRITICAL] >= 870
    assert ranks[HIGH] >= 45
    assert ranks[NORMAL] >= 45
    assert ranks[LOW] >= 20


def test_low_keeps_its_share_beside_any_other(loop: asyncio.AbstractEventLoop) -> None:
    for other in (CRITICAL, HIGH, NORMAL):
        assert Line(loop, other, LOW).served(1000)[LOW] >= 20


def test_a_rank_alone_takes_all(loop: asyncio.AbstractEventLoop) -> None:
    assert Line(loop, LOW).served(100) == {LOW: 100}


def test_nobody_saves_up_turns_while_away(loop: asyncio.AbstractEventLoop) -> None:
    line = Line(loop, CRITICAL)
    line.served(10_000)
    line.push(LOW)
    line.push(LOW)
    assert [line.queue.pop(1.0)[0].rank for _ in range(1)] == [LOW]  # the one it is due
    line.push(CRITICAL)
    assert line.queue.pop(1.0)[0].rank == CRITICAL


def test_turns_of_the_most_urgent_are_its_own_place(loop: asyncio.AbstractEventLoop) -> None:
    line = Line(loop, *[NORMAL] * 50, LOW)
    assert line.queue.turns(CRITICAL, "t") == 1
    assert line.queue.turns(NORMAL, "t") == 51


def test_turns_behind_more_urgent_ones_count_those_still_to_come(loop: asyncio.AbstractEventLoop) -> None:
    line = Line(loop, CRITICAL, LOW)
    fresh = Line(loop, CRITICAL).queue.turns(NORMAL, "t")
    line.served(500)
    busy = line.queue.turns(NORMAL, "t")
    assert fresh == 2
    assert busy <= 20  # one in twenty is promised
    assert line.queue.turns(LOW, "t") >= 20


def test_who_is_taken_out_is_not_served(loop: asyncio.AbstractEventLoop) -> None:
    line = Line(loop)
    first, second = line.push(HIGH), line.push(HIGH)
    line.queue.remove(first)
    assert not first.queued
    assert line.queue.depth(HIGH) == line.queue.calls == 1
    assert line.queue.pop(1.0)[0] is second
    with pytest.raises(IndexError):
        line.queue.pop(1.0)


def test_each_rank_has_room_of_its_own(loop: asyncio.AbstractEventLoop) -> None:
    line = Line(loop, LOW, LOW, most=2)
    assert line.queue.full(LOW)
    assert not line.queue.full(NORMAL)
    waiter = line.push(NORMAL, "a")
    assert line.queue.yielding(NORMAL, "a") is None
    line.push(NORMAL, "a")
    assert line.queue.yielding(NORMAL, "b") is not waiter
