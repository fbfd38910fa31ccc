"""A breaker opens on what is broken, probes it one call at a time, and never keeps a probe's place for somebody who is gone."""

import random
from dataclasses import dataclass, field, replace

import pytest

from promptwire_server.core.clock import Chance, ManualClock
from promptwire_server.layers.breaker import Breaker, BreakerSettings, Permit, State
from promptwire_server.layers.verdict import Verdict

SETTINGS = BreakerSettings(
    consecutive_failures=3, error_rate=0.5, minimum_calls=10, window_s=30, probe_interval_s=1, max_probe_interval_s=8
)
FAR_S = 1e6  # a deadline that never comes


class Latest(random.Random):
    """The full interval, always."""

    def uniform(self, a: float, b: float) -> float:
        return max(a, b)


def make(clock: ManualClock, settings: BreakerSettings = SETTINGS, source: random.Random | None = None) -> Breaker:
    return Breaker(settings, clock, Chance(source or Latest()))


def ask(breaker: Breaker, *verdicts: Verdict) -> None:
    """One call after the other, each of which is let through."""
    for verdict in verdicts:
        permit = breaker.enter(FAR_S)
        assert permit is not None
        permit.settle(verdict)


@pytest.fixture
def breaker(clock: ManualClock) -> Breaker:
    return make(clock)


@pytest.fixture
def tripped(breaker: Breaker) -> Breaker:
    """Open, with a probe due in a second."""
    ask(breaker, *[Verdict.BROKEN] * 3)
    assert (breaker.state, breaker.open) == (State.OPEN, True)
    return breaker


@pytest.fixture
def due(tripped: Breaker, clock: ManualClock) -> Breaker:
    """Open, with a probe due now."""
    clock.advance(1.0)
    assert not tripped.open
    return tripped


def state(breaker: Breaker) -> State:
    """Its state; a call, since it changes behind the type checker's back."""
    return breaker.state


def probe(breaker: Breaker, deadline_s: float = FAR_S) -> Permit:
    permit = breaker.enter(deadline_s)
    assert permit is not None
    return permit


def test_failures_in_a_row_open_it_and_a_success_between_starts_the_row_anew(breaker: Breaker) -> None:
    ask(breaker, Verdict.BROKEN, Verdict.BROKEN, Verdict.WELL, Verdict.BROKEN, Verdict.BROKEN)
    assert state(breaker) is State.CLOSED
    ask(breaker, Verdict.BROKEN)
    assert state(breaker) is State.OPEN


@pytest.mark.parametrize("verdict", [Verdict.LIMITED, Verdict.ACCOUNT, Verdict.ALIVE, Verdict.NOTHING])
def test_what_is_no_illness_neither_opens_it_nor_counts(breaker: Breaker, verdict: Verdict) -> None:
    ask(breaker, Verdict.BROKEN, Verdict.BROKEN, *[verdict] * 50)
    assert (breaker.state, breaker.consecutive_failures, breaker.counts()) == (State.CLOSED, 2, (2, 2))
    ask(breaker, Verdict.BROKEN)
    assert state(breaker) is State.OPEN


def test_a_rate_of_failures_opens_it_once_there_are_calls_enough(breaker: Breaker) -> None:
    ask(breaker, *[Verdict.BROKEN, Verdict.WELL] * 4, Verdict.BROKEN)
    assert state(breaker) is State.CLOSED  # five of nine, and nine say nothing
    ask(breaker, Verdict.BROKEN)
    assert state(breaker) is State.OPEN


def test_failures_of_another_time_do_not_count_for_the_rate(breaker: Breaker, clock: ManualClock) -> None:
    ask(breaker, *[Verdict.BROKEN, Verdict.WELL] * 4)
    clock.advance(SETTINGS.window_s)
    ask(breaker, *[Verdict.WELL] * 8, Verdict.BROKEN, Verdict.BROKEN)
    assert (breaker.state, breaker.counts()) == (State.CLOSED, (10, 2))


def test_settings_of_zero_switch_a_cause_off(clock: ManualClock) -> None:
    breaker = make(clock, BreakerSettings(consecutive_failures=0, error_rate=0))
    ask(breaker, *[Verdict.BROKEN] * 100)
    assert state(breaker) is State.CLOSED


def test_open_refuses_until_the_probe_is_due_and_says_how_long(tripped: Breaker, clock: ManualClock) -> None:
    assert (tripped.enter(FAR_S), tripped.wait_s) == (None, 1.0)
    clock.advance(0.75)
    assert (tripped.enter(FAR_S), tripped.wait_s) == (None, 0.25)


def test_of_a_thousand_callers_one_is_the_probe(due: Breaker) -> None:
    permits = [due.enter(FAR_S) for _ in range(1000)]
    assert sum(permit is not None for permit in permits) == 1
    assert (due.state, due.open, due.wait_s) == (State.HALF_OPEN, True, 1.0)


@pytest.mark.parametrize("verdict", [Verdict.WELL, Verdict.ALIVE])
def test_a_probe_that_was_answered_closes_it(due: Breaker, verdict: Verdict) -> None:
    probe(due).settle(verdict)
    assert (due.state, due.consecutive_failures, due.counts()) == (State.CLOSED, 0, (0, 0))


def test_a_probe_whose_answer_begins_closes_it_and_its_end_counts_like_any_other(due: Breaker) -> None:
    permit = probe(due)
    permit.began()
    assert state(due) is State.CLOSED
    permit.settle(Verdict.BROKEN)
    assert (due.state, due.consecutive_failures) == (State.CLOSED, 1)


@pytest.mark.parametrize("verdict", [Verdict.NOTHING, Verdict.LIMITED, Verdict.ACCOUNT])
def test_a_probe_that_shows_nothing_gives_its_place_to_the_next(due: Breaker, verdict: Verdict) -> None:
    permit = probe(due)
    permit.settle(verdict)
    assert (due.state, due.open, due.wait_s) == (State.HALF_OPEN, False, 0.0)
    following = probe(due)
    permit.settle(Verdict.WELL)  # a second settling is none
    assert (due.state, due.enter(FAR_S)) == (State.HALF_OPEN, None)
    following.settle(Verdict.WELL)
    assert state(due) is State.CLOSED


def test_a_call_that_is_settled_twice_counts_once(breaker: Breaker) -> None:
    permit = probe(breaker)
    permit.settle(Verdict.BROKEN)
    permit.settle(Verdict.BROKEN)
    assert breaker.counts() == (1, 1)


def test_the_place_of_an_owner_who_is_lost_comes_back_after_the_deadline(due: Breaker, clock: ManualClock) -> None:
    lost = probe(due, clock.now_s + 10)
    clock.advance(10.9)
    assert due.enter(FAR_S) is None
    clock.advance(0.2)
    following = probe(due)
    lost.began()
    lost.settle(Verdict.WELL)  # he came back, and has no say any more
    assert (due.state, due.enter(FAR_S)) == (State.HALF_OPEN, None)
    following.settle(Verdict.WELL)
    assert state(due) is State.CLOSED


def test_the_interval_of_probes_doubles_to_its_cap(due: Breaker, clock: ManualClock) -> None:
    waits = []
    for _ in range(6):
        probe(due).settle(Verdict.BROKEN)
        waits.append(due.wait_s)
        clock.advance(due.wait_s)
    assert waits == [2, 4, 8, 8, 8, 8]


def test_probes_come_early_by_chance_and_never_late(clock: ManualClock) -> None:
    waits = set()
    for seed in range(50):
        breaker = make(clock, source=random.Random(seed))
        ask(breaker, *[Verdict.BROKEN] * 3)
        waits.add(breaker.wait_s)
    assert len(waits) > 40
    assert 0.5 <= min(waits) < 0.6
    assert 0.9 < max(waits) <= 1.0


def test_one_that_opens_again_soon_after_closing_is_probed_ever_less(due: Breaker, clock: ManualClock) -> None:
    probe(due).settle(Verdict.WELL)
    ask(due, *[Verdict.BROKEN] * 3)
    assert due.wait_s == 2.0
    clock.advance(2.0)
    probe(due).settle(Verdict.WELL)
    clock.advance(SETTINGS.max_probe_interval_s + 1)
    ask(due, *[Verdict.BROKEN] * 3)
    assert due.wait_s == 1.0  # it was well for a while


def test_calls_from_before_it_opened_have_no_say(breaker: Breaker, clock: ManualClock) -> None:
    early = [probe(breaker) for _ in range(20)]
    ask(breaker, *[Verdict.BROKEN] * 3)
    early[0].settle(Verdict.WELL)
    early[1].settle(Verdict.BROKEN)
    assert (breaker.state, breaker.wait_s) == (State.OPEN, 1.0)
    clock.advance(1.0)
    following = probe(breaker)
    early[2].settle(Verdict.WELL)
    early[3].began()
    assert state(breaker) is State.HALF_OPEN
    following.settle(Verdict.WELL)
    for permit in early[4:]:
        permit.settle(Verdict.BROKEN)
    assert (breaker.state, breaker.consecutive_failures) == (State.CLOSED, 0)


def test_resetting_closes_it_and_what_was_under_way_has_no_say(due: Breaker) -> None:
    permit = probe(due)
    due.reset()
    assert (due.state, due.consecutive_failures, due.counts(), due.open) == (State.CLOSED, 0, (0, 0), False)
    permit.settle(Verdict.BROKEN)
    assert due.consecutive_failures == 0
    ask(due, *[Verdict.BROKEN] * 3)
    assert due.wait_s == 1.0  # the doubling is forgotten too


def test_every_change_is_told_with_its_time(clock: ManualClock) -> None:
    told: list[State] = []
    breaker = Breaker(SETTINGS, clock, Chance(Latest()), told.append)
    breaker.reset()
    assert told == []  # it was closed
    clock.advance(5)
    ask(breaker, *[Verdict.BROKEN] * 3)
    assert breaker.changed_s == clock.time()
    clock.advance(1)
    probe(breaker).settle(Verdict.WELL)
    assert told == [State.OPEN, State.HALF_OPEN, State.CLOSED]


def test_new_settings_hold_from_the_next_call_on(breaker: Breaker) -> None:
    ask(breaker, Verdict.BROKEN)
    breaker.tune(replace(SETTINGS, consecutive_failures=2))
    ask(breaker, Verdict.BROKEN)
    assert state(breaker) is State.OPEN


def test_another_window_begins_empty(breaker: Breaker) -> None:
    ask(breaker, Verdict.BROKEN, Verdict.WELL)
    breaker.tune(replace(SETTINGS, probe_interval_s=9))
    assert breaker.counts() == (2, 1)
    breaker.tune(replace(SETTINGS, window_s=60))
    assert breaker.counts() == (0, 0)


@dataclass
class History:
    """Callers who come, wait, answer, vanish and come back in random order, and what must hold after each step."""

    seed: int
    clock: ManualClock = field(default_factory=ManualClock)
    probes: list[tuple[Permit, float]] = field(default_factory=list)  # not settled, with the end of their lease
    calls: list[Permit] = field(default_factory=list)

    def __post_init__(self) -> None:
        self.random = random.Random(self.seed)
        self.breaker = make(self.clock, BreakerSettings(3, 0.5, 10, 30, 1, 8), random.Random(self.seed + 1))

    def step(self) -> None:
        self.random.choice(
            [self.come, self.come, self.come, self.settle, self.settle, self.settle, self.begin, self.wait, self.lose, self.reset_rarely]
        )()
        live = [permit for permit, ends_s in self.probes if self.clock.now_s < ends_s]
        assert len(live) <= 1, "two probes at a time"
        if self.breaker.state is State.HALF_OPEN and not live:
            assert not self.breaker.open, "nobody probes, and nobody may"

    def come(self) -> None:
        state, deadline_s = self.breaker.state, self.clock.now_s + self.random.uniform(0.1, 20)
        open_before = self.breaker.open
        permit = self.breaker.enter(deadline_s)
        assert (permit is None) == open_before, "`open` and `enter` differ"
        if permit is None:
            assert self.breaker.wait_s <= 8
        elif state is State.CLOSED:
            self.calls.append(permit)
        else:
            self.probes.append((permit, deadline_s + 1.0))

    def settle(self) -> None:
        verdict = self.random.choices(list(Verdict), [1, 9, 1, 1, 1, 2])[0]
        if self.probes and self.random.random() < 0.5:
            self.probes.pop(self.random.randrange(len(self.probes)))[0].settle(verdict)
            self._keep_live()
        elif self.calls:
            self.calls.pop(self.random.randrange(len(self.calls))).settle(verdict)

    def begin(self) -> None:
        if self.probes:
            self.probes[-1][0].began()
            self._keep_live()

    def wait(self) -> None:
        self.clock.advance(self.random.choice([0.01, 0.3, 1, 5]))

    def lose(self) -> None:
        """An owner is gone for good: nobody will ever settle."""
        if self.calls:
            self.calls.pop()

    def reset_rarely(self) -> None:
        if self.random.random() < 0.05:
            self.breaker.reset()
            self._keep_live()

    def _keep_live(self) -> None:
        """Once it is not half open, the probes there were are calls like any other."""
        if self.breaker.state is not State.HALF_OPEN:
            self.calls += [permit for permit, _ in self.probes]
            self.probes.clear()

    def ends_well(self) -> None:
        """Whatever happened, when the target is well again, so is the breaker soon."""
        self.clock.advance(22)  # beyond every lease
        for _ in range(3):
            permit = self.breaker.enter(self.clock.now_s + 1)
            if permit is not None:
                permit.settle(Verdict.WELL)
            self.clock.advance(8)
        assert self.breaker.state is State.CLOSED


def test_in_thousands_of_random_histories_there_is_at_most_one_probe_and_it_always_recovers() -> None:
    half_open = 0
    for seed in range(2000):
        history = History(seed)
        try:
            for _ in range(150):
                history.step()
                half_open += history.breaker.state is State.HALF_OPEN
            history.ends_well()
        except AssertionError as error:
            raise AssertionError(f"seed {seed}: {error}") from error
    assert half_open > 10_000  # the histories go where it matters
