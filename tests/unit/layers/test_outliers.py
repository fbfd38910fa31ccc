"""Targets far worse than their siblings, and never too many of them."""

from promptwire import v1 as pb
from promptwire_server.core.call import Target
from promptwire_server.core.clock import ManualClock
from promptwire_server.layers.outliers import outliers
from promptwire_server.layers.vitals import Vitals

Judged = tuple[Target, Vitals]


def target(
    clock: ManualClock, name: str, *, well: int = 100, failed: int = 0, limited: int = 0, took_s: float = 0.5, stream: bool = False
) -> Judged:
    vitals = Vitals(clock)
    for _ in range(well):
        if stream:
            vitals.began(took_s, clock.now_s)
            vitals.ended(took_s, clock.now_s)
        else:
            vitals.answered(took_s, clock.now_s)
    for number in range(failed + limited):
        vitals.failed(pb.Attempt(), limited=number >= failed)
    return Target("p", name), vitals


def found(*judged: Judged) -> set[str]:
    return {target.model for target in outliers(judged)}


def test_one_that_fails_far_more_often_is_one(clock: ManualClock) -> None:
    assert found(target(clock, "a", failed=2), target(clock, "b", failed=60), target(clock, "c", failed=3)) == {"b"}


def test_one_that_is_far_slower_is_one(clock: ManualClock) -> None:
    assert found(target(clock, "a"), target(clock, "b", took_s=0.7), target(clock, "c", took_s=6.0)) == {"c"}


def test_streams_are_compared_with_streams_and_whole_answers_with_whole_ones(clock: ManualClock) -> None:
    quick, slow = target(clock, "a", stream=True, took_s=0.5), target(clock, "b", took_s=20.0)
    assert found(quick, slow) == set()
    assert found(quick, slow, target(clock, "c", stream=True, took_s=9.0)) == {"c"}


def test_slower_by_what_nobody_notices_is_none(clock: ManualClock) -> None:
    assert found(target(clock, "a", took_s=0.01), target(clock, "b", took_s=0.1)) == set()


def test_all_bad_alike_are_none(clock: ManualClock) -> None:
    assert found(target(clock, "a", failed=90), target(clock, "b", failed=95), target(clock, "c", failed=99)) == set()


def test_rate_limits_make_none(clock: ManualClock) -> None:
    assert found(target(clock, "a"), target(clock, "b", limited=300)) == set()


def test_few_calls_say_nothing_and_one_target_has_no_siblings(clock: ManualClock) -> None:
    assert found(target(clock, "a"), target(clock, "b", well=0, failed=9)) == set()
    assert found(target(clock, "a", well=0, failed=100)) == set()
    assert found() == set()


def test_at_most_half_are_the_worst(clock: ManualClock) -> None:
    judged = [target(clock, "a"), target(clock, "b"), target(clock, "c", failed=60), target(clock, "d", failed=200)]
    assert found(*judged) == {"c", "d"}
    assert found(judged[0], judged[2]) == {"c"}
    assert found(judged[0], judged[1], judged[3]) == {"d"}
    mixed = [target(clock, "w"), target(clock, "x", took_s=30), target(clock, "y", failed=500)]
    assert len(found(*mixed)) == 1
