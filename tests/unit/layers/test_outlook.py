"""What routing sees of targets: from the roster, the breakers, and the comparison with siblings."""

from dataclasses import replace

from promptwire import v1 as pb
from promptwire_server.core.clock import Chance, ManualClock
from promptwire_server.layers.breaker import BreakerSettings
from promptwire_server.layers.breakers import Breakers
from promptwire_server.layers.outlook import Outlook
from promptwire_server.layers.roster import Roster
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
    assert not made.outlook.open(A)
    for _ in range(50):
        made.roster.of(A).failed(pb.Attempt(), limited=False)
        made.roster.of(C).failed(pb.Attempt(), limited=False)
        made.roster.of(B).began(0.1, clock.now_s)
        made.roster.of(B).succeeded(0.1, None, clock.now_s)
    assert not made.outlook.open(A)
    clock.advance(1.0)
    assert [made.outlook.open(target) for target in (A, B, C)] == [True, False, False]


def test_the_operator_takes_whole_providers_out_of_use(clock: ManualClock) -> None:
    made = Made(clock)
    made.roster.post("b").standing = replace(made.roster.post("b").standing, enabled=False)
    assert [made.outlook.disabled(target) for target in (A, B)] == [False, True]


def test_what_nobody_has_called_is_idle_and_of_unknown_speed_and_stays_unlearnt(clock: ManualClock) -> None:
    made = Made(clock)
    stranger = type(A)("a", "made-up")
    assert (made.outlook.in_flight(stranger), made.outlook.latency_s(stranger), made.outlook.open(stranger)) == (0, 0.0, False)
    assert made.roster.find(stranger) is None


def test_load_is_that_of_the_roster(clock: ManualClock) -> None:
    made = Made(clock)
    made.roster.of(A).in_flight = 3
    made.roster.of(A).began(0.5, clock.now_s)
    assert (made.outlook.in_flight(A), made.outlook.latency_s(A)) == (3, 0.5)
