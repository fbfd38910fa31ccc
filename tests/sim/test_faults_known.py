"""Faults that the simulator has found and that are not mended yet. Each test says what should hold; it fails when that is so."""

import pytest

from promptwire_server.core.call import Target
from promptwire_server.layers.alias import Alias, Hedge, Member
from tests.sim.caller import Wish
from tests.sim.gateway import Setup, Site
from tests.sim.history import History, play
from tests.sim.sky import Sky, Weather

KEYS = ("k1", "k2", "k3")


def _always(weather: Weather) -> Sky:
    return Sky(((0.0, weather),))


def _two(first: Site, *, hedge: Hedge | None = None) -> Setup:
    members = (Member(Target("a", "m")), Member(Target("b", "m")))
    return Setup({"a": first, "b": Site(_always(Weather(latency_s=5.0, spread=False)))}, {"main": Alias(members, hedge=hedge)}, "main")


@pytest.mark.xfail(strict=True, reason="the keys of one provider take all attempts of a call; the target behind it is never asked")
def test_keys_in_turn_leave_an_attempt_to_the_next_target() -> None:
    limited = Site(_always(Weather({"429": 1.0}, retry_after_s=3.0)), keys=KEYS)
    played = play(History(1, _two(limited), [Wish(1, 0.0, "main", within_s=30.0)]))
    assert played.outcomes[0].end == "answer"


@pytest.mark.xfail(strict=True, reason="attempts under way count only when they have ended: keys in turn beside a hedge make four")
def test_keys_in_turn_beside_a_hedge_are_three_attempts_at_most() -> None:
    limited = Site(_always(Weather({"429": 1.0}, latency_s=0.4, spread=False)), keys=KEYS)
    played = play(History(1, _two(limited, hedge=Hedge(0.2)), [Wish(1, 0.0, "main", within_s=30.0)]))
    assert len(played.gateway.ledger.visits) <= 3
