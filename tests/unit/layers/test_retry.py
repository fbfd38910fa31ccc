"""How often, how soon, and how much of it the traffic can bear."""

import random

import pytest

from promptwire_server.core.clock import Chance, ManualClock
from promptwire_server.layers.retry import RetryBudget, RetrySettings, pause_s

CHANCE = Chance(random.Random(5))


def test_pauses_double_up_to_the_cap_with_full_jitter() -> None:
    settings = RetrySettings(base_s=1.0, cap_s=4.0)
    for retries, longest in ((0, 1.0), (1, 2.0), (2, 4.0), (9, 4.0)):
        pauses = [pause_s(settings, retries, None, CHANCE) for _ in range(500)]
        assert 0.0 <= min(pauses) < longest * 0.05
        assert longest * 0.95 < max(pauses) <= longest


def test_retry_after_is_a_floor() -> None:
    pauses = [pause_s(RetrySettings(), 0, 7.0, CHANCE) for _ in range(500)]
    assert min(pauses) >= 7.0
    assert max(pauses) <= 7.7


def test_a_few_retries_are_always_allowed() -> None:
    budget = RetryBudget(RetrySettings(budget_floor=3), ManualClock())
    assert [budget.take() for _ in range(5)] == [True, True, True, False, False]


def test_more_traffic_bears_more_retries() -> None:
    budget = RetryBudget(RetrySettings(budget_percent=10, budget_floor=3), ManualClock())
    for _ in range(100):
        budget.request()
    assert sum(budget.take() for _ in range(50)) == 10


def test_what_is_long_ago_is_forgotten() -> None:
    clock = ManualClock()
    budget = RetryBudget(RetrySettings(budget_floor=1), clock)
    assert [budget.take(), budget.take()] == [True, False]
    clock.advance(9.0)
    assert not budget.take()
    clock.advance(2.0)
    assert budget.take()


@pytest.mark.parametrize("seed", range(20))
def test_an_outage_never_multiplies_the_load(seed: int) -> None:
    clock, source = ManualClock(), random.Random(seed)
    settings = RetrySettings()
    budget = RetryBudget(settings, clock)
    made: list[tuple[float, bool]] = []  # (when, whether a retry)
    for _ in range(3000):
        clock.advance(source.expovariate(100))
        budget.request()
        made.append((clock.now_s, False))
        while budget.take():
            made.append((clock.now_s, True))
    for at in range(int(clock.now_s) - 10):
        window = [again for when, again in made if at <= when < at + 10]
        requests = window.count(False)
        assert window.count(True) <= max(settings.budget_floor, 0.1 * requests) * 1.25 + 1
