"""Names in requests of the Gemini dialect: the API takes `maxOutputTokens` and `max_output_tokens` alike."""

import re
from typing import Any

from tests.faults.fake_provider.reply import JsonObject

# The caller's own data, in which names mean what they say.
OPAQUE = frozenset(
    {"args", "response", "parametersJsonSchema", "responseJsonSchema", "_responseJsonSchema", "default", "example", "partMetadata"}
)
# Objects whose names are the caller's, but not what stands under them.
NAMED = frozenset({"properties", "defs", "$defs"})
_WORD = re.compile(r"(?<=[a-zA-Z0-9])_([a-zA-Z0-9])")


def plain(body: JsonObject) -> JsonObject:
    """Return the request with every name of the API's own in its usual form."""
    return {name: _value(name, value) for name, value in ((_camel(name), value) for name, value in body.items())}


def _value(name: str, value: Any) -> Any:
    if name in OPAQUE:
        return value
    if name in NAMED and isinstance(value, dict):
        return {key: _value("", part) for key, part in value.items()}
    if isinstance(value, list):
        return [_value("", part) for part in value]
    return plain(value) if isinstance(value, dict) else value


def _camel(name: str) -> str:
    return _WORD.sub(lambda found: found[1].upper(), name)
