"""What can be wrong with a template: the error that callers see, and how faults are collected."""

from __future__ import annotations

import difflib
from collections.abc import Iterable
from typing import Final, Literal

Kind = Literal["syntax", "forbidden", "undefined", "limit", "type"]

# A hostile template can hold thousands of faults, and each suggestion costs about a millisecond.
FAULTS_REPORTED: Final = 20
MESSAGE_CHARS: Final = 400
# Longer names are no typing errors, and comparing them is quadratic.
SUGGESTION_CHARS: Final = 40


class TemplateError(ValueError):
    """A template or expression that cannot be compiled or rendered.

    `kind`, `line` (from 1) and `message` describe the first fault; `faults` holds every one that was found, in the order
    of their lines. Messages name keys and expressions of the template, never values.
    """

    def __init__(self, kind: Kind, line: int, message: str, faults: tuple[tuple[int, str], ...] = ()) -> None:
        self.kind: Kind = kind
        self.line = line
        self.message = message
        self.faults = faults or ((line, message),)
        super().__init__("; ".join(f"line {at}: {text}" for at, text in self.faults))


class Trouble(Exception):
    """A fault met while rendering, raised where the line is not known; always caught and turned into TemplateError."""

    def __init__(self, kind: Kind, message: str) -> None:
        super().__init__(message)
        self.kind: Kind = kind
        self.message = message

    def at(self, line: int) -> TemplateError:
        """The error for callers."""
        return TemplateError(self.kind, line, shorten(self.message))


class Faults:
    """The faults of one compilation, without repetitions."""

    def __init__(self) -> None:
        self._found: dict[tuple[int, str], Kind] = {}
        self._unknown: set[tuple[int, str, str]] = set()

    def __bool__(self) -> bool:
        return bool(self._found)

    @property
    def full(self) -> bool:
        """Whether any more would be dropped."""
        return len(self._found) >= FAULTS_REPORTED

    def add(self, kind: Kind, line: int, message: str) -> None:
        """Record a fault once."""
        if not self.full:
            self._found.setdefault((line, shorten(message)), kind)

    def unknown(self, line: int, what: str, name: str, known: Iterable[str]) -> None:
        """Record a name that is not in the list, with the nearest names that are."""
        if self.full or (line, what, name) in self._unknown:
            return
        self._unknown.add((line, what, name))
        allowed = sorted(known)
        message = f"{what} '{shorten(name, 60)}' is not available{suggestion(name, allowed)}"
        self.add("forbidden", line, f"{message}; allowed: {', '.join(allowed)}")

    def error(self) -> TemplateError:
        """All faults in one error, in the order of their lines. There must be one."""
        ordered = sorted(self._found.items(), key=lambda found: found[0][0])
        (line, message), kind = ordered[0]
        return TemplateError(kind, line, message, tuple(place for place, _ in ordered))


def suggestion(name: str, known: Iterable[str]) -> str:
    """` (did you mean 'x'?)`, or nothing when no known name is near."""
    if len(name) > SUGGESTION_CHARS:
        return ""
    near = difflib.get_close_matches(name, known, n=1)
    return f" (did you mean '{near[0]}'?)" if near else ""


def shorten(text: str, chars: int = MESSAGE_CHARS) -> str:
    """Cut at so many characters, as parts of the source may stand in messages."""
    return text if len(text) <= chars else text[: chars - 3] + "..."
