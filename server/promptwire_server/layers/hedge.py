"""Hedge: a second attempt beside a first that takes longer than usual; whichever answers first is the answer."""

import asyncio
from collections.abc import Awaitable, Callable, Collection

from promptwire import v1 as pb
from promptwire_server.core.call import Call, Target
from promptwire_server.core.errors import PromptwireError
from promptwire_server.core.reply import Reply

_LOST = "another attempt answered first"
Ask = Callable[[], Awaitable[Reply]]


async def hedged(first: Ask, second: Ask, after_s: float, began: Callable[[], None]) -> Reply:
    """The answer that comes first. Raises the first attempt's failure when both fail; `began` is told when the second begins.

    The loser is cancelled and let go of before this returns, and so are both when the caller leaves.
    """
    results: list[Reply | PromptwireError] = []
    async with asyncio.TaskGroup() as group:
        tasks = [group.create_task(_result(first, results))]
        try:
            await asyncio.wait(tasks, timeout=after_s)
            if not tasks[0].done():
                began()
                tasks.append(group.create_task(_result(second, results)))
            while not _won(results) and not all(task.done() for task in tasks):
                await asyncio.wait([task for task in tasks if not task.done()], return_when=asyncio.FIRST_COMPLETED)
        finally:
            for task in tasks:
                task.cancel()
    return _settled(results)


def mark_lost(call: Call, targets: Collection[Target]) -> None:
    """Say in the trail which attempt lost, and put the one that answered behind it, as the contract has it."""
    for attempt in call.trail.attempts:
        if attempt.failure.reason == pb.ERROR_REASON_CANCELLED and Target(attempt.provider, attempt.model) in targets:
            attempt.failure.message = _LOST
    call.trail.attempts.sort(key=lambda attempt: not attempt.HasField("failure"))


async def _result(ask: Ask, results: list[Reply | PromptwireError]) -> None:
    try:
        results.append(await ask())
    except PromptwireError as error:
        results.append(error)


def _won(results: list[Reply | PromptwireError]) -> bool:
    return any(isinstance(result, Reply) for result in results)


def _settled(results: list[Reply | PromptwireError]) -> Reply:
    """The first answer; a second one that was ready at the same moment is let go of."""
    replies = [result for result in results if isinstance(result, Reply)]
    for late in replies[1:]:
        late.close()
    if replies:
        return replies[0]
    error = results[0]
    assert isinstance(error, PromptwireError)  # noqa: S101 - there is no third kind
    raise error
