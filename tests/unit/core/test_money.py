"""Money is exact."""

from fractions import Fraction

import pytest
from google.protobuf import json_format
from hypothesis import given
from hypothesis import strategies as st

from promptwire import v1 as pb
from promptwire_server.core.money import NANO_PER_USD, add_cost, add_usage, dollars, price_of

amounts = st.integers(0, 10**15)


@given(tokens=amounts, price=amounts)
def test_a_price_is_rounded_up_by_less_than_a_nano_dollar(tokens: int, price: int) -> None:
    assert 0 <= price_of(tokens, price) - Fraction(tokens * price, 1000) < 1


@pytest.mark.parametrize(("tokens", "price", "cost"), [(0, 5, 0), (1, 1, 1), (1000, 7, 7), (1001, 7, 8), (999, 1000, 999)])
def test_prices_by_example(tokens: int, price: int, cost: int) -> None:
    assert price_of(tokens, price) == cost


@pytest.mark.parametrize(
    ("nano_usd", "shown"),
    [(0, "$0"), (1, "$0.000000001"), (1500, "$0.0000015"), (NANO_PER_USD, "$1"), (12_340_000_000, "$12.34"), (-500_000_000, "-$0.5")],
)
def test_dollars_by_example(nano_usd: int, shown: str) -> None:
    assert dollars(nano_usd) == shown


@given(st.integers(-(10**18), 10**18))
def test_dollars_are_exact(nano_usd: int) -> None:
    assert Fraction(dollars(nano_usd).replace("$", "")) * NANO_PER_USD == nano_usd


def test_an_unknown_cost_stays_unknown() -> None:
    total = pb.Cost()
    add_cost(total, pb.Cost())
    assert not total.HasField("total_nano_usd")
    add_cost(total, pb.Cost(total_nano_usd=0))
    assert total.HasField("total_nano_usd")


@given(st.lists(amounts, min_size=1, max_size=5))
def test_costs_add_up(parts: list[int]) -> None:
    total = pb.Cost()
    for part in parts:
        add_cost(total, pb.Cost(total_nano_usd=part, input_nano_usd=part, estimated=part == 7))
    assert (total.total_nano_usd, total.input_nano_usd, total.estimated) == (sum(parts), sum(parts), 7 in parts)


def test_every_amount_of_a_cost_is_added() -> None:
    ones = json_format.ParseDict({field.name: 1 for field in pb.Cost.DESCRIPTOR.fields if field.name.endswith("_nano_usd")}, pb.Cost())
    total = pb.Cost()
    for _ in range(2):
        add_cost(total, ones)
    assert {value for field, value in total.ListFields()} == {2}
    assert len(total.ListFields()) == len(ones.ListFields())


def test_every_count_of_a_usage_is_added() -> None:
    counts = {field.name: 1 for field in pb.Usage.DESCRIPTOR.fields if field.name.endswith("_tokens")}
    ones = json_format.ParseDict({**counts, "provider_units": {"search": 1}}, pb.Usage())
    total = pb.Usage()
    for _ in range(2):
        add_usage(total, ones)
    assert {value for field, value in total.ListFields() if field.name != "provider_units"} == {2}
    assert dict(total.provider_units) == {"search": 2}
    assert len(total.ListFields()) == len(ones.ListFields())


def test_one_estimate_makes_the_sum_one() -> None:
    total = pb.Usage()
    add_usage(total, pb.Usage(estimated=True))
    add_usage(total, pb.Usage())
    assert total.estimated
