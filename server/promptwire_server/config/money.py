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
