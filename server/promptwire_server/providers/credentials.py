"""KeyRing: the credentials of one provider, of which each request is shown the one that is most likely to be let in.

They take turns. One that the vendor limits rests as long as the vendor says, for that model; one whose account is broken or empty is out of
use for a while that grows. Neither is the provider's failure: the next credential is asked at once.
"""

import itertools
from collections.abc import Awaitable, Callable, Mapping, Sequence
from typing import TypeVar

from promptwire_server.core.call import Trail
from promptwire_server.core.clock import Clock
from promptwire_server.core.errors import Origin, PromptwireError, UpstreamAccount, UpstreamKey, UpstreamRateLimited
from promptwire_server.core.limits import BELIEVED_S, RateLimits
from promptwire_server.core.secret import Secret

_REST_S = 1.0  # after a refusal that does not say how long: the others go first meanwhile
_OUT_S = 30.0  # after the first failure of an account; twice as long after each further one
_LONGEST_OUT_S = 3600.0
_RECENT_S = 60.0  # a key that was limited within this time comes after those that were not
_MOST_MODELS = 1024  # that one key rests for; callers choose their names

T = TypeVar("T")


class Key:
    """One credential. Named by its number, from 1: what it is never shows."""

    __slots__ = (
        "_deaths",
        "_died_s",
        "_headers",
        "_headers_of",
        "_out_until_s",
        "_refused",
        "_rests",
        "_secret",
        "limited_s",
        "number",
        "turn",
    )

    def __init__(self, number: int, secret: Secret, headers: Callable[[Secret], Mapping[str, str]]) -> None:
        self.number = number
        self.turn = 0  # when it was last asked, in turns of the ring
        self.limited_s = float("-inf")
        self._secret = secret
        self._headers = headers
        self._headers_of: tuple[str, Mapping[str, str]] = ("", {})
        self._deaths = 0  # in a row
        self._died_s = float("-inf")
        self._refused = ""  # the value that was: a new one deserves a try
        self._out_until_s = float("-inf")
        self._rests: dict[str, float] = {}  # until when, by model

    def __repr__(self) -> str:
        return f"Key({self.number})"

    def headers(self) -> Mapping[str, str]:
        """What a request shows of it now."""
        value = self._secret.reveal()
        if self._headers_of[0] is not value:
            self._headers_of = (value, self._headers(self._secret))
        return self._headers_of[1]

    def out_s(self, now_s: float) -> float:
        """Seconds until its account may be tried again; 0: now."""
        if self._refused is not self._secret.reveal():
            return 0.0
        return max(0.0, self._out_until_s - now_s)

    def rest_s(self, model: str, now_s: float) -> float:
        """Seconds until the vendor lets it ask this model again; 0: now."""
        until_s = self._rests.get(model)
        return 0.0 if until_s is None else max(0.0, until_s - now_s)

    def ask(self, turn: int, now_s: float) -> None:
        """It goes out. One that was out of use does so alone, until it is known how that went."""
        self.turn = turn
        if self._deaths:
            self._out_until_s = max(self._out_until_s, now_s + _OUT_S)

    def works(self) -> None:
        """The vendor let it in."""
        if self._deaths:
            self._deaths, self._out_until_s, self._refused = 0, float("-inf"), ""

    def dies(self, asked_s: float, now_s: float) -> None:
        """Its account is broken. Requests that were under way when that was found out say nothing new."""
        if asked_s < self._died_s:
            return
        self._out_until_s = now_s + min(_LONGEST_OUT_S, _OUT_S * 2**self._deaths)
        self._deaths = min(self._deaths + 1, 16)
        self._died_s = now_s
        self._refused = self._secret.reveal()

    def hears(self, model: str, limits: RateLimits, now_s: float) -> None:
        """The vendor told of its limits: with nothing left, it rests before it is refused."""
        wait_s = max((said.wait_s(1) for said in limits), default=0.0)
        if wait_s:
            self.rests(model, min(wait_s, BELIEVED_S), now_s)

    def rests(self, model: str, seconds: float, now_s: float) -> None:
        """The vendor limits it."""
        self.limited_s = now_s
        if len(self._rests) >= _MOST_MODELS:
            self._rests = {name: until_s for name, until_s in self._rests.items() if until_s > now_s}
            if len(self._rests) >= _MOST_MODELS:
                self._rests.clear()
        self._rests[model] = max(now_s + seconds, self._rests.get(model, now_s))


class KeyRing:
    """All credentials of a provider."""

    def __init__(self, provider: str, secrets: Sequence[Secret], headers: Callable[[Secret], Mapping[str, str]], clock: Clock) -> None:
        self.provider = provider
        self.keys = tuple(Key(number, secret, headers) for number, secret in enumerate(secrets, 1))
        self.clock = clock
        self._turns = itertools.count(1)

    async def lend(self, model: str, trail: Trail, ask: Callable[[Key], Awaitable[T]]) -> T:
        """What `ask` gives with a key that is let in.

        Another key is asked when the vendor refuses one, while the trail of the call has attempts to spare. Raises UpstreamRateLimited,
        before anything is asked, when all keys rest; when all accounts are broken, the one that has been so the longest is tried, and its
        error stands.
        """
        tried: list[Key] = []
        while True:
            now_s = self.clock.monotonic()
            key = self._next(model, tried, now_s)
            key.ask(next(self._turns), now_s)
            tried.append(key)
            try:
                result = await ask(key)
            except (UpstreamAccount, UpstreamRateLimited) as error:
                self._refused(key, model, error, now_s)
                if not self._another(error, model, tried, trail):
                    raise self._standing(error, model) from None
            else:
                key.works()
                return result

    def _next(self, model: str, tried: Sequence[Key], now_s: float) -> Key:
        free = self._free(model, tried, now_s)
        if free:
            return min(free, key=lambda key: (now_s - key.limited_s < _RECENT_S, key.turn))
        alive = [key for key in self.keys if not key.out_s(now_s)]
        if alive:
            raise self._resting(alive, model, now_s)
        return min(self.keys, key=lambda key: key.out_s(now_s))

    def _free(self, model: str, tried: Sequence[Key], now_s: float) -> list[Key]:
        return [key for key in self.keys if key not in tried and not key.out_s(now_s) and not key.rest_s(model, now_s)]

    def _refused(self, key: Key, model: str, error: PromptwireError, asked_s: float) -> None:
        now_s = self.clock.monotonic()
        if isinstance(error, UpstreamAccount):
            key.dies(asked_s, now_s)
        else:
            key.rests(model, _REST_S if error.retry_after_s is None else error.retry_after_s, now_s)

    def _another(self, error: PromptwireError, model: str, tried: Sequence[Key], trail: Trail) -> bool:
        """Whether to ask again; takes the attempt, at once, since another target may be asked beside this one.

        Of a refusal within an answer the beginning was understood already: that cannot be undone here.
        """
        if error.origin.http_status is None or trail.spare <= 0 or not self._free(model, tried, self.clock.monotonic()):
            return False
        trail.spare -= 1
        return True

    def _standing(self, error: PromptwireError, model: str) -> PromptwireError:
        """What the call ends with: that the vendor limits us, when another key will be let in sooner or at all."""
        now_s = self.clock.monotonic()
        alive = [key for key in self.keys if not key.out_s(now_s)]
        waits = [key.rest_s(model, now_s) for key in alive]
        if not waits:
            return error
        if isinstance(error, UpstreamRateLimited):
            error.retry_after_s = min(waits)
            return error
        return self._resting(alive, model, now_s) if min(waits) else UpstreamKey(error.message, origin=error.origin)

    def _resting(self, alive: Sequence[Key], model: str, now_s: float) -> UpstreamRateLimited:
        wait_s = min(key.rest_s(model, now_s) for key in alive)
        message = (
            f"{self.provider}/{model}: the vendor limits the rate of each of its {len(alive)} keys that work; try again in {wait_s:.3g} s"
        )
        return UpstreamRateLimited(message, retry_after_s=wait_s, origin=Origin(self.provider))
