"""How many at once: found from latencies, by calls that are begun and answered on a clock of the test's own."""

import random
from collections import deque
from collections.abc import Callable, Sequence

import pytest

from promptwire import v1 as pb
from promptwire_server.layers.admission.cohort import Cohort, Mark, Verdict
from promptwire_server.layers.admission.limit import Limit
from promptwire_server.layers.admission.settings import AdmissionSettings
from promptwire_server.layers.admission.usual import Usual

KIND = ("m", False)


class Cohorts:
    """Answers so many at once as the limit allows, in steps of one latency."""

    def __init__(self, limit: Limit) -> None:
        self.limit = limit
        self.now_s = 0.0
        self._under_way: deque[tuple[float, float, Mark | None]] = deque()

    def work(self, rounds: int, latency_s: Callable[[int], float], *, at_once: int = 10_000) -> None:
        """Every slot that is allowed is in use, by calls that take as long as `latency_s` says for so many."""
        until_s = self.now_s + rounds * 100.0
        calls = 0
        while self.now_s < until_s and calls < rounds * 100:
            while len(self._under_way) < min(self.limit.calls, at_once):
                self._begin(latency_s(min(self.limit.calls, at_once)))
            ends_s, begun_s, mark = self._under_way.popleft()
            self.now_s = max(self.now_s, ends_s)
            calls += 1
            self.limit.heard(KIND, self.now_s)
            self.limit.answered(mark, self.now_s - begun_s, self.now_s, len(self._under_way) + 1)

    def _begin(self, latency_s: float) -> None:
        inside = len(self._under_way) + 1
        mark = self.limit.watch(KIND, self.now_s, inside) if self.now_s >= self.limit.watch_from_s else None
        self.now_s += latency_s / max(1, self.limit.calls) / 2  # spread over the time
        self._under_way.append((self.now_s + latency_s, self.now_s, mark))


def settings(ceiling: int = 400, floor: int = 4, *, adaptive: bool = True) -> AdmissionSettings:
    return AdmissionSettings(ceiling_calls=ceiling, floor_calls=floor, adaptive=adaptive)


def test_it_begins_in_the_middle_and_grows_to_the_ceiling_while_answers_are_quick() -> None:
    limit = Limit(settings())
    assert limit.calls == 100
    Cohorts(limit).work(30, lambda _: 1.0)
    assert limit.calls == 400


def test_few_slots_are_there_from_the_beginning() -> None:
    assert Limit(settings(ceiling=50)).calls == 50
    assert Limit(settings(ceiling=200)).calls == 64


def test_it_does_not_grow_when_it_is_not_needed() -> None:
    limit = Limit(settings())
    Cohorts(limit).work(30, lambda _: 1.0, at_once=20)
    assert limit.calls == 100


def test_a_limit_that_is_not_adaptive_stays_at_the_ceiling() -> None:
    limit = Limit(settings(adaptive=False))
    cohorts = Cohorts(limit)
    cohorts.work(5, lambda _: 1.0)
    cohorts.work(5, lambda _: 50.0)
    assert limit.calls == 400


def test_the_floor_gives_way_to_the_ceiling() -> None:
    assert Limit(settings(ceiling=2, floor=10)).calls == 2


def test_a_crowd_is_thinned_out_to_what_can_be_borne() -> None:
    limit = Limit(settings())
    cohorts = Cohorts(limit)
    cohorts.work(5, lambda _: 1.0, at_once=20)
    cohorts.work(60, lambda at_once: max(1.0, at_once / 50))  # 50 at once are served at full speed; more share that
    assert 35 <= limit.calls <= 90


def test_it_never_goes_under_the_floor() -> None:
    limit = Limit(settings(floor=30))
    cohorts = Cohorts(limit)
    cohorts.work(5, lambda _: 1.0, at_once=20)
    cohorts.work(60, lambda at_once: max(1.0, at_once / 5))
    assert limit.calls >= 30


def test_a_provider_that_is_slow_for_its_own_reasons_is_left_alone() -> None:
    limit = Limit(settings())
    cohorts = Cohorts(limit)
    cohorts.work(5, lambda _: 1.0, at_once=80)
    cohorts.work(40, lambda _: 3.0, at_once=80)
    assert limit.calls >= 80
    assert limit.usual_s(KIND) == pytest.approx(3.0, rel=0.1)


def test_calls_that_are_overdue_thin_out_the_crowd_before_they_have_ended() -> None:
    limit = Limit(settings())
    cohorts = Cohorts(limit)
    cohorts.work(5, lambda _: 1.0, at_once=50)
    marks = [limit.watch(KIND, cohorts.now_s + 10, inside + 1) for inside in range(64)]
    assert not limit.gone(marks[0], cohorts.now_s + 10.5)  # the callers leave early: nothing is known
    limit.heard(KIND, cohorts.now_s + 11.3)  # others are answered still
    assert limit.gone(marks[1], cohorts.now_s + 20)
    assert limit.calls < 100


@pytest.mark.parametrize("failed", [False, True], ids=["never answered", "failed"])
def test_an_outage_narrows_nothing(*, failed: bool) -> None:
    limit = Limit(settings())
    cohorts = Cohorts(limit)
    cohorts.work(5, lambda _: 1.0, at_once=50)
    for _ in range(20):
        attempts: list[pb.Attempt] = []
        marks = [limit.watch(KIND, cohorts.now_s + 10, inside + 1, attempts) for inside in range(64)]
        attempts += [pb.Attempt(failure=pb.Failure(code=14))] * failed
        cohorts.now_s += 30
        for mark in marks:
            limit.gone(mark, cohorts.now_s)
    assert limit.calls == 100


def test_an_outage_in_the_midst_of_a_crowd_takes_back_what_was_cut() -> None:
    limit = Limit(settings())
    cohorts = Cohorts(limit)
    cohorts.work(5, lambda _: 1.0, at_once=100)
    widest = limit.calls
    cohorts.work(6, lambda at_once: max(1.0, at_once / 50))
    assert limit.calls < widest
    now_s = cohorts.now_s + 100
    for mark in [limit.watch(KIND, now_s, limit.calls) for _ in range(200)]:
        limit.gone(mark, now_s + 50)
    assert limit.calls >= widest


def test_pauses_between_attempts_and_slow_failures_are_not_latency() -> None:
    limit = Limit(settings())
    cohorts = Cohorts(limit)
    cohorts.work(5, lambda _: 1.0, at_once=50)
    begun_s = cohorts.now_s + 10
    attempts = [pb.Attempt(failure=pb.Failure(code=14)), pb.Attempt()]
    for mark in [limit.watch(KIND, begun_s, 90, attempts) for _ in range(200)]:
        limit.heard(KIND, begun_s + 8.9)
        limit.answered(mark, 9.0, begun_s + 9.0, 90)
    assert limit.calls == 100
    assert limit.usual_s(KIND) == pytest.approx(1.0, rel=0.01)


def test_chance_alone_hardly_moves_it() -> None:
    rng = random.Random(7)
    limit = Limit(settings())
    cohorts = Cohorts(limit)
    cohorts.work(200, lambda _: rng.lognormvariate(0.0, 0.3), at_once=40)
    assert limit.calls >= 40


def mark(due_s: float, attempts: Sequence[pb.Attempt] = ()) -> Mark:
    return Mark(KIND, due_s, due_s - 0.3, attempts)


def cohort_of(*marks: Mark, heard_s: float = 100.0) -> Cohort:
    """A cohort of four."""
    cohort = Cohort(4, 0.0, lambda _: heard_s)
    for each in marks:
        cohort.watch(each, 1)
    return cohort


FAILED = [pb.Attempt(failure=pb.Failure(code=14))]


def test_a_verdict_comes_when_half_are_in_time() -> None:
    cohort = cohort_of(*(marks := [mark(1.0) for _ in range(4)]))
    cohort.answered(marks[0], 0.5)
    assert cohort.verdict(0.5) is None
    cohort.answered(marks[1], 0.5)
    assert cohort.verdict(0.5) is Verdict.AT_EASE


def test_a_verdict_comes_when_most_are_overdue_before_any_has_ended() -> None:
    cohort = cohort_of(*map(mark, (1.0, 1.1, 1.2, 5.0)))
    assert cohort.verdict(1.15) is None
    assert cohort.verdict(1.25) is Verdict.CROWDED


def test_those_who_are_overdue_while_nobody_is_answered_count_when_they_are_answered_late() -> None:
    cohort = cohort_of(*(marks := [mark(1.0) for _ in range(4)]), heard_s=0.6)
    assert cohort.verdict(2.0) is None
    for each in marks[:3]:
        assert cohort.verdict(8.0) is None
        cohort.answered(each, 8.0)
    assert cohort.verdict(8.0) is Verdict.CROWDED


def test_silence_says_nothing_in_the_end() -> None:
    cohort = cohort_of(*[mark(1.0) for _ in range(4)], heard_s=0.6)
    assert cohort.verdict(10.9) is None
    assert cohort.verdict(11.1) is Verdict.NOTHING


def test_most_failures_say_nothing_and_few_leave_the_verdict_to_the_others() -> None:
    most = cohort_of(*(mark(1.0, FAILED) for _ in range(3)), mark(1.0))
    assert most.verdict(2.0) is Verdict.NOTHING
    few = cohort_of(mark(1.0, FAILED), *(mark(1.0) for _ in range(3)))
    assert few.verdict(2.0) is Verdict.CROWDED


def test_the_place_of_who_leaves_early_is_taken_by_another_and_who_leaves_late_counts() -> None:
    cohort = cohort_of(*(marks := [mark(1.0) for _ in range(4)]))
    cohort.withdraw(marks[0], 0.5)
    cohort.withdraw(marks[1], 0.5)
    assert not cohort.full
    assert cohort.verdict(0.5) is None
    cohort.watch(mark(1.2), 1)
    cohort.watch(mark(5.0), 1)
    assert cohort.full
    cohort.withdraw(marks[2], 2.0)
    assert cohort.verdict(2.0) is Verdict.CROWDED


def test_marks_of_a_closed_cohort_count_nowhere() -> None:
    before, after = cohort_of(old := mark(1.0)), cohort_of()
    before.close()
    after.answered(old, 0.5)
    after.withdraw(old, 0.5)
    assert (after._in_time, after._calls) == (0, 0)


def test_the_usual_is_the_median_once_enough_is_known() -> None:
    rng = random.Random(3)
    usual = Usual()
    usual.learn(KIND, 1.0, 0.0, crowded=False)
    assert usual.seconds(KIND) == 0
    for number in range(2000):
        usual.learn(KIND, rng.lognormvariate(0.0, 0.7), number * 0.1, crowded=False)
    assert usual.seconds(KIND) == pytest.approx(1.0, rel=0.12)


def test_what_is_measured_in_a_crowd_is_not_usual() -> None:
    usual = Usual()
    for number in range(200):
        usual.learn(KIND, 1.0, number * 0.1, crowded=False)
    for number in range(2000):
        usual.learn(KIND, 9.0, 20 + number * 0.1, crowded=True)
    assert usual.seconds(KIND) == pytest.approx(1.0, rel=0.01)


def test_the_quietest_time_of_the_last_hour_is_the_usual() -> None:
    usual = Usual()
    for number in range(200):
        usual.learn(KIND, 1.0, number * 0.1, crowded=False)
    for number in range(3000):
        usual.learn(KIND, 3.0, 1900 + number * 0.1, crowded=False)
    assert usual.seconds(KIND) == pytest.approx(1.0, rel=0.01)
    for number in range(3000):
        usual.learn(KIND, 3.0, 4000 + number, crowded=False)
    assert usual.seconds(KIND) == pytest.approx(3.0, rel=0.1)


def test_kinds_without_number_are_forgotten() -> None:
    usual = Usual()
    for number in range(5000):
        usual.learn((f"m{number}", False), 1.0, 0.0, crowded=False)
    assert len(usual._kinds) <= 1024
