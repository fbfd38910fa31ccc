"""Memory: how much this process uses of what it may, as a reason to let fewer calls in."""

import math
import os
from collections.abc import Callable, Iterator
from pathlib import Path

Meter = Callable[[], int]  # bytes that this process has in memory; must not raise

_EASY = 0.80  # of the limit; below that memory is no reason
_FULL = 0.95  # of the limit: from there on only the floor is let in, and nobody may wait, since those who wait take memory too
_UNLIMITED = 1 << 60  # what version 1 of control groups says when there is no limit
_PAGE_BYTES = os.sysconf("SC_PAGE_SIZE")
_PROC, _GROUPS = Path("/proc/self"), Path("/sys/fs/cgroup")


def ease(used_bytes: int, limit_bytes: int) -> float:
    """1 while memory is no reason to refuse anybody, 0 when it is full, in between in proportion."""
    return min(1.0, max(0.0, (_FULL - used_bytes / limit_bytes) / (_FULL - _EASY)))


def resident_bytes() -> int:
    """What this process has in memory; 0 where the system does not say. Takes 15 µs."""
    try:
        return int((_PROC / "statm").read_bytes().split()[1]) * _PAGE_BYTES
    except (OSError, ValueError, IndexError):
        return 0


def limit_bytes(processes: int, *, proc: Path = _PROC, groups: Path = _GROUPS) -> int:
    """What one of so many equal processes may use by the control groups that it is in; 0 when they set no limit."""
    lowest = min(_limits(proc, groups), default=math.inf)
    return 0 if math.isinf(lowest) else int(lowest) // processes


def _limits(proc: Path, groups: Path) -> Iterator[int]:
    """All limits on the way from this process' group to the root; in a container its own group is the root."""
    for hierarchy, controllers, path in _memberships(proc):
        if hierarchy == "0":
            base, name = groups, "memory.max"
        elif "memory" in controllers.split(","):
            base, name = groups / "memory", "memory.limit_in_bytes"
        else:
            continue
        group = base / path.lstrip("/")
        for folder in (group, *group.parents):
            if folder == base.parent:
                break
            yield from _number(folder / name)


def _memberships(proc: Path) -> Iterator[tuple[str, str, str]]:
    try:
        lines = (proc / "cgroup").read_text().splitlines()
    except OSError:
        return
    for line in lines:
        hierarchy, _, rest = line.partition(":")
        controllers, _, path = rest.partition(":")
        yield hierarchy, controllers, path


def _number(file: Path) -> Iterator[int]:
    try:
        text = file.read_text().strip()
    except OSError:
        return
    if text.isdecimal() and int(text) < _UNLIMITED:
        yield int(text)
