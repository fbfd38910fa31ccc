"""Keys of the configuration that say how failures are met: retries, breakers, outliers, probes."""

from typing import Literal

from pydantic import Field

from promptwire_server.config.section import Seconds, Section


class Retries(Section):
    """Attempts after the first."""

    max_attempts: int = Field(3, ge=1, le=10, description="Attempts of one request, at all targets together.", examples=[3])
    base_delay_s: Seconds = Field(
        0.1, alias="base_delay", description="The longest pause before the first retry; it doubles with each.", examples=["100ms"]
    )
    max_delay_s: Seconds = Field(
        5.0, alias="max_delay", description="The longest pause of all, unless a vendor asks for a longer one.", examples=["5s"]
    )
    budget_percent: float = Field(
        10.0,
        ge=0,
        le=100,
        description="Retries, of the requests of the last ten seconds: an outage must not multiply the load.",
        examples=[10],
    )
    budget_floor: int = Field(3, ge=0, le=10_000, description="Retries that are always allowed in that time.", examples=[3])


class Breaker(Section):
    """When a target is left alone because it fails, each for itself."""

    consecutive_failures: int = Field(5, ge=0, le=10_000, description="Failures in a row that open it. 0: however many.", examples=[5])
    error_rate: float = Field(
        0.5, ge=0, le=1, description="Share of failures in the window that opens it. 0: whatever the share.", examples=[0.5]
    )
    minimum_calls: int = Field(20, ge=1, le=1_000_000, description="Calls in the window below which the share says nothing.", examples=[20])
    window_s: Seconds = Field(30.0, alias="window", description="How far it looks back.", examples=["30s"])
    probe_after_s: Seconds = Field(
        1.0,
        alias="probe_after",
        description="How long it stays open before one call may try; doubles with each that fails.",
        examples=["1s"],
    )
    probe_cap_s: Seconds = Field(8.0, alias="probe_cap", description="The longest time between two tries.", examples=["8s"])


class HealthProbes(Section):
    """Calls of the server's own that find out whether targets are well."""

    interval_s: Seconds = Field(
        0.0, alias="interval", description="How often, of targets without calls. 0s: never, calls of callers tell.", examples=["30s", "0s"]
    )
    ask: Literal["models", "chat"] = Field(
        "models",
        description="models: each provider for its list, which is free and shows that it is reached. chat: each target for a few tokens.",
        examples=["chat"],
    )
    timeout_s: Seconds = Field(10.0, alias="timeout", description="How long one may take.", examples=["10s"])


class StreamProbe(Section):
    """Holding streams back until they have shown that they are going on: one that dies before is replaced, and its caller sees nothing."""

    characters: int = Field(
        0,
        ge=0,
        le=100_000,
        description="Of text and reasoning, or a whole tool call, that a stream must have shown before any of it is handed on. "
        "0: streams flow at once.",
        examples=[20],
    )
    within_s: Seconds = Field(
        2.0, alias="within", description="How long one is held back at most, from its first event on.", examples=["2s"]
    )


class Resilience(Section):
    """How failures of providers are met."""

    retries: Retries = Field(Retries.model_validate({}), description="Attempts after the first.")
    breaker: Breaker = Field(Breaker.model_validate({}), description="When a target is left alone because it fails.")
    outliers: bool = Field(
        True,  # noqa: FBT003 - pydantic's first parameter is the default
        description="Targets that do far worse than the others of their alias are tried last.",
        examples=[True],
    )
    stream_probe: StreamProbe = Field(StreamProbe.model_validate({}), description="What a stream must show before it is handed on.")
    health_probes: HealthProbes = Field(HealthProbes.model_validate({}), description="Calls that find out whether targets are well.")
