"""Keys of the configuration that say what the operator knows of a model: prices, limits, capabilities."""

from decimal import Decimal, InvalidOperation
from typing import Annotated, Literal

from pydantic import AfterValidator, Field, PlainSerializer, PlainValidator, WithJsonSchema

from promptwire_server.config.section import Section

_MOST_USD = 1_000_000  # for a million tokens: beyond, somebody has mistaken the unit
_DECIMALS = 6  # of a dollar for a million tokens: a thousand of them cost whole nano-dollars


def _dollars(value: object) -> Decimal:
    """An exact amount; of a float, the digits that were written."""
    if isinstance(value, Decimal):
        return value
    if isinstance(value, bool) or not isinstance(value, int | float | str):
        raise ValueError('must be an amount of US dollars such as "0.15"')  # noqa: TRY004 - pydantic collects ValueError only
    try:
        amount = Decimal(str(value).strip())
    except InvalidOperation:
        raise ValueError('must be an amount of US dollars such as "0.15", without currency or unit') from None
    if not amount.is_finite() or not 0 <= amount <= _MOST_USD:
        raise ValueError(f"must be between 0 and {_MOST_USD} US dollars")
    if amount != round(amount, _DECIMALS):
        raise ValueError(f"has more than {_DECIMALS} decimals; what is smaller than a nano-dollar for a thousand tokens cannot be counted")
    return amount


def _model(value: str) -> str:
    provider, _, model = value.partition("/")
    if not provider or not model or value != value.strip():
        raise ValueError('must be "provider/model", e.g. "openai/gpt-4o-mini"')
    return value


Dollars = Annotated[
    Decimal,
    PlainValidator(_dollars),
    PlainSerializer(lambda value: format(value, "f"), return_type=str),
    WithJsonSchema({"type": ["string", "number"], "pattern": r"^\d+(\.\d{1,6})?$", "minimum": 0}),
]
ModelName = Annotated[str, AfterValidator(_model)]
Capability = Literal[
    "chat",
    "streaming",
    "tools",
    "parallel_tools",
    "json_schema",
    "json_object",
    "image_input",
    "audio_input",
    "document_input",
    "audio_output",
    "image_output",
    "reasoning",
    "logprobs",
    "candidates",
    "seed",
    "embeddings",
    "prompt_cache",
    "regex",
    "grammar",
    "video_input",
]


class ModelFacts(Section):
    """What is known of one model. Goes on top of what its vendor and the published price list say."""

    input_usd_per_1m: Dollars | None = Field(None, description="A million tokens of uncached input, in US dollars.", examples=["0.15"])
    output_usd_per_1m: Dollars | None = Field(None, description="A million tokens of output.", examples=["0.60"])
    cached_input_usd_per_1m: Dollars | None = Field(
        None, description="A million tokens read from the vendor's cache. Default: as input.", examples=["0.075"]
    )
    cache_write_usd_per_1m: Dollars | None = Field(
        None, description="A million tokens written to the vendor's cache. Default: as input.", examples=["3.75"]
    )
    cache_write_1h_usd_per_1m: Dollars | None = Field(
        None, description="The same, to be kept for an hour. Default: as cache_write_usd_per_1m.", examples=["6"]
    )
    request_usd: Dollars | None = Field(None, description="One request, apart from its tokens.", examples=["0.012"])
    context_window: int | None = Field(None, ge=1, description="Tokens of prompt and answer together.", examples=[128000])
    max_output_tokens: int | None = Field(None, ge=1, description="Tokens of the longest answer.", examples=[16384])
    capabilities: list[Capability] = Field(
        default_factory=list,
        description="What it can do, all of it. Default: as its vendor says.",
        examples=[["chat", "streaming", "tools"]],
    )
