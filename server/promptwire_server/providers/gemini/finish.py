"""Why an answer ended, in the contract's words and the vendor's."""

from collections.abc import Collection

from promptwire import v1 as pb

_FILTERED = (
    *("SAFETY", "RECITATION", "BLOCKLIST", "PROHIBITED_CONTENT", "SPII", "LANGUAGE", "ESCALATION", "MODEL_ARMOR"),
    *("IMAGE_SAFETY", "IMAGE_PROHIBITED_CONTENT", "IMAGE_RECITATION"),
)
# What is not in here (OTHER, MALFORMED_FUNCTION_CALL, NO_IMAGE, …) has no word in the contract: the vendor's own says it.
_REASONS = {
    "STOP": pb.FINISH_REASON_STOP,
    "MAX_TOKENS": pb.FINISH_REASON_LENGTH,
    "CONTINUATION": pb.FINISH_REASON_PAUSE,
    **dict.fromkeys(_FILTERED, pb.FINISH_REASON_CONTENT_FILTER),
}


def is_odd(said: str | None) -> bool:
    """Whether the vendor broke off for a reason that the contract has no word for: there is an answer, but not the one asked for."""
    return bool(said) and said != "FINISH_REASON_UNSPECIFIED" and said not in _REASONS


def reason_of(said: str | None, kinds: Collection[str]) -> "pb.FinishReason":
    """The contract's reason. The vendor says STOP also where tools are to be called: the `kinds` of parts tell."""
    reason = _REASONS.get(said or "", pb.FINISH_REASON_UNSPECIFIED)
    return pb.FINISH_REASON_TOOL_CALLS if reason == pb.FINISH_REASON_STOP and "tool_call" in kinds else reason
