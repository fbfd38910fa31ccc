"""In which order the targets of an alias are tried, and which are left out."""

import random
from collections import Counter

import pytest

from promptwire import v1 as pb
from promptwire_server.core.call import Target
from promptwire_server.core.errors import CapabilityMissing, NoHealthyUpstream
from promptwire_server.core.facts import Facts
from promptwire_server.core.price import FREE, OPERATOR, Price, Rates, expected_nano_usd
from promptwire_server.layers.alias import Member, Strategy
from promptwire_server.layers.pool import Pool, View
from tests.unit.layers.outlooks import A, B, C, Doing, Read, members, priced, question, targets, view

HI = question(prompt="hi")
ALL: list[Strategy] = ["priority", "round_robin", "weighted", "least_in_flight", "latency", "cheapest", "affinity"]


def read(seen: View) -> Read:
    assert isinstance(seen.knowledge, Read)
    return seen.knowledge


def firsts(pool: Pool, count: int) -> Counter[Target]:
    return Counter(pool.choices(HI)[0].target for _ in range(count))


def test_priority_is_the_order_of_the_file() -> None:
    choices = Pool("x", members(A, B, C), "priority", view()).choices(HI)
    assert targets(choices) == [A, B, C]
    assert [choice.because for choice in choices] == ["first by priority", "next by priority", "next by priority"]


def test_round_robin_gives_each_its_turn() -> None:
    pool = Pool("x", members(A, B, C), "round_robin", view())
    assert [targets(pool.choices(HI)) for _ in range(4)] == [[A, B, C], [B, C, A], [C, A, B], [A, B, C]]


def test_weights_are_shares_of_the_first_place_and_of_the_place_after_it() -> None:
    pool = Pool("x", [Member(A, 6), Member(B, 3), Member(C, 1)], "weighted", view())
    orders = [targets(pool.choices(HI)) for _ in range(10_000)]
    first = Counter(order[0] for order in orders)
    assert first[A] == pytest.approx(6000, abs=200)
    assert first[C] == pytest.approx(1000, abs=130)
    after_a = Counter(order[1] for order in orders if order[0] == A)
    assert after_a[B] / first[A] == pytest.approx(0.75, abs=0.03)


def test_the_fewest_in_flight_for_its_weight_is_first() -> None:
    doing = Doing(busy={A: 4, B: 3, C: 9})
    assert targets(Pool("x", members(A, B, C), "least_in_flight", view(doing)).choices(HI)) == [B, A, C]
    weighted = [Member(A, 2), Member(B), Member(C, 10)]
    assert targets(Pool("x", weighted, "least_in_flight", view(doing)).choices(HI)) == [C, A, B]


def test_equally_busy_targets_take_turns() -> None:
    assert firsts(Pool("x", members(A, B, C), "least_in_flight", view()), 30) == {A: 10, B: 10, C: 10}


def test_of_two_drawn_the_faster_is_first_so_the_slowest_never_is() -> None:
    doing = Doing(slow_s={A: 0.1, B: 0.2, C: 0.9})
    counted = firsts(Pool("x", members(A, B, C), "latency", view(doing)), 9000)
    # A is drawn in two of three pairs and wins both; B wins only against C.
    assert counted[A] == pytest.approx(6000, abs=200)
    assert counted[B] == pytest.approx(3000, abs=200)
    assert counted[C] == 0


def test_a_fast_target_with_many_calls_under_way_counts_as_slow() -> None:
    doing = Doing(slow_s={A: 0.1, B: 0.5}, busy={A: 9, B: 0})
    assert targets(Pool("x", members(A, B), "latency", view(doing)).choices(HI)) == [B, A]


def test_one_call_finds_out_how_fast_an_unknown_target_is() -> None:
    doing = Doing(slow_s={A: 0.1})
    pool = Pool("x", members(A, B), "latency", view(doing))
    assert pool.choices(HI)[0].target == B
    doing.busy[B] = 1
    assert pool.choices(HI)[0].target == A


def test_unknown_targets_share_a_burst() -> None:
    doing = Doing(busy={A: 3, B: 2, C: 1})
    assert firsts(Pool("x", members(A, B, C), "latency", view(doing)), 300)[A] == 0


def test_the_cheapest_for_this_prompt_is_first_and_an_unknown_price_last() -> None:
    long_is_dear = Facts(Price(Rates(1, 1), OPERATOR, tiers=((1000, Rates(100, 100)),)))
    known = {A: priced(10), C: long_is_dear}
    pool = Pool("x", members(B, A, C), "cheapest", view(known=known))
    assert targets(pool.choices(HI)) == [C, A, B]
    assert targets(pool.choices(question(prompt="word " * 2000))) == [A, C, B]


def test_the_length_of_the_answer_decides_between_cheap_prompts_and_cheap_answers() -> None:
    known = {A: priced(1, output=100), B: priced(20, output=5)}
    pool = Pool("x", members(A, B), "cheapest", view(known=known))
    prompt = "word " * 400
    assert pool.choices(question(prompt=prompt))[0].target == B
    assert pool.choices(question(prompt=prompt, generation=pb.GenerationSettings(max_output_tokens=1)))[0].target == A


@pytest.mark.parametrize("seed", range(30))
def test_the_cheapest_is_first_whether_or_not_the_prompt_has_to_be_looked_at(seed: int) -> None:
    source = random.Random(seed)
    rates = {target: Rates(source.randrange(3), source.randrange(3)) for target in (A, B, C)}
    pool = Pool("x", members(A, B, C), "cheapest", view(known={target: Facts(Price(rates[target], OPERATOR)) for target in rates}))
    for words in (1, 1000, 100_000):
        asked = question(prompt="word " * words)
        costs = [expected_nano_usd(Price(rates[target], OPERATOR), asked.prompt_tokens, 400) for target in targets(pool.choices(asked))]
        assert costs == sorted(costs, key=lambda cost: cost or 0)


def test_what_is_learnt_of_prices_and_capabilities_holds_from_the_next_choice_on() -> None:
    known = {A: priced(9), B: priced(5)}
    seen = view(known=known)
    pool = Pool("x", members(A, B), "cheapest", seen)
    assert targets(pool.choices(HI)) == [B, A]
    read(seen).learn({A: priced(1), B: Facts(capabilities=(pb.CAPABILITY_CHAT,))})
    assert targets(pool.choices(HI)) == [A, B]
    asked = question(prompt="hi", generation=pb.GenerationSettings(tools=[pb.Tool()]))
    assert targets(pool.choices(asked)) == [A]


def test_price_classes_go_before_prices_and_what_is_free_costs_nothing() -> None:
    known = {A: priced(1), B: priced(900), C: Facts(Price(Rates(), FREE))}
    classed = [Member(A, price_class="high"), Member(B, price_class="low"), Member(C)]
    assert targets(Pool("x", classed, "cheapest", view(known=known)).choices(HI)) == [B, C, A]
    assert targets(Pool("x", members(A, C), "cheapest", view(known=known)).choices(HI)) == [C, A]


@pytest.mark.parametrize("strategy", ALL)
def test_every_strategy_gives_each_target_once_and_failing_ones_last(strategy: Strategy) -> None:
    doing = Doing(failing={A}, slow_s={B: 0.2, C: 0.1})
    pool = Pool("x", members(A, B, C), strategy, view(doing))
    for session in range(50):
        ordered = targets(pool.choices(question(prompt="hi", session_id=f"s{session}")))
        assert ordered[-1] == A
        assert set(ordered) == {A, B, C}


@pytest.mark.parametrize("strategy", ALL)
def test_every_strategy_can_do_with_one_target(strategy: Strategy) -> None:
    pool = Pool("x", members(A), strategy, view())
    assert targets(pool.choices(question(prompt="hi", session_id="s"))) == [A]


def test_targets_that_all_fail_are_tried_all_the_same() -> None:
    choices = Pool("x", members(A, B), "round_robin", view(Doing(failing={A, B}))).choices(HI)
    assert targets(choices) == [A, B]
    assert "fails at the moment" in choices[0].because


def test_a_target_out_of_use_is_left_out() -> None:
    assert targets(Pool("x", members(A, B), "priority", view(Doing(off={A}))).choices(HI)) == [B]


def test_nobody_in_use_is_an_error_that_names_the_alias() -> None:
    with pytest.raises(NoHealthyUpstream, match='"x" is switched off'):
        Pool("x", members(A), "priority", view(Doing(off={A}))).choices(HI)


def test_what_lacks_a_capability_is_left_out_and_what_is_unknown_is_not() -> None:
    known = {A: Facts(capabilities=(pb.CAPABILITY_CHAT,)), B: Facts(capabilities=(pb.CAPABILITY_TOOLS,))}
    asked = question(prompt="hi", generation=pb.GenerationSettings(tools=[pb.Tool()]))
    assert targets(Pool("x", members(A, B, C), "priority", view(known=known)).choices(asked)) == [B, C]
    with pytest.raises(CapabilityMissing):
        Pool("x", members(A), "priority", view(known=known)).choices(asked)


def test_what_the_operator_says_in_this_place_goes_over_what_is_known() -> None:
    known = {A: Facts(capabilities=(pb.CAPABILITY_CHAT,), context_window_tokens=10)}
    told = Member(A, facts=Facts(capabilities=(pb.CAPABILITY_TOOLS,), context_window_tokens=100_000))
    asked = question(prompt="long " * 100, generation=pb.GenerationSettings(tools=[pb.Tool()]))
    assert targets(Pool("x", [told], "priority", view(known=known)).choices(asked)) == [A]
