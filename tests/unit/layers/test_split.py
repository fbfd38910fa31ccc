"""Sides of an A/B test: as many calls as they should have, and the same side for the same caller."""

from collections import Counter

import pytest

from promptwire_server.core.call import Call
from promptwire_server.layers.alias import Arm, Sticky
from promptwire_server.layers.split import Split
from tests.unit.layers.outlooks import question

ARMS = [Arm("control", "a/m", 90), Arm("trial", "b/m", 10)]


def test_callers_are_spread_by_percent() -> None:
    split = Split("x", ARMS, "caller")
    counted = Counter(split.side(question(name=f"program-{number}").call) for number in range(10_000))
    assert counted[1] == pytest.approx(1000, abs=120)


@pytest.mark.parametrize(
    ("sticky", "same"), [("caller", {"name": "one"}), ("session", {"session_id": "s1"}), ("end_user", {"end_user_id": "u1"})]
)
def test_the_same_one_always_meets_the_same_side(sticky: Sticky, same: dict[str, str]) -> None:
    split = Split("x", [Arm("one", "a/m", 50), Arm("other", "b/m", 50)], sticky)
    assert len({split.side(question(request_id=f"req-{number}", prompt="hi", **same).call) for number in range(200)}) == 1


@pytest.mark.parametrize("sticky", ["session", "end_user"])
def test_calls_that_do_not_say_are_spread_one_by_one(sticky: Sticky) -> None:
    split = Split("x", ARMS, sticky)
    counted = Counter(split.side(question(request_id=f"req-{number}").call) for number in range(10_000))
    assert counted[1] == pytest.approx(1000, abs=120)


def test_the_same_user_id_of_two_tenants_is_two_users() -> None:
    split = Split("x", [Arm("one", "a/m", 50), Arm("other", "b/m", 50)], "end_user")
    sides = [[split.side(question(tenant=tenant, end_user_id=f"u{n}").call) for n in range(200)] for tenant in ("p", "q")]
    assert sides[0] != sides[1]


def test_two_splits_do_not_put_the_same_callers_together() -> None:
    half = [Arm("one", "a/m", 50), Arm("other", "b/m", 50)]
    both = [(Split("x", half, "caller").side(call), Split("y", half, "caller").side(call)) for call in _callers(2000)]
    assert Counter(both)[0, 0] == pytest.approx(500, abs=90)


def test_a_side_that_grows_takes_callers_only_from_the_other() -> None:
    small, large = Split("x", ARMS, "caller"), Split("x", [Arm("control", "a/m", 70), Arm("trial", "b/m", 30)], "caller")
    assert all(large.side(call) == 1 for call in _callers(2000) if small.side(call) == 1)


def test_a_side_of_nothing_gets_nobody() -> None:
    split = Split("x", [Arm("control", "a/m", 100), Arm("paused", "b/m", 0)], "caller")
    assert {split.side(call) for call in _callers(1000)} == {0}


def _callers(count: int) -> list[Call]:
    return [question(name=f"program-{number}").call for number in range(count)]
