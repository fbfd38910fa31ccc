"""Starts the provider as a process for tests and benchmarks, and reads its ledger.

    with process.running() as fake:
        client = AsyncOpenAI(base_url=fake.base_url, api_key="sk-fake")
        ...
        (entry,) = await fake.aledger(model="fake", ended=1)

Nothing here sleeps: a ledger read waits on the server for what the test expects.
"""

import asyncio
import contextlib
import json
import select
import subprocess
import sys
from collections.abc import Iterator
from dataclasses import dataclass
from http.client import HTTPConnection
from pathlib import Path
from typing import Any
from urllib.parse import quote, urlencode

ROOT = Path(__file__).parents[3]
READY_TIMEOUT_S = 20.0
STOP_TIMEOUT_S = 5.0
# The HTTP wait is longer than the server's own, so that its answer always arrives.
GRACE_S = 5.0
Entry = dict[str, Any]


class NotReadyError(RuntimeError):
    """The provider did not start, or did not do in time what the test waited for."""


@dataclass(frozen=True, slots=True)
class FakeProvider:
    """A running provider."""

    process: "subprocess.Popen[bytes]"
    host: str
    port: int

    @property
    def origin(self) -> str:
        return f"http://{self.host}:{self.port}"

    @property
    def base_url(self) -> str:
        return f"{self.origin}/v1"

    @property
    def pid(self) -> int:
        return self.process.pid

    def ledger(
        self,
        *,
        seen: int = 0,
        ended: int = 0,
        left: int = 0,
        timeout_s: float = 5.0,
        **filters: str | int,
    ) -> list[Entry]:
        """Return the entries that match, once enough of them are there.

        `seen`, `ended` and `left` are how many must have arrived, have ended, and have
        lost their connection; raises NotReadyError after `timeout_s`. Filters are
        fields of an entry: `model="fake"`, `key_sha256=...`, `status=200`.
        """
        waits = {"seen": seen, "ended": ended, "left": left}
        query = {**filters, **waits, "timeout_ms": round(timeout_s * 1000)}
        path = f"/_ledger?{urlencode(query)}"
        value = json.loads(self.control("GET", path, timeout_s=timeout_s))
        entries: list[Entry] = value["entries"]
        if not value["in_time"]:
            raise NotReadyError(f"waited for {waits}, found {entries}")
        return entries

    async def aledger(self, **wanted: Any) -> list[Entry]:
        """Do as `ledger` does, without holding up the loop of the test."""
        return await asyncio.to_thread(self.ledger, **wanted)

    def reset(self) -> None:
        """Forget all entries and attempts; not for a provider shared by tests."""
        self.control("POST", "/_reset")

    def register(self, name: str, recording: bytes) -> None:
        """Make bytes playable as `play=<name>`."""
        self.control("PUT", f"/_recordings/{quote(name, safe='')}", recording)

    def control(self, method: str, path: str, body: bytes = b"", *, timeout_s: float = 5.0) -> bytes:
        """Call a control endpoint and return the body of its answer."""
        connection = HTTPConnection(self.host, self.port, timeout=timeout_s + GRACE_S)
        with contextlib.closing(connection):
            connection.request(method, path, body, {"connection": "close"})
            response = connection.getresponse()
            data = response.read()
            if response.status != 200:
                raise NotReadyError(f"{method} {path}: {response.status} {data!r}")
            return data

    def stop(self) -> None:
        """End this process, by its id, and wait until it is gone."""
        self.process.terminate()
        try:
            self.process.wait(STOP_TIMEOUT_S)
        except subprocess.TimeoutExpired:
            self.process.kill()
            self.process.wait()
        for pipe in (self.process.stdin, self.process.stdout):
            if pipe is not None:
                pipe.close()


def start(*, fast: bool = False, ledger_file: Path | None = None, port: int = 0) -> FakeProvider:
    """Start a provider and return it once it listens; the caller stops it."""
    module = "tests.faults.fake_provider"
    command = [sys.executable, "-m", module, "--watch-stdin", "--port", str(port)]
    command += ["--fast"] if fast else []
    command += ["--ledger", str(ledger_file.absolute())] if ledger_file else []
    # Its standard input is a pipe of ours: should this process be killed, the pipe
    # closes and the provider ends as well.
    process = subprocess.Popen(command, cwd=ROOT, stdin=subprocess.PIPE, stdout=subprocess.PIPE)
    try:
        ready = json.loads(_first_line(process))
    except BaseException:
        FakeProvider(process, "", 0).stop()
        raise
    return FakeProvider(process, ready["host"], ready["port"])


@contextlib.contextmanager
def running(*, fast: bool = False, ledger_file: Path | None = None) -> Iterator[FakeProvider]:
    """Run a provider for the length of a `with` block."""
    fake = start(fast=fast, ledger_file=ledger_file)
    try:
        yield fake
    finally:
        fake.stop()


def _first_line(process: "subprocess.Popen[bytes]") -> bytes:
    if process.stdout is None:
        raise NotReadyError("no pipe to read the ready line from")
    readable, _, _ = select.select([process.stdout], [], [], READY_TIMEOUT_S)
    line = process.stdout.readline() if readable else b""
    if not line:
        raise NotReadyError(f"no ready line, exit code {process.poll()}")
    return line
