"""Watch: the secrets of one store, read at start and then again and again by a thread of their own, since clients of stores block."""

import threading
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from typing import Literal

from promptwire_server.core.clock import Chance
from promptwire_server.secrets.round import Key, KeyPath, Outcome, ask
from promptwire_server.secrets.store import Store

_AGAIN_S = 30.0  # after a failure, unless the interval is shorter
_LEAST_TTL_S = 2.0  # a secret that says it holds for less is not believed
_EARLIEST = 0.8  # of a pause: many servers that started together do not ask together for ever


@dataclass(frozen=True, slots=True)
class News:
    """Something happened to a secret while the server ran."""

    kind: Literal["rotated", "failing", "recovered"]
    path: KeyPath
    reference: str
    problem: str = ""  # of what fails; the value read before is still in use


Tell = Callable[[News], None]  # from the thread; must not raise


class Watch:
    """Keeps the credentials of one store up to date."""

    def __init__(self, name: str, store: Store, keys: Sequence[Key], *, interval_s: float, chance: Chance) -> None:
        self._store = store
        self._keys = keys
        self._interval_s = interval_s
        self._chance = chance
        self._pause_s = self._spread(interval_s)
        self._problems: dict[KeyPath, str] = {}
        self._tell: Tell = lambda _: None
        self._stopping = threading.Event()
        # A daemon: a store that hangs must not keep the process from ending.
        self._thread = threading.Thread(target=self._run, name=f"promptwire-secrets-{name}", daemon=True)

    def first(self) -> list[Outcome]:
        """Fetch what is not known yet; the outcomes of that. Blocks."""
        outcomes = ask(self._store, [key for key in self._keys if not key.credential.known])
        for outcome in outcomes:
            if outcome.value:
                outcome.key.credential.renew(outcome.value)
        self._pause_s = self._pause_after(outcomes)
        return outcomes

    def start(self, tell: Tell) -> None:
        """Look at regular times from now on. Without an interval: never."""
        self._tell = tell
        if self._interval_s > 0:
            self._thread.start()

    def stop(self) -> None:
        """Stop looking; a look under way may still end. Does not wait."""
        self._stopping.set()

    def look(self) -> None:
        """Read all of it, and tell what has changed. What cannot be read keeps its value."""
        outcomes = ask(self._store, self._keys)
        for outcome in outcomes:
            self._settle(outcome)
        self._pause_s = self._pause_after(outcomes)

    @property
    def pause_s(self) -> float:
        """Until the next look."""
        return self._pause_s

    def _run(self) -> None:
        while not self._stopping.wait(self._pause_s):
            self.look()

    def _settle(self, outcome: Outcome) -> None:
        key = outcome.key
        before = self._problems.get(key.path, "")
        if outcome.problem:
            self._problems[key.path] = outcome.problem
            if outcome.problem != before:
                self._say("failing", key, outcome.problem)
            return
        if before:
            del self._problems[key.path]
            self._say("recovered", key)
        if outcome.value != key.credential.reveal():
            key.credential.renew(outcome.value)
            self._say("rotated", key)

    def _say(self, kind: Literal["rotated", "failing", "recovered"], key: Key, problem: str = "") -> None:
        self._tell(News(kind, key.path, str(key.credential.reference), problem))

    def _pause_after(self, outcomes: Sequence[Outcome]) -> float:
        longest_s = self._interval_s
        if any(outcome.problem for outcome in outcomes):
            longest_s = min(longest_s, _AGAIN_S)
        holding_s = [max(outcome.ttl_s, _LEAST_TTL_S) / 2 for outcome in outcomes if outcome.ttl_s > 0]
        return self._spread(min([longest_s, *holding_s]))

    def _spread(self, pause_s: float) -> float:
        return self._chance.uniform(_EARLIEST, 1.0) * pause_s
