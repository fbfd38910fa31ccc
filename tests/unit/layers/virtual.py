"""Virtual time: an asyncio loop whose clock jumps to the next timer, so that hours of waiting pass in milliseconds, the same every time.

Whatever waits by the loop (asyncio.sleep, asyncio.timeout, call_later, futures) works as ever; nothing takes time but waiting. There are no
sockets, threads or signals: what would need them fails at once.
"""

import asyncio
from collections.abc import Callable, Coroutine, Sequence
from dataclasses import dataclass
from typing import Any, NoReturn, TypeVar

Result = TypeVar("Result")


class Stalled(AssertionError):
    """Every task waits, and nothing that is left would ever wake one."""


class Untidy(AssertionError):
    """The simulation left something behind: tasks that still run, or an exception that nobody looked at."""


@dataclass(frozen=True)
class VirtualClock:
    """The running virtual loop's time, as a core.clock.Clock. Any number of them agree; outside of `run` there is no time to tell."""

    epoch_s: float = 1_700_000_000.0

    def monotonic(self) -> float:
        """Seconds since the simulation began."""
        return asyncio.get_running_loop().time()

    def time(self) -> float:
        """A fixed date plus the seconds since the simulation began."""
        return self.epoch_s + self.monotonic()


class VirtualLoop(asyncio.BaseEventLoop):
    """An event loop without a world outside: when all tasks wait, the time is that of the next timer."""

    def __init__(self) -> None:
        super().__init__()
        self._now_s = 0.0
        self._selector = self  # where BaseEventLoop waits for the world
        self.faults: list[BaseException] = []
        self.set_exception_handler(self._note)

    def time(self) -> float:
        """Seconds since the loop was made."""
        return self._now_s

    def select(self, timeout: float | None) -> Sequence[object]:
        """Called when there is nothing to do for `timeout` seconds: that long has passed at once. None: nothing will ever happen."""
        if timeout is None:
            raise Stalled(f"nothing would ever happen again; waiting: {_shown(asyncio.all_tasks(self))}")
        self._now_s += max(0.0, timeout)
        return ()

    def run_in_executor(self, executor: object, func: Callable[..., Any], *args: Any) -> NoReturn:  # type: ignore[override]  # never returns
        """Refused: a thread does not live in this time."""
        raise NotImplementedError(f"{func!r} would run in a thread, which virtual time cannot wait for")

    def _process_events(self, event_list: Sequence[object]) -> None:
        """There are none: BaseEventLoop asks."""

    def _write_to_self(self) -> None:
        """Called to wake the selector from outside: it never sleeps here."""

    def _note(self, _: asyncio.AbstractEventLoop, context: dict[str, Any]) -> None:
        self.faults.append(context.get("exception") or RuntimeError(str(context["message"])))


def run(main: Coroutine[Any, Any, Result]) -> Result:
    """What `main` returns, run from second 0 of a virtual time of its own. Call it outside of any loop: from a plain test.

    Raises what `main` raises; Stalled when it would wait for ever; Untidy when it leaves tasks, or an exception in a callback or in a
    task that nobody awaited.
    """
    loop = VirtualLoop()
    with asyncio.Runner(loop_factory=lambda: loop) as runner:
        result = runner.run(_alone(main))
    if loop.faults:
        raise Untidy(f"exceptions that nobody looked at: {loop.faults!r}") from loop.faults[0]
    return result


async def _alone(main: Coroutine[Any, Any, Result]) -> Result:
    result = await main
    await asyncio.sleep(0)  # what was cancelled in the last moment ends now
    left = asyncio.all_tasks() - {asyncio.current_task()}
    if left:
        raise Untidy(f"tasks that still run: {_shown(left)}")
    return result


def _shown(tasks: "set[asyncio.Task[Any]]") -> str:
    return ", ".join(sorted(f"{task.get_name()} in {task.get_coro()!r}" for task in tasks)) or "no task"
