"""The state of one rendering: the values, the output so far, and what may still be spent."""

from __future__ import annotations

import sys
from collections.abc import Callable, Mapping
from dataclasses import dataclass
from typing import Final

from promptwire_server.chains.subset.fault import Trouble


@dataclass(frozen=True, slots=True, kw_only=True)
class Limits:
    """How much a template may ask for. Compiling is bounded by the first four, rendering by the others.

    A unit of fuel is about 100 ns on a machine of 2023: one node of the syntax tree in a loop, or as many characters as
    an operation handles in that time. `memory_bytes` counts all that a rendering builds, also what it drops again: then
    no bookkeeping of lifetimes is needed, and lists of long texts are bounded too.
    """

    source_chars: int = 128 * 1024
    tokens: int = 4_000
    nesting: int = 20  # brackets and blocks: the parser uses up to 14 Python frames for a pair of brackets
    tree_depth: int = 64  # also the number of operators in a row: a + b + c is a tree two levels deep
    output_chars: int = 1024 * 1024
    text_chars: int = 1024 * 1024  # one text made, or taken apart, on the way; values that only pass by may be longer
    list_items: int = 50_000  # one list made on the way
    memory_bytes: int = 12 * 1024 * 1024
    fuel: int = 300_000


DEFAULT_LIMITS: Final = Limits()
LOOP_DEPTH: Final = 2


class Frame:
    """One rendering.

    Loop variables live in numbered slots, assigned when the template is compiled; `indexes` (from 0) and `lengths` tell
    how far the outer and the inner loop are.
    """

    __slots__ = ("_fuel", "_memory_bytes", "indexes", "lengths", "limits", "parts", "room_chars", "slots", "values")

    def __init__(self, values: Mapping[str, object], slots: int, limits: Limits) -> None:
        self.values = values
        self.slots: list[object] = [None] * slots
        self.indexes = [0] * LOOP_DEPTH
        self.lengths = [0] * LOOP_DEPTH
        self.parts: list[str] = []
        self.room_chars = limits.output_chars
        self.limits = limits
        self._fuel = limits.fuel
        self._memory_bytes = limits.memory_bytes

    def spend(self, units: int) -> None:
        """Pay for work before it is done."""
        self._fuel -= units
        if self._fuel < 0:
            raise Trouble("limit", "this is too much work for one template: use fewer or shorter values")

    def claim(self, size_bytes: int) -> None:
        """Pay for memory, where possible before it is taken."""
        self._memory_bytes -= size_bytes
        if self._memory_bytes < 0:
            raise Trouble("limit", "this builds too much text or too many items: use fewer or shorter values")

    def write(self, text: str) -> None:
        """Add to the output."""
        self.room_chars -= len(text)
        if self.room_chars < 0:
            raise Trouble("limit", f"the output is longer than {self.limits.output_chars} characters")
        self.parts.append(text)

    def fit(self, chars: int) -> None:
        """Refuse a text of this length before it is built."""
        if chars > self.limits.text_chars:
            raise Trouble(
                "limit",
                f"a text of {chars} characters is too long here (at most {self.limits.text_chars}):"
                " shorten it first, with truncate or a slice",
            )

    def keep(self, text: str) -> str:
        """Account for a new text."""
        self.fit(len(text))
        self.claim(sys.getsizeof(text))
        return text

    def fit_items(self, count: int, item_bytes: int = 8) -> None:
        """Account for a new list before it is built; `item_bytes` counts the items too where they are new."""
        if count > self.limits.list_items:
            raise Trouble("limit", f"a list of more than {self.limits.list_items} items is too long here")
        self.spend(count)
        self.claim(count * item_bytes)


Evaluate = Callable[[Frame], object]
Execute = Callable[[Frame], None]
