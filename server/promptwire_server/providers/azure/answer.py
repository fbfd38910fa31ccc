"""Answers of chat completions at Azure: what its content filter found comes with every piece, and is kept at its worst."""

from promptwire_server.core.reply import Event
from promptwire_server.providers.json_value import Json, JsonObject, object_in
from promptwire_server.providers.openai.answer import ChatAnswer

_FOUND = "content_filter_results"
_SEVERITIES = ("safe", "low", "medium", "high")


class AzureAnswer(ChatAnswer):
    """See Answer."""

    __slots__ = ()

    def _choice(self, choice: JsonObject, out: list[Event]) -> None:
        if found := choice.pop(_FOUND, None):
            extras = self._lane_of(choice).extras
            extras[_FOUND] = worst(object_in(extras.get(_FOUND)), object_in(found))
        super()._choice(choice, out)


def worst(known: JsonObject, found: JsonObject) -> JsonObject:
    """The findings of both, by category; of each category the graver one."""
    return known | {name: result for name, result in found.items() if _gravity(result) >= _gravity(known.get(name))}


def _gravity(result: Json) -> int:
    fields = object_in(result)
    severity = fields.get("severity")
    grave = _SEVERITIES.index(severity) if isinstance(severity, str) and severity in _SEVERITIES else 0
    return 2 * grave + bool(fields.get("detected")) + len(_SEVERITIES) * 2 * bool(fields.get("filtered"))
