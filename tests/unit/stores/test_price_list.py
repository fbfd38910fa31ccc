"""The published prices: the whole list can be read, and costs what its own package says it does."""

from collections.abc import Iterator
from datetime import UTC, datetime
from decimal import Decimal

import pytest
from genai_prices import Usage
from genai_prices.data import providers
from genai_prices.types import ModelInfo, Provider

from promptwire import v1 as pb
from promptwire_server.core.clock import ManualClock
from promptwire_server.core.facts import UNKNOWN
from promptwire_server.core.price import PUBLISHED, add_price
from promptwire_server.stores import price_list
from promptwire_server.stores.prices import Prices

NOW = datetime(2026, 11, 1, 12, tzinfo=UTC)
OPENAI = "https://api.openai.com/v1"


def of_chat() -> Iterator[tuple[Provider, ModelInfo]]:
    """Models that are paid by the token, and by nothing else that this test would use."""
    for provider in providers:
        for model in provider.models:
            listed = model.get_prices(NOW)
            if listed.input_mtok is not None and listed.output_mtok is not None and listed.requests_kcount is None:
                yield provider, model


@pytest.mark.parametrize("tokens", [1000, 250_000])
def test_every_model_costs_what_the_package_itself_says(tokens: int) -> None:
    usage = pb.Usage(input_tokens=tokens, output_tokens=700, cached_input_tokens=tokens // 4)
    theirs = Usage(input_tokens=tokens, output_tokens=700, cache_read_tokens=tokens // 4)
    compared = 0
    for provider, model in of_chat():
        price = price_list._price(model, NOW)
        assert price is not None
        ours = pb.Cost()
        assert add_price(ours, usage, price)
        said = model.calc_price(theirs, provider, genai_request_timestamp=NOW).total_price * 10**9
        # Each of three kinds is rounded up, and a rate with noise behind it too: by one nano-dollar for a thousand tokens.
        assert Decimal(-1) < ours.total_nano_usd - said <= 3 + tokens // 1000, (provider.id, model.id)
        compared += 1
    assert compared > 1000


async def test_a_model_is_found_by_the_address_of_its_vendor() -> None:
    mini, nobody = await Prices(ManualClock()).find(OPENAI, ["gpt-4o-mini-2024-07-18", "no-such-model"])
    assert mini.price is not None
    assert mini.price.source == PUBLISHED
    assert mini.price.rates.input == 150_000
    assert mini.context_window_tokens == 128_000
    assert nobody == UNKNOWN


async def test_who_is_at_no_published_address_has_no_price() -> None:
    assert await Prices(ManualClock()).find("http://127.0.0.1:8000/v1", ["gpt-4o-mini"]) == [UNKNOWN]


def test_a_price_is_that_of_its_day() -> None:
    march = [datetime(2026, 3, day, tzinfo=UTC).timestamp() for day in (15, 17)]
    before, after = (price_list.published("https://api.mistral.ai/v1", ["mistral-small-latest"], at_s)[0].price for at_s in march)
    assert before is not None
    assert after is not None
    assert (before.rates.output, after.rates.output) == (300_000, 600_000)


def test_the_noise_of_a_binary_fraction_is_no_price() -> None:
    assert price_list._whole(Decimal("1.0399999999999998") * 1_000_000) == 1_040_000
    assert price_list._whole(Decimal("0.0833333333333333") * 1_000_000) == 83_334
