"""Keys of the configuration that say what happens to questions that are the same, and to requests that are made again."""

from typing import Annotated, Literal

from pydantic import BeforeValidator, Field

from promptwire_server.config.section import Bytes, Seconds, Section


def _switch(value: object) -> object:
    """YAML reads on and off, where they stand without quotes, as true and false; variables are texts."""
    if not isinstance(value, bool | str):
        return value
    written = str(value).lower()
    return {"true": "on", "false": "off"}.get(written, written)


Switch = Annotated[Literal["off", "on"], BeforeValidator(_switch, json_schema_input_type=Literal["off", "on"] | bool)]


class Dedup(Section):
    """Identical questions under way, answered by one call to a provider; with stores.redis, also those of other replicas."""

    default: Switch = Field("off", description="What holds for requests that do not say. They may: ChatRequest.dedup.", examples=["on"])
    bill: Literal["leader", "shared"] = Field(
        "leader",
        description="Who pays: the first of the callers, or all the same. Those of other replicas never do.",
        examples=["shared"],
    )
    max_answer_bytes: Bytes = Field(
        4 << 20, alias="max_answer", description="Beyond it, nobody joins an answer any more that is under way.", examples=["4MiB"]
    )


class Idempotency(Section):
    """Requests with a request_id, which are answered once however often they are made."""

    store: Literal["auto", "memory", "file", "redis"] = Field(
        "auto",
        description="Where answers are kept. auto: stores.redis where that is set, else memory. file: in state_dir, safe from kills.",
        examples=["redis"],
    )
    ttl_s: Seconds = Field(86_400.0, alias="ttl", gt=0, description="How long an answer is kept for repetitions.", examples=["24h"])
    max_answer_bytes: Bytes = Field(
        4 << 20,
        alias="max_answer",
        description="The largest answer that is kept. A repetition of a larger one is refused rather than asked again.",
        examples=["4MiB"],
    )
