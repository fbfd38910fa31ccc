"""Why an answer of the Responses API ended, in the contract's words."""

from promptwire import v1 as pb
from promptwire_server.providers.json_value import JsonObject, object_in, text_in

COMPLETED = "completed"
INCOMPLETE = "incomplete"
_REASONS = {"max_output_tokens": pb.FINISH_REASON_LENGTH, "content_filter": pb.FINISH_REASON_CONTENT_FILTER}
# Items that wait for the caller, as calls of functions do.
_WAITING = frozenset({"tool_call", "computer_call", "local_shell_call", "apply_patch_call", "mcp_approval_request"})


def finish_of(response: JsonObject) -> str:
    """The vendor's word: its status, or the reason why the answer is incomplete."""
    status = text_in(response.get("status")) or COMPLETED
    return text_in(object_in(response.get("incomplete_details")).get("reason")) or status if status == INCOMPLETE else status


def reason_of(said: str | None, kinds: set[str]) -> "pb.FinishReason":
    """The contract's reason; `kinds` are those of the answer's parts."""
    if said != COMPLETED:
        return _REASONS.get(said or "", pb.FINISH_REASON_UNSPECIFIED)
    if not kinds.isdisjoint(_WAITING) or ("shell_call" in kinds and "shell_call_output" not in kinds):
        return pb.FINISH_REASON_TOOL_CALLS
    return pb.FINISH_REASON_REFUSAL if "refusal" in kinds else pb.FINISH_REASON_STOP
