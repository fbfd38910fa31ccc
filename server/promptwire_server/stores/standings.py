"""Standings: which providers are out of use, in a small file that all processes of a machine share and that outlives them."""

import fcntl
import json
import os
from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from pathlib import Path

from promptwire_server.core.standing import Standing

_Stamp = tuple[int, int, int]


class Standings:
    """The file. Its methods wait for the disk, so threads call them. Raises OSError when it cannot be read or written."""

    def __init__(self, file: Path) -> None:
        self._file = file
        self._seen: _Stamp | None = None

    def changed(self) -> Mapping[str, Standing] | None:
        """What it says by provider; None when that is what it said when this was asked before."""
        stamp = self._stamp()
        if stamp == self._seen:
            return None
        self._seen = stamp
        return self._read()

    def keep(self, provider: str, standing: Standing) -> None:
        """Write one down; those of the others stay. It is whole on disk when this returns, or nothing has changed."""
        self._file.parent.mkdir(mode=0o700, parents=True, exist_ok=True)
        with self._locked():
            known = {**self._read(), provider: standing}
            entries = {name: _entry(each) for name, each in known.items()}
            new = self._file.with_name(f"{self._file.name}.new")
            with new.open("w", encoding="utf-8") as opened:
                json.dump(entries, opened, indent=1)
                opened.flush()
                os.fsync(opened.fileno())
            new.replace(self._file)

    def _stamp(self) -> _Stamp | None:
        try:
            status = self._file.stat()
        except FileNotFoundError:
            return None
        return status.st_mtime_ns, status.st_size, status.st_ino

    def _read(self) -> dict[str, Standing]:
        """What it says; a file that somebody has broken says nothing: better a provider too many than a server that does not start."""
        try:
            entries = json.loads(self._file.read_text(encoding="utf-8"))
            return {name: Standing(**entry) for name, entry in entries.items()}
        except (FileNotFoundError, ValueError, TypeError, AttributeError):
            return {}

    @contextmanager
    def _locked(self) -> Iterator[None]:
        """Alone among all processes. The lock is a file of its own: this one is replaced."""
        with self._file.with_name(f"{self._file.name}.lock").open("w") as lock:
            fcntl.flock(lock, fcntl.LOCK_EX)
            yield


def _entry(standing: Standing) -> Mapping[str, bool | str | float | None]:
    return {
        "enabled": standing.enabled,
        "reason": standing.reason,
        "changed_s": standing.changed_s,
        "clear_by_s": standing.clear_by_s,
    }
