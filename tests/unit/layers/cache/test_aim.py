"""For which targets a question is, by the operator's word: whose answers are kept, and when earlier ones no longer count."""

from collections.abc import Sequence

import pytest

from promptwire import v1 as pb
from promptwire_server.core.call import Call, Principal, Target
from promptwire_server.layers.alias import Alias, Arm, Member, Rule, Strategy
from promptwire_server.layers.cache.aim import Aim, Aims
from tests.unit.layers.conftest import MakeCall

A, B, C = Target("acme", "a"), Target("beta", "b"), Target("gamma", "c")


def members(*targets: Target) -> tuple[Member, ...]:
    return tuple(Member(target) for target in targets)


def spread_over(targets: Sequence[Target], strategy: Strategy) -> Alias:
    return Alias(members(*targets), strategy)


def aim(call: Call, told: str = "", **aliases: Alias) -> Aim:
    return Aims(aliases, "fast", lambda target: f"{told}{target.provider}").of(call)


def test_of_targets_by_priority_only_the_first_is_meant(make_call: MakeCall) -> None:
    assert aim(make_call(), fast=Alias(members(A, B))).targets == {A}


@pytest.mark.parametrize("strategy", ["round_robin", "weighted", "least_in_flight", "latency", "cheapest", "affinity"])
def test_targets_over_which_calls_are_spread_are_alike(make_call: MakeCall, strategy: Strategy) -> None:
    assert aim(make_call(), fast=spread_over([A, B], strategy)).targets == {A, B}


def test_a_target_named_by_itself_is_meant_alone(make_call: MakeCall) -> None:
    assert aim(make_call(model="acme/x/y")).targets == {Target("acme", "x/y")}


def test_an_alias_that_leads_elsewhere_is_another_aim_and_one_that_is_written_anew_is_not(make_call: MakeCall) -> None:
    call = make_call()
    before = aim(call, fast=spread_over([A, B], "latency"))
    assert aim(call, fast=spread_over([B, A], "weighted")).scope == before.scope
    assert aim(call, fast=spread_over([A, C], "latency")).scope != before.scope
    assert aim(call, fast=spread_over([A], "latency")).scope != before.scope
    assert aim(call, "elsewhere ", fast=spread_over([A, B], "latency")).scope != before.scope


def test_a_second_target_by_priority_may_change(make_call: MakeCall) -> None:
    call = make_call()
    assert aim(call, fast=Alias(members(A, B))) == aim(call, fast=Alias(members(A, C)))


def test_each_side_of_a_split_is_an_aim_of_its_own(make_call: MakeCall) -> None:
    split = Alias(strategy="split", arms=(Arm("old", "acme/a", 50), Arm("new", "other", 50)))
    aims = Aims({"fast": split, "other": Alias(members(B))}, "fast", str)
    found = {aims.of(make_call(principal=Principal("shop", f"caller {number}"))).targets for number in range(40)}
    assert found == {frozenset([A]), frozenset([B])}


@pytest.mark.parametrize(
    ("priority", "target"), [(pb.PRIORITY_HIGH, B), (pb.PRIORITY_LOW, C), (pb.PRIORITY_NORMAL, A)], ids=["to", "tag", "no rule"]
)
def test_rules_lead_to_aims_of_their_own(make_call: MakeCall, priority: pb.Priority, target: Target) -> None:
    rules = (Rule(lambda values: values["priority"] == "high", to="beta/b"), Rule(lambda values: values["priority"] == "low", tag="slow"))
    alias = Alias((Member(A), Member(C, tags=frozenset(["slow"]))), "rules", rules)
    aims = Aims({"fast": alias}, "fast", str)
    call = make_call(request=pb.ChatRequest(model="fast", priority=priority))
    assert aims.of(call).targets == {target}
    assert aims.of(call) is aims.of(call)


def test_a_rule_that_no_target_fits_means_nobody(make_call: MakeCall) -> None:
    assert aim(make_call(), fast=Alias(members(A), "rules", (Rule(tag="slow"),))).targets == frozenset()


def test_names_that_callers_make_up_take_no_room_for_ever(make_call: MakeCall) -> None:
    aims = Aims({}, "fast", str)
    first = aims.of(make_call(model="acme/0"))
    for number in range(1000):
        aims.of(make_call(model=f"acme/{number}"))
    assert aims.of(make_call(model="acme/0")) == first
    assert aims.of(make_call(model="nobody")).targets == {Target("nobody", "")}
