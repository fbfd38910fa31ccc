"""What an answer cost: exact, every kind of token by its own rate, unknown where it is."""

from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from promptwire import v1 as pb
from promptwire_server.core.facts import UNKNOWN, Facts
from promptwire_server.core.price import FREE, OPERATOR, PUBLISHED, Price, Rates, add_price

MINI = Rates(input=150_000, output=600_000, cached_input=75_000)  # $0.15, $0.60 and $0.075 a million


def cost(usage: pb.Usage, price: Price) -> pb.Cost | None:
    found = pb.Cost()
    return found if add_price(found, usage, price) else None


def total(price: Price, **usage: Any) -> int:
    found = cost(pb.Usage(**usage), price)
    assert found is not None
    return found.total_nano_usd


def test_an_answer_costs_its_input_and_its_output() -> None:
    found = cost(pb.Usage(input_tokens=1000, output_tokens=500), Price(MINI, PUBLISHED))
    assert found == pb.Cost(input_nano_usd=150_000, output_nano_usd=300_000, total_nano_usd=450_000, price_source="genai-prices")


def test_what_comes_from_the_cache_costs_its_own_rate() -> None:
    found = cost(pb.Usage(input_tokens=1000, cached_input_tokens=400), Price(MINI, PUBLISHED))
    assert found is not None
    assert (found.input_nano_usd, found.cached_input_nano_usd, found.total_nano_usd) == (90_000, 30_000, 120_000)


def test_writing_to_the_cache_costs_by_how_long_it_is_kept() -> None:
    price = Price(
        Rates(input=3_000_000, output=15_000_000, cached_input=300_000, cache_write=3_750_000, cache_write_1h=6_000_000), PUBLISHED
    )
    found = cost(pb.Usage(input_tokens=3000, cache_write_5m_tokens=1000, cache_write_1h_tokens=1000), price)
    assert found is not None
    assert found.cache_write_nano_usd == 9_750_000
    assert found.total_nano_usd == 12_750_000


@pytest.mark.parametrize("kind", ["cached_input_tokens", "cache_write_5m_tokens", "cache_write_1h_tokens"])
def test_without_a_rate_of_its_own_a_token_costs_what_it_is_part_of(kind: str) -> None:
    assert total(Price(Rates(input=1000, output=1000), OPERATOR), input_tokens=10, **{kind: 4}) == 10


def test_a_long_write_without_a_rate_costs_what_a_short_one_does() -> None:
    assert total(Price(Rates(input=1000, cache_write=2000), OPERATOR), input_tokens=10, cache_write_1h_tokens=10) == 20


def test_a_long_prompt_costs_the_higher_tier_whole() -> None:
    price = Price(Rates(input=1000, output=1000), PUBLISHED, tiers=((200_000, Rates(input=2000, output=3000)),))
    assert total(price, input_tokens=200_000, output_tokens=1) == 200_001
    assert total(price, input_tokens=200_001, output_tokens=1) == 400_005


def test_sound_and_images_and_thoughts_cost_their_own_rates() -> None:
    rates = Rates(input=1000, output=1000, input_audio=10_000, output_audio=20_000, input_image=3000, output_image=4000, reasoning=5000)
    usage = {"input_tokens": 10, "input_audio_tokens": 2, "input_image_tokens": 3}
    assert total(Price(rates, PUBLISHED), **usage) == 5 + 20 + 9
    usage = {"output_tokens": 10, "output_audio_tokens": 1, "output_image_tokens": 2, "reasoning_tokens": 3}
    assert total(Price(rates, PUBLISHED), **usage) == 4 + 20 + 8 + 15


@pytest.mark.parametrize(
    "usage",
    [
        pb.Usage(input_tokens=5, input_audio_tokens=1),
        pb.Usage(output_tokens=5, output_audio_tokens=1),
        pb.Usage(output_tokens=5, output_image_tokens=1),
        pb.Usage(input_tokens=5, estimated=True),
        pb.Usage(input_tokens=5, provider_units={"web_search": 1}),
    ],
)
def test_a_cost_that_may_be_wrong_says_so(usage: pb.Usage) -> None:
    found = cost(usage, Price(MINI, PUBLISHED))
    assert found is not None
    assert found.estimated


def test_a_request_may_cost_something_apart_from_tokens() -> None:
    found = cost(pb.Usage(input_tokens=1), Price(Rates(input=1000, output=1000), PUBLISHED, request_nano_usd=12_000_000))
    assert found is not None
    assert (found.other_nano_usd, found.total_nano_usd) == (12_000_000, 12_000_001)


@pytest.mark.parametrize(
    ("rates", "usage"), [(Rates(output=1), pb.Usage(input_tokens=1)), (Rates(input=1), pb.Usage(input_tokens=1, output_tokens=1))]
)
def test_without_the_price_of_what_was_used_nothing_is_said(rates: Rates, usage: pb.Usage) -> None:
    assert cost(usage, Price(rates, OPERATOR)) is None


def test_vectors_need_no_price_of_output() -> None:
    assert total(Price(Rates(input=20_000), PUBLISHED), input_tokens=3) == 60


def test_free_is_zero_and_not_unknown() -> None:
    found = cost(pb.Usage(input_tokens=10, output_tokens=10), Price(Rates(), FREE))
    assert found == pb.Cost(total_nano_usd=0, price_source="free")


counts = st.integers(0, 10**7)
rates = st.none() | st.integers(0, 10**9)


@given(
    usage=st.builds(
        pb.Usage,
        **{name: counts for name in pb.Usage.DESCRIPTOR.fields_by_name if name not in ("estimated", "provider_units")},
        estimated=st.booleans(),
    ),
    price=st.builds(Price, st.builds(Rates, *[rates] * 10), st.just(OPERATOR), request_nano_usd=rates),
)
def test_the_parts_are_the_whole_and_nothing_is_negative(usage: pb.Usage, price: Price) -> None:
    found = cost(usage, price)
    if found is None:
        return
    parts = (found.input_nano_usd, found.cached_input_nano_usd, found.cache_write_nano_usd, found.output_nano_usd, found.other_nano_usd)
    assert sum(parts) == found.total_nano_usd
    assert min(parts) >= 0


def test_the_operator_s_rates_go_on_top_in_every_tier() -> None:
    published = Price(MINI, PUBLISHED, tiers=((1000, Rates(input=300_000, output=900_000)),), request_nano_usd=7)
    merged = published.under(Price(Rates(output=1), OPERATOR))
    assert merged == Price(
        Rates(input=150_000, output=1, cached_input=75_000), OPERATOR, ((1000, Rates(input=300_000, output=1)),), request_nano_usd=7
    )


def test_the_contract_gets_the_price_of_a_short_prompt() -> None:
    message = Price(MINI, PUBLISHED, tiers=((1000, Rates(input=9)),)).message()
    assert message.input_nano_usd_per_1k_tokens == 150_000
    assert not message.HasField("cache_write_nano_usd_per_1k_tokens")


def test_what_an_upper_source_does_not_know_the_lower_one_says() -> None:
    lower = Facts(Price(MINI, PUBLISHED), 128_000, 16_000, (pb.CAPABILITY_CHAT,))
    assert lower.under(UNKNOWN) == lower
    assert UNKNOWN.under(lower) == lower
    assert lower.under(Facts(context_window_tokens=5)).context_window_tokens == 5
