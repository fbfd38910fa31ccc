"""Aliases with strategies, rules, splits and fallbacks: what is taken, and everything that can be wrong."""

import jsonschema
import pytest
import yaml

from promptwire_server import config
from promptwire_server.config.routing import Alias
from tests.unit.config.conftest import Configured

FULL = """
models:
  plain: echo/a
  listed: [echo/a, echo/b]
  told:
    strategy: weighted
    targets:
      - echo/a
      - {model: echo/c, weight: 3, tags: [eu], price_class: low, max_in_flight: 20, requests_per_minute: 500, tokens_per_minute: 100000,
         capabilities: [chat, tools], context_window: 4096}
    fallbacks: {rate_limit: plain, context: [listed, echo/d], policy: [], default: [listed]}
    hedge: {after: 800ms}
    shadow: {to: plain, percent: 5, max_in_flight: 2}
  smart:
    targets: [echo/a, {model: echo/b, tags: [eu], price_class: high}]
    rules:
      - {when: "prompt_tokens > 2000 or tools", to: told}
      - {when: "labels.region == 'eu'", tag: eu}
      - {when: "reasoning == 'high' and not images", price_class: high}
      - {to: default}
    fallbacks: [listed]
    hedge: {after: p95}
  test:
    split: [{name: control, to: smart, percent: 90}, {name: trial, to: echo/b, percent: 10}]
    sticky: session
"""


def alias(settings: config.Settings, name: str) -> Alias:
    return settings.models[name]


def test_short_forms_are_targets_in_order(load: Configured) -> None:
    settings = load(FULL)
    assert [target.model for target in alias(settings, "plain").targets] == ["echo/a"]
    assert [target.model for target in alias(settings, "listed").targets] == ["echo/a", "echo/b"]
    assert alias(settings, "listed").way == "priority"


def test_a_target_may_say_more_than_its_model(load: Configured) -> None:
    plain, told = alias(load(FULL), "told").targets
    assert (plain.weight, plain.tags, plain.max_in_flight) == (1.0, [], None)
    assert (told.model, told.weight, told.tags, told.price_class, told.capabilities) == ("echo/c", 3.0, ["eu"], "low", ["chat", "tools"])
    assert (told.max_in_flight, told.requests_per_minute, told.tokens_per_minute, told.context_window) == (20, 500, 100000, 4096)


def test_rules_and_splits_are_strategies_without_saying_so(load: Configured) -> None:
    settings = load(FULL)
    assert [alias(settings, name).way for name in ("told", "smart", "test")] == ["weighted", "rules", "split"]


def test_fallbacks_may_be_a_name_a_list_or_by_kind(load: Configured) -> None:
    told = alias(load(FULL), "told").fallbacks
    assert (told.rate_limit, told.context, told.policy, told.failure) == (["plain"], ["listed", "echo/d"], [], None)
    assert alias(load(FULL), "smart").fallbacks.default == ["listed"]


def test_a_hedge_comes_after_a_time_or_the_usual_one(load: Configured) -> None:
    settings = load(FULL)
    told, smart = alias(settings, "told").hedge, alias(settings, "smart").hedge
    assert told is not None
    assert smart is not None
    assert (told.after_s, smart.after_s) == (0.8, None)


def test_what_is_shown_is_a_configuration_of_the_same_effect(load: Configured) -> None:
    shown = config.dump(load(FULL))
    assert '      - "echo/a"  # file' in shown
    assert 'after: "p95"' in shown
    assert load(shown).models == load(FULL).models


def test_the_schema_takes_every_form() -> None:
    schema = config.json_schema()
    jsonschema.validate(yaml.safe_load(FULL), schema)
    for bad in ({"fast": {"strategy": "fastest"}}, {"fast": {"targets": [{"weight": 1}]}}, {"fast": {"split": [{"name": "a"}]}}):
        with pytest.raises(jsonschema.ValidationError):
            jsonschema.validate({"models": bad}, schema)


@pytest.mark.parametrize(
    ("models", "fault"),
    [
        ("fast: {strategy: priority}", "models.fast.targets: needs at least one entry"),
        ("fast: {targets: [echo/a], strategy: fastest}", "models.fast.strategy: must be one of 'priority', 'round_robin'"),
        ("fast: {targets: [{weight: 2}]}", "models.fast.targets[0].model: is required"),
        ("fast: {targets: [{model: echo/a, weight: 0}]}", "models.fast.targets[0].weight: must be more than 0"),
        ("fast: {targets: [{model: echo/a, weight: much}]}", "models.fast.targets[0].weight: must be a number"),
        ("fast: {targets: [{model: echo/a, wieght: 1}]}", "models.fast.targets[0].wieght: there is no such key"),
        ("fast: {targets: [{model: echo/a, price_class: dear}]}", "models.fast.targets[0].price_class: must be one of 'low', 'medium'"),
        ("fast: {targets: [echo/a, nobody/b]}", 'models.fast.targets[1]: "nobody/b": no provider is called "nobody"'),
        ("fast: [echo/a, nobody/b]", 'models.fast[1]: "nobody/b": no provider is called "nobody"'),
        ("fast: [echo/a, echo/a]", 'models.fast[0]: "echo/a" stands here twice'),
        ("{one: echo/a, fast: [one]}", 'models.fast[0]: "one" is an alias, and targets are "provider/model": let `rules`'),
        ("fast: {targets: [echo/a], rules: [{when: tools, to: bset}], fallbacks: {}}", 'rules[0].to: "bset" is neither an alias'),
        ("{best: echo/a, fast: {rules: [{to: bset}]}}", 'models.fast.rules[0].to: "bset" is neither an alias of `models` nor'),
        ("{best: echo/a, fast: {rules: [{to: bset}]}}", 'did you mean "best"?'),
        ("fast: {rules: [{to: default}]}", 'models.fast.rules[0].to: "default" is neither an alias'),
        ("fast: {rules: [{when: tools, to: echo/a}]}", "models.fast.rules[0]: is the last and may not hold"),
        ("fast: {rules: [{to: echo/a}, {to: echo/b}]}", "models.fast.rules[0]: always holds, so that no rule after it"),
        ("fast: {targets: [echo/a], rules: [{when: tools}]}", "models.fast.rules[0]: needs one of `to`, `tag` and `price_class`"),
        ("fast: {targets: [echo/a], rules: [{to: echo/b, tag: eu}]}", "models.fast.rules[0]: has to and tag; keep"),
        ("fast: {targets: [echo/a], rules: [{tag: eu}]}", 'rules[0].tag: "eu" is that of no target of this alias; there are none'),
        (
            "fast: {targets: [{model: echo/a, price_class: high}], rules: [{price_class: low}]}",
            "is that of no target of this alias; there are high",
        ),
        ("fast: {targets: [echo/a], rules: [{when: 'tools >', to: echo/b}]}", "models.fast.rules[0].when: it ends too early"),
        ("fast: {targets: [echo/a], rules: [{when: 'tools && json', to: echo/b}]}", "when: unexpected char '&' at 6: write `and`"),
        ("fast: {targets: [echo/a], rules: [{when: 'tools = 1', to: echo/b}]}", "it ends before '='; to compare, write =="),
        (
            "fast: {targets: [echo/a], rules: [{when: 'toools', to: echo/b}]}",
            "models.fast.rules[0].when: knows no `toools`; there are prompt_tokens",
        ),
        ("fast: {targets: [echo/a], rules: [{when: '__import__(1)', to: echo/b}]}", "models.fast.rules[0].when: "),
        ("fast: {targets: [echo/a], rules: [{when: true, to: echo/b}]}", "models.fast.rules[0].when: must be a text"),
        (
            "fast: {targets: [echo/a], strategy: weighted, rules: [{to: echo/b}]}",
            "models.fast.strategy: must be rules where there are `rules`",
        ),
        ("fast: {targets: [echo/a], strategy: rules}", "models.fast.rules: is required with strategy rules"),
        ("fast: {targets: [echo/a], strategy: split}", "models.fast.split: is required with strategy split"),
        ("fast: {rules: [{to: echo/a}], split: [{name: a, to: echo/a, percent: 100}]}", "models.fast.split: cannot stand beside `rules`"),
        ("fast: {split: [{name: a, to: echo/a, percent: 90}]}", "models.fast.split: makes 90 percent together; it must be 100"),
        ("fast: {split: [{name: a, to: echo/a, percent: 190}]}", "models.fast.split[0].percent: must be at most 100"),
        ("fast: {split: [{name: a, to: nowhere, percent: 100}]}", 'models.fast.split[0].to: "nowhere" is neither an alias'),
        ("fast: {split: [{name: a, to: echo/a, percent: 50}, {name: a, to: echo/b, percent: 50}]}", "models.fast.split[0].name: "),
        ("fast: {targets: [echo/a], sticky: caler}", "models.fast.sticky: must be one of 'caller', 'session' or 'end_user'"),
        ("fast: {targets: [echo/a], fallbacks: {failure: [fast]}}", 'models.fast.fallbacks.failure[0]: "fast" is this alias itself'),
        ("fast: {targets: [echo/a], fallbacks: [nowhere]}", 'models.fast.fallbacks.default[0]: "nowhere" is neither an alias'),
        ("fast: {targets: [echo/a], fallbacks: {timeout: [echo/b]}}", "models.fast.fallbacks.timeout: there is no such key"),
        ("fast: {targets: [echo/a], hedge: {after: p99}}", 'models.fast.hedge.after: must be "p95", or a duration such as "800ms"'),
        ("fast: {targets: [echo/a], hedge: {after: 0s}}", "more than 0s: at once, every call would be made twice"),
        ("fast: {targets: [echo/a], hedge: 800ms}", "models.fast.hedge: must be a section, such as {after: p95}"),
        ("fast: {targets: [echo/a], shadow: echo/b}", "models.fast.shadow: must be a section, such as {to: "),
        ("fast: {targets: [echo/a], fallbacks: 3}", "models.fast.fallbacks: must be a name, a list of names, or a section"),
        ("fast: null", 'models.fast: must be "provider/model", a list of them, or a section with'),
        ("fast: [gpt-4o]", 'models.fast[0]: "gpt-4o" must be "provider/model", such as "echo/gpt-4o"'),
        ("fast: {targets: [echo/a], shadow: {percent: 5}}", "models.fast.shadow.to: is required"),
        ("fast: {targets: [echo/a], shadow: {to: nowhere}}", 'models.fast.shadow.to: "nowhere" is neither an alias'),
        ("fast: {targets: [echo/a], shadow: {to: echo/b, percent: 0}}", "models.fast.shadow.percent: must be more than 0"),
        ("fast: {targets: [echo/a], shadow: {to: echo/a}}", 'models.fast.shadow.to: "echo/a" answers all calls of this alias already'),
        ("fast: {rules: [{to: fast}]}", "models.fast: leads back to itself"),
        (
            "{a: {rules: [{to: b}]}, b: {split: [{name: x, to: c, percent: 100}]}, c: {targets: [echo/a], rules: [{when: tools, to: a}]}}",
            "models.b: leads back to itself",
        ),
        (
            "{a: [{model: echo/a, max_in_flight: 2}], b: [echo/a, {model: echo/b}], c: [{model: echo/a, max_in_flight: 3}]}",
            "models.c[0]: gives echo/a other limits than models.a",
        ),
    ],
)
def test_each_fault_says_where_and_what(load: Configured, models: str, fault: str) -> None:
    text = f"models: {models}" if models.startswith("{") else f"models: {{{models}}}"
    faults = load.faults(text)
    assert any(fault in found for found in faults), faults


def test_fallbacks_may_lead_back_since_nobody_is_asked_twice(load: Configured) -> None:
    models = load("models: {a: {targets: [echo/a], fallbacks: [b]}, b: {targets: [echo/b], fallbacks: [a]}}").models
    assert set(models) == {"a", "b"}


def test_an_alias_called_default_is_what_default_means(load: Configured) -> None:
    assert load("models: {default: echo/a, smart: {rules: [{to: default}]}}").models["smart"].rules[0].to == "default"


def test_resilience_has_its_defaults_and_units(load: Configured) -> None:
    settings = load("resilience: {retries: {max_attempts: 2, base_delay: 50ms}, breaker: {window: 1m, error_rate: 0.2}, outliers: false}")
    resilience = settings.resilience
    assert (resilience.retries.max_attempts, resilience.retries.base_delay_s, resilience.retries.budget_percent) == (2, 0.05, 10.0)
    assert (resilience.breaker.window_s, resilience.breaker.error_rate, resilience.breaker.minimum_calls) == (60.0, 0.2, 20)
    assert (resilience.outliers, resilience.health_probes.interval_s) == (False, 0.0)
    assert load(config.dump(settings)).resilience == resilience


def chain(length: int) -> dict[str, object]:
    """Aliases that lead one to the next by a rule, the last one to a target."""
    return {f"a{at}": {"rules": [{"to": f"a{at + 1}"}]} for at in range(1, length)} | {f"a{length}": "echo/a"}


def test_aliases_lead_through_64_at_most(load: Configured) -> None:
    load(yaml.safe_dump({"models": chain(64)}))
    faults = load.faults(yaml.safe_dump({"models": chain(1200)}))
    assert [fault.partition(" (")[0] for fault in faults if "models." in fault] == [
        "models.a1136: is more than 64 aliases from its targets, by rules or splits; let it lead there straight"
    ]


def test_what_leads_into_a_circle_is_no_circle(load: Configured) -> None:
    faults = load.faults("models: {a: {rules: [{to: b}]}, b: {rules: [{to: b}]}}")
    assert [fault for fault in faults if "models.a" in fault] == []


@pytest.mark.parametrize(
    ("text", "fault"),
    [
        ("retries: {max_attempts: 0}", "resilience.retries.max_attempts: must be at least 1"),
        ("retries: {budget_percent: 1000}", "resilience.retries.budget_percent: must be at most 100"),
        ("retries: {base_delay: 10s}", "resilience.retries.max_delay: must not be less than base_delay (10s)"),
        ("breaker: {error_rate: 50}", "resilience.breaker.error_rate: must be at most 1"),
        ("breaker: {window: 0s}", "resilience.breaker.window: must be more than 0s"),
        ("breaker: {probe_after: 1m}", "resilience.breaker.probe_cap: must not be less than probe_after (1m)"),
        ("health_probes: {interval: often}", "resilience.health_probes.interval: must be a duration"),
    ],
)
def test_each_fault_of_resilience_says_where_and_what(load: Configured, text: str, fault: str) -> None:
    faults = load.faults(f"resilience: {{{text}}}")
    assert any(fault in found for found in faults), faults
