"""Entry: one finished question, as it is written down."""

from collections.abc import Mapping
from typing import NamedTuple


class Entry(NamedTuple):
    """What one question to a model used and how it ended. Plain values: whoever writes it down later keeps no message alive.

    Tokens and cost are those of the answer, as in pb.Usage, and of attempts that took some and gave none: of broken streams, of losers of a
    hedge. They were spent only where served_from is PROVIDER, or empty (an answer cut short).
    """

    ended_us: int  # microseconds since 1970-01-01 UTC
    request_id: str
    trace_id: str
    principal: str
    provider: str  # that answered, or that was tried last; empty when none was
    model: str
    model_asked: str
    outcome: str  # "OK", or the name of a pb.ErrorReason
    served_from: str  # pb.ServedFrom without prefix; empty when nothing whole was answered
    stream: bool
    input_tokens: int
    output_tokens: int
    cached_input_tokens: int
    cache_write_5m_tokens: int
    cache_write_1h_tokens: int
    reasoning_tokens: int
    input_audio_tokens: int
    output_audio_tokens: int
    input_image_tokens: int
    output_image_tokens: int
    estimated: bool  # the tokens are
    cost_nano_usd: int | None  # None: unknown, which is not zero
    saved_nano_usd: int | None
    duration_us: int
    run_id: str
    step_id: str
    labels: Mapping[str, str]
