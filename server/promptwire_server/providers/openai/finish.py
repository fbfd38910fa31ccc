"""Why an answer ended, in the contract's words and the vendors'."""

from promptwire import v1 as pb

_REASONS = {
    "stop": pb.FINISH_REASON_STOP,
    "eos": pb.FINISH_REASON_STOP,
    "eos_token": pb.FINISH_REASON_STOP,
    "end_turn": pb.FINISH_REASON_STOP,
    "stop_sequence": pb.FINISH_REASON_STOP,
    "length": pb.FINISH_REASON_LENGTH,
    "max_tokens": pb.FINISH_REASON_LENGTH,
    "model_length": pb.FINISH_REASON_LENGTH,
    "tool_calls": pb.FINISH_REASON_TOOL_CALLS,
    "function_call": pb.FINISH_REASON_TOOL_CALLS,
    "content_filter": pb.FINISH_REASON_CONTENT_FILTER,
    "refusal": pb.FINISH_REASON_REFUSAL,
}


def reason_of(said: str | None, kinds: set[str]) -> "pb.FinishReason":
    """The contract's reason. Some vendors say "stop" however it ended, so the `kinds` of parts decide where it says so."""
    reason = _REASONS.get(said or "", pb.FINISH_REASON_UNSPECIFIED)
    if reason == pb.FINISH_REASON_STOP and "tool_call" in kinds:
        return pb.FINISH_REASON_TOOL_CALLS
    return pb.FINISH_REASON_REFUSAL if reason == pb.FINISH_REASON_STOP and "refusal" in kinds else reason
