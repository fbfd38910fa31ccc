"""Tokens spent, as the contract counts them: the vendor counts thoughts apart from the answer, and what its tools read from the prompt."""

from collections.abc import Callable

from promptwire import v1 as pb
from promptwire_server.providers.counts import count_of, note_estimate, total_of
from promptwire_server.providers.json_value import Json, JsonObject, list_in, object_in, text_in

_KNOWN = frozenset(
    {"promptTokenCount", "candidatesTokenCount", "thoughtsTokenCount", "toolUsePromptTokenCount", "cachedContentTokenCount"}
    | {"totalTokenCount", "promptTokensDetails", "candidatesTokensDetails", "toolUsePromptTokensDetails", "cacheTokensDetails"}
)
# Lists of counts by modality, and where the contract has them.
_DETAILS = {
    "promptTokensDetails": {"AUDIO": "input_audio_tokens", "IMAGE": "input_image_tokens"},
    "toolUsePromptTokensDetails": {"AUDIO": "input_audio_tokens", "IMAGE": "input_image_tokens"},
    "candidatesTokensDetails": {"AUDIO": "output_audio_tokens", "IMAGE": "output_image_tokens"},
}


def fill_usage(
    usage: pb.Usage, wire: Json, notices: list[pb.Notice], *, prompt: Callable[[], int], said: Callable[[], int], shown: Callable[[], int]
) -> None:
    """Fill in the usage, with the invariants of the contract. What had to be estimated or corrected is added to `notices`.

    `prompt`, `said` and `shown` estimate the tokens of the question, of all that was generated, and of that without the reasoning;
    asked only when the vendor's count cannot be.
    """
    counts = object_in(wire)
    absent = 0 if counts else None  # a count of zero is left out, where there are counts
    usage.reasoning_tokens = count_of(counts.get("thoughtsTokenCount")) or 0
    usage.input_tokens = total_of(counts.get("promptTokenCount", absent), usage, prompt)
    usage.input_tokens += count_of(counts.get("toolUsePromptTokenCount")) or 0
    usage.output_tokens = total_of(counts.get("candidatesTokenCount", absent), usage, shown if usage.reasoning_tokens else said)
    usage.output_tokens += usage.reasoning_tokens
    _add(usage, "cached_input_tokens", count_of(counts.get("cachedContentTokenCount")) or 0, notices)
    for name, fields in _DETAILS.items():
        for detail in map(object_in, list_in(counts.get(name))):
            if field := fields.get(text_in(detail.get("modality"))):
                _add(usage, field, count_of(detail.get("tokenCount")) or 0, notices)
    note_estimate(usage, notices, said_something=bool(counts))


def unknown_usage(wire: Json) -> JsonObject:
    """What the vendor says of usage that the contract has no field for."""
    counts = object_in(wire)
    return {name: counts[name] for name in counts.keys() - _KNOWN}


def _add(usage: pb.Usage, field: str, count: int, notices: list[pb.Notice]) -> None:
    whole = usage.output_tokens if field.startswith("output_") else usage.input_tokens
    total = getattr(usage, field) + count
    setattr(usage, field, min(total, whole))
    if total > whole:
        message = f"the provider counted {total}, more than there are at all ({whole})"
        notices.append(pb.Notice(code=pb.Notice.CODE_USAGE_CORRECTED, message=message, field=f"usage.{field}"))
