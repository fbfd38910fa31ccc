"""Bars: figures that the issue promises, measured where they are the same in every run: in virtual time."""

from collections import Counter
from collections.abc import Sequence
from dataclasses import replace

import pytest

from promptwire_server.core.call import Target
from promptwire_server.core.errors import NoHealthyUpstream, Overloaded, QueueTooLong, UpstreamRateLimited
from promptwire_server.layers.admission.settings import AdmissionSettings
from promptwire_server.layers.alias import Alias, Member
from promptwire_server.layers.breaker import BreakerSettings, State
from tests.sim.caller import Outcome, Wish
from tests.sim.gateway import Setup, Site
from tests.sim.history import History, Played, play
from tests.sim.ledger import Visit
from tests.sim.sky import FINE, Fate, Sky, Weather, outage

BOTH = pytest.mark.parametrize("stream", [False, True], ids=["whole", "streamed"])
RATE = 20  # calls a second
OUT_S, BACK_S, END_S = 10.0, 70.0, 95.0
STEADY = AdmissionSettings(adaptive=False)
SLOW = Weather(latency_s=1.0)
NO_BREAKER = BreakerSettings(consecutive_failures=0, error_rate=0.0)


def one(sky: Sky) -> Setup:
    """One provider, which every call goes to."""
    return Setup({"a": Site(sky)}, {"main": Alias((Member(Target("a", "m")),))}, "main")


def two(first: Sky, second: Sky) -> Setup:
    """A provider, and another behind it."""
    members = (Member(Target("a", "m")), Member(Target("b", "m")))
    return Setup({"a": Site(first), "b": Site(second)}, {"main": Alias(members)}, "main")


def steadily(until_s: float, rate: float = RATE) -> list[Wish]:
    """Calls at even distances, every other one a stream."""
    return [Wish(number, number / rate, "main", stream=number % 2 == 1) for number in range(int(until_s * rate))]


def played(setup: Setup, wishes: Sequence[Wish]) -> Played:
    """What happens. What always holds is looked at too."""
    return play(History(1, setup, wishes))


def share_well(outcomes: Sequence[Outcome]) -> float:
    """Of the calls, how many were answered."""
    return sum(outcome.end == "answer" for outcome in outcomes) / len(outcomes)


def busiest(visits: Sequence[Visit], from_s: float) -> int:
    """The most requests in any second from then on, by tenths."""
    tenths = Counter(int(visit.begun_s * 10) for visit in visits if visit.begun_s >= from_s)
    return max(sum(tenths[tenth + more] for more in range(10)) for tenth in range(int(from_s * 10), int(END_S * 10)))


def weather_an_outage(setup: Setup) -> None:
    """A minute in which nothing works: no more is asked than is offered, and soon after it all is well."""
    found = played(setup, steadily(END_S))
    visits = found.gateway.ledger.visits
    during = [visit for visit in visits if OUT_S <= visit.begun_s < BACK_S]
    assert len(during) <= 1.2 * RATE * (BACK_S - OUT_S)
    assert share_well([outcome for outcome in found.outcomes if outcome.wish.at_s >= BACK_S + 10]) >= 0.99
    assert busiest(visits, BACK_S) <= 2 * RATE


@pytest.mark.parametrize("fate", ["503", "hang", "refused", "reset"])
def test_a_total_outage_multiplies_no_load_and_is_over_soon_after(fate: Fate) -> None:
    weather_an_outage(one(outage(OUT_S, BACK_S, fate)))


@pytest.mark.parametrize("fate", ["503", "hang", "refused", "reset", "429"])
def test_without_breakers_the_retry_budget_alone_bounds_the_load(fate: Fate) -> None:
    weather_an_outage(replace(one(outage(OUT_S, BACK_S, fate)), breaker=NO_BREAKER, admission=STEADY))


@pytest.mark.parametrize("fate", ["503", "hang", "refused", "reset", "429"])
def test_an_outage_that_no_breaker_cuts_short_does_not_narrow_admission(fate: Fate) -> None:
    setup = replace(one(outage(OUT_S, BACK_S, fate)), breaker=NO_BREAKER)
    weather_an_outage(setup)


@pytest.mark.parametrize("fate", ["503", "hang"])
def test_after_an_outage_in_which_no_slot_was_free_all_is_well_within_five_seconds(fate: Fate) -> None:
    setup = replace(one(outage(5.0, 25.0, fate, SLOW)), breaker=NO_BREAKER, admission=AdmissionSettings(ceiling_calls=300))
    found = played(setup, steadily(45.0, rate=100))
    assert any(isinstance(outcome.error, Overloaded | QueueTooLong) for outcome in found.outcomes)
    assert share_well([outcome for outcome in found.outcomes if outcome.wish.at_s >= 25.0 + 5]) == 1.0


def test_while_the_first_target_hangs_there_is_room_for_all_that_the_second_answers() -> None:
    found = played(replace(two(outage(OUT_S, BACK_S, "hang"), Sky()), breaker=NO_BREAKER), steadily(END_S))
    assert share_well(found.outcomes) == 1.0


def test_while_all_targets_fail_hardly_anything_is_asked() -> None:
    found = played(two(outage(OUT_S, BACK_S, "503"), outage(OUT_S, BACK_S, "hang")), steadily(END_S))
    visits = found.gateway.ledger.visits
    assert sum(OUT_S + 10 <= visit.begun_s < BACK_S for visit in visits) <= 2 * (BACK_S - OUT_S)
    assert share_well([outcome for outcome in found.outcomes if outcome.wish.at_s >= BACK_S + 10]) >= 0.99
    assert busiest(visits, BACK_S) <= 2 * RATE


def test_an_outage_of_one_of_two_targets_costs_nobody_an_answer() -> None:
    found = played(two(outage(OUT_S, BACK_S, "503"), Sky()), steadily(END_S))
    assert share_well(found.outcomes) == 1.0


@BOTH
def test_of_a_thousand_callers_who_wait_one_finds_out(*, stream: bool) -> None:
    setup = one(outage(0.0, 5.0, "503"))
    failing = [Wish(number, 0.1 * number, "main") for number in range(20)]
    waiting = [Wish(1000 + number, 20.0, "main", stream=stream, within_s=10.0) for number in range(1000)]
    found = played(setup, [*failing, *waiting])
    probes = [visit for visit in found.gateway.ledger.visits if visit.begun_s >= 20.0]
    assert [(visit.circuit, visit.how) for visit in probes] == [(State.HALF_OPEN, "answered")]
    refused = [outcome for outcome in found.outcomes if outcome.wish.number >= 1000 and outcome.end == "error"]
    assert len(refused) == 999
    assert all(isinstance(outcome.error, NoHealthyUpstream) and outcome.ended_s == 20.0 for outcome in refused)


@BOTH
def test_a_hung_primary_is_left_in_time_for_the_fallback(*, stream: bool) -> None:
    (outcome,) = (found := played(two(outage(0.0, 60.0, "hang"), Sky()), [Wish(1, 0.0, "main", stream=stream)])).outcomes
    primary, fallback = found.gateway.ledger.visits
    assert outcome.end == "answer"
    assert outcome.ended_s < 10.0
    assert (primary.target.provider, primary.how, fallback.target.provider) == ("a", "left", "b")
    assert primary.ended_s == fallback.begun_s


@BOTH
def test_a_retry_after_beyond_the_deadline_is_told_at_once(*, stream: bool) -> None:
    limited = Sky(((0.0, Weather({"429": 1.0}, latency_s=0.02, retry_after_s=7.0)),))
    (outcome,) = (found := played(one(limited), [Wish(1, 0.0, "main", within_s=3.0, stream=stream)])).outcomes
    assert isinstance(outcome.error, UpstreamRateLimited)
    assert outcome.error.retry_after_s == 7.0
    assert outcome.ended_s < 0.1
    assert len(found.gateway.ledger.visits) == len(outcome.call.trail.attempts) == 1


def test_one_failure_in_twenty_is_hardly_seen() -> None:
    now_and_then = Sky(((0.0, Weather({"well": 0.95, "500": 0.02, "reset": 0.02, "refused": 0.01})),))
    found = played(one(now_and_then), steadily(150.0, rate=40))
    assert len(found.outcomes) == 6000
    assert share_well(found.outcomes) >= 0.9975


def test_ten_thousand_calls_that_end_in_every_way_leave_nothing_behind() -> None:
    weather = Weather({"well": 4, "hang": 1, "broken": 1, "500": 1, "slow": 1})
    wishes = [
        replace(wish, within_s=(0.2, 2.0, 5.0)[wish.number % 3], leaves_after_s=0.05 * (wish.number % 7) if wish.number % 4 == 0 else None)
        for wish in steadily(100.0, rate=100)
    ]
    found = played(two(Sky(((0.0, weather),)), Sky(((0.0, FINE),))), wishes)
    assert {outcome.end for outcome in found.outcomes} == {"answer", "error", "left"}
    assert not found.gateway.held()
