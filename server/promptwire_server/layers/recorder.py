"""Recorder: attempts that have ended become rows a little later, many at once: a call's own time is too good for that."""

from collections.abc import Callable, Sequence
from typing import Final, Protocol

from promptwire_server.core.ledger import Entry

_MOST_WAITING: Final = 512  # then they are not left waiting any longer
Later = Callable[[Callable[[], None]], object]


class Rows(Protocol):
    """Where rows go."""

    def append(self, entries: Sequence[Entry]) -> None:
        """Take rows. Never waits, never raises."""
        ...


class Recorder:
    """Keeps what has ended until its rows are made. Belongs to one event loop."""

    def __init__(self, rows: Rows, later: Later | None = None) -> None:
        """`later` calls back after a little while; None: rows are made at once."""
        self._rows = rows
        self._later = later
        self._waiting: list[Callable[[], Sequence[Entry]]] = []

    def add(self, rows: Callable[[], Sequence[Entry]]) -> None:
        """Have these rows made and written."""
        self._waiting.append(rows)
        if self._later is None or len(self._waiting) >= _MOST_WAITING:
            self.settle()
        elif len(self._waiting) == 1:
            self._later(self.settle)

    def settle(self) -> None:
        """Write everything that waits. Harmless when nothing does."""
        waiting, self._waiting = self._waiting, []
        entries = [entry for rows in waiting for entry in rows()]
        if entries:
            self._rows.append(entries)
