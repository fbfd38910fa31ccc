"""File: a database on disk, for its owner's eyes only, in the mode that survives a power cut, brought to our version."""

import os
import threading
from collections.abc import Sequence
from pathlib import Path

import apsw

_WAL_PAUSE_MS = 10
_BUSY_MS = 5_000  # how long to wait for another process's transaction


def connect(file: Path | None, migrations: Sequence[str]) -> apsw.Connection:
    """The database, open and with our tables; made when absent. None: in memory, gone with the connection.

    `migrations` lead from each version to the next, the first from nothing. Raises apsw.Error and OSError; OSError too when the schema is
    of a newer server.
    """
    if file is None:
        connection = apsw.Connection(":memory:")
    else:
        file.parent.mkdir(mode=0o700, parents=True, exist_ok=True)
        _make_private(file)
        connection = apsw.Connection(str(file), flags=apsw.SQLITE_OPEN_READWRITE)
    try:
        connection.set_busy_timeout(_BUSY_MS)
        if file is not None:
            _use_wal(connection)
        connection.execute("PRAGMA synchronous = FULL")  # a commit that has returned survives a power cut
        _migrate(connection, migrations)
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


def _migrate(connection: apsw.Connection, migrations: Sequence[str]) -> None:
    """Bring the tables to our version. One process at a time: the transaction waits for the others."""
    connection.execute("BEGIN IMMEDIATE")
    version = connection.pragma("user_version")
    if version > len(migrations):
        raise OSError(f"its schema has version {version}, and this server knows {len(migrations)}: it was written by a newer one")
    for number, migration in enumerate(migrations[version:], version + 1):
        connection.execute(f"{migration} PRAGMA user_version = {number};")
    connection.execute("COMMIT")
