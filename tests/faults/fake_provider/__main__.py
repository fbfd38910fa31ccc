"""`python -m tests.faults.fake_provider`: run the provider as a process."""

import argparse
import asyncio
import contextlib
import json
import os
import signal
import sys
from collections.abc import Coroutine, Iterator
from pathlib import Path
from typing import IO

import uvloop

from tests.faults.fake_provider.fast import Book, FastConnection
from tests.faults.fake_provider.server import BACKLOG, HOST, Server


def main() -> None:
    options = _options()
    with contextlib.suppress(asyncio.CancelledError, KeyboardInterrupt):
        if options.fast:
            uvloop.run(_supervised(_fast(options.port), options))
        else:
            asyncio.run(_supervised(_full(options), options))


def _options() -> argparse.Namespace:
    parser = argparse.ArgumentParser(prog="fake_provider", description=__doc__)
    parser.add_argument("--port", type=int, default=0, help="0: any free port")
    parser.add_argument("--ledger", type=Path, help="append a JSON line per request")
    parser.add_argument("--fast", action="store_true", help="for benchmarks")
    parser.add_argument(
        "--watch-stdin",
        action="store_true",
        help="stop when standard input closes, as it does when a test run is killed",
    )
    return parser.parse_args()


async def _supervised(serving: Coroutine[None, None, None], options: argparse.Namespace) -> None:
    """Serve until SIGTERM, SIGINT or the end of a watched standard input."""
    loop = asyncio.get_running_loop()
    task = loop.create_task(serving)
    for number in (signal.SIGTERM, signal.SIGINT):
        loop.add_signal_handler(number, task.cancel)
    if options.watch_stdin:
        loop.add_reader(sys.stdin, lambda: os.read(0, 1) or task.cancel())
    await task


async def _full(options: argparse.Namespace) -> None:
    with _opened(options.ledger) as file:
        await Server(file).run(options.port, _say_ready)


async def _fast(port: int) -> None:
    book = Book()
    loop = asyncio.get_running_loop()
    listener = await loop.create_server(lambda: FastConnection(book), HOST, port, backlog=BACKLOG)
    async with listener:
        _say_ready(listener.sockets[0].getsockname()[1])
        await listener.serve_forever()


@contextlib.contextmanager
def _opened(path: Path | None) -> Iterator[IO[str] | None]:
    if path is None:
        yield None
        return
    with path.open("a", encoding="utf-8", errors="replace") as file:
        yield file


def _say_ready(port: int) -> None:
    ready = {"ready": True, "host": HOST, "port": port, "pid": os.getpid()}
    sys.stdout.write(json.dumps(ready) + "\n")
    sys.stdout.flush()


main()
