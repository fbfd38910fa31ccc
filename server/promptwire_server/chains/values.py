"""Values: what the templates and expressions of a run see, while it grows."""

from collections.abc import Iterator, Mapping
from typing import Final

from promptwire_server.chains.subset.fault import TemplateError
from promptwire_server.chains.turn import Outcome
from promptwire_server.core import json_text

_UNREAD: Final = object()


class StepView(Mapping[str, object]):
    """`steps.<id>`: text and json of the newest output, absent before there is one, and state and visit of the newest visit."""

    __slots__ = ("_json", "_members", "_step_id")

    def __init__(self, step_id: str) -> None:
        self._step_id = step_id
        self._members: dict[str, object] = {}
        self._json: object = _UNREAD

    def ended(self, state: str, visit: int) -> None:
        """A visit ended."""
        self._members["state"] = state
        self._members["visit"] = visit

    def gave(self, outcome: Outcome) -> None:
        """A visit gave an output."""
        self._members["text"] = outcome.text
        self._json = outcome.value if outcome.output_json else _UNREAD

    def __getitem__(self, key: str) -> object:
        return self._parsed() if key == "json" and "text" in self._members else self._members[key]

    def __iter__(self) -> Iterator[str]:
        return iter(self._members)

    def __len__(self) -> int:
        return len(self._members)

    def _parsed(self) -> object:
        """The text read as JSON, when somebody asks for it first."""
        if self._json is _UNREAD:
            try:
                self._json = json_text.parse(str(self._members["text"]))
            except json_text.NotJson as error:
                raise TemplateError("type", 0, f"steps.{self._step_id}.json: the text of this step {error}") from None
        return self._json


class Values:
    """The values of one run. `names` is handed to templates as it is, and only ever changed here, between two steps."""

    def __init__(self, inputs: Mapping[str, object]) -> None:
        self._steps: dict[str, StepView] = {}
        self._output: list[str] = []
        self.names: dict[str, object] = {**inputs, "inputs": inputs, "output": self._output, "steps": self._steps}

    def ended(self, step_id: str, state: str, visit: int) -> None:
        """A step ended, with an output or without."""
        view = self._steps.get(step_id)
        if view is None:
            view = self._steps[step_id] = StepView(step_id)
        view.ended(state, visit)

    def gave(self, step_id: str, output_key: str, outcome: Outcome) -> None:
        """A step that has `ended` gave an output."""
        self._steps[step_id].gave(outcome)
        self._output.append(outcome.text)
        if output_key:
            self.names[output_key] = outcome.value

    @property
    def last_text(self) -> str | None:
        """Text of the last step that gave one."""
        return self._output[-1] if self._output else None
