"""Tokens as the Responses API counts them: chat completions' counts under other names, and calls of the vendor's own tools."""

from collections.abc import Callable, Iterable

from promptwire import v1 as pb
from promptwire_server.providers.counts import count_of
from promptwire_server.providers.json_value import Json, JsonObject, object_in
from promptwire_server.providers.openai import usage as chat_usage

_NAMES = {
    "input_tokens": "prompt_tokens",
    "output_tokens": "completion_tokens",
    "input_tokens_details": "prompt_tokens_details",
    "output_tokens_details": "completion_tokens_details",
}
_INPUT = "input_tokens_details"
_WRITES = "cache_write_tokens_details"
# The items whose calls are charged apart from tokens.
_CHARGED = {"web_search_call": "web_search", "file_search_call": "file_search"}


def fill_usage(usage: pb.Usage, wire: Json, notices: list[pb.Notice], *, prompt: Callable[[], int], said: Callable[[], int]) -> None:
    """Fill in the usage, with the invariants of the contract; see openai.usage."""
    counts = object_in(wire)
    chat_usage.fill_usage(usage, _renamed(counts), notices, prompt=prompt, said=said)
    writes = object_in(object_in(counts.get(_INPUT)).get(_WRITES))
    # Twelve hours are a longer promise than the contract's longest, and priced as such.
    if long := count_of(writes.get("ttl_12h_tokens")):
        usage.cache_write_1h_tokens = min(long, usage.cache_write_5m_tokens)
        usage.cache_write_5m_tokens -= usage.cache_write_1h_tokens


def fill_units(usage: pb.Usage, tool_usage: Json, kinds: Iterable[str]) -> None:
    """Fill in the charged calls: as the vendor counts them, else by the items of the answer."""
    for kind in kinds:
        if name := _CHARGED.get(kind):
            usage.provider_units[name] += 1
    searches = count_of(object_in(object_in(tool_usage).get("web_search")).get("num_requests"))
    if searches:
        usage.provider_units["web_search"] = searches
    elif searches == 0:
        usage.provider_units.pop("web_search", None)


def unknown_usage(wire: Json) -> JsonObject:
    """What the vendor says of usage that the contract has no field for."""
    counts = dict(object_in(wire))
    details = object_in(counts.get(_INPUT))
    counts[_INPUT] = {name: value for name, value in details.items() if name != _WRITES}
    chat_names = {chat: name for name, chat in _NAMES.items()}
    return {chat_names.get(name, name): value for name, value in chat_usage.unknown_usage(_renamed(counts)).items()}


def _renamed(counts: JsonObject) -> JsonObject:
    return {_NAMES.get(name, name): value for name, value in counts.items()}
