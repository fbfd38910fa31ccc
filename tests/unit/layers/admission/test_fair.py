"""Who is next among the tenants of one priority."""

from collections import Counter

import pytest

from promptwire_server.layers.admission.fair import Fair


def served(fair: Fair[str], count: int, costs: dict[str, float] | None = None) -> "Counter[str]":
    """Who was served how often; items are named after their tenant: "a1" is of "a"."""
    return Counter(fair.pop((costs or {}).get(at, 1.0))[0][0] for at in [""] * count)


def waiting(weights: dict[str, float], **calls: int) -> Fair[str]:
    fair: Fair[str] = Fair(weights)
    for tenant, count in calls.items():
        for number in range(count):
            fair.push(tenant, f"{tenant}{number}")
    return fair


def test_a_tenants_calls_are_served_in_order() -> None:
    fair = waiting({}, a=3)
    assert [fair.pop(1.0)[0] for _ in range(3)] == ["a0", "a1", "a2"]


def test_tenants_take_turns_however_many_calls_they_have() -> None:
    assert served(waiting({}, a=1000, b=10), 20) == {"a": 10, "b": 10}


def test_shares_go_by_weight() -> None:
    assert served(waiting({"a": 3.0}, a=1000, b=1000), 400) == {"a": 300, "b": 100}


def test_a_small_weight_does_not_starve() -> None:
    assert served(waiting({"a": 100.0}, a=1000, b=5), 303)["b"] == 3


def test_a_tenant_whose_calls_take_longer_gets_fewer() -> None:
    fair = waiting({}, a=1000, b=1000)
    counted: Counter[str] = Counter()
    for _ in range(110):
        item, share = fair.pop(1.0)
        counted[item[0]] += 1
        if item[0] == "a":
            share.charge(9.0)  # it took 10 s in place of 1
    assert counted["b"] > 8 * counted["a"]


def test_who_was_away_has_not_saved_up() -> None:
    fair = waiting({}, a=1000)
    served(fair, 500)
    for number in range(500):
        fair.push("b", f"b{number}")
    assert served(fair, 100) == {"a": 50, "b": 50}


def test_what_is_removed_is_not_served() -> None:
    fair = waiting({}, a=2, b=1)
    fair.remove("a", "a0")
    assert fair.calls == 2
    assert {fair.pop(1.0)[0] for _ in range(2)} == {"a1", "b0"}
    with pytest.raises(IndexError):
        fair.pop(1.0)


def test_what_is_not_in_cannot_be_removed() -> None:
    fair = waiting({}, a=1)
    with pytest.raises(KeyError):
        fair.remove("a", "a7")


def test_a_tenant_that_comes_and_goes_leaves_nothing_behind() -> None:
    fair = waiting({}, a=1)
    for number in range(10_000):
        fair.push("b", f"b{number}")
        fair.remove("b", f"b{number}")
    assert len(fair._heap) < 100
    assert fair.pop(1.0)[0] == "a0"


def test_tenants_without_number_are_forgotten() -> None:
    fair = waiting({}, a=1)
    for number in range(5000):
        fair.push(f"t{number}", "x")
        fair.remove(f"t{number}", "x")
    assert len(fair._tenants) <= 1025


def test_how_many_are_ahead_counts_only_what_the_share_of_others_allows() -> None:
    fair = waiting({}, a=100)
    assert fair.ahead("b") == 1  # one of a's may go first, then it is b's turn
    assert fair.ahead("a") == 100
    assert waiting({"a": 4.0}, a=100).ahead("b") == 4


@pytest.mark.parametrize("tenant", ["a", "b", "c"])
def test_how_many_are_ahead_is_about_what_comes_true(tenant: str) -> None:
    fair = waiting({"a": 2.0}, a=30, b=10)
    ahead = fair.ahead(tenant)
    fair.push(tenant, "me")
    order = [fair.pop(1.0)[0] for _ in range(41)]
    assert abs(order.index("me") - ahead) <= 3


def test_the_newest_of_the_largest_tenant_gives_way() -> None:
    fair = waiting({}, a=10, b=2)
    assert fair.yielding("b") == "a9"
    assert fair.yielding("new") == "a9"
    assert fair.yielding("a") is None


def test_nobody_gives_way_to_who_would_then_have_most() -> None:
    fair = waiting({}, a=3, b=3)
    assert fair.yielding("a") is None
    assert fair.yielding("c") == "a2"
    assert waiting({"a": 3.0}, a=3, b=2).yielding("a") == "b1"
    assert waiting({}).yielding("a") is None
