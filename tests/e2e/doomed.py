"""The server, killed by its own hand: at the n-th passage of a point that the environment names, DOOM=point:n. For tests alone."""

import asyncio
import functools
import inspect
import itertools
import os
import signal
import sys
from collections.abc import Callable
from dataclasses import dataclass
from typing import Any

from promptwire_server.app import Application
from promptwire_server.cli import main
from promptwire_server.providers.aiohttp_upstream import AiohttpUpstream, _Protocol
from promptwire_server.providers.attempt import Try
from promptwire_server.providers.reading import Reading
from promptwire_server.stores.sqlite import spending
from promptwire_server.stores.sqlite.purse import Purse, _Settle

_ON_ITS_WAY_S = 0.1  # until a request is with the provider, which takes longer to answer it


@dataclass(frozen=True, slots=True)
class Point:
    """A moment in the life of an attempt, or of its process."""

    owner: Any
    name: str
    before: bool = True  # the call that it is about; otherwise behind it
    after_s: float = 0.0


POINTS = {
    "before the hold": Point(Purse, "hold"),
    "in the transaction of the hold": Point(spending, "hold", before=False),
    "after the hold": Point(Purse, "hold", before=False),
    "before the request": Point(AiohttpUpstream, "_send"),
    "the request is sent": Point(AiohttpUpstream, "_send", after_s=_ON_ITS_WAY_S),
    "the answer begins": Point(_Protocol, "data_received"),
    "during the answer": Point(Reading, "more", before=False),
    "the answer is whole": Point(Try, "answered", before=False),
    "before settling": Point(Purse, "settle"),
    "settling is queued": Point(Purse, "settle", before=False),
    "in the transaction of settling": Point(spending, "settle", before=False),
    "after settling": Point(_Settle, "done"),
    "in a sweep": Point(spending, "tick", before=False),
    "in a reload": Point(Application, "reconfigure", before=False),
    "while draining": Point(Application, "drain"),
}


def arm(point: Point, passage: int) -> None:
    """Have the process die at a passage of a point."""
    original = getattr(point.owner, point.name)
    passages = itertools.count(1)

    def pass_by() -> None:
        if next(passages) != passage:
            return
        if point.after_s:
            asyncio.get_running_loop().call_later(point.after_s, _die)
        else:
            _die()

    setattr(point.owner, point.name, _wrapped(original, pass_by, before=point.before))


def _wrapped(original: Callable[..., Any], pass_by: Callable[[], None], *, before: bool) -> Callable[..., Any]:
    if inspect.iscoroutinefunction(original):

        @functools.wraps(original)
        async def slow(*args: Any, **named: Any) -> Any:
            if before:
                pass_by()
            result = await original(*args, **named)
            if not before:
                pass_by()
            return result

        return slow

    @functools.wraps(original)
    def quick(*args: Any, **named: Any) -> Any:
        if before:
            pass_by()
        result = original(*args, **named)
        if not before:
            pass_by()
        return result

    return quick


def _die() -> None:
    os.kill(os.getpid(), signal.SIGKILL)


if __name__ == "__main__":
    name, _, number = os.environ["DOOM"].partition(":")
    arm(POINTS[name], int(number))
    sys.exit(main())
