"""Identifiers are unique, sort by time, and fit where they go."""

import random
import re

import pytest

from promptwire_server.core.clock import Chance, ManualClock
from promptwire_server.core.ids import Ids


@pytest.fixture
def clock() -> ManualClock:
    return ManualClock()


@pytest.fixture
def ids(clock: ManualClock) -> Ids:
    return Ids(clock, Chance(random.Random(7)))


def test_request_ids_of_one_moment_are_unique(ids: Ids) -> None:
    assert len({ids.request() for _ in range(10_000)}) == 10_000


@pytest.mark.parametrize("kind", ["request", "run"])
def test_ids_sort_by_time(ids: Ids, clock: ManualClock, kind: str) -> None:
    made = []
    for _ in range(100):
        made.append(getattr(ids, kind)())
        clock.advance(0.001)
    assert made == sorted(made)


@pytest.mark.parametrize("epoch_s", [0.0, 1.7e9, 1.7e10])
def test_ids_keep_their_length(ids: Ids, clock: ManualClock, epoch_s: float) -> None:
    clock.epoch_s = epoch_s
    assert (len(ids.request()), len(ids.run()), len(ids.tool_call())) == (31, 31, 21)


def test_two_processes_make_different_ids(clock: ManualClock) -> None:
    assert Ids(clock, Chance()).request() != Ids(clock, Chance()).request()


def test_a_trace_id_is_what_w3c_wants(ids: Ids) -> None:
    assert all(re.fullmatch("[0-9a-f]{32}", ids.trace()) for _ in range(100))


def test_a_trace_id_is_never_zero(clock: ManualClock) -> None:
    class Zeros(random.Random):
        def getrandbits(self, k: int, /) -> int:
            return 0

    assert Ids(clock, Chance(Zeros())).trace() == "0" * 31 + "1"
