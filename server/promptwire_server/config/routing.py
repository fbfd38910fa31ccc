"""Keys of the configuration that say who answers under a name of the operator's: targets, strategy, rules, splits, fallbacks."""

from typing import Annotated, Literal

from pydantic import (
    BeforeValidator,
    Field,
    PlainSerializer,
    PlainValidator,
    SerializerFunctionWrapHandler,
    WithJsonSchema,
    model_serializer,
)

from promptwire_server.config.model_facts import Capability
from promptwire_server.config.section import Name, Section
from promptwire_server.config.units import duration_text, seconds

_P95 = "p95"
_FALLBACKS = "must be a name, a list of names, or a section by kinds of failure: {context: long, default: best}"
PriceClass = Literal["low", "medium", "high"]
Strategy = Literal["priority", "round_robin", "weighted", "least_in_flight", "latency", "cheapest", "rules", "split", "affinity"]


def _listed(value: object) -> object:
    return [value] if isinstance(value, str) else value


def _target(value: object) -> object:
    return {"model": value} if isinstance(value, str) else value


def _fallbacks(value: object) -> object:
    if isinstance(value, int | float):
        raise ValueError(_FALLBACKS)  # noqa: TRY004 - pydantic collects ValueError only
    return {"default": value} if isinstance(value, str | list) else value


def _section(example: str) -> BeforeValidator:
    """Says what to write where somebody has written a plain value in place of a section."""

    def judged(value: object) -> object:
        if isinstance(value, str | int | float | list):
            raise ValueError(f"must be a section, such as {example}")  # noqa: TRY004 - as above
        return value

    return BeforeValidator(judged)


def _hedge_after(value: object) -> float | None:
    if value is None or value == _P95:
        return None
    try:
        after_s = seconds(value) if isinstance(value, str | int | float) else None
    except ValueError:
        after_s = None
    if not after_s:
        raise ValueError('must be "p95", or a duration such as "800ms", more than 0s: at once, every call would be made twice')
    return after_s


Names = Annotated[list[str], BeforeValidator(_listed, json_schema_input_type=str | list[str])]
HedgeAfter = Annotated[
    float | None,
    PlainValidator(_hedge_after),
    PlainSerializer(lambda value: _P95 if value is None else duration_text(value), return_type=str),
    WithJsonSchema({"type": ["string", "number"], "pattern": r"^(p95|(\d+(\.\d+)?(us|ms|s|m|h|d)?)+)$"}),
]


class AliasTarget(Section):
    """One model that may answer under a name."""

    model: str = Field(description='The model as "provider/model".', examples=["openai/gpt-4o-mini"])
    weight: float = Field(
        1.0, gt=0, le=1_000_000, description="Its share beside those of the others, where the strategy has shares.", examples=[2]
    )
    tags: list[Name] = Field(default_factory=list, description="Words of your own, which rules can name.", examples=[["eu", "fast"]])
    price_class: PriceClass | None = Field(
        None, description="What it costs, in a word: rules can name it, and cheapest goes by it before prices.", examples=["low"]
    )
    max_in_flight: int | None = Field(None, ge=1, description="Calls to it at the same time. Default: any number.", examples=[50])
    requests_per_minute: int | None = Field(None, ge=1, description="Attempts a minute. Default: any number.", examples=[500])
    tokens_per_minute: int | None = Field(
        None, ge=1, description="Tokens a minute, of prompts and answers together. Default: any number.", examples=[200000]
    )
    capabilities: list[Capability] = Field(
        default_factory=list,
        description="What it may be asked for under this name, all of it. Default: as model_facts or its vendor says.",
        examples=[["chat", "streaming", "tools"]],
    )
    context_window: int | None = Field(
        None, ge=1, description="Prompts of more tokens go to other targets. Default: as model_facts or its vendor says.", examples=[32768]
    )

    @model_serializer(mode="wrap")
    def _plain(self, handler: SerializerFunctionWrapHandler) -> object:
        """As people write it: a text where nothing is said but the model."""
        every: dict[str, object] = handler(self)
        said = {key: value for key, value in every.items() if value not in (None, [])}
        return said["model"] if set(said) == {"model", "weight"} and said["weight"] == 1 else said


class AliasRule(Section):
    """Where calls go for which a condition holds."""

    when: str | None = Field(
        None,
        min_length=1,
        description="A condition in the language of chains, over prompt_tokens (estimated), messages, tools, images, audio, video, "
        "documents (numbers), json (whether an answer in JSON is asked for), reasoning (its effort), tenant, principal, labels, priority, "
        "model. One that cannot be evaluated, for a label that is not there, does not hold. Without: always.",
        examples=["prompt_tokens > 2000 or tools", "labels.team == 'search'", "tenant in ['shop', 'web'] and not images"],
    )
    to: str | None = Field(
        None,
        min_length=1,
        description='Another alias, or "provider/model", or "default": the targets of this alias.',
        examples=["best", "openai/gpt-4o", "default"],
    )
    tag: str | None = Field(None, min_length=1, description="In place of `to`: the targets of this alias with this tag.", examples=["eu"])
    price_class: PriceClass | None = Field(
        None, description="In place of `to`: the targets of this alias of this price class.", examples=["low"]
    )


class AliasArm(Section):
    """One side of an A/B test."""

    name: Name = Field(description="What answers call it, as `variant`.", examples=["control"])
    to: str = Field(min_length=1, description='An alias, or "provider/model".', examples=["fast", "openai/gpt-4o-mini"])
    percent: float = Field(ge=0, le=100, description="Its share of the calls; those of all sides make 100.", examples=[90])


class AliasFallbacks(Section):
    """What is asked when the targets of an alias could not answer: aliases or "provider/model", in order, for each kind of failure."""

    failure: Names | None = Field(None, description="Broken, unreachable or too slow. Default: as `default`.", examples=[["best"]])
    rate_limit: Names | None = Field(None, description="The vendor limits us. Default: as `default`.", examples=[["azure/gpt-4o"]])
    context: Names | None = Field(None, description="The prompt is too long. Default: as `default`.", examples=[["long"]])
    policy: Names | None = Field(None, description="The vendor refuses the prompt. Default: as `default`.", examples=[["local"]])
    budget: Names | None = Field(None, description="The caller's budget is spent. Default: as `default`.", examples=[["cheap"]])
    default: Names = Field(default_factory=list, description="For kinds that are not named. Default: nobody.", examples=[["best"]])


class AliasHedge(Section):
    """A second attempt beside a slow first one; whoever answers first wins, and both are paid for. Of calls that are not streamed."""

    after_s: HedgeAfter = Field(
        None, alias="after", description="When: p95 of what the first target usually takes, or a time.", examples=["p95", "800ms"]
    )


class AliasShadow(Section):
    """A model that gets a copy of some calls; its answers are thrown away, and callers are not billed for them."""

    to: str = Field(min_length=1, description='An alias, whose first target is meant, or "provider/model".', examples=["local/qwen3"])
    percent: float = Field(100.0, gt=0, le=100, description="Share of the calls that are copied.", examples=[5])
    max_in_flight: int = Field(8, ge=1, le=10_000, description="Copies at the same time; more are left out.", examples=[8])


class Alias(Section):
    """A name of the operator's for one or several models."""

    targets: list[Annotated[AliasTarget, BeforeValidator(_target, json_schema_input_type=str | AliasTarget)]] = Field(
        default_factory=list,
        description='Models as "provider/model", or as sections that say more. By rules and splits, all calls may go elsewhere; then none.',
        examples=[["openai/gpt-4o-mini", {"model": "anthropic/claude-haiku-4-5", "weight": 2}]],
    )
    strategy: Strategy = Field(
        "priority",
        description="Who is asked first. priority: the first target · round_robin: each in turn · weighted: drawn by weight · "
        "least_in_flight: the fewest calls under way for its weight · latency: the faster of two drawn · cheapest: the lowest price "
        "for the prompt · affinity: the same for each session_id · rules, split: as those keys say, also when this one is left out.",
        examples=["weighted"],
    )
    rules: list[AliasRule] = Field(
        default_factory=list,
        description="The first rule that holds says where a call goes; when none does, the targets are asked in order.",
        examples=[[{"when": "prompt_tokens > 2000 or tools", "to": "best"}, {"to": "fast"}]],
    )
    split: list[AliasArm] = Field(
        default_factory=list,
        description="An A/B test: answers say which side they are of.",
        examples=[[{"name": "control", "to": "openai/gpt-4o", "percent": 90}, {"name": "trial", "to": "groq/llama-4", "percent": 10}]],
    )
    sticky: Literal["caller", "session", "end_user"] = Field(
        "caller", description="Of a split: who always meets the same side.", examples=["session"]
    )
    fallbacks: Annotated[AliasFallbacks, BeforeValidator(_fallbacks, json_schema_input_type=str | list[str] | AliasFallbacks)] = Field(
        AliasFallbacks.model_validate({}),
        description="Who is asked when the targets could not answer. A list is the `default`.",
        examples=[{"context": ["long"], "default": ["openai/gpt-4o"]}],
    )
    hedge: Annotated[AliasHedge | None, _section("{after: p95}")] = Field(
        None, description="A second attempt beside a slow first one. Default: none.", examples=[{"after": "p95"}]
    )
    shadow: Annotated[AliasShadow | None, _section("{to: local/qwen3, percent: 5}")] = Field(
        None, description="A model that gets a copy of some calls. Default: none.", examples=[{"to": "local/qwen3", "percent": 5}]
    )

    @property
    def way(self) -> Strategy:
        """The strategy in effect."""
        if self.strategy == "priority":
            return "rules" if self.rules else "split" if self.split else "priority"
        return self.strategy


def as_alias(value: object) -> object:
    """The short forms, a model or a list of them, as a section."""
    if isinstance(value, str):
        return {"targets": [value]}
    if value is None or isinstance(value, int | float):
        raise ValueError('must be "provider/model", a list of them, or a section with `targets`, `rules` or `split`')
    return {"targets": value} if isinstance(value, list) else value
