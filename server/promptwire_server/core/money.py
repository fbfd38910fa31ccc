"""Money is integers: nano-USD. One USD is 1,000,000,000."""

from promptwire.v1 import Cost, Usage

NANO_PER_USD = 1_000_000_000

_USAGE_COUNTS = frozenset(
    (
        "input_tokens",
        "output_tokens",
        "cached_input_tokens",
        "cache_write_5m_tokens",
        "cache_write_1h_tokens",
        "reasoning_tokens",
        "input_audio_tokens",
        "output_audio_tokens",
        "input_image_tokens",
        "output_image_tokens",
    )
)
_COST_AMOUNTS = frozenset(
    (
        "total_nano_usd",
        "input_nano_usd",
        "cached_input_nano_usd",
        "cache_write_nano_usd",
        "output_nano_usd",
        "other_nano_usd",
        "saved_nano_usd",
    )
)


def price_of(tokens: int, nano_usd_per_1k_tokens: int) -> int:
    """Cost of tokens in nano-USD, rounded up: a fraction of a nano-dollar is never given away."""
    return -(-tokens * nano_usd_per_1k_tokens // 1000)


def add_usage(total: Usage, more: Usage) -> None:
    """Add `more` to `total`, which must be the caller's own."""
    for field, value in more.ListFields():  # of all counts, two or three are set
        name = field.name
        if name in _USAGE_COUNTS:
            setattr(total, name, getattr(total, name) + value)
        elif name == "estimated":
            total.estimated = True
    for unit, count in more.provider_units.items():
        total.provider_units[unit] += count


def add_cost(total: Cost, more: Cost) -> None:
    """Add `more` to `total`, which must be the caller's own. An amount that is unknown in either stays as far as it is known."""
    for field, value in more.ListFields():
        name = field.name
        if name in _COST_AMOUNTS:
            setattr(total, name, getattr(total, name) + value)
        elif name == "estimated":
            total.estimated = True
        elif name == "price_source":
            total.price_source = value


def dollars(nano_usd: int) -> str:
    """An amount for people, exact: 1500 -> "$0.0000015"."""
    whole, fraction = divmod(abs(nano_usd), NANO_PER_USD)
    digits = f"{fraction:09d}".rstrip("0")
    return f"{'-' if nano_usd < 0 else ''}${whole}" + (f".{digits}" if digits else "")
