"""Why an answer ended, in the contract's words."""

from promptwire import v1 as pb

_REASONS = {
    "end_turn": pb.FINISH_REASON_STOP,
    "stop_sequence": pb.FINISH_REASON_STOP,
    "max_tokens": pb.FINISH_REASON_LENGTH,
    "model_context_window_exceeded": pb.FINISH_REASON_LENGTH,
    "tool_use": pb.FINISH_REASON_TOOL_CALLS,
    "pause_turn": pb.FINISH_REASON_PAUSE,
    "refusal": pb.FINISH_REASON_REFUSAL,
}


def reason_of(said: str | None, kinds: set[str]) -> "pb.FinishReason":
    """The contract's reason. Some who took the dialect over say "end_turn" however it ended, so the `kinds` of parts decide there."""
    reason = _REASONS.get(said or "", pb.FINISH_REASON_UNSPECIFIED)
    return pb.FINISH_REASON_TOOL_CALLS if said == "end_turn" and "tool_call" in kinds else reason
