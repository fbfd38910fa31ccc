"""Tokens spent, as the contract counts them: the vendor's input leaves out what was read from its cache or written to it."""

from collections.abc import Callable

from promptwire import v1 as pb
from promptwire_server.providers.counts import count_of, note_estimate, total_of
from promptwire_server.providers.json_value import JsonObject, object_in

_KNOWN = frozenset(
    {"input_tokens", "output_tokens", "cache_creation_input_tokens", "cache_read_input_tokens"}
    | {"cache_creation", "output_tokens_details", "server_tool_use"}
)


def fill_usage(
    usage: pb.Usage, counts: JsonObject, notices: list[pb.Notice], *, prompt: Callable[[], int], said: Callable[[], int]
) -> None:
    """Fill in the usage, with the invariants of the contract. What had to be estimated or corrected is added to `notices`.

    `counts` has output_tokens only when they are final. `prompt` and `said` estimate the tokens of the question and of all that was
    generated; asked only when the vendor's count cannot be.
    """
    _input(usage, counts, prompt)
    usage.output_tokens = total_of(counts.get("output_tokens"), usage, said)
    thought = count_of(object_in(counts.get("output_tokens_details")).get("thinking_tokens")) or 0
    usage.reasoning_tokens = min(thought, usage.output_tokens)
    if thought > usage.output_tokens:
        message = f"the provider counted {thought}, more than there are at all ({usage.output_tokens})"
        notices.append(pb.Notice(code=pb.Notice.CODE_USAGE_CORRECTED, message=message, field="usage.reasoning_tokens"))
    for name, value in object_in(counts.get("server_tool_use")).items():
        if calls := count_of(value):
            usage.provider_units[name.removesuffix("_requests")] = calls
    note_estimate(usage, notices, said_something=bool(counts))


def unknown_usage(counts: JsonObject) -> JsonObject:
    """What the vendor says of usage that the contract has no field for, e.g. its service tier."""
    return {name: value for name, value in counts.items() if name not in _KNOWN and value is not None}


def _input(usage: pb.Usage, counts: JsonObject, prompt: Callable[[], int]) -> None:
    read = count_of(counts.get("cache_read_input_tokens")) or 0
    by_age = object_in(counts.get("cache_creation"))
    hour = count_of(by_age.get("ephemeral_1h_input_tokens")) or 0
    minutes = count_of(by_age.get("ephemeral_5m_input_tokens")) or 0
    written = count_of(counts.get("cache_creation_input_tokens"))
    if written is None:
        written = hour + minutes
    uncached = count_of(counts.get("input_tokens"))
    total = None if uncached is None else uncached + read + written
    usage.input_tokens = max(total_of(total, usage, prompt), read + written)
    usage.cached_input_tokens = read
    usage.cache_write_1h_tokens = min(hour, written)
    usage.cache_write_5m_tokens = written - usage.cache_write_1h_tokens
