"""The sections that say who is let in when not all can be: how many at once, who waits, whose share is how large."""

from pydantic import Field

from promptwire_server.config.section import Bytes, Seconds, Section


class Admission(Section):
    """Who is let in when not all can be, up to max_concurrent_calls."""

    adaptive: bool = Field(
        True,  # noqa: FBT003 - pydantic's first parameter is the default
        description="Let fewer in at once when answers take longer than usual because they are many. false: always max_concurrent_calls.",
        examples=[True],
    )
    min_concurrent_calls: int = Field(
        4,
        ge=1,
        le=1_000_000,
        description="Questions to models at the same time that are let in however slow the answers are.",
        examples=[4],
    )
    queue_calls: int = Field(
        1024, ge=0, le=1_000_000, description="Calls of each priority that wait for their turn at most. 0: nobody waits.", examples=[1024]
    )
    max_wait_s: Seconds = Field(
        10.0,
        alias="max_wait",
        description="How long a call waits at most; one that would wait longer, or beyond its deadline, is sent away at once.",
        examples=["10s"],
    )
    memory_limit_bytes: Bytes | None = Field(
        None,
        alias="memory_limit",
        description="Memory of all workers together; near it fewer are let in. Default: the limit of the control group. 0: no reason.",
        examples=["2GiB"],
    )


class Tenant(Section):
    """What holds for one tenant."""

    weight: float = Field(
        1.0, gt=0, le=1000, description="Its share among the tenants that wait: one with 2 gets twice what one with 1 gets.", examples=[2.0]
    )
