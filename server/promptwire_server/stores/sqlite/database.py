"""Database: decisions and rows on their way to a file that several processes may share. One thread writes them, in groups."""

import asyncio
import threading
from collections import deque
from collections.abc import Callable, Mapping, Sequence
from pathlib import Path
from typing import Generic, Protocol, TypeVar

import apsw

from promptwire_server.core.clock import Clock
from promptwire_server.core.store import StoreDown
from promptwire_server.stores.sqlite.file import connect
from promptwire_server.stores.sqlite.schema import MIGRATIONS

Fields = Mapping[str, str | int]  # error, waiting
Report = Callable[[Fields], None]  # from any thread; must not raise

_BATCH = 256  # jobs of one transaction, so that other processes get their turn
_WINDOW_S = 0.05  # what nobody waits for and comes within this time shares one commit
_RETRY_S = 1.0
_REPORT_EVERY_S = 60.0
_WITHIN_S = 5.0
# What is wrong with the disk, or with another process, rather than with a job.
_DISK = (apsw.IOError, apsw.FullError, apsw.BusyError, apsw.LockedError, apsw.CorruptError, apsw.ReadOnlyError, apsw.CantOpenError)

T = TypeVar("T")


class Job(Protocol):
    """Something to do within a transaction, done at some time."""

    def run(self, connection: apsw.Connection) -> None:
        """Do it. Called by the writer's thread; again and again, when the commit fails."""
        ...

    def done(self) -> None:
        """It is on disk. Called by the writer's thread; must not raise."""
        ...

    def failed(self, error: Exception) -> None:
        """Nothing of it is or will be on disk: `run` raised what is not the disk's fault. Called by the writer's thread; must not raise."""
        ...


class Decision(Generic[T]):
    """Something that is waited for: tried once."""

    def __init__(self, decide: Callable[[apsw.Connection], T]) -> None:
        self.future: asyncio.Future[T] = asyncio.get_running_loop().create_future()
        self._decide = decide
        self._results: list[T] = []  # the one of the last time
        self._error: Exception | None = None

    def run(self, connection: apsw.Connection) -> None:
        """See Job."""
        self._results = [self._decide(connection)]

    def done(self) -> None:
        """See Job."""

    def failed(self, error: Exception) -> None:
        """Nothing of it is on disk."""
        self._error = error

    def tell(self) -> None:
        """Let whoever waits know. Called by the event loop."""
        if self.future.done():  # whoever waited has gone
            return
        if self._error is not None:
            self.future.set_exception(self._error)
        else:
            self.future.set_result(self._results[0])


class Database:
    """A file, or memory, that one thread writes.

    Jobs are done in the order in which they were given, decisions and others alike. A broken disk is reported at most once a minute: then
    decisions fail at once, and what nobody waits for is kept and tried again.
    """

    def __init__(self, file: Path | None, *, clock: Clock, report: Report, retry_s: float = _RETRY_S) -> None:
        self._file = file
        self._clock = clock
        self._report = report
        self._retry_s = retry_s
        self._queue: deque[Job] = deque()
        self._wake = threading.Event()
        self._urgent = threading.Event()  # somebody waits, or the end has come
        self._closing = threading.Event()
        self._settled = threading.Condition()
        self._lock = threading.Lock()
        self._given = 0
        self._done = 0  # by the thread only
        self._reported_s = -_REPORT_EVERY_S
        self._connection: apsw.Connection | None = None  # the thread's
        # A daemon: a disk that hangs must not keep the process from ending.
        self._thread = threading.Thread(target=self._run, name="promptwire-sqlite", daemon=True)

    def start(self) -> None:
        """Begin to write. The file is opened, or made, with the first job."""
        self._thread.start()

    def post(self, job: Job, *, urgent: bool = False) -> None:
        """Have it done at some time. From any thread. Never waits, never raises."""
        with self._lock:
            self._given += 1
            self._queue.append(job)
        if urgent:
            self._urgent.set()
        if not self._wake.is_set():
            self._wake.set()

    async def decide(self, decide: Callable[[apsw.Connection], T], within_s: float = _WITHIN_S) -> T:
        """What `decide` gives, once it is on disk. Raises StoreDown when the disk does not take it in time, and what `decide` raises.

        Who is cancelled while waiting does not know whether it has happened: a job posted after it comes after it.
        """
        if self._closing.is_set():
            raise StoreDown("the database is closed: this server is going away")
        decision = Decision(decide)
        self.post(decision, urgent=True)
        try:
            async with asyncio.timeout(within_s):
                return await decision.future
        except TimeoutError:
            raise StoreDown(f"{self._name}: no answer within {within_s:g} s; check the disk and state_dir") from None

    def flush(self, timeout_s: float) -> bool:
        """Wait until nothing waits any more; False when that takes longer. Blocks: not for the event loop."""
        self._urgent.set()
        with self._settled:
            return self._settled.wait_for(lambda: self._done >= self._given, timeout_s)

    def close(self, timeout_s: float = 5.0) -> int:
        """Write what waits, and stop; how many jobs were not done by then. Blocks: not for the event loop."""
        self._closing.set()
        self._wake.set()
        self._urgent.set()
        if self._thread.is_alive():
            self._thread.join(timeout_s)
        return self._given - self._done

    @property
    def _name(self) -> str:
        return "memory" if self._file is None else str(self._file)

    def _run(self) -> None:
        last = False
        while not last:
            self._wake.wait()
            self._urgent.wait(_WINDOW_S)
            self._wake.clear()  # before looking: what comes later wakes again
            self._urgent.clear()
            last = self._closing.is_set()
            while self._queue:
                self._settle([self._queue.popleft() for _ in range(min(_BATCH, len(self._queue)))])
        if self._connection is not None:
            self._connection.close(True)  # noqa: FBT003 - apsw's signature: never raise

    def _settle(self, jobs: Sequence[Job]) -> None:
        """Do jobs, again and again until it works or the end has come; decisions only once."""
        left = list(jobs)
        while left and not self._written(left) and not self._closing.is_set():
            left = [job for job in left if not isinstance(job, Decision)]
            if left:
                self._closing.wait(self._retry_s)
        with self._settled:
            self._done += len(jobs)
            self._settled.notify_all()

    def _written(self, jobs: Sequence[Job]) -> bool:
        """Whether these are on disk now. Decisions know by then what they came to."""
        try:
            if self._connection is None:
                self._connection = connect(self._file, MIGRATIONS)
            self._connection.execute("BEGIN IMMEDIATE")
            faults = [_run_alone(self._connection, job) for job in jobs]
            self._connection.execute("COMMIT")
        except (apsw.Error, OSError) as error:
            self._disconnect()
            self._tell(f"cannot write {self._name}: {error}; check the disk and state_dir. It is tried again")
            down = StoreDown(f"cannot write {self._name}: {error}; check the disk and state_dir")
            _answer([job for job in jobs if isinstance(job, Decision)], down)
            return False
        for job, fault in zip(jobs, faults, strict=True):
            job.done() if fault is None else job.failed(fault)
        _answer([job for job in jobs if isinstance(job, Decision)], None)
        return True

    def _disconnect(self) -> None:
        """Forget the connection, which rolls back; not one in memory, which would be forgotten with it."""
        connection = self._connection
        if connection is None:
            return
        if self._file is None:
            if connection.in_transaction:
                connection.execute("ROLLBACK")
            return
        self._connection = None
        connection.close(True)  # noqa: FBT003 - apsw's signature: never raise

    def _tell(self, error: str) -> None:
        now_s = self._clock.monotonic()
        if now_s - self._reported_s >= _REPORT_EVERY_S:
            self._reported_s = now_s
            self._report({"error": error, "waiting": len(self._queue)})


def _run_alone(connection: apsw.Connection, job: Job) -> Exception | None:
    """Run a job so that it takes no other with it when it fails by itself; how it failed. Raises what is the disk's fault."""
    connection.execute("SAVEPOINT job")
    fault = None
    try:
        job.run(connection)
    except _DISK:
        raise
    except Exception as error:  # noqa: BLE001 - whatever it is, the job gets it, and the thread lives on
        connection.execute("ROLLBACK TO job")
        fault = error
    connection.execute("RELEASE job")
    return fault


def _answer(decisions: Sequence["Decision[object]"], down: StoreDown | None) -> None:
    """Let those who wait know, by one hop to each event loop."""
    by_loop: dict[asyncio.AbstractEventLoop, list[Decision[object]]] = {}
    for decision in decisions:
        if down is not None:
            decision.failed(down)
        by_loop.setdefault(decision.future.get_loop(), []).append(decision)
    for loop, told in by_loop.items():
        if not loop.is_closed():
            loop.call_soon_threadsafe(_tell_all, told)


def _tell_all(decisions: Sequence["Decision[object]"]) -> None:
    for decision in decisions:
        decision.tell()
