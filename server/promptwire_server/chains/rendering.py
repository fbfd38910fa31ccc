"""Code in its place: templates and expressions whose failures on the values of a run name the field."""

from collections.abc import Mapping
from dataclasses import dataclass
from typing import Final

from promptwire_server.chains.expression import Expression
from promptwire_server.chains.findings import at_runtime
from promptwire_server.chains.subset.fault import TemplateError, Trouble
from promptwire_server.chains.subset.frame import DEFAULT_LIMITS, Frame
from promptwire_server.chains.subset.jsontext import to_json
from promptwire_server.chains.template import Template
from promptwire_server.chains.turn import Outcome
from promptwire_server.core import json_text

_NO_VALUES: Final[Mapping[str, object]] = {}


@dataclass(frozen=True, slots=True)
class Text:
    """A template, and where it stands."""

    template: Template
    path: str

    def render(self, values: Mapping[str, object]) -> str:
        """The text. Raises InvalidTemplate."""
        try:
            return self.template.render(values)
        except TemplateError as error:
            raise at_runtime(self.path, error) from None


@dataclass(frozen=True, slots=True)
class Formula:
    """An expression, and where it stands."""

    expression: Expression
    path: str

    def holds(self, values: Mapping[str, object]) -> bool:
        """Whether the value counts as true. Raises InvalidTemplate."""
        try:
            return self.expression.truth(values)
        except TemplateError as error:
            raise at_runtime(self.path, error) from None

    def evaluate(self, values: Mapping[str, object]) -> Outcome:
        """The value, cut loose from the values that it was made of. Raises InvalidTemplate."""
        try:
            return outcome_of(self.expression.evaluate(values))
        except TemplateError as error:
            raise at_runtime(self.path, error) from None


def outcome_of(value: object) -> Outcome:
    """A value as the output of a step: text as it is, all else as JSON. Raises TemplateError for what is too large to be written."""
    if isinstance(value, str):
        return Outcome(value, value)
    try:
        text = to_json(Frame(_NO_VALUES, 0, DEFAULT_LIMITS), value, 0)
    except Trouble as trouble:
        raise trouble.at(0) from None
    # Read back, so that a value which shares parts of itself, or of what other steps gave, becomes one of its own.
    return Outcome(text, json_text.parse(text), text)
