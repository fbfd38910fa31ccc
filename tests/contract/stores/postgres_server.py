"""A PostgreSQL server as a process of its own: on a Unix socket, with its cluster in a directory of the test's, ended by its own id."""

import os
import pwd
import secrets
import shutil
import signal
import subprocess
import tempfile
import time
from collections.abc import Iterator
from contextlib import contextmanager, suppress
from pathlib import Path

import pytest

_PROGRAM = "postgres"
_USERS = ("postgres", "nobody")  # as whom it runs where the tests are root's, which it refuses
_READY_S = 30.0
_PAUSE_S = 0.02


def installed() -> None:
    """Skip the test where there is no server or no driver, unless it runs in CI, which installs both."""
    try:
        import psycopg  # noqa: F401, PLC0415 - an extra, which is looked for here
    except ImportError:
        _lacking("psycopg is not installed: it is the extra `postgres`")
    if _found(_PROGRAM) is None:
        _lacking(f"{_PROGRAM} is not installed: `apt-get install postgresql`")


class PostgresServer:
    """One cluster. What was confirmed survives `kill` and `start`."""

    def __init__(self, folder: Path) -> None:
        self.folder = folder
        user = _user()
        self._user: int | None = None if user is None else user[0]
        self._group: int | None = None if user is None else user[1]
        self._data = folder / "data"
        self._process: subprocess.Popen[bytes] | None = None
        folder.chmod(0o755)
        if user is not None:
            os.chown(folder, *user)
        self._run("initdb", "-D", str(self._data), "-U", "postgres", "-A", "trust", "-N", "--locale=C", "-E", "UTF8")

    def start(self) -> None:
        """Start it, with the data from before; back once it answers."""
        program = _found(_PROGRAM)
        settings = {"listen_addresses": "", "unix_socket_directories": str(self.folder), "max_connections": "50", "shared_buffers": "16MB"}
        options = [option for name, value in settings.items() for option in ("-c", f"{name}={value}")]
        with (self.folder / "postgres.log").open("ab") as log:
            command = [str(program), "-D", str(self._data), *options]
            self._process = subprocess.Popen(command, stdin=subprocess.DEVNULL, stdout=log, stderr=log, user=self._user, group=self._group)
        until_s = time.monotonic() + _READY_S
        while self._run("pg_isready", "-h", str(self.folder), check=False) != 0:
            if time.monotonic() > until_s:
                raise RuntimeError(f"{_PROGRAM} does not answer:\n{(self.folder / 'postgres.log').read_text()[-2000:]}")
            time.sleep(_PAUSE_S)  # it tells nobody when it is ready

    def kill(self) -> None:
        """End it at once, without a checkpoint, as power failures do."""
        if self._process is not None:
            self._signal_all(signal.SIGCONT)
            self._process.send_signal(signal.SIGQUIT)
            self._process.wait()
            self._process = None

    def freeze(self) -> None:
        """Let it stand still: connections stay open, nothing is answered."""
        self._signal_all(signal.SIGSTOP)

    def thaw(self) -> None:
        """Let it go on."""
        self._signal_all(signal.SIGCONT)

    def restore(self) -> None:
        """Let it run."""
        if self._process is None:
            self.start()
        self.thaw()

    def database(self) -> str:
        """The address of a new database with nothing in it."""
        name = f"pw_{secrets.token_hex(6)}"
        self._run("createdb", "-h", str(self.folder), "-U", "postgres", name)
        return f"postgresql:///{name}?host={self.folder}&user=postgres"

    def _signal_all(self, number: int) -> None:
        """To the server and the processes that it has started, which it leads."""
        if self._process is not None:
            children = subprocess.run(["pgrep", "-P", str(self._process.pid)], capture_output=True, text=True, check=False).stdout.split()
            for pid in (self._process.pid, *map(int, children)):
                with suppress(ProcessLookupError):  # some come and go
                    os.kill(pid, number)

    def _run(self, name: str, *arguments: str, check: bool = True) -> int:
        command = [str(_found(name)), *arguments]
        done = subprocess.run(command, capture_output=True, text=True, check=False, cwd=self.folder, user=self._user, group=self._group)
        if check and done.returncode:
            raise RuntimeError(f"{name}: {done.stderr}")
        return done.returncode


@contextmanager
def running() -> Iterator[PostgresServer]:
    """A server for the length of a `with` block."""
    with tempfile.TemporaryDirectory(prefix="pw-pg-") as folder:  # pytest's own paths are too long for a socket
        server = PostgresServer(Path(folder))
        server.start()
        try:
            yield server
        finally:
            server.kill()


def _lacking(what: str) -> None:
    if os.environ.get("CI"):
        pytest.fail(f"{what}; .ci/run should have done so")
    pytest.skip(what)


def _found(name: str) -> str | None:
    """A program of the server, also where Debian keeps those that are not for everybody."""
    versions = sorted(Path("/usr/lib/postgresql").glob("*/bin"), key=lambda path: int(path.parent.name), reverse=True)
    return shutil.which(name, path=os.pathsep.join([os.environ.get("PATH", ""), *map(str, versions)]))


def _user() -> tuple[int, int] | None:
    """Whom it runs as, by numbers; None: as the tests do."""
    if os.getuid() != 0:
        return None
    for name in _USERS:
        try:
            found = pwd.getpwnam(name)
        except KeyError:
            continue
        return found.pw_uid, found.pw_gid
    raise RuntimeError(f"postgres does not run as root, and there is none of {_USERS}")
