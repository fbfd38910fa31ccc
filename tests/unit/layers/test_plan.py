"""From a name to choices, by rules, splits and aliases; and to the fallbacks of each kind of failure."""

from collections import Counter
from collections.abc import Mapping
from dataclasses import replace
from typing import Any

import pytest

from promptwire import v1 as pb
from promptwire_server.core.call import Target
from promptwire_server.core.errors import (
    CapabilityMissing,
    ContextTooLong,
    CredentialInvalid,
    InternalError,
    NoHealthyUpstream,
    NotFound,
    PromptwireError,
    UpstreamFailed,
    UpstreamPolicy,
    UpstreamRateLimited,
)
from promptwire_server.core.facts import Facts
from promptwire_server.layers.alias import Alias, Arm, Fallbacks, Hedge, Member, Rule, Shadow
from promptwire_server.layers.plan import Plan, Planner, kind_of
from tests.unit.layers.outlooks import A, B, C, Doing, members, planner, question, targets

A2, D = Target("a", "other"), Target("c", "other")
BROKEN = UpstreamFailed("broken")


class BudgetSpent(PromptwireError):
    reason = pb.ERROR_REASON_BUDGET_EXHAUSTED


def plan(of: Planner, model: str = "x", **request: Any) -> Plan:
    return of.plan(question(model=model, **request).call)


def words(made: Plan) -> list[str]:
    return [f"{choice.target}: {choice.because}" for choice in made.choices]


def test_an_alias_is_its_targets_in_the_order_of_its_strategy() -> None:
    assert words(plan(planner({"x": Alias(members(A, B))}))) == ["a/m: first by priority", "b/m: next by priority"]


def test_a_model_may_be_asked_for_by_its_own_name() -> None:
    assert words(plan(planner({}), "a/any/thing")) == ["a/any/thing: asked for by name"]


def test_without_a_name_the_default_model_is_asked() -> None:
    of = planner({"x": Alias(members(B))}, default="x")
    assert targets(plan(of, "").choices) == [B]
    assert targets(plan(planner({}, default="a/m"), "").choices) == [A]


@pytest.mark.parametrize(("model", "hint"), [("y", 'did you mean "yy"'), ("nobody/x", 'no provider is called "nobody"')])
def test_an_unknown_name_is_not_found(model: str, hint: str) -> None:
    with pytest.raises(NotFound, match=hint) as caught:
        plan(planner({"yy": Alias(members(A))}), model)
    assert caught.value.violations[0].field == "model"


def test_no_name_and_no_default_is_not_found() -> None:
    with pytest.raises(NotFound):
        plan(planner({}), "")


def long(values: Mapping[str, object]) -> bool:
    tokens = values["prompt_tokens"]
    return isinstance(tokens, int) and tokens > 100


def test_the_first_rule_that_holds_says_where_to() -> None:
    rules = (Rule(long, "strong"), Rule(None, "b/m"))
    of = planner({"x": Alias(rules=rules, strategy="rules"), "strong": Alias(members(A, C))})
    assert words(plan(of, prompt="hi")) == ["b/m: rule 2 of x"]
    assert words(plan(of, prompt="hi " * 200)) == ["a/m: rule 1 of x, first by priority", "c/m: rule 1 of x, next by priority"]


def test_rules_choose_among_the_aliases_own_targets_by_tag_and_price_class() -> None:
    own = (Member(A, tags=frozenset({"eu"}), price_class="low"), Member(B, tags=frozenset({"eu"})), Member(C, price_class="low"))
    by = {"tag": Rule(tag="eu"), "class": Rule(price_class="low"), "both": Rule(tag="eu", price_class="low"), "own": Rule()}
    of = planner({name: Alias(own, "rules", (rule,)) for name, rule in by.items()})
    assert {name: targets(plan(of, name).choices) for name in by} == {"tag": [A, B], "class": [A, C], "both": [A], "own": [A, B, C]}


def test_when_no_rule_holds_the_aliases_own_targets_are_asked() -> None:
    of = planner({"x": Alias(members(A), "rules", (Rule(lambda _: False, "b/m"),))})
    assert words(plan(of)) == ["a/m: no rule of x, first by priority"]


def test_a_split_is_reported_with_its_reason() -> None:
    of = planner({"x": Alias(strategy="split", arms=(Arm("control", "y", 100), Arm("trial", "b/m", 0))), "y": Alias(members(A))})
    made = plan(of)
    assert (made.variant, words(made)) == ("control", ["a/m: side control of x, first by priority"])
    assert plan(of, "y").variant == ""


def test_a_way_through_rules_and_splits_tells_every_turn_and_the_outer_variant() -> None:
    inner = Alias(strategy="split", arms=(Arm("in", "a/m", 100),))
    outer = Alias(strategy="split", arms=(Arm("out", "inner", 100),))
    of = planner({"x": Alias(rules=(Rule(to="outer"),), strategy="rules"), "outer": outer, "inner": inner})
    made = plan(of)
    assert (made.variant, words(made)) == ("out", ["a/m: rule 1 of x, side out of outer, side in of inner"])


def test_the_callers_fallbacks_come_right_behind_and_nobody_comes_twice() -> None:
    of = planner({"x": Alias(members(A, B)), "y": Alias(members(B, C))})
    made = plan(of, fallback_models=["y", "a/m", "c/other"])
    assert targets(made.choices) == [A, B, C, D]
    assert made.choices[2].because == "fallback named by the caller"


def test_an_unknown_fallback_of_the_callers_is_named_by_its_place() -> None:
    with pytest.raises(NotFound) as caught:
        plan(planner({"x": Alias(members(A))}), fallback_models=["a/m", "nothing"])
    assert caught.value.violations[0].field == "fallback_models[1]"


def test_a_fallback_of_the_callers_that_cannot_answer_is_passed_over() -> None:
    of = planner({"x": Alias(members(A))}, Doing(off={B}))
    assert targets(plan(of, fallback_models=["b/m", "c/m"]).choices) == [A, C]


def test_the_callers_fallbacks_stand_in_when_the_model_cannot_be_asked() -> None:
    of = planner({"x": Alias(members(A))}, Doing(off={A}))
    assert targets(plan(of, fallback_models=["b/m"]).choices) == [B]


BY_KIND = Fallbacks(
    {"rate_limit": ("limits",), "context": ("contexts",), "policy": ("policies",), "budget": ("budgets",)}, default=("others", "c/other")
)
MANY = {
    "x": Alias(members(A), fallbacks=BY_KIND),
    **{name: Alias((Member(Target("b", name)),)) for name in ("limits", "contexts", "policies", "budgets", "others")},
}


@pytest.mark.parametrize(
    ("error", "found"),
    [
        (UpstreamRateLimited("slow"), ["b/limits: fallback on rate limit"]),
        (ContextTooLong("long"), ["b/contexts: fallback on context too long"]),
        (UpstreamPolicy("no"), ["b/policies: fallback on content policy"]),
        (BudgetSpent("spent"), ["b/budgets: fallback on budget"]),
        (BROKEN, ["b/others: fallback on failure", "c/other: fallback on failure"]),
        (NoHealthyUpstream("open"), ["b/others: fallback on failure", "c/other: fallback on failure"]),
    ],
)
def test_each_kind_of_failure_has_fallbacks_of_its_own(error: PromptwireError, found: list[str]) -> None:
    made = plan(planner(MANY))
    assert [f"{choice.target}: {choice.because}" for choice in made.after(error)] == found
    assert made.after(error) == []


@pytest.mark.parametrize("error", [CredentialInvalid("no"), InternalError("bug")])
def test_nobody_is_asked_when_another_could_not_help(error: PromptwireError) -> None:
    assert list(plan(planner(MANY)).after(error)) == []


def test_a_kind_with_an_empty_list_has_no_fallbacks() -> None:
    of = planner({"x": Alias(members(A), fallbacks=Fallbacks({"policy": ()}, ("b/m",)))})
    assert list(plan(of).after(UpstreamPolicy("no"))) == []


def test_another_kind_of_failure_may_follow_and_has_its_own_fallbacks() -> None:
    made = plan(planner(MANY))
    assert targets(made.after(UpstreamRateLimited("slow"))) == [Target("b", "limits")]
    assert targets(made.after(BROKEN)) == [Target("b", "others"), D]


def test_fallbacks_have_fallbacks_and_circles_end() -> None:
    of = planner(
        {
            "x": Alias(members(A), fallbacks=Fallbacks(default=("y",))),
            "y": Alias(members(B), fallbacks=Fallbacks(default=("z", "x"))),
            "z": Alias(members(C), fallbacks=Fallbacks(default=("x", "y", "z"))),
        }
    )
    made = plan(of)
    assert [targets(made.after(BROKEN)) for _ in range(3)] == [[B], [C], []]


def test_a_fallback_that_cannot_answer_lends_its_own_fallbacks() -> None:
    aliases = {"x": Alias(members(A), fallbacks=Fallbacks(default=("y",))), "y": Alias(members(B), fallbacks=Fallbacks(default=("c/m",)))}
    assert targets(plan(planner(aliases, Doing(off={B}))).after(BROKEN)) == [C]


def test_fallbacks_of_the_alias_that_a_rule_led_to_come_before_those_of_the_rules() -> None:
    aliases = {
        "x": Alias(rules=(Rule(to="y"),), strategy="rules", fallbacks=Fallbacks(default=("c/m",))),
        "y": Alias(members(A), fallbacks=Fallbacks(default=("b/m",))),
    }
    assert targets(plan(planner(aliases)).after(BROKEN)) == [B, C]


def test_no_fallback_gives_a_target_that_was_given_already() -> None:
    of = planner({"x": Alias(members(A, B), fallbacks=Fallbacks(default=("y",))), "y": Alias(members(B, A, C))})
    assert targets(plan(of).after(BROKEN)) == [C]


def test_what_comes_beyond_is_known_beforehand_and_takes_no_turn() -> None:
    aliases = {"x": Alias(members(A), fallbacks=Fallbacks(default=("y",))), "y": Alias(members(A, B, C), "round_robin")}
    made = plan(planner(aliases))
    assert (made.beyond, made.beyond) == (B, B)
    assert targets(made.after(BROKEN)) == [B, C]
    assert plan(planner({"x": Alias(members(A))})).beyond is None


def test_beyond_is_nobody_who_fails_at_the_moment() -> None:
    aliases = {"x": Alias(members(A), fallbacks=Fallbacks(default=("y", "c/m"))), "y": Alias(members(B))}
    assert plan(planner(aliases, Doing(failing={B}))).beyond == C


TOOLS = pb.GenerationSettings(tools=[pb.Tool()])
CHAT_ONLY = Facts(capabilities=(pb.CAPABILITY_CHAT,), context_window_tokens=100)


def test_a_question_that_no_target_can_answer_is_refused_by_its_field() -> None:
    of = planner({"x": Alias(members(A, B))}, known={A: CHAT_ONLY, B: CHAT_ONLY})
    with pytest.raises(CapabilityMissing) as caught:
        plan(of, generation=TOOLS)
    assert caught.value.violations[0].field == "generation.tools"
    with pytest.raises(ContextTooLong):
        plan(of, prompt="long " * 500)


def test_a_question_that_no_target_can_answer_goes_to_fallbacks() -> None:
    fallbacks = Fallbacks({"context": ("c/m",)}, default=("b/m",))
    of = planner({"x": Alias(members(A), fallbacks=fallbacks)}, known={A: CHAT_ONLY})
    assert words(plan(of, prompt="long " * 500)) == ["c/m: fallback on context too long"]
    assert words(plan(of, generation=TOOLS)) == ["b/m: fallback on failure"]


def test_a_model_asked_for_by_name_is_judged_too() -> None:
    of = planner({}, Doing(off={B}), known={A: CHAT_ONLY})
    with pytest.raises(CapabilityMissing):
        plan(of, "a/m", generation=TOOLS)
    with pytest.raises(NoHealthyUpstream, match="b/m is switched off"):
        plan(of, "b/m")


def test_hedge_and_shadow_are_those_of_the_alias_nearest_to_the_targets() -> None:
    inner, outer = Hedge(0.8), Hedge(None)
    shadow = Shadow(C, 5.0, 2)
    aliases = {
        "x": Alias(rules=(Rule(to="y"),), strategy="rules", hedge=outer, shadow=shadow),
        "y": Alias(members(A), hedge=inner),
        "z": Alias(members(A)),
    }
    made = plan(planner(aliases))
    assert (made.hedge, made.shadow) == (inner, shadow)
    without = plan(planner({**aliases, "y": replace(aliases["y"], hedge=None)}))
    assert without.hedge == outer
    assert plan(planner(aliases), "z").hedge is None
    assert plan(planner(aliases), "a/m").shadow is None


def test_every_reason_of_an_error_has_a_kind() -> None:
    kinds = Counter(kind_of(type("Told", (PromptwireError,), {"reason": number})("x")) for number in pb.ErrorReason.values())
    assert kinds == {"rate_limit": 1, "context": 1, "policy": 1, "budget": 2, "failure": len(pb.ErrorReason.values()) - 5}


def test_a_planner_keeps_nothing_of_the_names_that_callers_make_up() -> None:
    of = planner({"x": Alias(members(A), "affinity")})
    for number in range(100):
        plan(of, f"a/made-up-{number}", session_id=f"s{number}", fallback_models=[f"b/{number}"])
    assert len(of._named) == 1
    for number in range(1000):
        plan(of, f"a/made-up-{number}")
    assert len(of._start.ends) <= 256


def test_ways_that_were_taken_before_tell_the_same_again() -> None:
    aliases = {
        "x": Alias(rules=(Rule(long, "y"), Rule(lambda values: bool(values["tools"]), "c/m")), strategy="rules", members=members(C)),
        "y": Alias(strategy="split", arms=(Arm("all", "z", 100),), fallbacks=Fallbacks(default=("c/m",))),
        "z": Alias(members(A, B), "round_robin", hedge=Hedge(1.0)),
    }
    of = planner(aliases)
    asked: list[dict[str, Any]] = [{"prompt": "hi " * 200}, {"prompt": "hi", "generation": TOOLS}, {"prompt": "hi"}]
    told = [[(words(made), made.variant, made.hedge, made.beyond) for made in (plan(of, **one) for one in asked)] for _ in range(3)]
    turns = "rule 1 of x, side all of y"
    assert (
        told[0]
        == told[2]
        == [
            ([f"a/m: {turns}, its turn", f"b/m: {turns}, next in turn"], "all", Hedge(1.0), C),
            (["c/m: rule 2 of x"], "", None, None),
            (["c/m: no rule of x, first by priority"], "", None, None),
        ]
    )
    assert told[1][0][0] == [f"b/m: {turns}, its turn", f"a/m: {turns}, next in turn"]
