"""Recorded answers: whole HTTP responses, byte for byte, by name."""

from collections.abc import Iterable
from pathlib import Path

from tests.faults.fake_provider.script import ScriptError

DIRECTORY = Path(__file__).parents[1] / "recordings"


def status_of(recording: bytes) -> int | None:
    """Return the status in a recording's first line, None if it has no such line."""
    status = recording[9:12]
    return int(status) if recording.startswith(b"HTTP/1.") and status.isdigit() else None


class Recordings:
    """Those in the directory and those registered while running."""

    def __init__(self, directory: Path = DIRECTORY) -> None:
        self._known = {path.stem: path.read_bytes() for path in directory.glob("*.http")}

    def names(self) -> Iterable[str]:
        return self._known

    def register(self, name: str, data: bytes) -> None:
        self._known[name] = data

    def read(self, name: str) -> bytes:
        if name not in self._known:
            raise ScriptError(f"no recording named {name!r}")
        return self._known[name]
