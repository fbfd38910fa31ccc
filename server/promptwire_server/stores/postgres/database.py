"""Database: decisions and rows on their way to a server that several replicas share. One task writes them, in groups."""

import asyncio
from collections import deque
from collections.abc import Awaitable, Callable, Collection, Sequence
from typing import Final, Generic, Protocol, TypeVar

import psycopg
from psycopg import AsyncConnection

from promptwire_server.core.clock import Clock
from promptwire_server.core.store import StoreDown
from promptwire_server.stores.postgres.connection import connected, said
from promptwire_server.stores.postgres.definitions import lock
from promptwire_server.stores.postgres.schema import migrate
from promptwire_server.stores.postgres.settings import NAME, PostgresSettings

Changed = Callable[[bool, str], None]  # whether the server is there, and why not; must not raise

_BATCH: Final = 64  # jobs of one transaction, which keeps the budgets of all of them from other replicas
_RETRY_S: Final = 1.0
# What is confirmed is kept, also by a server that is set to lose it; and a replica that stands still keeps no budgets locked.
_SESSION: Final = """
SELECT set_config('idle_in_transaction_session_timeout', '5s', false),
    CASE current_setting('synchronous_commit') WHEN 'off' THEN set_config('synchronous_commit', 'on', false) END
"""
# What is wrong with a job rather than with the server.
_OF_THE_JOB: Final = (psycopg.DataError, psycopg.IntegrityError)

T = TypeVar("T")


class Job(Protocol):
    """Something to do within a transaction, done at some time."""

    @property
    def budgets(self) -> Collection[str]:
        """Those that it locks: all of a transaction are locked at its begin, in one order, so that no two wait for each other."""
        ...

    async def run(self, connection: AsyncConnection) -> None:
        """Do it; again and again, when the commit fails."""
        ...

    def done(self) -> None:
        """It is committed. Must not raise."""
        ...

    def failed(self, error: Exception) -> None:
        """Nothing of it is or will be committed: `run` raised what is not the server's fault. Must not raise."""
        ...


class Decision(Generic[T]):
    """Something that is waited for: tried once."""

    def __init__(self, work: Callable[[AsyncConnection], Awaitable[T]], budgets: Collection[str]) -> None:
        self.future: asyncio.Future[T] = asyncio.get_running_loop().create_future()
        self.budgets = budgets
        self._work = work
        self._results: list[T] = []  # the one of the last time

    async def run(self, connection: AsyncConnection) -> None:
        """See Job."""
        self._results = [await self._work(connection)]

    def done(self) -> None:
        """See Job."""
        if not self.future.done():  # else whoever waited has gone
            self.future.set_result(self._results[0])

    def failed(self, error: Exception) -> None:
        """See Job; also when the server cannot take it."""
        if not self.future.done():
            self.future.set_exception(error)


class Database:
    """A server, written by one task of this process. Belongs to one event loop.

    Jobs are done in the order in which they were given, decisions and others alike. While the server does not answer, decisions fail at
    once, and what nobody waits for is kept and tried again.
    """

    def __init__(
        self, settings: PostgresSettings, clock: Clock, changed: Changed = lambda _up, _why: None, *, retry_s: float = _RETRY_S
    ) -> None:
        self._settings = settings
        self._clock = clock
        self._changed = changed
        self._retry_s = retry_s
        self._queue: deque[Job] = deque()
        self._wake = asyncio.Event()
        self._closing = asyncio.Event()
        self._down = ""  # why the server could not be asked the last time
        self._begun_s: float | None = None  # when it was asked what it has not answered yet
        self._left = 0  # jobs that are neither done nor given up
        self._connection: AsyncConnection | None = None
        self._task: asyncio.Task[None] | None = None

    def start(self) -> None:
        """Begin to write. The server is asked with the first job."""
        self._task = asyncio.get_running_loop().create_task(self._run())  # owned here: see close

    def post(self, job: Job) -> None:
        """Have it done at some time. Never waits, never raises."""
        self._left += 1
        self._queue.append(job)
        self._wake.set()

    async def decide(self, work: Callable[[AsyncConnection], Awaitable[T]], budgets: Collection[str] = ()) -> T:
        """What `work`, which locks these budgets, gives once it is committed.

        Raises StoreDown when the server does not take it in time, and what `work` raises.

        Who is cancelled while waiting does not know whether it has happened: a job posted after it comes after it.
        """
        timeout_s = self._settings.timeout_s
        if self._closing.is_set():
            raise StoreDown(f"{NAME}: this server is going away")
        if self._down or self._overdue(timeout_s):
            raise StoreDown(f"{NAME}: {self._down or 'does not answer'}")
        decision = Decision(work, budgets)
        self.post(decision)
        try:
            async with asyncio.timeout(timeout_s):
                return await decision.future
        except TimeoutError:
            late = f"no answer within {timeout_s:g} s"
            if self._begun_s is not None:  # how that ends will tell that the server is back
                self._tell(late)
            raise StoreDown(f"{NAME}: {late}") from None

    async def close(self, timeout_s: float = 5.0) -> int:
        """Write what waits, and stop; how many jobs were not done by then."""
        self._closing.set()
        self._wake.set()
        if self._task is not None:
            await asyncio.wait([self._task], timeout=timeout_s)
            if not self._task.done():
                self._disconnect()  # first: a driver that is cancelled would ask the server to stop, and wait for it
                self._task.cancel()
            await asyncio.gather(self._task, return_exceptions=True)
        self._disconnect()
        return self._left

    def _overdue(self, timeout_s: float) -> bool:
        return self._begun_s is not None and self._clock.monotonic() - self._begun_s > timeout_s

    async def _run(self) -> None:
        last = False
        while not last:
            await self._wake.wait()
            self._wake.clear()
            last = self._closing.is_set()
            while self._queue:
                await self._settle([self._queue.popleft() for _ in range(min(_BATCH, len(self._queue)))])

    async def _settle(self, jobs: Sequence[Job]) -> None:
        """Do jobs, again and again until it works or the end has come; decisions only once."""
        groups = deque([list(jobs)])
        while groups:
            group = groups[0]
            try:
                await self._commit(group)
            except StoreDown as down:
                self._tell(str(down))
                self._give_up(groups, down)
                if self._closing.is_set():
                    return
                await self._pause()
            except Exception as error:  # noqa: BLE001 - whatever it is, the job gets it, and the task lives on
                groups.popleft()
                if len(group) > 1:
                    groups.extendleft([job] for job in reversed(group))
                else:
                    group[0].failed(error)
                    self._left -= 1
            else:
                groups.popleft()
                self._tell("")
                self._left -= len(group)

    async def _commit(self, jobs: Sequence[Job]) -> None:
        """Do jobs in one transaction; none: see whether the server answers. Raises StoreDown, and what is wrong with a job."""
        self._begun_s = self._clock.monotonic()
        try:
            connection = self._connection = self._connection or await self._connected()
            async with connection.transaction():
                if len(jobs) > 1:
                    await lock(connection, {budget_id for job in jobs for budget_id in job.budgets})
                for job in jobs:
                    await job.run(connection)
        except _OF_THE_JOB:
            raise
        except (psycopg.Error, OSError) as error:
            self._disconnect()
            raise StoreDown(said(error)) from error
        finally:
            self._begun_s = None
        for job in jobs:
            job.done()

    async def _connected(self) -> AsyncConnection:
        connection = await connected(self._settings)
        try:
            await connection.execute(_SESSION)
            await migrate(connection)
        except BaseException:
            connection.pgconn.finish()
            raise
        return connection

    def _disconnect(self) -> None:
        """Forget the connection, which rolls back."""
        connection, self._connection = self._connection, None
        if connection is not None:
            connection.pgconn.finish()

    def _give_up(self, groups: deque[list[Job]], down: StoreDown) -> None:
        """Let those who wait know, also those who came meanwhile; the others are kept."""
        waiting = [[job for group in groups for job in group], list(self._queue)]
        told = [job for jobs in waiting for job in jobs if isinstance(job, Decision)]
        for decision in told:
            decision.failed(StoreDown(f"{NAME}: {down}"))
        self._left -= len(told)
        kept, queued = ([job for job in jobs if not isinstance(job, Decision)] for jobs in waiting)
        groups.clear()
        groups.append(kept)
        self._queue = deque(queued)

    async def _pause(self) -> None:
        waiting = asyncio.ensure_future(self._closing.wait())
        try:
            await asyncio.wait([waiting], timeout=self._retry_s)
        finally:
            waiting.cancel()

    def _tell(self, why: str) -> None:
        before, self._down = self._down, why
        if bool(before) != bool(why):
            self._changed(not why, why)
