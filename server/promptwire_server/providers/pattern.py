r"""Patterns: regular expressions that take time in proportion to the text, whatever they are, since callers choose the text.

Known: characters, `.`, classes such as `[a-z]` and `\d \w \s`, groups `( )`, `|`, `*`, `+`, `?`, `^`, `$`. All possible matches walk over
the text in step (Thompson's way), so nothing is ever tried twice.
"""

import re
from dataclasses import dataclass
from typing import Literal

_CLASSES = "dDwWsS"
_SPECIAL = "*+?|()"
_MAX_INSTRUCTIONS = 2000


class BadPattern(ValueError):
    """The expression is not one of these; the message says why."""


@dataclass(frozen=True, slots=True)
class _Instruction:
    kind: Literal["one", "fork", "jump", "start", "end"]
    one: re.Pattern[str] | None = None  # of one character
    first: int = 0  # where to go on, relative to here
    second: int = 0


_Code = list[_Instruction]


class Pattern:
    """One compiled expression."""

    def __init__(self, expression: str) -> None:
        """Raises BadPattern."""
        parser = _Parser(expression)
        self._code = parser.alternatives()
        parser.expect_end()
        if len(self._code) > _MAX_INSTRUCTIONS:
            raise BadPattern("it is too long")

    def found_in(self, text: str) -> bool:
        """Whether it matches anywhere in the text."""
        threads: set[int] = set()
        for position in range(len(text) + 1):
            threads = self._closure([*threads, 0], position, len(text))
            if len(self._code) in threads:
                return True
            if position < len(text):
                threads = self._step(threads, text[position])
        return False

    def _step(self, threads: set[int], character: str) -> set[int]:
        moved = set()
        for at in threads:
            one = self._code[at].one
            if one is not None and one.fullmatch(character):
                moved.add(at + 1)
        return moved

    def _closure(self, starts: list[int], position: int, length: int) -> set[int]:
        """Where the threads stand once they followed all that takes no character."""
        seen: set[int] = set()
        while starts:
            at = starts.pop()
            if at in seen:
                continue
            seen.add(at)
            if at == len(self._code):
                continue
            instruction = self._code[at]
            if instruction.kind == "fork":
                starts += [at + instruction.first, at + instruction.second]
            elif instruction.kind == "jump":
                starts.append(at + instruction.first)
            elif (instruction.kind == "start" and position == 0) or (instruction.kind == "end" and position == length):
                starts.append(at + 1)
        return seen


class _Parser:
    def __init__(self, expression: str) -> None:
        self._text = expression
        self._at = 0

    def alternatives(self) -> _Code:
        code = self._sequence()
        while self._peek() == "|":
            self._at += 1
            other = self._sequence()
            code = [_Instruction("fork", None, 1, len(code) + 2), *code, _Instruction("jump", None, len(other) + 1), *other]
        return code

    def expect_end(self) -> None:
        if self._at < len(self._text):
            raise BadPattern(f"there is a ) too many at character {self._at + 1}")

    def _sequence(self) -> _Code:
        code: _Code = []
        while self._peek() not in ("", "|", ")"):
            code += self._repeated(self._item())
        return code

    def _repeated(self, code: _Code) -> _Code:
        match self._peek():
            case "*":
                code = [_Instruction("fork", None, 1, len(code) + 2), *code, _Instruction("jump", None, -len(code) - 1)]
            case "+":
                code = [*code, _Instruction("fork", None, -len(code), 1)]
            case "?":
                code = [_Instruction("fork", None, 1, len(code) + 1), *code]
            case "{":
                raise BadPattern('counted repeats are not known here; write the part out, or "\\{" for the character')
            case _:
                return code
        self._at += 1
        return code

    def _item(self) -> _Code:  # noqa: PLR0911 - one return a kind
        character = self._peek()
        self._at += 1
        match character:
            case "(":
                return self._group()
            case "^":
                return [_Instruction("start")]
            case "$":
                return [_Instruction("end")]
            case ".":
                return [_Instruction("one", re.compile(".", re.DOTALL))]
            case "[":
                return [_Instruction("one", self._class())]
            case "\\":
                return [_Instruction("one", self._escape())]
            case _ if character in _SPECIAL:
                raise BadPattern(f'there is nothing to repeat before "{character}" at character {self._at}')
        return [_Instruction("one", re.compile(re.escape(character)))]

    def _group(self) -> _Code:
        if self._text.startswith("?", self._at):
            raise BadPattern("groups that begin with ? are not known here")
        code = self.alternatives()
        if self._peek() != ")":
            raise BadPattern("a ( is not closed")
        self._at += 1
        return code

    def _class(self) -> re.Pattern[str]:
        end = self._at
        while end < len(self._text) and (self._text[end] != "]" or end in (self._at, self._at + 1)):
            if self._text[end] == "]" and self._text[self._at : end] != "^" and end != self._at:
                break
            end += 2 if self._text[end] == "\\" else 1
        source = f"[{self._text[self._at : end]}]"
        self._at = end + 1
        if end >= len(self._text):
            raise BadPattern("a [ is not closed")
        try:
            return re.compile(source)
        except (re.error, FutureWarning):
            raise BadPattern(f"{source} is no class of characters") from None

    def _escape(self) -> re.Pattern[str]:
        character = self._peek()
        self._at += 1
        if not character:
            raise BadPattern("a backslash at the end escapes nothing")
        if character in _CLASSES:
            return re.compile(f"\\{character}")
        if character.isalnum():
            raise BadPattern(f'"\\{character}" is not known here')
        return re.compile(re.escape(character))

    def _peek(self) -> str:
        return self._text[self._at : self._at + 1]
