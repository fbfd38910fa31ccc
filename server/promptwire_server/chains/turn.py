"""Turn: what an action is given for one attempt, and what it gives back."""

from collections.abc import Awaitable, Callable, Mapping
from dataclasses import dataclass

from promptwire import v1 as pb

# Asks the models of the step and waits for the whole answer; on the way its parts are told to whoever watches the run.
Ask = Callable[[pb.ChatRequest], Awaitable[pb.ChatResponse]]


@dataclass(slots=True)  # not frozen, as there is one for each step: that alone would cost a microsecond
class Outcome:
    """The output of a step."""

    text: str
    value: object  # what an output_key names and `steps.<id>.json` gives: of the types of JSON, and never changed
    output_json: str = ""  # the value as JSON text; empty when it is plain text


@dataclass(slots=True)  # not frozen, as there is one for each step: that alone would cost a microsecond
class Turn:
    """One attempt at one step."""

    values: Mapping[str, object]  # what templates and expressions see
    models: tuple[str, ...]  # to try in order; empty: the server's default
    ask: Ask
