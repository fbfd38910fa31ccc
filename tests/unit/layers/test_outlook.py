"""What routing sees of targets: from the roster, the breakers, and the comparison with siblings."""

from promptwire import v1 as pb
from promptwire_server.core.clock import Chance, ManualClock
from promptwire_server.core.standing import Standing
from promptwire_server.layers.breaker import BreakerSettings
from promptwire_server.layers.breakers import Breakers
from promptwire_server.layers.outlook import Outlook
from promptwire_server.layers.roster import Post, Roster
from promptwire_server.layers.verdict import Verdict
from tests.unit.layers.outlooks import A, B, C


class Made:
    """Targets a, b and c, where b and a are siblings."""

    def __init__(self, clock: ManualClock) -> None:
        self.clock = clock
        self.roster = Roster(clock, ["a", "b", "c"], [A, B, C])
        self.breakers = Breakers(BreakerSettings(consecutive_failures=2), clock, Chance(), [A, B, C])
        self.outlook = Outlook(self.roster, self.breakers, clock, [[A, B], [C]])

    def break_(self) -> None:
        for _ in range(2):
            self.breakers.enter(A, self.clock.now_s + 10).settle(Verdict.BROKEN)


def test_an_open_breaker_is_failing_until_it_is_time_to_probe(clock: ManualClock) -> None:
    made = Made(clock)
    made.break_()
    assert [made.outlook.open(target) for target in (A, B, C)] == [True, False, False]
    clock.advance(1.01)
    assert not made.outlook.open(A)


def test_a_target_far_worse_than_its_siblings_is_failing_from_the_next_second_on(clock: ManualClock) -> None:
    made = Made(clock)
    assert made.outlook.calm()
    for _ in range(50):
        made.roster.of(A).failed(pb.Attempt(), limited=False)
        made.roster.of(C).failed(pb.Attempt(), limited=False)
        made.roster.of(B).answered(0.1, clock.now_s)
    assert made.outlook.calm()
    clock.advance(1.0)
    assert not made.outlook.calm()
    assert [made.outlook.open(target) for target in (A, B, C)] == [True, False, False]


def test_the_operator_takes_whole_providers_out_of_use(clock: ManualClock) -> None:
    made = Made(clock)
    switched(made.roster.post("b"), enabled=False)
    assert [made.outlook.disabled(target) for target in (A, B)] == [False, True]
    switched(made.roster.post("b"), enabled=True)
    assert not made.outlook.disabled(B)


def test_it_is_calm_while_nothing_fails_and_nothing_is_out_of_use(clock: ManualClock) -> None:
    made = Made(clock)
    seen = [made.outlook.calm()]
    made.break_()
    seen.append(made.outlook.calm())
    made.breakers.reset("a")
    seen.append(made.outlook.calm())
    switched(made.roster.post("b"), enabled=False)
    seen.append(made.outlook.calm())
    assert seen == [True, False, True, False]


def test_it_is_not_calm_while_a_target_is_far_worse_than_its_siblings(clock: ManualClock) -> None:
    made = Made(clock)
    for _ in range(50):
        made.roster.of(A).failed(pb.Attempt(), limited=False)
        made.roster.of(B).answered(0.1, clock.now_s)
    clock.advance(1.0)
    assert not made.outlook.calm()
    assert made.outlook.open(A)


def test_what_nobody_has_called_does_not_fail_and_stays_unlearnt(clock: ManualClock) -> None:
    made = Made(clock)
    stranger = type(A)("a", "made-up")
    assert not made.outlook.open(stranger)
    assert made.roster.find(stranger) is None


def switched(post: Post, *, enabled: bool) -> None:
    post.set(Standing(enabled=enabled), 0.0, lambda _, __: Never())


class Never:
    """A Timer."""

    def cancel(self) -> None:
        """Nothing would have happened."""
