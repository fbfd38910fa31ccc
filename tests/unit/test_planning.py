"""From a configuration file to a planner that chooses."""

import random
from pathlib import Path

import pytest

from promptwire import v1 as pb
from promptwire_server import config
from promptwire_server.convert import accounts, aliases, breaker_settings, retry_settings
from promptwire_server.core.call import Target
from promptwire_server.core.clock import Chance, ManualClock
from promptwire_server.core.facts import Facts
from promptwire_server.core.limits import TargetLimits
from promptwire_server.layers.alias import Hedge, Shadow
from promptwire_server.layers.book import Book
from promptwire_server.layers.breakers import Breakers
from promptwire_server.layers.plan import Planner
from promptwire_server.layers.roster import Roster
from promptwire_server.layers.route import Routes
from promptwire_server.planning import named_targets, planned_aliases, planner, provider_limits
from tests.unit.layers.outlooks import question
from tests.unit.layers.vendors import Published

FILE = """
models:
  small: echo/small
  large: [{model: echo/large, max_in_flight: 3, tokens_per_minute: 1000}, echo/larger]
  smart:
    targets: [{model: echo/own, tags: [eu], capabilities: [chat], context_window: 100}]
    rules:
      - {when: "prompt_tokens > 20 or tools", to: large}
      - {when: "labels.region == 'eu'", to: default}
      - {when: "tenant == 'cheap'", to: small}
    fallbacks: {context: [large], default: small}
    hedge: {after: 1s}
    shadow: {to: large, percent: 5}
  test: {split: [{name: a, to: smart, percent: 100}], fallbacks: [echo/last]}
providers: {echo: {kind: echo}, other: {kind: echo}}
resilience: {retries: {base_delay: 1s, max_delay: 2s, budget_floor: 9}, breaker: {probe_after: 3s, probe_cap: 4s, minimum_calls: 7}}
"""


@pytest.fixture
def settings(tmp_path: Path) -> config.Settings:
    (tmp_path / "p.yaml").write_text(FILE)
    return config.load(str(tmp_path / "p.yaml"), {"HOME": str(tmp_path)})


def echo(model: str) -> Target:
    return Target("echo", model)


def built(settings: config.Settings) -> Planner:
    clock, chance = ManualClock(), Chance(random.Random(1))
    names = aliases(settings)
    roster = Roster(clock, settings.providers, [target for targets in names.values() for target in targets])
    return planner(
        settings,
        Routes(names, list(settings.providers), settings.default_model),
        roster=roster,
        breakers=Breakers(breaker_settings(settings), clock, chance),
        book=Book(accounts(settings), Published({}), clock),
        clock=clock,
        chance=chance,
    )


@pytest.mark.parametrize(
    ("asked", "target"),
    [
        ({"prompt": "hi"}, "own"),
        ({"prompt": "hi there " * 20}, "large"),
        ({"prompt": "hi", "tenant": "cheap"}, "small"),
        ({"prompt": "hi", "tenant": "cheap", "labels": {"region": "eu"}}, "own"),
        ({"prompt": "hi", "generation": pb.GenerationSettings(tools=[pb.Tool()])}, "large"),
    ],
)
def test_conditions_of_the_file_choose(settings: config.Settings, asked: dict[str, str], target: str) -> None:
    assert built(settings).plan(question(model="smart", **asked).call).choices[0].target == echo(target)


def test_a_condition_on_a_label_that_is_missing_does_not_hold(settings: config.Settings) -> None:
    made = built(settings).plan(question(model="smart", prompt="hi", labels={"team": "x"}).call)
    assert made.choices[0].because == "no rule of smart, first by priority"


def test_names_mean_every_model_that_may_answer_under_them(settings: config.Settings) -> None:
    names = aliases(settings)
    assert names["smart"] == (echo("large"), echo("larger"), echo("small"), echo("own"))
    assert names["test"] == names["smart"]
    assert names["large"] == (echo("large"), echo("larger"))


def test_what_an_alias_says_arrives(settings: config.Settings) -> None:
    smart = planned_aliases(settings)["smart"]
    assert (smart.strategy, smart.hedge, smart.shadow) == ("rules", Hedge(1.0), Shadow(echo("large"), 5.0, 8))
    assert (smart.fallbacks.of("context"), smart.fallbacks.of("policy")) == (("large",), ("small",))
    assert smart.members[0].facts == Facts(capabilities=(pb.CAPABILITY_CHAT,), context_window_tokens=100)
    assert smart.members[0].tags == {"eu"}


def test_every_target_that_is_named_anywhere_is_known(settings: config.Settings) -> None:
    named = named_targets(settings)
    assert named == [echo(name) for name in ("small", "large", "larger", "own", "echo", "last")]


def test_limits_are_those_of_the_targets_wherever_they_are_asked(settings: config.Settings) -> None:
    limits = provider_limits(settings)
    assert limits["echo"].models == {"large": TargetLimits(max_in_flight=3, tokens_per_minute=1000)}
    assert limits["other"].models == {}


def test_resilience_arrives(settings: config.Settings) -> None:
    retries, breaker = retry_settings(settings), breaker_settings(settings)
    assert (retries.max_attempts, retries.base_s, retries.cap_s, retries.budget_percent, retries.budget_floor) == (3, 1.0, 2.0, 10.0, 9)
    assert (breaker.probe_interval_s, breaker.max_probe_interval_s, breaker.minimum_calls, breaker.error_rate) == (3.0, 4.0, 7, 0.5)
    assert (breaker.consecutive_failures, breaker.window_s) == (5, 30.0)


async def test_the_book_recalls_what_it_learnt_whatever_callers_ask_for() -> None:
    clock = ManualClock()
    book = Book(accounts(config.load(None, {"HOME": "/home/x"})), Published({}), clock)
    assert book.recalled(echo("large")).price is None
    await book.learn([echo("large")])
    clock.advance(1e6)
    assert book.recalled(echo("large")).price is not None
