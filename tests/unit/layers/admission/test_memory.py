"""Memory as a reason, and where its limit is written."""

import os
from pathlib import Path

import pytest

from promptwire_server.layers.admission.memory import ease, limit_bytes, resident_bytes

GIB = 1 << 30


@pytest.mark.parametrize(("used", "left"), [(0, 1.0), (79, 1.0), (87.5, 0.5), (95, 0.0), (200, 0.0)])
def test_the_reason_grows_near_the_limit(used: float, left: float) -> None:
    assert ease(int(used * GIB), 100 * GIB) == pytest.approx(left, abs=0.01)


def test_this_process_has_something_in_memory() -> None:
    assert 1 << 20 < resident_bytes() < os.sysconf("SC_PHYS_PAGES") * os.sysconf("SC_PAGE_SIZE")


def groups(folder: Path, files: dict[str, str]) -> Path:
    for name, text in files.items():
        file = folder / "groups" / name
        file.parent.mkdir(parents=True, exist_ok=True)
        file.write_text(text + "\n")
    return folder / "groups"


def proc(folder: Path, text: str) -> Path:
    (folder / "cgroup").write_text(text)
    return folder


def test_the_lowest_limit_on_the_way_to_the_root_holds(tmp_path: Path) -> None:
    found = groups(tmp_path, {"memory.max": "max", "a/memory.max": str(4 * GIB), "a/b/memory.max": str(6 * GIB)})
    assert limit_bytes(1, proc=proc(tmp_path, "0::/a/b\n"), groups=found) == 4 * GIB
    assert limit_bytes(4, proc=proc(tmp_path, "0::/a/b\n"), groups=found) == GIB


def test_in_a_container_the_own_group_is_the_root(tmp_path: Path) -> None:
    found = groups(tmp_path, {"memory.max": str(2 * GIB)})
    assert limit_bytes(1, proc=proc(tmp_path, "0::/\n"), groups=found) == 2 * GIB


def test_the_older_version_of_control_groups_is_read(tmp_path: Path) -> None:
    found = groups(tmp_path, {"memory/d/memory.limit_in_bytes": str(3 * GIB), "memory/memory.limit_in_bytes": "9223372036854771712"})
    assert limit_bytes(1, proc=proc(tmp_path, "4:memory:/d\n1:cpu,cpuacct:/x\n"), groups=found) == 3 * GIB


@pytest.mark.parametrize("lines", ["0::/none\n", "", "nonsense\n", "0::/a\n"])
def test_without_a_limit_memory_is_no_reason(tmp_path: Path, lines: str) -> None:
    assert limit_bytes(1, proc=proc(tmp_path, lines), groups=groups(tmp_path, {"a/memory.max": "max"})) == 0


def test_without_control_groups_memory_is_no_reason(tmp_path: Path) -> None:
    assert limit_bytes(1, proc=tmp_path / "absent", groups=tmp_path / "absent") == 0
