"""Price: what a model's tokens cost at its vendor, and what an answer did. All amounts are integers of nano-USD."""

from dataclasses import dataclass, fields, replace
from typing import Final

from promptwire import v1 as pb
from promptwire_server.core.money import price_of

OPERATOR: Final = "operator"
PUBLISHED: Final = "genai-prices"
FREE: Final = "free"


@dataclass(frozen=True, slots=True)
class Rates:
    """Nano-USD for a thousand tokens of each kind. None: no price of its own is known, so the kind counts as the one it is part of."""

    input: int | None = None
    output: int | None = None
    cached_input: int | None = None
    cache_write: int | None = None  # for five minutes, or for the vendor's only lifetime
    cache_write_1h: int | None = None
    input_audio: int | None = None
    output_audio: int | None = None
    input_image: int | None = None
    output_image: int | None = None
    reasoning: int | None = None

    def under(self, upper: "Rates") -> "Rates":
        """These rates, and on top of them those that `upper` has."""
        told = {field.name: rate for field in fields(upper) if (rate := getattr(upper, field.name)) is not None}
        return replace(self, **told)


@dataclass(frozen=True, slots=True)
class Price:
    """What a model costs."""

    rates: Rates
    source: str  # OPERATOR, PUBLISHED or FREE
    tiers: tuple[tuple[int, Rates], ...] = ()  # rising; of a prompt longer than so many tokens, every token of the call costs these rates
    request_nano_usd: int | None = None

    def under(self, upper: "Price") -> "Price":
        """The price with what `upper` says on top: a rate that it has holds whatever the length of the prompt."""
        request = self.request_nano_usd if upper.request_nano_usd is None else upper.request_nano_usd
        tiers = tuple((start, rates.under(upper.rates)) for start, rates in self.tiers)
        return Price(self.rates.under(upper.rates), upper.source, tiers, request)

    def message(self) -> pb.Price:
        """For the contract, which has no tiers: the price of a short prompt."""
        rates = self.rates
        return pb.Price(
            input_nano_usd_per_1k_tokens=rates.input,
            output_nano_usd_per_1k_tokens=rates.output,
            cached_input_nano_usd_per_1k_tokens=rates.cached_input,
            cache_write_nano_usd_per_1k_tokens=rates.cache_write,
            request_nano_usd=self.request_nano_usd,
            source=self.source,
        )


def add_price(cost: pb.Cost, usage: pb.Usage, price: Price) -> bool:
    """Write into `cost`, which must be empty and the caller's own, what this usage costs. False, and nothing written, when that is unknown.

    Each kind of token is rounded up to a nano-dollar by itself. Calls that a vendor charges apart (`provider_units`) have no price here:
    where there are some, the cost is called estimated, and so it is where sound or images had to be counted as text.
    """
    if price.source == FREE:
        cost.total_nano_usd = 0
        cost.price_source = FREE
        return True
    sent, generated = usage.input_tokens, usage.output_tokens
    rates = price.rates if not price.tiers else _rates_at(price, sent)
    if (sent and rates.input is None) or (generated and rates.output is None):
        return False
    text_in, text_out, total = sent, generated, 0
    if usage.cached_input_tokens or usage.cache_write_5m_tokens or usage.cache_write_1h_tokens:
        text_in, total = _add_cache(cost, usage, rates)
    paid_in = paid_out = 0
    if usage.input_audio_tokens or usage.input_image_tokens:
        text_in, paid_in = _apart(text_in, _media_in(usage, rates))
    if usage.output_audio_tokens or usage.output_image_tokens or rates.reasoning is not None:
        text_out, paid_out = _apart(text_out, _media_out(usage, rates))
    cost.input_nano_usd = paid_in = paid_in + price_of(text_in, rates.input or 0)
    cost.output_nano_usd = paid_out = paid_out + price_of(text_out, rates.output or 0)
    if price.request_nano_usd:
        cost.other_nano_usd = price.request_nano_usd
        total += price.request_nano_usd
    cost.total_nano_usd = total + paid_in + paid_out
    cost.price_source = price.source
    if usage.estimated or usage.provider_units or _guessed(usage, rates):
        cost.estimated = True
    return True


def expected_nano_usd(price: Price, input_tokens: int, output_tokens: int) -> int | None:
    """What a call of text would cost, nothing of it from a cache; None: that is unknown."""
    if price.source == FREE:
        return 0
    rates = price.rates if not price.tiers else _rates_at(price, input_tokens)
    if rates.input is None or rates.output is None:
        return None
    return price_of(input_tokens, rates.input) + price_of(output_tokens, rates.output) + (price.request_nano_usd or 0)


_Kinds = tuple[tuple[int, int | None], ...]  # tokens of a kind, and its own rate


def _media_in(usage: pb.Usage, rates: Rates) -> _Kinds:
    return (usage.input_audio_tokens, rates.input_audio), (usage.input_image_tokens, rates.input_image)


def _media_out(usage: pb.Usage, rates: Rates) -> _Kinds:
    return (
        (usage.output_audio_tokens, rates.output_audio),
        (usage.output_image_tokens, rates.output_image),
        (usage.reasoning_tokens, rates.reasoning),
    )


def _apart(left: int, kinds: _Kinds) -> tuple[int, int]:
    """What is left of the tokens without those that have a rate of their own, and what these cost. Never more than there are."""
    paid = 0
    for tokens, own in kinds:
        if own is not None:
            some = min(tokens, left)
            left -= some
            paid += price_of(some, own)
    return left, paid


def _add_cache(cost: pb.Cost, usage: pb.Usage, rates: Rates) -> tuple[int, int]:
    """Write what was read from and written to the vendor's cache; the input that is left, and what the rest of it cost."""
    cached, short, long = usage.cached_input_tokens, usage.cache_write_5m_tokens, usage.cache_write_1h_tokens
    plain = rates.input or 0
    read = price_of(cached, _first(rates.cached_input, plain))
    write = _first(rates.cache_write, plain)
    written = price_of(short, write) + price_of(long, _first(rates.cache_write_1h, write))
    if cached:
        cost.cached_input_nano_usd = read
    if short or long:
        cost.cache_write_nano_usd = written
    return max(0, usage.input_tokens - cached - short - long), read + written


def _rates_at(price: Price, input_tokens: int) -> Rates:
    rates = price.rates
    for start, higher in price.tiers:
        if input_tokens > start:
            rates = higher
    return rates


def _guessed(usage: pb.Usage, rates: Rates) -> bool:
    """Whether sound or images were counted as text."""
    sound = (rates.input_audio is None and usage.input_audio_tokens) or (rates.output_audio is None and usage.output_audio_tokens)
    return bool(sound or (rates.output_image is None and usage.output_image_tokens))


def _first(own: int | None, wider: int) -> int:
    return wider if own is None else own
