"""What pydantic found, in words for the operator: key path, what is wrong, what to write instead."""

import difflib
from collections.abc import Callable, Sequence

from pydantic import ValidationError
from pydantic_core import ErrorDetails

from promptwire_server.config.fault import Fault, dotted
from promptwire_server.config.providers import KINDS
from promptwire_server.config.schema import keys_at
from promptwire_server.config.settings import KeyPath
from promptwire_server.config.tree import Tree

_TAG_POSITION = 2  # pydantic names the kind of a provider within the path: ("providers", "openai", "openai", "base_url")
_SHOWN_KEYS = 12

_MESSAGES: dict[str, Callable[[ErrorDetails], str]] = {
    "missing": lambda _: "is required",
    "literal_error": lambda error: f"must be one of {error['ctx']['expected']}",
    "value_error": lambda error: str(error["ctx"]["error"]),
    "greater_than_equal": lambda error: f"must be at least {error['ctx']['ge']}",
    "greater_than": lambda error: f"must be more than {error['ctx']['gt']}",
    "less_than_equal": lambda error: f"must be at most {error['ctx']['le']}",
    "too_short": lambda _: "needs at least one entry",
    "union_tag_not_found": lambda _: f"needs a `kind`: {', '.join(KINDS)}",
    "union_tag_invalid": lambda error: f"kind must be one of {error['ctx']['expected_tags']}",
}
_BY_BEGINNING = (
    (("int_",), "must be a whole number"),
    (("bool_",), "must be true or false"),
    (("string_type",), "must be a text; put it in quotes"),
    (("float_",), "must be a number"),
    (("path_",), "must be the path of a file or directory"),
    (("list_",), "must be a list: `[a, b]`, or a line with a dash each"),
    (("dict_", "model_"), "must be a section: further keys, indented below it"),
)


def faults_of(error: ValidationError, tree: Tree) -> list[Fault]:
    """One fault for each thing that is wrong."""
    return [_fault(details, tree) for details in error.errors(include_url=False, include_input=False)]


def _fault(details: ErrorDetails, tree: Tree) -> Fault:
    path = _path([str(key) for key in details["loc"]])
    if path[-1:] == ("[key]",) and details["type"] == "value_error":
        path, message = path[:-1], _message(details, path)
    elif path[-1:] == ("[key]",):
        path = path[:-1]
        message = "is no good name: letters, digits and . _ - : only, at most 64, the first a letter or digit"
    elif details["type"] == "extra_forbidden":
        return Fault(path, unknown_key(path), tree.origin(path), harmless=True)
    else:
        message = _message(details, path)
    return Fault(path, message, tree.origin(path))


def unknown_key(path: KeyPath) -> str:
    """That there is no such key, and which was probably meant."""
    known = keys_at(path[:-1])
    place = f"in {dotted(path[:-1])}" if path[:-1] else "at the top"
    near = difflib.get_close_matches(path[-1], known, n=1)
    if near:
        return f"there is no such key {place}; did you mean `{near[0]}`?"
    return f"there is no such key {place}; there are {', '.join(known[:_SHOWN_KEYS])}{', …' if len(known) > _SHOWN_KEYS else ''}"


def _message(details: ErrorDetails, path: KeyPath) -> str:
    kind = details["type"]
    if kind == "string_pattern_mismatch":
        return _pattern(path)
    if kind in _MESSAGES:
        return _MESSAGES[kind](details)
    for beginnings, message in _BY_BEGINNING:
        if kind.startswith(beginnings):
            return message
    return details["msg"]


def _pattern(path: KeyPath) -> str:
    if path[-1] == "base_url":
        return 'must be an address such as "https://api.openai.com/v1", without a query; credentials go to api_key'
    return "must be letters, digits and . _ - : only, at most 64, the first a letter or digit"


def _path(loc: Sequence[str]) -> KeyPath:
    tagged = len(loc) > _TAG_POSITION and loc[0] == "providers" and loc[_TAG_POSITION] != "[key]"
    return (*loc[:_TAG_POSITION], *loc[_TAG_POSITION + 1 :]) if tagged else tuple(loc)
