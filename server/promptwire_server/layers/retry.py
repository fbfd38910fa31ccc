"""Retry: whether an attempt may be made again, and after which pause: small values that compose."""

from collections import deque
from dataclasses import dataclass

from promptwire_server.core.clock import Chance, Clock

_WINDOW_S = 10.0  # the budget looks back so far: long enough for a burst, short enough that an outage uses it up
_BUCKETS = 10


@dataclass(frozen=True, slots=True)
class RetrySettings:
    """How often and how soon. Pauses are in seconds."""

    max_attempts: int = 3  # of one request, at all targets together, the first included
    base_s: float = 0.1  # the longest pause before the first retry; it doubles with each
    cap_s: float = 5.0  # the longest pause of all, unless the vendor asks for a longer one
    budget_percent: float = 10.0  # retries, of the requests of the last ten seconds
    budget_floor: int = 3  # retries that are always allowed in that time


class RetryBudget:
    """How many retries the traffic can bear: without it, an outage would multiply the load by the number of attempts."""

    def __init__(self, settings: RetrySettings, clock: Clock) -> None:
        self._settings = settings
        self._clock = clock
        self._buckets: deque[list[int]] = deque()  # [bucket number, requests, retries], oldest first
        self._requests = 0
        self._retries = 0

    def request(self) -> None:
        """Count a request."""
        self._now()[1] += 1
        self._requests += 1

    def take(self) -> bool:
        """Count a retry, if there is room for one."""
        bucket = self._now()
        allowed = max(self._settings.budget_floor, self._requests * self._settings.budget_percent / 100)
        if self._retries >= allowed:
            return False
        bucket[2] += 1
        self._retries += 1
        return True

    def _now(self) -> list[int]:
        number = int(self._clock.monotonic() * _BUCKETS / _WINDOW_S)
        buckets = self._buckets
        if buckets and buckets[-1][0] == number:
            return buckets[-1]
        while buckets and buckets[0][0] <= number - _BUCKETS:
            _, requests, retries = buckets.popleft()
            self._requests -= requests
            self._retries -= retries
        buckets.append([number, 0, 0])
        return buckets[-1]


def pause_s(settings: RetrySettings, retries: int, retry_after_s: float | None, chance: Chance) -> float:
    """The pause before retry number `retries` + 1: full jitter, so that callers who failed together do not come back together.

    Retry-After is a floor; a tenth of it is added at random for the same reason.
    """
    jittered = chance.uniform(0.0, min(settings.cap_s, settings.base_s * 2**retries))
    return max(jittered, retry_after_s + chance.uniform(0.0, 0.1 * retry_after_s)) if retry_after_s else jittered
