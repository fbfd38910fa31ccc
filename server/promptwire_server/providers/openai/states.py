"""States: what OpenAI wants back with a part, and which of its two APIs the part came from."""

from promptwire_server.providers.json_value import JsonObject, dumped, object_in, parsed_object

CUSTOM = b'{"custom":true}'  # of chat completions: the call is one of a custom tool
_ITEM = b'{"item":'


def of_item(item: JsonObject) -> bytes:
    """The state that an output item of the Responses API is."""
    return _ITEM + dumped(item).encode() + b"}"


def is_item(state: bytes) -> bool:
    """Whether it came from the Responses API."""
    return state.startswith(_ITEM)


def item_in(state: bytes) -> JsonObject:
    """The output item; empty when it is none."""
    return object_in((parsed_object(state) or {}).get("item")) if is_item(state) else {}
