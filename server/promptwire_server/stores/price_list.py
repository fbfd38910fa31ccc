"""Price list: what the package genai-prices says of vendors and models. Pure, and offline.

Importing it takes a fifth of a second and 16 MB: `prices` does so when the first price is asked for.
"""

import re
from collections.abc import Iterable, Iterator, Sequence
from datetime import UTC, datetime
from decimal import ROUND_CEILING, Decimal
from typing import Final

from genai_prices.data import providers
from genai_prices.types import ModelInfo, ModelPrice, Provider, TieredPrices

from promptwire_server.core.facts import UNKNOWN, Facts
from promptwire_server.core.price import PUBLISHED, Price, Rates

_NANO_PER_1K: Final = 1_000_000  # of a dollar for a million tokens
_NANO_PER_REQUEST: Final = 1_000_000  # of a dollar for a thousand requests
_KEYS: Final = {
    "input": "input_mtok",
    "output": "output_mtok",
    "cached_input": "cache_read_mtok",
    "cache_write": "cache_write_mtok",
    "cache_write_1h": "cache_write_1h_mtok",
    "input_audio": "input_audio_mtok",
    "output_audio": "output_audio_mtok",
    "input_image": "input_image_mtok",
    "output_image": "output_image_mtok",
    "reasoning": "output_reasoning_mtok",
}


def published(base_url: str, models: Iterable[str], now_epoch_s: float) -> list[Facts]:
    """What the list has of each model of the vendor at that address, as of now. Takes up to a millisecond a model."""
    vendor = next((provider for provider in providers if re.match(provider.api_pattern, base_url)), None)
    now = datetime.fromtimestamp(now_epoch_s, UTC)
    return [_of(vendor, model, now) for model in models]


def _of(vendor: Provider | None, model: str, now: datetime) -> Facts:
    found = None if vendor is None else vendor.find_model(model, all_providers=providers)
    return UNKNOWN if found is None else Facts(_price(found, now), found.context_window or 0)


def _price(model: ModelInfo, now: datetime) -> Price | None:
    listed = model.get_prices(now)
    starts = sorted({start for key in _KEYS.values() for start in _starts(getattr(listed, key))})
    rates = _rates(listed, -1)
    requests = listed.requests_kcount
    if rates == Rates() and requests is None:
        return None
    return Price(
        rates,
        PUBLISHED,
        tuple((start, _rates(listed, start)) for start in starts),
        None if requests is None else _whole(_at(requests, -1) * _NANO_PER_REQUEST),
    )


def _rates(listed: ModelPrice, start: int) -> Rates:
    rates = {name: value for name, key in _KEYS.items() if (value := getattr(listed, key)) is not None}
    return Rates(**{name: _whole(_at(value, start) * _NANO_PER_1K) for name, value in rates.items()})


def _starts(value: Decimal | TieredPrices | None) -> Iterator[int]:
    if isinstance(value, TieredPrices):
        yield from (tier.start for tier in value.tiers)


def _at(value: Decimal | TieredPrices, start: int) -> Decimal:
    """The price of prompts that are longer than `start` tokens."""
    if not isinstance(value, TieredPrices):
        return value
    higher: Sequence[Decimal] = [tier.price for tier in value.tiers if tier.start <= start]
    return higher[-1] if higher else value.base


def _whole(amount: Decimal) -> int:
    """In nano-USD. What the list has with a binary fraction's noise behind it is rounded up: never too cheap."""
    return int(amount.quantize(Decimal("0.000001")).to_integral_value(ROUND_CEILING))
