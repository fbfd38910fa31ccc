"""Reload: the configuration read anew at run time, on SIGHUP and when its file has changed. A faulty one changes nothing."""

import asyncio
import signal
import sys
from collections.abc import Awaitable, Callable, Sequence
from contextlib import suppress
from pathlib import Path

from promptwire_server.config.fault import ConfigError
from promptwire_server.config.settings import Settings
from promptwire_server.layers import names

LOOK_S = 2.0  # how often the file is looked at: a person who has saved it waits no longer
_LASTING = ("server", "state_dir", "logs", "usage", "stores")  # sections that hold for the life of the process
_LASTING_KEYS = (("cache", "store"), ("cache", "max_bytes"))  # the same of single keys

Read = Callable[[], Settings]  # blocks; raises ConfigError
Apply = Callable[[Settings], Awaitable[None]]  # raises ConfigError, ValueError and OSError, and has changed nothing then
Log = Callable[[str, str, dict[str, str]], None]  # level, event, fields
Mark = tuple[int, int, int]  # what changes when a file does


class Reloader:
    """Watches for a reason to read the configuration anew, and has it applied."""

    def __init__(self, settings: Settings, read: Read, apply: Apply, log: Log, *, look_s: float = LOOK_S) -> None:
        self._settings = settings
        self._read = read
        self._apply = apply
        self._log = log
        self._look_s = look_s
        self._wanted = asyncio.Event()
        self._seen = _mark(settings.path)  # before anybody is told that the server is up, and changes the file

    def ask(self) -> None:
        """Reload soon, whether or not the file has changed."""
        self._wanted.set()

    async def run(self) -> None:
        """Reload whenever there is a reason, until cancelled."""
        while True:
            with suppress(TimeoutError):
                async with asyncio.timeout(self._look_s):
                    await self._wanted.wait()
            mark = await asyncio.to_thread(_mark, self._settings.path)
            if self._wanted.is_set() or mark != self._seen:
                self._wanted.clear()
                self._seen = mark
                await self._reload()

    async def _reload(self) -> None:
        try:
            settings = await asyncio.to_thread(self._read)
            await self._apply(settings)
        except ConfigError as error:
            faults = "; ".join(str(fault) for fault in error.faults)
            self._log("error", names.CONFIG_REFUSED, {"error": faults, "hint": "the configuration from before is still in use"})
        except (ValueError, OSError, RuntimeError) as error:
            self._log("error", names.CONFIG_REFUSED, {"error": str(error), "hint": "the configuration from before is still in use"})
        else:
            before, self._settings = self._settings, settings
            needed = ", ".join(lasting_changes(before, settings))
            self._log("info", names.CONFIG_RELOADED, {"restart_needed_for": needed} if needed else {})


def lasting_changes(before: Settings, after: Settings) -> Sequence[str]:
    """Sections that were changed but hold until the process is started anew."""
    sections = [section for section in _LASTING if getattr(before, section) != getattr(after, section)]
    keys = [
        (section, key) for section, key in _LASTING_KEYS if getattr(getattr(before, section), key) != getattr(getattr(after, section), key)
    ]
    return [*sections, *(f"{section}.{key}" for section, key in keys)]


def on_hangup(ask: Callable[[], None]) -> None:
    """Ask at SIGHUP, except at a terminal, where it means that the person has gone."""
    if not sys.stdout.isatty():
        asyncio.get_running_loop().add_signal_handler(signal.SIGHUP, ask)


def _mark(file: Path | None) -> Mark | None:
    """Which file it is, when it was changed, and its size; None without a file, or while it is being exchanged."""
    if file is None:
        return None
    try:
        found = file.stat()
    except OSError:
        return None
    return found.st_ino, found.st_mtime_ns, found.st_size
