"""How a target is doing, as its calls of the last minutes tell."""

import random

import pytest

from promptwire import v1 as pb
from promptwire_server.core.clock import ManualClock
from promptwire_server.layers.histogram import Histogram
from promptwire_server.layers.vitals import WINDOW_S, Counts, Vitals


@pytest.fixture
def vitals(clock: ManualClock) -> Vitals:
    return Vitals(clock)


def test_a_new_one_says_nothing(vitals: Vitals, clock: ManualClock) -> None:
    assert (
        vitals.latency_s,
        vitals.usual_s(stream=False),
        vitals.counts(),
        vitals.latency().summary(),
        vitals.first_token().summary(),
    ) == (
        0,
        None,
        Counts(),
        None,
        None,
    )
    assert (vitals.last_success_s, vitals.counts().error_rate) == (None, 0)


@pytest.mark.parametrize("seed", range(5))
def test_quantiles_are_right_to_within_a_fifth(seed: int) -> None:
    source = random.Random(seed)
    times = sorted(source.lognormvariate(0, 2) for _ in range(1000))
    histogram = Histogram()
    for time_s in times:
        histogram.add(time_s)
    for share in (0.5, 0.9, 0.95, 0.99, 1.0):
        true_s = times[round(share * 1000) - 1]
        assert true_s * 0.999 <= histogram.quantile_s(share) <= true_s * 1.2


def test_a_summary_has_the_exact_count_mean_and_maximum() -> None:
    histogram = Histogram()
    for time_s in (0.0, 1.0, 2.0, 90_000.0):
        histogram.add(time_s)
    summary = histogram.summary()
    assert summary is not None
    assert (summary.count, summary.mean_s, summary.max_s) == (4, 22_500.75, 90_000.0)


def test_usual_is_what_nineteen_of_twenty_take_and_needs_a_few(vitals: Vitals, clock: ManualClock) -> None:
    for _ in range(4):
        vitals.answered(0.1, clock.now_s)
    assert vitals.usual_s(stream=False) is None
    for _ in range(92):
        vitals.answered(0.1, clock.now_s)
    for _ in range(4):
        vitals.answered(9.0, clock.now_s)
    clock.advance(1)
    assert vitals.usual_s(stream=False) == pytest.approx(0.1, rel=0.2)
    vitals.answered(9.0, clock.now_s)
    vitals.answered(9.0, clock.now_s)
    clock.advance(1)
    assert vitals.usual_s(stream=False) == pytest.approx(9.0, rel=0.2)


def test_usual_is_worked_out_once_a_second(vitals: Vitals, clock: ManualClock) -> None:
    vitals.usual_s(stream=False)
    for _ in range(5):
        vitals.answered(1.0, clock.now_s)
    clock.advance(0.9)
    assert vitals.usual_s(stream=False) is None
    clock.advance(0.2)
    assert vitals.usual_s(stream=False) == 1.0


def test_streams_and_whole_answers_are_usual_each_in_their_own_way(vitals: Vitals, clock: ManualClock) -> None:
    for _ in range(5):
        vitals.began(0.5, clock.now_s)
        vitals.ended(30.0, clock.now_s)
        vitals.answered(20.0, clock.now_s)
    assert (vitals.usual_s(stream=True), vitals.usual_s(stream=False)) == (0.5, 20.0)
    assert (vitals.first_token().count, vitals.latency().count, vitals.latency().max_s) == (5, 10, 30.0)


def test_what_is_older_than_the_window_is_forgotten(vitals: Vitals, clock: ManualClock) -> None:
    for _ in range(5):
        vitals.began(1.0, clock.now_s)
        vitals.ended(2.0, clock.now_s)
        vitals.failed(pb.Attempt(), limited=False)
    clock.advance(WINDOW_S * 0.89)
    assert (vitals.counts(), vitals.usual_s(stream=True)) == (Counts(10, 5, 0), 1.0)
    clock.advance(WINDOW_S * 0.11)
    assert (vitals.counts(), vitals.usual_s(stream=True), vitals.latency().summary(), vitals.first_token().summary()) == (
        Counts(),
        None,
        None,
        None,
    )
    assert (vitals.consecutive_failures, len(vitals.failures)) == (1, 5)  # these are not of the window


def test_rate_limits_are_failures_but_no_errors(vitals: Vitals, clock: ManualClock) -> None:
    vitals.failed(pb.Attempt(), limited=True)
    vitals.failed(pb.Attempt(), limited=False)
    vitals.failed(pb.Attempt(), limited=False)
    vitals.answered(1.0, clock.now_s)
    assert (vitals.counts(), vitals.counts().error_rate, vitals.consecutive_failures) == (Counts(4, 3, 1), 0.5, 0)


def test_the_last_twenty_failures_are_kept(vitals: Vitals, clock: ManualClock) -> None:
    for number in range(25):
        clock.advance(1)
        vitals.failed(pb.Attempt(model=str(number)), limited=False)
    assert [failure.attempt.model for failure in vitals.failures] == [str(number) for number in range(5, 25)]
    assert vitals.failures[-1].at_s == clock.time()


def test_a_peak_shows_at_once_and_fades(vitals: Vitals, clock: ManualClock) -> None:
    vitals.began(0.2, clock.now_s)
    vitals.began(5.0, clock.now_s)
    assert vitals.latency_s == 5.0
    vitals.began(0.2, clock.now_s)
    assert vitals.latency_s == pytest.approx(5.0)  # one quick answer at the same moment says little
    for _ in range(30):
        clock.advance(1)
        vitals.began(0.2, clock.now_s)
    assert 0.2 < vitals.latency_s < 0.5
    clock.advance(60)
    assert vitals.latency_s < 0.01  # it is tried again


def test_one_who_gave_up_waiting_raises_it_and_one_who_left_early_does_not_lower_it(vitals: Vitals, clock: ManualClock) -> None:
    vitals.began(1.0, clock.now_s)
    vitals.waited(0.1)
    assert vitals.latency_s == 1.0
    vitals.waited(8.0)
    assert vitals.latency_s == 8.0


def test_load_grows_with_what_is_under_way_also_where_nothing_is_known(vitals: Vitals, clock: ManualClock) -> None:
    idle = vitals.load
    vitals.in_flight = 3
    assert vitals.load == 4 * idle > 0
    vitals.began(2.0, clock.now_s)
    assert vitals.load == 8.0
