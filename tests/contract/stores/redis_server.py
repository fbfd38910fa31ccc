"""A Redis server as a process of its own: on a Unix socket, with its data in a directory of the test's, ended by its own id."""

import os
import shutil
import signal
import socket
import subprocess
import time
from pathlib import Path

import pytest

from promptwire_server.core.clock import Chance, SystemClock
from promptwire_server.core.secret import Secret
from promptwire_server.stores.redis.connection import Redis
from promptwire_server.stores.redis.fuse import Changed
from promptwire_server.stores.redis.settings import RedisSettings

_PROGRAM = "redis-server"
_READY_S = 20.0
_PAUSE_S = 0.02
_LONGEST_SOCKET = 100  # bytes of a Unix socket's path; the system takes 107


def installed() -> None:
    """Skip the test where there is no server, unless it runs in CI, which installs one."""
    if shutil.which(_PROGRAM) is None:
        if os.environ.get("CI"):
            pytest.fail(f"{_PROGRAM} is not installed, and .ci/run should have done so")
        pytest.skip(f"{_PROGRAM} is not installed: `apt-get install redis-server`")


class RedisServer:
    """One server. Its data survives `kill` and `start`, since each write is synced to its append-only file."""

    def __init__(self, folder: Path, arguments: tuple[str, ...] = ()) -> None:
        self.folder = folder
        self.socket = folder / "redis.sock"
        if len(os.fsencode(self.socket)) > _LONGEST_SOCKET:
            raise ValueError(f"{self.socket} is too long for a socket; give pytest a shorter --basetemp")
        self.url = f"unix://{self.socket}"
        self._arguments = arguments
        self._process: subprocess.Popen[bytes] | None = None

    @property
    def pid(self) -> int:
        if self._process is None:
            raise RuntimeError("the server does not run")
        return self._process.pid

    def start(self) -> None:
        """Start it, with the data from before; back once it answers."""
        own = ("--port", "0", "--unixsocket", str(self.socket), "--dir", str(self.folder), "--daemonize", "no")
        durable = ("--appendonly", "yes", "--appendfsync", "always", "--save", "", "--databases", "64")
        with (self.folder / "redis.log").open("ab") as log:
            self._process = subprocess.Popen([_PROGRAM, *own, *durable, *self._arguments], stdin=subprocess.DEVNULL, stdout=log, stderr=log)
        self._wait_ready()

    def kill(self) -> None:
        """End it at once, as kill -9 and power failures do."""
        if self._process is not None:
            self._process.send_signal(signal.SIGCONT)  # one that is frozen dies as well, but not before it is thawed
            self._process.kill()
            self._process.wait()
            self._process = None
            self.socket.unlink(missing_ok=True)

    def freeze(self) -> None:
        """Let it stand still: connections stay open, nothing is answered."""
        os.kill(self.pid, signal.SIGSTOP)

    def thaw(self) -> None:
        """Let it go on."""
        os.kill(self.pid, signal.SIGCONT)

    def tell(self, *words: str) -> bytes:
        """Give a command, e.g. ("FLUSHALL",) or ("CONFIG", "SET", "maxmemory", "1mb"); the first line of its reply."""
        with socket.socket(socket.AF_UNIX) as line, line.makefile("rb") as replies:
            line.settimeout(_READY_S)
            line.connect(str(self.socket))
            encoded = [word.encode() for word in words]
            line.sendall(b"*%d\r\n" % len(words) + b"".join(b"$%d\r\n%b\r\n" % (len(word), word) for word in encoded))
            return replies.readline()

    def restore(self) -> None:
        """Let it run, with nothing in it, no scripts, and its usual settings."""
        if self._process is None:
            self.start()
        self.thaw()
        for command in (("FLUSHALL",), ("SCRIPT", "FLUSH"), ("CONFIG", "SET", "maxmemory", "0")):
            self.tell(*command)

    def client(self, *, timeout_s: float = 5.0, max_connections: int = 64, db: int = 0, changed: Changed = lambda _up, _why: None) -> Redis:
        """A client of it, by default a patient one: the machine may be busy. Close it in the loop that used it."""
        settings = RedisSettings(Secret(f"{self.url}?db={db}"), timeout_s, max_connections)
        return Redis(settings, SystemClock(), Chance(), changed)

    def _wait_ready(self) -> None:
        until_s = time.monotonic() + _READY_S
        while True:
            try:
                if self.tell("PING").startswith(b"+PONG"):
                    return
            except OSError:
                pass
            if time.monotonic() > until_s:
                raise RuntimeError(f"{_PROGRAM} does not answer:\n{(self.folder / 'redis.log').read_text()[-2000:]}")
            time.sleep(_PAUSE_S)  # it tells nobody when it is ready
