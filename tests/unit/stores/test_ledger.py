"""The ledger on disk: what it promises when the disk, the queue or the process breaks."""

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
from promptwire_server.core.ledger import Amounts, Entry, Tokens
from promptwire_server.stores.columns import COLUMNS
from promptwire_server.stores.sqlite.database import Database
from promptwire_server.stores.sqlite.ledger import Ledger
from promptwire_server.stores.sqlite.schema import MIGRATIONS
from tests.unit.stores.entries import PLAIN, entry

LONG_S = 30.0  # until a thread that works must have finished
Open = Callable[..., "Journal"]


@pytest.fixture
def file(tmp_path: Path) -> Path:
    return tmp_path / "state" / "usage.sqlite3"


@pytest.fixture
def reports() -> list[Mapping[str, str | int]]:
    return []


@pytest.fixture
def clock() -> ManualClock:
    return ManualClock()


class Journal:
    """A ledger on its file."""

    def __init__(self, file: Path, clock: ManualClock, reports: list[Mapping[str, str | int]], capacity: int) -> None:
        self.dropped = 0
        self.database = Database(file, clock=clock, report=reports.append, retry_s=0.01)
        self._ledger = Ledger(self.database, lambda: 1, self._lose, capacity)

    def append(self, row: Entry) -> None:
        self._ledger.append([row])

    def flush(self, timeout_s: float) -> bool:
        return self.database.flush(timeout_s)

    def close(self, timeout_s: float) -> int:
        return self.database.close(timeout_s)

    def _lose(self, count: int, _: str) -> None:
        self.dropped += count


@pytest.fixture
def opened(file: Path, reports: list[Mapping[str, str | int]], clock: ManualClock) -> Iterator[Open]:
    journals: list[Journal] = []

    def make(*, capacity: int = 100, started: bool = True) -> Journal:
        journal = Journal(file, clock, reports, capacity)
        journals.append(journal)
        if started:
            journal.database.start()
        return journal

    yield make
    for journal in journals:
        journal.close(LONG_S)


def look(file: Path, statement: str) -> list[tuple[str | int | float | bytes | None, ...]]:
    # By apsw, as the journal does: a second SQLite library in one process would not see the locks of the first, and would undo them.
    with closing(apsw.Connection(str(file))) as connection:
        return connection.execute(statement).fetchall()


def rows(file: Path, columns: str = "*") -> list[tuple[str | int | float | bytes | None, ...]]:
    return look(file, f"SELECT {columns} FROM ledger ORDER BY entry")  # noqa: S608 - columns of the test's own


def break_disk(file: Path) -> None:
    """Where the directory should be stands a file."""
    file.parent.write_text("in the way")


def mend_disk(file: Path) -> None:
    file.parent.unlink()


def test_every_field_is_kept(file: Path, opened: Open) -> None:
    journal = opened()
    journal.append(PLAIN)
    assert journal.flush(LONG_S)
    (kept,) = rows(file, ", ".join(COLUMNS))
    flat = [value for field in PLAIN for value in (field if isinstance(field, Tokens | Amounts) else [field])]
    mappings = {"units", "labels", "budgets"}
    read = [json.loads(str(value)) if name in mappings else value for name, value in zip(COLUMNS, kept, strict=True)]
    assert read == [list(value) if isinstance(value, tuple) else value for value in flat]


def test_an_unknown_cost_is_null_and_a_known_zero_is_zero(file: Path, opened: Open) -> None:
    journal = opened()
    journal.append(entry(cost_nano_usd=None))
    journal.append(entry(cost_nano_usd=0))
    assert journal.flush(LONG_S)
    assert rows(file, "total_nano_usd") == [(None,), (0,)]


def test_closing_writes_what_waits(file: Path, opened: Open) -> None:
    journal = opened(capacity=2000)
    for number in range(1500):
        journal.append(entry(request_id=str(number)))
    journal.close(LONG_S)
    assert rows(file, "request_id") == [(str(number),) for number in range(1500)]
    assert journal.dropped == 0


def test_closing_twice_or_before_the_start_does_no_harm(opened: Open) -> None:
    journal = opened(started=False)
    assert journal.close(LONG_S) == 0
    assert journal.close(LONG_S) == 0


def test_a_full_queue_drops_the_newest_and_tells(opened: Open) -> None:
    journal = opened(capacity=2, started=False)
    for _ in range(10):
        journal.append(PLAIN)
    assert journal.dropped == 8


def test_what_waited_in_a_full_queue_is_written_when_the_thread_comes(file: Path, opened: Open) -> None:
    journal = opened(capacity=2, started=False)
    for number in range(3):
        journal.append(entry(request_id=str(number)))
    journal.database.start()
    assert journal.flush(LONG_S)
    assert rows(file, "request_id") == [("0",), ("1",)]


def test_entries_survive_a_disk_that_is_broken_for_a_while(
    tmp_path: Path, file: Path, opened: Open, reports: list[Mapping[str, str | int]]
) -> None:
    break_disk(file)
    journal = opened()
    journal.append(PLAIN)
    assert not journal.flush(0.2)
    mend_disk(file)
    assert journal.flush(LONG_S)
    assert len(rows(file)) == 1
    assert len(reports) == 1
    assert str(file) in str(reports[0]["error"])


def test_a_disk_that_stays_broken_does_not_hold_up_the_end(file: Path, opened: Open) -> None:
    break_disk(file)
    journal = opened()
    for _ in range(3):
        journal.append(PLAIN)
    assert journal.close(LONG_S) >= 0


def test_a_lock_that_is_never_released_does_not_hold_up_the_end(file: Path, opened: Open) -> None:
    journal = opened()
    journal.append(PLAIN)
    assert journal.flush(LONG_S)
    with closing(apsw.Connection(str(file))) as other:
        other.execute("BEGIN IMMEDIATE")
        journal.append(PLAIN)
        assert journal.close(0.2) == 1


@pytest.mark.parametrize("bad", [entry(principal="\ud800"), entry(input_tokens=2**63)], ids=["lone surrogate", "beyond 64 bits"])
def test_an_entry_that_cannot_be_written_takes_no_other_with_it(file: Path, opened: Open, bad: Entry) -> None:
    journal = opened(started=False)
    journal.append(entry(request_id="before"))
    journal.append(bad)
    journal.append(entry(request_id="after"))
    journal.database.start()
    assert journal.flush(LONG_S)
    assert rows(file, "request_id") == [("before",), ("after",)]
    assert journal.dropped == 1


def test_a_file_of_a_newer_server_is_left_alone(file: Path, opened: Open, reports: list[Mapping[str, str | int]]) -> None:
    file.parent.mkdir()
    look(file, "PRAGMA user_version = 99")
    journal = opened()
    journal.append(PLAIN)
    journal.close(LONG_S)
    assert "99" in str(reports[0]["error"])
    assert look(file, "SELECT name FROM sqlite_master") == []


def test_a_second_start_adds_to_the_same_file(file: Path, opened: Open) -> None:
    for _ in range(2):
        journal = opened()
        journal.append(PLAIN)
        journal.close(LONG_S)
    assert len(rows(file)) == 2


def test_only_the_owner_can_read_the_file_and_its_directory(file: Path, opened: Open) -> None:
    journal = opened()
    journal.append(PLAIN)
    assert journal.flush(LONG_S)
    assert file.parent.stat().st_mode & 0o777 == 0o700
    modes = {path.name: path.stat().st_mode & 0o777 for path in file.parent.iterdir()}
    assert len(modes) == 3  # with -wal and -shm
    assert set(modes.values()) == {0o600}


def test_a_file_that_others_could_read_is_closed_to_them(file: Path, opened: Open) -> None:
    file.parent.mkdir()
    file.touch(mode=0o644)
    journal = opened()
    journal.append(PLAIN)
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


def test_questions_of_an_older_server_become_rows(file: Path, opened: Open) -> None:
    file.parent.mkdir()
    with closing(apsw.Connection(str(file))) as before:
        before.execute(MIGRATIONS[0] + "PRAGMA user_version = 1")
        said = ("shop", 5, "r", "t", "me", "openai", "m", "fast", "OK", "PROVIDER", 0, *range(1, 11), 0, 11, None, 13, "", "", "{}")
        saved = ("shop", 6, "s", "t", "me", "openai", "m", "fast", "OK", "CACHE", 0, *range(1, 11), 0, 0, 11, 13, "", "", "{}")
        broken = ("shop", 7, "u", "t", "me", "openai", "m", "fast", "UPSTREAM_FAILED", "", 0, *[0] * 10, 0, None, None, 13, "", "", "{}")
        before.executemany(f"INSERT INTO chats VALUES ({', '.join('?' * len(said))})", [said, saved, broken])  # noqa: S608 - marks only
    journal = opened()
    journal.append(PLAIN)
    assert journal.flush(LONG_S)
    columns = "request_id, kind, served_from, total_nano_usd, saved_nano_usd, failure"
    assert rows(file, columns)[:-1] == [("r", 1, 1, 11, None, b""), ("s", 2, 2, 0, 11, b""), ("u", 1, 0, None, None, b"\x08\x02")]
