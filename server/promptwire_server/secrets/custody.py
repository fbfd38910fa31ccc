"""Custody: all secrets that are kept elsewhere: fetched at start, every fault at once, and then kept up to date."""

import threading
from collections.abc import Iterable

from promptwire_server.core.clock import Chance, Clock
from promptwire_server.secrets.opening import Lazy
from promptwire_server.secrets.round import Key, Outcome
from promptwire_server.secrets.settings import StoreSettings
from promptwire_server.secrets.watch import Tell, Watch

_FILES_S = 30.0  # files cost nothing to look at


class Custody:
    """The stores that something refers to, each with its keys."""

    def __init__(self, settings: StoreSettings, keys: Iterable[Key], *, clock: Clock, chance: Chance) -> None:
        self._settings = settings
        self._clock = clock
        self._keys: dict[str, list[Key]] = {}
        for key in keys:
            self._keys.setdefault(key.credential.reference.store, []).append(key)
        self._watches = {
            name: Watch(name, Lazy(name, settings), mine, interval_s=_interval_s(name, settings), chance=chance)
            for name, mine in self._keys.items()
        }

    def fetch(self) -> list[Outcome]:
        """Fetch what is not known yet, all stores at the same time; the outcomes of keys that cannot be had, none when all is well.

        Blocks, but not longer than `start_timeout_s`, however slowly a store answers.
        """
        fetches = [_Fetch(name, watch, self._keys[name]) for name, watch in self._watches.items()]
        end_s = self._clock.monotonic() + self._settings.start_timeout_s
        for fetch in fetches:
            fetch.start()
        for fetch in fetches:
            fetch.join(max(0.0, end_s - self._clock.monotonic()))
        return [outcome for fetch in fetches for outcome in fetch.problems(self._settings.start_timeout_s)]

    def start(self, tell: Tell) -> None:
        """Keep them up to date. `tell` is called from other threads."""
        for watch in self._watches.values():
            watch.start(tell)

    def stop(self) -> None:
        """Let them be. Does not wait."""
        for watch in self._watches.values():
            watch.stop()


class _Fetch(threading.Thread):
    """The first look into one store."""

    def __init__(self, name: str, watch: Watch, keys: list[Key]) -> None:
        super().__init__(name=f"promptwire-secrets-{name}-first", daemon=True)  # a store that hangs must not keep the process from ending
        self._watch = watch
        self._keys = keys
        self._outcomes: list[Outcome] | None = None

    def run(self) -> None:
        self._outcomes = self._watch.first()

    def problems(self, timeout_s: float) -> list[Outcome]:
        """Of every key that cannot be had, why."""
        if self._outcomes is None:
            late = f"the store did not answer within {timeout_s:g} s; check where it is, and whether it runs"
            return [Outcome(key, problem=late) for key in self._keys if not key.credential.known]
        return [outcome for outcome in self._outcomes if outcome.problem]


def _interval_s(name: str, settings: StoreSettings) -> float:
    return min(settings.refresh_interval_s, _FILES_S) if name == "file" else settings.refresh_interval_s
