"""Hedge: a second attempt beside a first that takes longer than usual; whichever answers first is the answer."""

import asyncio
from collections.abc import Awaitable, Callable, Collection, Iterable

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
    try:
        await _asked(first, second, after_s, began, results)
    except BaseException:  # the caller may leave just when an answer has come
        for reply in _replies(results):
            reply.close()
        raise
    return _settled(results)


async def _asked(first: Ask, second: Ask, after_s: float, began: Callable[[], None], results: list[Reply | PromptwireError]) -> None:
    """Add what comes of the attempts, until there is an answer, or nothing more to wait for."""
    async with asyncio.TaskGroup() as group:
        tasks = [group.create_task(_result(first, results))]
        try:
            await asyncio.wait(tasks, timeout=after_s)
            if not tasks[0].done():
                began()
                tasks.append(group.create_task(_result(second, results)))
            while not _replies(results) and not all(task.done() for task in tasks):
                await asyncio.wait([task for task in tasks if not task.done()], return_when=asyncio.FIRST_COMPLETED)
        finally:
            for task in tasks:
                task.cancel()


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


def _replies(results: Iterable[Reply | PromptwireError]) -> list[Reply]:
    return [result for result in results if isinstance(result, Reply)]


def _settled(results: list[Reply | PromptwireError]) -> Reply:
    """The first answer; a second one that was ready at the same moment is let go of."""
    replies = _replies(results)
    for late in replies[1:]:
        late.close()
    if replies:
        return replies[0]
    error = results[0]
    assert isinstance(error, PromptwireError)  # noqa: S101 - there is no third kind
    raise error
