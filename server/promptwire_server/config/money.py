"""The sections that say how money is set aside."""

from pydantic import Field

from promptwire_server.config.section import Seconds, Section


class Holds(Section):
    """How money is set aside for calls that hard budgets count."""

    max_wait_s: Seconds = Field(
        10.0,
        alias="max_wait",
        description="How long a call waits for money that calls under way hold, and half of its time at most; then it is refused.",
        examples=["10s"],
    )
    least_output_tokens: int = Field(
        256,
        ge=1,
        le=1_000_000,
        description="When a budget holds less than an answer may cost, the answer is limited to what it holds, but not to fewer tokens.",
        examples=[256],
    )
    lease_s: Seconds = Field(
        15.0,
        alias="lease",
        description="A process without a sign for so long is dead; what it held counts as spent. The same for all that share a store.",
        examples=["15s"],
    )
