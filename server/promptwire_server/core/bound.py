"""Bound: the most that one attempt may use and cost, before anybody knows what it will. Every guess here is high, never low."""

from dataclasses import dataclass
from typing import Final

from promptwire import v1 as pb
from promptwire_server.core.facts import Facts
from promptwire_server.core.money import price_of
from promptwire_server.core.price import FREE, Price, Rates

DEFAULT_OUTPUT_TOKENS: Final = 4096  # of a call that sets no limit, at a model of which none is known
_A_MESSAGE: Final = 16  # tokens that vendors put around each message and tool
_TOOLS: Final = 1024  # tokens of what vendors tell a model of tools, once
_A_MEDIUM: Final = 16_384  # tokens of an image; of anything longer the context window is the bound
_A_BYTE: Final = 1  # tokens: no vocabulary has tokens of less than a byte


@dataclass(frozen=True, slots=True)
class Bound:
    """The most that one attempt may use."""

    input_tokens: int
    output_tokens: int  # of all candidates together
    candidates: int

    def with_output(self, output_tokens: int) -> "Bound":
        """The same with another limit of each candidate's tokens."""
        return Bound(self.input_tokens, output_tokens * self.candidates, self.candidates)


def bound_of(request: pb.ChatRequest, facts: Facts) -> Bound:
    """What a request may use at a model. Without a limit of its own it is given one: the model's, else DEFAULT_OUTPUT_TOKENS."""
    generation = request.generation
    candidates = max(1, generation.candidate_count)
    limit = generation.max_output_tokens or facts.max_output_tokens or DEFAULT_OUTPUT_TOKENS
    return Bound(most_input_tokens(request, facts.context_window_tokens), limit * candidates, candidates)


def most_input_tokens(request: pb.ChatRequest, context_window_tokens: int = 0) -> int:
    """Tokens of the prompt at most. A request that travels has more bytes than its texts, and a text has at most a token a byte."""
    tools = len(request.generation.tools)
    media_bytes, media = _media(request)
    most = (request.ByteSize() - media_bytes) * _A_BYTE + _A_MESSAGE * (len(request.messages) + 2 + tools)
    most += media * _A_MEDIUM + (_TOOLS if tools else 0)
    return min(most, context_window_tokens) if context_window_tokens else most


def most_nano_usd(price: Price, bound: Bound) -> int | None:
    """What it may cost, every token at the dearest rate that it may count as; None: that is unknown.

    Calls that vendors charge apart (searches) are not in it: nobody knows how many there will be.
    """
    if price.source == FREE:
        return 0
    dearest = [_dearest(rates, bound) for start, rates in ((0, price.rates), *price.tiers) if bound.input_tokens > start or not start]
    costs = [cost for cost in dearest if cost is not None]
    return max(costs) + (price.request_nano_usd or 0) if len(costs) == len(dearest) else None


def affordable_output_tokens(price: Price, bound: Bound, nano_usd: int) -> int:
    """How many tokens each candidate may have at most, so that all of it costs no more than this; 0 or less: none."""
    spare = most_nano_usd(price, bound.with_output(0))
    if spare is None:
        return 0
    each = max(_rate_out(rates) or 0 for rates in (price.rates, *(rates for start, rates in price.tiers if bound.input_tokens > start)))
    return (nano_usd - spare) * 1000 // each // bound.candidates if each else bound.output_tokens // bound.candidates


def _dearest(rates: Rates, bound: Bound) -> int | None:
    rate_in, rate_out = _rate_in(rates), _rate_out(rates)
    if (rate_in is None and bound.input_tokens) or (rate_out is None and bound.output_tokens):
        return None
    return price_of(bound.input_tokens, rate_in or 0) + price_of(bound.output_tokens, rate_out or 0)


def _rate_in(rates: Rates) -> int | None:
    if rates.input is None:
        return None
    written = (rates.cache_write, rates.cache_write_1h)
    return max(rate for rate in (rates.input, rates.input_audio, rates.input_image, *written) if rate is not None)


def _rate_out(rates: Rates) -> int | None:
    if rates.output is None:
        return None
    return max(rate for rate in (rates.output, rates.reasoning, rates.output_audio, rates.output_image) if rate is not None)


def _media(request: pb.ChatRequest) -> tuple[int, int]:
    """Bytes of media that travel within the request, and how many media there are."""
    media = [part.media for message in request.messages for part in message.parts if part.HasField("media")]
    media += [
        inner.media for message in request.messages for part in message.parts for inner in part.tool_result.parts if inner.HasField("media")
    ]
    return sum(len(medium.data) for medium in media), len(media)
