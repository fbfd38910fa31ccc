"""The YAML file of the script provider, read and checked: all faults in one message, each with its key path."""

from collections.abc import Callable, Mapping
from dataclasses import dataclass, field
from pathlib import Path
from typing import TypeVar

import yaml

from promptwire_server.core.errors import InvalidRequest
from promptwire_server.providers.canned import Canned, CannedCall
from promptwire_server.providers.echo_options import error_called
from promptwire_server.providers.json_value import Json, JsonObject, dumped
from promptwire_server.providers.pattern import BadPattern, Pattern

_WHEN = ("exact", "contains", "regex", "model")
_SAYS = ("say", "reasoning", "refusal", "tools", "delay_ms", "word_delay_ms", "error", "error_after_words", "retry_after_ms")
T = TypeVar("T")


class BadScript(ValueError):
    """The file is wrong; the message lists every fault, a line each, with its key path."""


@dataclass(frozen=True, slots=True)
class Condition:
    """When a rule applies: all that is set must hold."""

    exact: str | None = None
    contains: str | None = None
    regex: Pattern | None = None
    model: str | None = None

    def holds(self, text: str, model: str) -> bool:
        """Whether it holds for the last text of the user's and the model's name."""
        if self.model is not None and self.model != model:
            return False
        if self.exact is not None and self.exact.strip() != text.strip():
            return False
        if self.contains is not None and self.contains.casefold() not in text.casefold():
            return False
        return self.regex is None or self.regex.found_in(text)


@dataclass(frozen=True, slots=True)
class Rule:
    """What to say when."""

    when: Condition
    answers: tuple[Canned, ...]  # one after the other, the last one again and again


@dataclass(frozen=True, slots=True)
class Script:
    """The whole file."""

    rules: tuple[Rule, ...]
    default: Rule | None


def load(path: Path) -> Script:
    """The script in a file. Raises BadScript, also when the file cannot be read."""
    try:
        value = yaml.safe_load(path.read_text(encoding="utf-8"))
    except OSError as error:
        raise BadScript(f"{path}: cannot be read: {error.strerror}") from None
    except (yaml.YAMLError, UnicodeDecodeError) as error:
        raise BadScript(f"{path}: is not YAML: {error}") from None
    return parse(value, str(path))


def parse(value: Json, name: str) -> Script:
    """The script that the parsed YAML means; `name` is for messages. Raises BadScript."""
    reader = _Reader()
    script = reader.script(value)
    if reader.faults:
        count = f"{len(reader.faults)} faults" if len(reader.faults) > 1 else "1 fault"
        raise BadScript("\n  ".join([f"{name}: {count}", *reader.faults]))
    return script


@dataclass(slots=True)
class _Reader:
    faults: list[str] = field(default_factory=list)

    def script(self, value: Json) -> Script:
        top = self._object(value, "", ("answers", "default"))
        rules = [self._rule(item, f"answers[{at}]") for at, item in enumerate(self._list(top.get("answers", []), "answers"))]
        if not rules and "default" not in top:
            self._fault("", 'says nothing; write "answers" or "default"')
        default = self._rule(top["default"], "default", default=True) if "default" in top else None
        return Script(tuple(rules), default)

    def _rule(self, value: Json, path: str, *, default: bool = False) -> Rule:
        keys = ("sequence", *_SAYS) if default else ("when", "sequence", *_SAYS)
        fields = self._object(value, path, keys)
        when = self._when(fields.get("when", {}), f"{path}.when")
        if "sequence" not in fields:
            return Rule(when, (self._canned(fields, path),))
        if said := [key for key in _SAYS if key in fields]:
            self._fault(f"{path}.{said[0]}", 'stands beside "sequence"; move it into the sequence')
        listed = self._list(fields["sequence"], f"{path}.sequence")
        if not listed:
            self._fault(f"{path}.sequence", "is empty")
        items = [
            self._canned(self._object(item, f"{path}.sequence[{at}]", _SAYS), f"{path}.sequence[{at}]") for at, item in enumerate(listed)
        ]
        return Rule(when, tuple(items))

    def _when(self, value: Json, path: str) -> Condition:
        fields = self._object(value, path, _WHEN)
        texts = {key: self._text(fields[key], f"{path}.{key}") for key in fields if key in _WHEN}
        regex = None
        if "regex" in texts:
            try:
                regex = Pattern(texts["regex"])
            except BadPattern as error:
                self._fault(f"{path}.regex", str(error))
        return Condition(texts.get("exact"), texts.get("contains"), regex, texts.get("model"))

    def _canned(self, fields: JsonObject, path: str) -> Canned:
        if not any(key in fields for key in ("say", "refusal", "tools", "error")):
            self._fault(path, 'says nothing; write "say", "refusal", "tools" or "error"')

        def read(key: str, parse: Callable[[Json, str], T], default: T) -> T:
            return parse(fields[key], f"{path}.{key}") if key in fields else default

        nothing: list[Json] = []
        tools = read("tools", self._list, nothing)
        retry_after_ms = read("retry_after_ms", self._number, None)
        error = None
        if "error" in fields:
            try:
                retry_after_s = None if retry_after_ms is None else retry_after_ms / 1000
                error = error_called(
                    self._text(fields["error"], f"{path}.error"), "script", "script", field="error", retry_after_s=retry_after_s
                )
            except InvalidRequest as fault:
                self._fault(f"{path}.error", fault.violations[0].message)
        return Canned(
            text=read("say", self._text, ""),
            reasoning=read("reasoning", self._text, ""),
            refusal=read("refusal", self._text, ""),
            tool_calls=tuple(self._call(item, f"{path}.tools[{at}]") for at, item in enumerate(tools)),
            delay_s=read("delay_ms", self._number, 0.0) / 1000,
            word_delay_s=read("word_delay_ms", self._number, 0.0) / 1000,
            error=error,
            error_after_words=int(read("error_after_words", self._number, 0.0)),
        )

    def _call(self, value: Json, path: str) -> CannedCall:
        fields = self._object(value, path, ("name", "arguments", "id"))
        name = self._text(fields.get("name"), f"{path}.name")
        arguments = fields.get("arguments", {})
        try:
            json_text = arguments if isinstance(arguments, str) else dumped(arguments)
        except TypeError:
            self._fault(f"{path}.arguments", "cannot be written as JSON; put dates in quotes")
            json_text = ""
        return CannedCall(name, json_text, self._text(fields["id"], f"{path}.id") if "id" in fields else "")

    def _object(self, value: Json, path: str, keys: tuple[str, ...]) -> JsonObject:
        if not isinstance(value, Mapping):
            self._fault(path, f"must be a mapping with {', '.join(keys)}")
            return {}
        for key in value:
            if key not in keys:
                self._fault(f"{path}.{key}".lstrip("."), f"is not known; known: {', '.join(keys)}")
        return dict(value)

    def _list(self, value: Json, path: str) -> list[Json]:
        if isinstance(value, list):
            return value
        self._fault(path, "must be a list")
        return []

    def _text(self, value: Json, path: str) -> str:
        if isinstance(value, str | int) and not isinstance(value, bool):
            return str(value)
        self._fault(path, "must be a text; put it in quotes")
        return ""

    def _number(self, value: Json, path: str) -> float:
        if isinstance(value, int | float) and not isinstance(value, bool) and 0 <= value <= 3_600_000:  # noqa: PLR2004 - an hour
            return float(value)
        self._fault(path, "must be a number from 0 to 3600000")
        return 0.0

    def _fault(self, path: str, message: str) -> None:
        self.faults.append(f"{path}: {message}" if path else message)
