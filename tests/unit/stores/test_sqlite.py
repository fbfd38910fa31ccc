"""The journal on disk: what it promises when the disk, the queue or the process breaks."""

import json
import signal
import subprocess
import sys
from collections.abc import Callable, Iterator, Mapping
from contextlib import closing
from pathlib import Path

import apsw
import pytest

from promptwire_server.core.clock import ManualClock
from promptwire_server.core.entry import Entry
from promptwire_server.stores.sqlite.journal import Journal
from tests.unit.stores.entries import PLAIN, entry

LONG_S = 30.0  # until a thread that works must have finished
Open = Callable[..., Journal]


@pytest.fixture
def file(tmp_path: Path) -> Path:
    return tmp_path / "state" / "usage.sqlite3"


@pytest.fixture
def reports() -> list[Mapping[str, str | int]]:
    return []


@pytest.fixture
def clock() -> ManualClock:
    return ManualClock()


@pytest.fixture
def opened(file: Path, reports: list[Mapping[str, str | int]], clock: ManualClock) -> Iterator[Open]:
    journals: list[Journal] = []

    def make(*, capacity: int = 100, started: bool = True) -> Journal:
        journal = Journal(file, clock=clock, report=reports.append, capacity=capacity, retry_s=0.01)
        journals.append(journal)
        if started:
            journal.start()
        return journal

    yield make
    for journal in journals:
        journal.close(LONG_S)


def look(file: Path, statement: str) -> list[tuple[str | int | float | bytes | None, ...]]:
    # By apsw, as the journal does: a second SQLite library in one process would not see the locks of the first, and would undo them.
    with closing(apsw.Connection(str(file))) as connection:
        return connection.execute(statement).fetchall()


def rows(file: Path, columns: str = "*") -> list[tuple[str | int | float | bytes | None, ...]]:
    return look(file, f"SELECT {columns} FROM chats ORDER BY rowid")  # noqa: S608 - columns of the test's own


def break_disk(file: Path) -> None:
    """Where the directory should be stands a file."""
    file.parent.write_text("in the way")


def mend_disk(file: Path) -> None:
    file.parent.unlink()


def test_every_field_is_kept(file: Path, opened: Open) -> None:
    journal = opened()
    journal.append("shop", PLAIN)
    assert journal.flush(LONG_S)
    (kept,) = rows(file)
    assert kept[:-1] == ("shop", *PLAIN[:-1])
    assert json.loads(str(kept[-1])) == {"team": "search"}


def test_an_unknown_cost_is_null_and_a_known_zero_is_zero(file: Path, opened: Open) -> None:
    journal = opened()
    journal.append("shop", entry(cost_nano_usd=None))
    journal.append("shop", entry(cost_nano_usd=0))
    assert journal.flush(LONG_S)
    assert rows(file, "cost_nano_usd") == [(None,), (0,)]


def test_closing_writes_what_waits(file: Path, opened: Open) -> None:
    journal = opened(capacity=2000)
    for number in range(1500):
        journal.append("shop", entry(request_id=str(number)))
    journal.close(LONG_S)
    assert rows(file, "request_id") == [(str(number),) for number in range(1500)]
    assert journal.dropped == 0


def test_closing_twice_or_before_the_start_does_no_harm(opened: Open) -> None:
    journal = opened(started=False)
    journal.close(LONG_S)
    journal.close(LONG_S)
    assert journal.dropped == 0


def test_what_comes_after_the_end_is_counted_as_lost(opened: Open) -> None:
    journal = opened()
    journal.close(LONG_S)
    journal.append("shop", PLAIN)
    assert journal.dropped == 1


def test_a_full_queue_drops_the_newest_and_is_reported_once_a_minute(
    opened: Open, reports: list[Mapping[str, str | int]], clock: ManualClock
) -> None:
    journal = opened(capacity=2, started=False)
    for _ in range(10):
        journal.append("shop", PLAIN)
    assert journal.dropped == 8
    assert len(reports) == 1
    clock.advance(60)
    journal.append("shop", PLAIN)
    assert [report["dropped"] for report in reports] == [1, 9]


def test_what_waited_in_a_full_queue_is_written_when_the_thread_comes(file: Path, opened: Open) -> None:
    journal = opened(capacity=2, started=False)
    for number in range(3):
        journal.append("shop", entry(request_id=str(number)))
    journal.start()
    assert journal.flush(LONG_S)
    assert rows(file, "request_id") == [("0",), ("1",)]


def test_entries_survive_a_disk_that_is_broken_for_a_while(
    tmp_path: Path, file: Path, opened: Open, reports: list[Mapping[str, str | int]]
) -> None:
    break_disk(file)
    journal = opened()
    journal.append("shop", PLAIN)
    assert not journal.flush(0.2)
    mend_disk(file)
    assert journal.flush(LONG_S)
    assert len(rows(file)) == 1
    assert len(reports) == 1
    assert str(file) in str(reports[0]["error"])


def test_a_disk_that_stays_broken_does_not_hold_up_the_end(file: Path, opened: Open, reports: list[Mapping[str, str | int]]) -> None:
    break_disk(file)
    journal = opened()
    for _ in range(3):
        journal.append("shop", PLAIN)
    journal.close(LONG_S)
    assert journal.dropped == 3
    assert reports[-1]["dropped"] == 3


def test_a_lock_that_is_never_released_does_not_hold_up_the_end(file: Path, opened: Open) -> None:
    journal = opened()
    journal.append("shop", PLAIN)
    assert journal.flush(LONG_S)
    with closing(apsw.Connection(str(file))) as other:
        other.execute("BEGIN IMMEDIATE")
        journal.append("shop", PLAIN)
        journal.close(0.2)
        assert journal.dropped == 1


@pytest.mark.parametrize("bad", [entry(principal="\ud800"), entry(input_tokens=2**63)], ids=["lone surrogate", "beyond 64 bits"])
def test_an_entry_that_cannot_be_written_takes_no_other_with_it(file: Path, opened: Open, bad: Entry) -> None:
    journal = opened(started=False)
    journal.append("shop", entry(request_id="before"))
    journal.append("shop", bad)
    journal.append("shop", entry(request_id="after"))
    journal.start()
    assert journal.flush(LONG_S)
    assert rows(file, "request_id") == [("before",), ("after",)]
    assert journal.dropped == 1


def test_a_file_of_a_newer_server_is_left_alone(file: Path, opened: Open, reports: list[Mapping[str, str | int]]) -> None:
    file.parent.mkdir()
    look(file, "PRAGMA user_version = 99")
    journal = opened()
    journal.append("shop", PLAIN)
    journal.close(LONG_S)
    assert "99" in str(reports[0]["error"])
    assert look(file, "SELECT name FROM sqlite_master") == []


def test_a_second_start_adds_to_the_same_file(file: Path, opened: Open) -> None:
    for _ in range(2):
        journal = opened()
        journal.append("shop", PLAIN)
        journal.close(LONG_S)
    assert len(rows(file)) == 2


def test_only_the_owner_can_read_the_file_and_its_directory(file: Path, opened: Open) -> None:
    journal = opened()
    journal.append("shop", PLAIN)
    assert journal.flush(LONG_S)
    assert file.parent.stat().st_mode & 0o777 == 0o700
    modes = {path.name: path.stat().st_mode & 0o777 for path in file.parent.iterdir()}
    assert len(modes) == 3  # with -wal and -shm
    assert set(modes.values()) == {0o600}


def test_a_file_that_others_could_read_is_closed_to_them(file: Path, opened: Open) -> None:
    file.parent.mkdir()
    file.touch(mode=0o644)
    journal = opened()
    journal.append("shop", PLAIN)
    assert journal.flush(LONG_S)
    assert file.stat().st_mode & 0o777 == 0o600


def writer(file: Path, name: str, count: int) -> subprocess.Popen[str]:
    command = [sys.executable, "-m", "tests.unit.stores.writer", str(file), name, str(count)]
    return subprocess.Popen(command, stdout=subprocess.PIPE, stderr=subprocess.PIPE, text=True)


def test_what_was_flushed_survives_kill_9(file: Path) -> None:
    with writer(file, "shop", 0) as process:
        assert process.stdout is not None
        safe = [process.stdout.readline().strip() for _ in range(5)]
        process.send_signal(signal.SIGKILL)
        safe += process.stdout.read().split()
    kept = {row[0] for row in rows(file, "request_id")}
    assert len(safe) >= 5
    assert {f"shop-{number}" for number in safe} <= kept
    assert look(file, "PRAGMA integrity_check") == [("ok",)]


def test_processes_that_start_together_share_the_file(file: Path) -> None:
    processes = [writer(file, name, 5) for name in ("a", "b", "c")]
    for process in processes:
        _, errors = process.communicate(timeout=60)
        assert (process.returncode, errors) == (0, "")
    assert sorted(rows(file, "request_id")) == sorted((f"{name}-{number}",) for name in "abc" for number in range(5))
