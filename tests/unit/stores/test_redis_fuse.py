"""What Redis must be to be used, and when it is left alone: by a clock that tests move."""

import random

import pytest

from promptwire_server.core.clock import Chance, ManualClock
from promptwire_server.stores.redis.fitness import Fitness
from promptwire_server.stores.redis.fuse import Fuse

LEASE_S = 0.5


class Watched:
    """A fuse, and what was heard of it."""

    def __init__(self) -> None:
        self.clock = ManualClock()
        self.heard: list[tuple[bool, str]] = []
        self.fuse = Fuse(self.clock, Chance(random.Random(1)), lambda up, why: self.heard.append((up, why)))

    def blow(self) -> None:
        for _ in range(3):
            assert self.fuse.enter(LEASE_S)
            self.fuse.failed("no answer", probe=False)

    def pause_s(self) -> float:
        """How long until a probe is let through."""
        began_s = self.clock.now_s
        while not self.fuse.enter(LEASE_S):
            self.clock.advance(0.01)
        return self.clock.now_s - began_s


@pytest.fixture
def watched() -> Watched:
    return Watched()


def test_it_blows_at_the_third_failure_in_a_row_and_says_so_once(watched: Watched) -> None:
    for _ in range(5):
        watched.fuse.failed("a dropped connection", probe=False)
        watched.fuse.failed("a dropped connection", probe=False)
        watched.fuse.well()
    assert watched.heard == []
    watched.blow()
    for _ in range(50):  # those that were under way
        watched.fuse.failed("no answer", probe=False)
    assert watched.heard == [(False, "no answer")]
    assert not watched.fuse.enter(LEASE_S)


def test_one_at_a_time_tries_at_growing_intervals_until_it_is_well(watched: Watched) -> None:
    watched.blow()
    pauses = []
    for _ in range(8):
        pauses.append(watched.pause_s())
        assert not any(watched.fuse.enter(LEASE_S) for _ in range(10))
        watched.fuse.failed("no answer", probe=True)
    for pause_s, interval_s in zip(pauses, [0.5, 1, 2, 4, 5, 5, 5, 5], strict=True):
        assert interval_s / 2 - 0.01 <= pause_s <= interval_s + 0.011
    watched.pause_s()
    watched.fuse.well()
    assert watched.heard == [(False, "no answer"), (True, "")]
    assert all(watched.fuse.enter(LEASE_S) for _ in range(10))


def test_a_probe_that_was_given_up_leaves_its_place_to_the_next(watched: Watched) -> None:
    watched.blow()
    watched.pause_s()
    assert not watched.fuse.enter(LEASE_S)
    watched.fuse.unknown(probe=True)
    assert watched.fuse.enter(LEASE_S)
    assert watched.pause_s() == pytest.approx(LEASE_S, abs=0.011)  # nobody settled this one


@pytest.mark.parametrize(
    ("found", "problem"),
    [
        (Fitness((6, 2, 0), cluster=False, appendonly=True, evicts=False), ""),
        (Fitness((6, 0, 16), cluster=False, appendonly=True, evicts=False), "Redis 6.0.16 is too old; use 6.2 or newer"),
        (Fitness((7, 2, 1), cluster=True, appendonly=True, evicts=False), "a node of a cluster"),
        (Fitness((7, 2, 1), cluster=False, appendonly=False, evicts=False), "set `appendonly yes`"),
        (Fitness((7, 2, 1), cluster=False, appendonly=True, evicts=True), "set `maxmemory-policy noeviction`"),
    ],
)
def test_what_keeps_it_from_keeping_money_is_told(found: Fitness, problem: str) -> None:
    told = found.problems(money=True)
    assert (problem in told[0] and len(told) == 1) if problem else told == []


def test_what_it_does_not_say_is_doubted_where_money_is_kept() -> None:
    silent = Fitness((7, 2, 1), cluster=False, appendonly=None, evicts=None)
    assert silent.problems(money=True) == []
    assert silent.doubts() == []
    assert len(silent.doubts(money=True)) == 1
