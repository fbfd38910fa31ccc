"""Tokens spent, as the contract counts them, from what a vendor says: which may be missing, impossible, or counted in another way."""

from collections.abc import Callable

from promptwire import v1 as pb
from promptwire_server.providers.counts import count_of, note_estimate, total_of
from promptwire_server.providers.json_value import Json, JsonObject, object_in

_KNOWN = frozenset(
    {"prompt_tokens", "completion_tokens", "total_tokens", "prompt_tokens_details", "completion_tokens_details"}
    | {"prompt_cache_hit_tokens", "prompt_cache_miss_tokens", "reasoning_tokens"}
)
# Fields of the contract, each with the names that it has in the details, of which the whole is the input or the output.
_INPUT = {
    "cached_tokens": "cached_input_tokens",
    "cache_write_tokens": "cache_write_5m_tokens",
    "audio_tokens": "input_audio_tokens",
    "image_tokens": "input_image_tokens",
}
_OUTPUT = {"reasoning_tokens": "reasoning_tokens", "audio_tokens": "output_audio_tokens", "image_tokens": "output_image_tokens"}
_DETAILS = {"prompt_tokens_details": _INPUT, "completion_tokens_details": _OUTPUT}
_TEXT = "text_tokens"  # what is left when all other kinds are taken off


def fill_usage(usage: pb.Usage, wire: Json, notices: list[pb.Notice], *, prompt: Callable[[], int], said: Callable[[], int]) -> None:
    """Fill in the usage, with the invariants of the contract. What had to be estimated or corrected is added to `notices`.

    `prompt` and `said` estimate the tokens of the question and of all that was generated; asked only when the vendor's count cannot be.
    """
    counts = object_in(wire)
    usage.input_tokens = total_of(counts.get("prompt_tokens"), usage, prompt)
    usage.output_tokens = total_of(counts.get("completion_tokens"), usage, said)
    if counts:
        _details(counts, usage, notices)
    note_estimate(usage, notices, said_something=bool(counts))


def unknown_usage(wire: Json) -> JsonObject:
    """What a vendor says of usage that the contract has no field for: its own cost, kinds of tokens that it counts beside ours."""
    counts = object_in(wire)
    unknown = {name: counts[name] for name in counts.keys() - _KNOWN}
    for details, names in _DETAILS.items():
        found = object_in(counts.get(details))
        # Zeros say nothing: some vendors list every kind there is.
        more: JsonObject = {name: value for name, value in found.items() if value and name not in names and name != _TEXT}
        if more:
            unknown[details] = more
    return unknown


def merged_usage(before: Json, now: Json) -> Json:
    """The counts so far: some vendors say the prompt's first and the answer's last, others all of them in each chunk."""
    if not isinstance(before, dict) or not isinstance(now, dict):
        return now or before
    return {**before, **{name: value for name, value in now.items() if value is not None}}


def _details(counts: JsonObject, usage: pb.Usage, notices: list[pb.Notice]) -> None:
    prompt = object_in(counts.get("prompt_tokens_details"))
    completion = object_in(counts.get("completion_tokens_details"))
    if reasoning := count_of(completion.get("reasoning_tokens") or counts.get("reasoning_tokens")):
        # Some vendors leave reasoning out of the completion; their total gives them away, or that the part is larger than the whole.
        total = count_of(counts.get("total_tokens"))
        if reasoning > usage.output_tokens or total == usage.input_tokens + usage.output_tokens + reasoning:
            usage.output_tokens += reasoning
        usage.reasoning_tokens = reasoning
    if hit := count_of(counts.get("prompt_cache_hit_tokens")):
        _part(usage, "cached_input_tokens", hit, usage.input_tokens, notices)
    for details, names, whole in ((prompt, _INPUT, usage.input_tokens), (completion, _OUTPUT, usage.output_tokens)):
        for name, value in details.items():
            if value and name in names and (count := count_of(value)):
                _part(usage, names[name], count, whole, notices)
    read_and_written = usage.cached_input_tokens + usage.cache_write_5m_tokens
    if usage.cache_write_5m_tokens and read_and_written > usage.input_tokens:
        usage.cache_write_5m_tokens = usage.input_tokens - usage.cached_input_tokens


def _part(usage: pb.Usage, field: str, count: int, whole: int, notices: list[pb.Notice]) -> None:
    setattr(usage, field, min(count, whole))
    if count > whole:
        message = f"the provider counted {count}, more than there are at all ({whole})"
        notices.append(pb.Notice(code=pb.Notice.CODE_USAGE_CORRECTED, message=message, field=f"usage.{field}"))
