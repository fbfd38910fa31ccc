"""Who is out of use, known to every process, and a disk that fails."""

from collections.abc import Mapping
from pathlib import Path

import pytest

from promptwire_server.core.standing import Standing
from promptwire_server.layers.board import Board
from promptwire_server.stores.standings import Standings

OFF = Standing(enabled=False, reason="why not", changed_s=1.0)


class Process:
    """One of those that share the file."""

    def __init__(self, file: Path) -> None:
        self.applied: list[Mapping[str, Standing]] = []
        self.reports: list[str] = []
        self.board = Board(Standings(file), apply=self.applied.append, report=self.reports.append)


@pytest.fixture
def file(tmp_path: Path) -> Path:
    return tmp_path / "providers.json"


async def test_what_one_process_keeps_holds_in_the_other_at_its_next_look(file: Path) -> None:
    one, other = Process(file), Process(file)
    await other.board.look()
    await one.board.keep("acme", OFF)
    await other.board.look()
    await other.board.look()
    assert (other.applied, one.reports, other.reports) == ([{"acme": OFF}], [], [])


async def test_what_was_kept_holds_after_a_new_start(file: Path) -> None:
    await Process(file).board.keep("acme", OFF)
    started = Process(file)
    await started.board.look()
    assert started.applied == [{"acme": OFF}]


async def test_a_disk_that_fails_is_reported_once_until_it_is_well(tmp_path: Path) -> None:
    (tmp_path / "state").write_text("in the way")
    process = Process(tmp_path / "state" / "providers.json")
    for _ in range(3):
        await process.board.keep("acme", OFF)
        await process.board.look()
    assert len(process.reports) == 1
    (tmp_path / "state").unlink()
    await process.board.look()
    (tmp_path / "state").write_text("in the way")
    await process.board.look()
    assert (len(process.reports), process.applied) == (2, [])
