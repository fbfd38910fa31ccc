"""Several keys of one provider: they are attempts like all others, of which a call has three, and which others need too."""

import pytest

from promptwire_server.core.call import Target
from promptwire_server.layers.alias import Alias, Fallbacks, Hedge, Member
from promptwire_server.layers.retry import RetrySettings
from tests.sim.caller import Wish
from tests.sim.gateway import Setup, Site
from tests.sim.history import History, Played, play
from tests.sim.sky import Sky, Weather

KEYS = ("k1", "k2", "k3")
BOTH = pytest.mark.parametrize("stream", [False, True], ids=["whole", "streamed"])


def always(weather: Weather) -> Sky:
    return Sky(((0.0, weather),))


def limited(latency_s: float = 0.3) -> Site:
    return Site(always(Weather({"429": 1.0}, latency_s=latency_s, retry_after_s=3.0, spread=False)), keys=KEYS)


def slow() -> Site:
    return Site(always(Weather(latency_s=5.0, spread=False)))


def two(first: Site, *, hedge: Hedge | None = None, retries: RetrySettings | None = None) -> Setup:
    members = (Member(Target("a", "m")), Member(Target("b", "m")))
    return Setup({"a": first, "b": slow()}, {"main": Alias(members, hedge=hedge)}, "main", retries or RetrySettings())


def asked(setup: Setup, *, stream: bool = False) -> tuple[Played, list[str]]:
    """What became of one call, and who was asked for it, in turn."""
    found = play(History(1, setup, [Wish(1, 0.0, "main", within_s=30.0, stream=stream)]))
    return found, [f"{visit.target.provider}{visit.key.removeprefix('k')}" for visit in found.gateway.ledger.visits]


@BOTH
def test_keys_in_turn_leave_an_attempt_to_the_next_target(*, stream: bool) -> None:
    found, who = asked(two(limited()), stream=stream)
    assert found.outcomes[0].end == "answer"
    assert who == ["a1", "a2", "b"]


@pytest.mark.parametrize("fallbacks", [Fallbacks(default=("spare",)), Fallbacks({"rate_limit": ("spare",)})], ids=["any", "rate limit"])
def test_keys_in_turn_leave_an_attempt_to_the_fallback(fallbacks: Fallbacks) -> None:
    aliases = {"main": Alias((Member(Target("a", "m")),), fallbacks=fallbacks), "spare": Alias((Member(Target("b", "m")),))}
    found, who = asked(Setup({"a": limited(), "b": slow()}, aliases, "main"))
    assert found.outcomes[0].end == "answer"
    assert who == ["a1", "a2", "b"]


def test_where_nobody_is_behind_all_attempts_are_for_the_keys() -> None:
    dead = Site(keys=KEYS, dead=frozenset({"k1", "k2"}))
    found, who = asked(Setup({"a": dead}, {"main": Alias((Member(Target("a", "m")),))}, "main"))
    assert found.outcomes[0].end == "answer"
    assert who == ["a1", "a2", "a3"]


@pytest.mark.parametrize("most", [1, 2, 3, 5])
def test_the_operator_says_how_many_attempts_there_are(most: int) -> None:
    _, who = asked(two(limited(), retries=RetrySettings(max_attempts=most)))
    assert who == {1: ["a1"], 2: ["a1", "b"], 3: ["a1", "a2", "b"], 5: ["a1", "a2", "a3", "b"]}[most]


# Of the first key's refusal, the hedge, and the second's: each order, and each two at the same moment.
@pytest.mark.parametrize("latency_s", [0.05, 0.0667, 0.08, 0.1, 0.15, 0.2, 0.4])
@pytest.mark.parametrize("most", [1, 2, 3])
def test_keys_in_turn_beside_a_hedge_are_no_more_attempts_than_allowed(latency_s: float, most: int) -> None:
    found, who = asked(two(limited(latency_s), hedge=Hedge(0.2), retries=RetrySettings(max_attempts=most)))
    assert len(who) <= most
    assert most == 1 or (found.outcomes[0].end == "answer" and who.count("b") == 1)


def test_a_hedge_that_is_refused_may_ask_another_key() -> None:
    hung = Site(always(Weather({"hang": 1.0})))
    keyed = Site(keys=KEYS, dead=frozenset({"k1"}))
    aliases = {"main": Alias((Member(Target("a", "m")), Member(Target("b", "m"))), hedge=Hedge(0.2))}
    found, who = asked(Setup({"a": hung, "b": keyed}, aliases, "main"))
    assert found.outcomes[0].end == "answer"
    assert who == ["a", "b1", "b2"]
