"""SQLite: state on one machine's disk. A thread of its own writes it in groups, so that the event loop never waits for the disk."""

import json
import os
import threading
from collections import deque
from collections.abc import Callable, Mapping, Sequence
from pathlib import Path

import apsw

from promptwire_server.core.clock import Clock
from promptwire_server.core.entry import Entry

Fields = Mapping[str, str | int]  # error, dropped, waiting
Report = Callable[[Fields], None]  # from any thread; must not raise
Row = tuple[str, Entry]  # tenant first

_CAPACITY = 16_384  # entries that wait: some seconds of a busy process, about 20 MB at worst
_BATCH = 512  # entries of one transaction, so that other processes get their turn
_WINDOW_S = 0.05  # entries that come within this time share one commit, and the thread wakes at most so often
_RETRY_S = 1.0
_WAL_PAUSE_MS = 10
_BUSY_MS = 5_000  # how long to wait for another process's transaction
_REPORT_EVERY_S = 60.0

_VERSION = 1
# Money and tokens are integers, unknown money is NULL. Tokens were spent where served_from is PROVIDER or empty.
_SCHEMA = """
CREATE TABLE chats (
    tenant TEXT NOT NULL, ended_us INTEGER NOT NULL, request_id TEXT NOT NULL, trace_id TEXT NOT NULL, principal TEXT NOT NULL,
    provider TEXT NOT NULL, model TEXT NOT NULL, model_asked TEXT NOT NULL,
    outcome TEXT NOT NULL, served_from TEXT NOT NULL, stream INTEGER NOT NULL,
    input_tokens INTEGER NOT NULL, output_tokens INTEGER NOT NULL, cached_input_tokens INTEGER NOT NULL,
    cache_write_5m_tokens INTEGER NOT NULL, cache_write_1h_tokens INTEGER NOT NULL, reasoning_tokens INTEGER NOT NULL,
    input_audio_tokens INTEGER NOT NULL, output_audio_tokens INTEGER NOT NULL,
    input_image_tokens INTEGER NOT NULL, output_image_tokens INTEGER NOT NULL, estimated INTEGER NOT NULL,
    cost_nano_usd INTEGER, saved_nano_usd INTEGER, duration_us INTEGER NOT NULL,
    run_id TEXT NOT NULL, step_id TEXT NOT NULL, labels TEXT NOT NULL
) STRICT;
CREATE INDEX chats_by_tenant ON chats (tenant, ended_us);
"""
_COLUMNS = ("tenant", *Entry._fields)
_INSERT = f"INSERT INTO chats ({', '.join(_COLUMNS)}) VALUES "  # noqa: S608 - names of our own
_ROW = f"({', '.join('?' * len(_COLUMNS))})"
# Rows by one statement: each statement gives up the interpreter's lock and takes it back, which costs the event loop more than the row.
_BLOCK = 32

# What is wrong with a row rather than with the disk: a lone surrogate, a number beyond 64 bits, a type.
_UNWRITABLE = (ValueError, TypeError, OverflowError, apsw.ConstraintError, apsw.MismatchError, apsw.TooBigError)


class Journal:
    """Entries on their way to a file that several processes may share.

    Entries wait in a bounded queue and are safe on disk when `flush` says so. A full queue drops the newest, and a broken disk is
    tried again: neither blocks or fails a call, both are counted in `dropped` or reported, at most once a minute.
    """

    def __init__(self, file: Path, *, clock: Clock, report: Report, capacity: int = _CAPACITY, retry_s: float = _RETRY_S) -> None:
        self._file = file
        self._clock = clock
        self._report = report
        self._capacity = capacity
        self._retry_s = retry_s
        self._queue: deque[Row] = deque()
        self._wake = threading.Event()
        self._closing = threading.Event()
        self._settled = threading.Condition()
        self._appended = 0  # by the event loop only
        self._done = 0  # written or given up, by the thread only
        self._refused = 0  # by the event loop only
        self._given_up = 0
        self._reported_s = -_REPORT_EVERY_S
        self._connection: apsw.Connection | None = None  # the thread's
        # A daemon: a disk that hangs must not keep the process from ending.
        self._thread = threading.Thread(target=self._run, name="promptwire-journal", daemon=True)

    @property
    def dropped(self) -> int:
        """Entries that were not written."""
        return self._refused + self._given_up

    def start(self) -> None:
        """Begin to write. The file is opened, or made, with the first entries."""
        self._thread.start()

    def append(self, tenant: str, entry: Entry) -> None:
        """Take an entry. Never waits, never raises."""
        if len(self._queue) >= self._capacity:
            self._refused += 1
            self._tell("too many entries wait: the disk is too slow or broken, or the journal is closed")
            return
        self._appended += 1
        self._queue.append((tenant, entry))
        if not self._wake.is_set():
            self._wake.set()

    def flush(self, timeout_s: float) -> bool:
        """Wait until what was appended so far is on disk or given up; False when that takes longer. Blocks: not for the event loop."""
        target = self._appended
        with self._settled:
            return self._settled.wait_for(lambda: self._done >= target, timeout_s)

    def close(self, timeout_s: float = 5.0) -> None:
        """Write what waits, and stop; what is not written by then is given up and counted. Blocks: not for the event loop."""
        self._capacity = 0
        self._closing.set()
        self._wake.set()
        if self._thread.is_alive():
            self._thread.join(timeout_s)
        if lost := self._appended - self._done:
            self._give_up(lost, f"the disk did not take them within {timeout_s:g} s")

    def _run(self) -> None:
        last = False
        while not last:
            self._wake.wait()
            self._closing.wait(_WINDOW_S)
            self._wake.clear()  # before looking: what comes later wakes again
            last = self._closing.is_set()
            while self._queue:
                self._settle([self._queue.popleft() for _ in range(min(_BATCH, len(self._queue)))])
        self._disconnect()

    def _settle(self, rows: Sequence[Row]) -> None:
        """Write rows, again and again until it works or the end has come. Rows that no disk would take are given up."""
        try:
            while not (written := self._written(rows)) and not self._closing.is_set():
                self._closing.wait(self._retry_s)
            if not written:
                self._give_up(len(rows), "the disk did not take them before the end")
        except _UNWRITABLE as error:
            if len(rows) > 1:  # find which, so that the others are kept
                for row in rows:
                    self._settle([row])
                return
            self._give_up(1, f"the file cannot hold it ({type(error).__name__})")
        with self._settled:
            self._done += len(rows)
            self._settled.notify_all()

    def _written(self, rows: Sequence[Row]) -> bool:
        try:
            if self._connection is None:
                self._connection = connect(self._file)
            self._connection.execute("BEGIN IMMEDIATE")
            _insert(self._connection, rows)
            self._connection.execute("COMMIT")
        except _UNWRITABLE:
            self._disconnect()  # which rolls back
            raise
        except (apsw.Error, OSError) as error:
            self._disconnect()
            self._tell(f"cannot write {self._file}: {error}; check the disk and state_dir. It is tried again")
            return False
        return True

    def _disconnect(self) -> None:
        connection, self._connection = self._connection, None
        if connection is not None:
            connection.close(True)  # noqa: FBT003 - apsw's signature: never raise

    def _give_up(self, count: int, why: str) -> None:
        self._given_up += count
        self._tell(f"entries of the usage journal are lost: {why}", always=True)

    def _tell(self, error: str, *, always: bool = False) -> None:
        now_s = self._clock.monotonic()
        if always or now_s - self._reported_s >= _REPORT_EVERY_S:
            self._reported_s = now_s
            self._report({"error": error, "dropped": self.dropped, "waiting": len(self._queue)})


def connect(file: Path) -> apsw.Connection:
    """The file, open and with our tables; made when absent, for its owner's eyes only. Raises apsw.Error and OSError."""
    file.parent.mkdir(mode=0o700, parents=True, exist_ok=True)
    _make_private(file)
    connection = apsw.Connection(str(file), flags=apsw.SQLITE_OPEN_READWRITE)
    try:
        connection.set_busy_timeout(_BUSY_MS)
        _use_wal(connection)
        connection.execute("PRAGMA synchronous = FULL")  # a commit that has returned survives a power cut
        _migrate(connection)
    except BaseException:
        connection.close(True)  # noqa: FBT003 - apsw's signature: never raise
        raise
    return connection


def _use_wal(connection: apsw.Connection) -> None:
    """Switch the file to a write-ahead log. SQLite does not wait when another process does the same just now, so it is tried again."""
    pause = threading.Event()
    for _ in range(_BUSY_MS // _WAL_PAUSE_MS):
        try:
            connection.execute("PRAGMA journal_mode = WAL")
        except apsw.BusyError:
            pause.wait(_WAL_PAUSE_MS / 1000)
        else:
            return
    connection.execute("PRAGMA journal_mode = WAL")


def _make_private(file: Path) -> None:
    try:
        os.close(os.open(file, os.O_CREAT | os.O_EXCL | os.O_RDWR, 0o600))
    except FileExistsError:
        # By path: opening and closing the file would release the locks of every connection that this process has to it.
        file.chmod(0o600)


def _migrate(connection: apsw.Connection) -> None:
    """Bring the tables to our version. One process at a time: the transaction waits for the others."""
    connection.execute("BEGIN IMMEDIATE")
    version = connection.pragma("user_version")
    if version > _VERSION:
        raise OSError(f"its schema has version {version}, and this server knows {_VERSION}: it was written by a newer one")
    if version < _VERSION:
        connection.execute(f"{_SCHEMA} PRAGMA user_version = {_VERSION};")
    connection.execute("COMMIT")


def _insert(connection: apsw.Connection, rows: Sequence[Row]) -> None:
    whole = len(rows) - len(rows) % _BLOCK
    for start in range(0, whole, _BLOCK):
        block = rows[start : start + _BLOCK]
        connection.execute(_INSERT + ", ".join([_ROW] * _BLOCK), [value for row in block for value in _values(row)])
    connection.executemany(_INSERT + _ROW, map(_values, rows[whole:]))


def _values(row: Row) -> tuple[str | int | None, ...]:
    tenant, entry = row
    # The default options, for which the encoder is made already: others would take half the time of a row.
    return (tenant, *entry[:-1], json.dumps(dict(entry.labels)) if entry.labels else "{}")
