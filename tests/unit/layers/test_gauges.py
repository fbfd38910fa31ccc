"""What Prometheus sees of targets."""

import pytest
from prometheus_client import CollectorRegistry

from promptwire_server.core.call import Target
from promptwire_server.core.clock import Chance, ManualClock
from promptwire_server.layers.breaker import BreakerSettings
from promptwire_server.layers.breakers import Breakers
from promptwire_server.layers.exposition import merge, render
from promptwire_server.layers.gauges import KeyGauges, TargetGauges
from promptwire_server.layers.roster import Roster
from promptwire_server.layers.verdict import Verdict

NAMED = Target("p", "named")


class Numbers:
    def __init__(self, clock: ManualClock) -> None:
        self.clock = clock
        self.roster = Roster(clock, ["p"], [NAMED])
        self.breakers = Breakers(BreakerSettings(consecutive_failures=1), clock, Chance(), [NAMED])
        self.registry = CollectorRegistry(auto_describe=False)
        self.registry.register(TargetGauges(self.roster, self.breakers))

    def of(self, name: str, model: str) -> float | None:
        return self.registry.get_sample_value(f"promptwire_{name}", {"provider": "p", "model": model})

    def succeed(self, model: str) -> None:
        self.roster.of(Target("p", model)).answered(1.0, self.clock.now_s)


@pytest.fixture
def numbers(clock: ManualClock) -> Numbers:
    return Numbers(clock)


def test_a_named_target_is_there_from_the_start(numbers: Numbers) -> None:
    assert (numbers.of("breaker_state", "named"), numbers.of("target_in_flight", "named")) == (0, 0)


def test_states_and_calls_under_way_are_shown(numbers: Numbers, clock: ManualClock) -> None:
    numbers.roster.of(NAMED).in_flight = 3
    numbers.breakers.enter(NAMED, 1e9).settle(Verdict.BROKEN)
    assert (numbers.of("breaker_state", "named"), numbers.of("target_in_flight", "named")) == (2, 3)
    clock.advance(1)
    numbers.breakers.enter(NAMED, 1e9)
    assert numbers.of("breaker_state", "named") == 1


def test_models_that_callers_made_up_get_no_label_and_those_that_answered_a_bounded_number(numbers: Numbers) -> None:
    for number in range(500):
        numbers.roster.of(Target("p", f"invented-{number}"))
        numbers.succeed(f"real-{number}")
    assert (numbers.of("breaker_state", "invented-1"), numbers.of("breaker_state", "real-1")) == (None, 0)
    assert render(numbers.registry.collect()).count("promptwire_target_in_flight{") == 101


def test_a_provider_of_an_older_configuration_is_gone(numbers: Numbers) -> None:
    numbers.succeed("real")
    numbers.roster.name(["q"], [])
    assert (numbers.of("breaker_state", "real"), numbers.of("breaker_state", "named")) == (None, None)


def test_of_several_workers_the_worst_breaker_counts_and_calls_are_added_up(numbers: Numbers, clock: ManualClock) -> None:
    other = Numbers(clock)
    other.breakers.enter(NAMED, 1e9).settle(Verdict.BROKEN)
    for each in (numbers, other):
        each.roster.of(NAMED).in_flight = 2
    text = merge([render(each.registry.collect()) for each in (numbers, other)])
    assert 'promptwire_breaker_state{provider="p",model="named"} 2' in text
    assert 'promptwire_target_in_flight{provider="p",model="named"} 4' in text


def test_keys_are_counted_by_provider_and_state() -> None:
    registry = CollectorRegistry(auto_describe=False)
    counts = [("p", "working", 2), ("p", "dead", 1)]
    registry.register(KeyGauges(lambda: counts))
    text = render(registry.collect())
    assert 'promptwire_provider_keys{provider="p",state="working"} 2' in text
    counts.clear()
    assert "promptwire_provider_keys{" not in render(registry.collect())
