"""Fuse: after failures in a row, keeps commands from waiting for a server that does not answer; one at a time finds out whether it does."""

from collections.abc import Callable

from promptwire_server.core.clock import Chance, Clock

_FAILURES = 3  # in a row: one is a dropped connection, two are two of them
_FIRST_S = 0.5  # until the first probe; it doubles with each that fails
_LONGEST_S = 5.0  # so a server that is back is noticed within this time
_JITTER = 0.5  # a probe comes this share of its interval early at most, so that replicas do not probe together

Changed = Callable[[bool, str], None]  # whether the server is there, and why not; must not raise


class Fuse:
    """Belongs to one event loop, on which asking and taking the probe's place are one step."""

    def __init__(self, clock: Clock, chance: Chance, changed: Changed) -> None:
        self._clock = clock
        self._chance = chance
        self._changed = changed
        self._failures = 0
        self._interval_s = 0.0
        self._next_s = 0.0  # when the next command may try; while one does: when its place is free again
        self.blown = False

    def enter(self, lease_s: float) -> bool:
        """Whether a command may be sent. While blown, only a probe, whose place is free again after `lease_s` at the latest."""
        if not self.blown:
            return True
        now_s = self._clock.monotonic()
        if now_s < self._next_s:
            return False
        self._next_s = now_s + lease_s
        return True

    def well(self) -> None:
        """The server has answered."""
        self._failures = 0
        if self.blown:
            self.blown = False
            self._interval_s = 0.0
            self._changed(True, "")  # noqa: FBT003 - that it is there

    def failed(self, why: str, *, probe: bool) -> None:
        """A command failed. Those sent before the fuse blew say nothing new when it has."""
        self._failures += 1
        if self.blown and not probe:
            return
        if self.blown or self._failures >= _FAILURES:
            self._wait()
        if not self.blown and self._failures >= _FAILURES:
            self.blown = True
            self._changed(False, why)  # noqa: FBT003 - that it is not there

    def unknown(self, *, probe: bool) -> None:
        """A command was given up by whoever sent it: of a probe, the next one may try at once."""
        if self.blown and probe:
            self._next_s = 0.0

    def _wait(self) -> None:
        self._interval_s = min(self._interval_s * 2 or _FIRST_S, _LONGEST_S)
        self._next_s = self._clock.monotonic() + self._interval_s * self._chance.uniform(1.0 - _JITTER, 1.0)
