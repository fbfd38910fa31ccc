"""Names in chains: of steps, inputs and outputs."""

import difflib
import re
from collections.abc import Sequence
from typing import Final

_NAME: Final = re.compile(r"[A-Za-z][A-Za-z0-9_]{0,127}")
_CHAIN_NAME: Final = re.compile(r"[A-Za-z0-9_.-]{1,128}")
# What templates know already, and the words of their language.
_RESERVED: Final = frozenset(
    {"inputs", "output", "steps", "loop", "true", "false", "none", "True", "False", "None"}
    | {"and", "or", "not", "in", "is", "if", "elif", "else", "endif", "for", "endfor", "raw", "endraw", "recursive"}
)
# Comparing takes 10 µs a name.
_MOST_HINTS: Final = 100
_MOST_HINT_CHARS: Final = 40


def is_name(text: str) -> bool:
    """A letter, then letters, digits and _."""
    return _NAME.fullmatch(text) is not None


def is_chain_name(text: str) -> bool:
    """Letters, digits, _ - and .; at most 128."""
    return _CHAIN_NAME.fullmatch(text) is not None


def reserved(name: str) -> bool:
    """Whether templates use the name for something else."""
    return name in _RESERVED


def did_you_mean(name: str, known: Sequence[str]) -> str:
    """A hint for a typing error, or nothing."""
    if len(name) > _MOST_HINT_CHARS:
        return ""
    near = difflib.get_close_matches(name, [one for one in known[:_MOST_HINTS] if len(one) <= _MOST_HINT_CHARS], n=1)
    return f" (did you mean '{near[0]}'?)" if near else ""
