"""KeyRing: the credentials of one provider, of which each request is shown the one that is most likely to be let in.

They take turns. One that the vendor limits rests as long as the vendor says, for that model; one whose account is broken or empty is out of
use for a while that grows. Neither is the provider's failure: the next credential is asked at once.
"""

import itertools
from collections import Counter
from collections.abc import Awaitable, Callable, Mapping, Sequence
from functools import partial
from typing import TypeVar

from promptwire_server.core.call import Trail
from promptwire_server.core.errors import Origin, PromptwireError, UpstreamAccount, UpstreamKey, UpstreamRateLimited
from promptwire_server.core.secret import Secret
from promptwire_server.providers.key import REST_S, UNSENDABLE, Asked, Key
from promptwire_server.providers.keys import Keys, KeyState
from promptwire_server.providers.reading import Listener

T = TypeVar("T")


class KeyRing:
    """All credentials of a provider."""

    def __init__(self, provider: str, secrets: Sequence[Secret], headers: Callable[[Secret], Mapping[str, str]], keys: Keys) -> None:
        """`headers` are what a request shows of a secret; what is known of each is in `keys`, and stays there."""
        self.provider = provider
        self.keys = tuple(Key(provider, number, secret, headers, keys) for number, secret in enumerate(secrets, 1))
        self._clock = keys.clock
        self._known = keys
        self._turns = itertools.count(1)
        keys.use(provider, self)

    def states(self) -> Mapping[KeyState, int]:
        """How many keys are in each state."""
        now_s = self._clock.monotonic()
        counted = Counter(key.state(now_s) for key in self.keys)
        return {"working": counted["working"], "resting": counted["resting"], "dead": counted["dead"]}

    def revive(self) -> None:
        """Those whose account was refused may be tried again at once."""
        for key in self.keys:
            key.revive()

    def close(self) -> None:
        """They are out of use, as far as this ring goes."""
        self._known.leave(self.provider, self)

    async def lend(self, model: str, trail: Trail, ask: Callable[[Key, PromptwireError | None], Awaitable[T]]) -> T:
        """What `ask` gives with a key that is let in; it is told the refusal of the key before, None for the first.

        Another key is asked when the vendor refuses one, while the trail of the call has attempts to spare. Raises UpstreamRateLimited,
        before anything is asked, when all keys rest; when all accounts are broken, the one that has been so the longest is tried, and its
        error stands. Raises UpstreamAccount when no key can be sent at all.
        """
        tried: list[Key] = []
        refusal: PromptwireError | None = None
        while True:
            now_s = self._clock.monotonic()
            key = self._next(model, tried, now_s)
            asked = key.ask(next(self._turns), now_s)
            tried.append(key)
            try:
                result = await ask(key, refusal)
            except (UpstreamAccount, UpstreamRateLimited) as error:
                self._refused(key, asked, model, error)
                if not self._another(error, model, tried, trail):
                    raise self._standing(error, model) from None
                refusal = error
            else:
                key.works(asked)
                return result

    def listener(self, key: Key | None, model: str) -> Listener | None:
        """Who hears what breaks off an answer that begins now with this key; gives the error as it stands with all the keys there are."""
        return None if key is None else partial(self._hear, key, key.under_way(self._clock.monotonic()), model)

    def _hear(self, key: Key, asked: Asked, model: str, error: PromptwireError) -> PromptwireError:
        if not isinstance(error, UpstreamAccount | UpstreamRateLimited):
            return error
        self._refused(key, asked, model, error)
        return self._standing(error, model)

    def _next(self, model: str, tried: Sequence[Key], now_s: float) -> Key:
        free = self._free(model, tried, now_s)
        if free:
            return min(free, key=lambda key: (key.limited_lately(now_s), key.turn))
        alive = [key for key in self.keys if not key.out_s(now_s)]
        if alive:
            raise self._resting(alive, model, now_s)
        key = min(self.keys, key=lambda key: key.out_s(now_s))
        if not key.sendable:
            raise UpstreamAccount(f"{self.provider}: each of its {len(self.keys)} keys {UNSENDABLE}", origin=Origin(self.provider))
        return key

    def _free(self, model: str, tried: Sequence[Key], now_s: float) -> list[Key]:
        return [key for key in self.keys if key.free(model, now_s) and key not in tried]

    def _refused(self, key: Key, asked: Asked, model: str, error: PromptwireError) -> None:
        now_s = self._clock.monotonic()
        if isinstance(error, UpstreamAccount):
            key.dies(asked, now_s, error.message)
        else:
            key.rests(model, REST_S if error.retry_after_s is None else error.retry_after_s, now_s)

    def _another(self, error: PromptwireError, model: str, tried: Sequence[Key], trail: Trail) -> bool:
        """Whether to ask again; takes the attempt, at once, since another target may be asked beside this one.

        Of a refusal within an answer the beginning was understood already: that cannot be undone here.
        """
        if error.origin.http_status is None or trail.spare <= 0 or not self._free(model, tried, self._clock.monotonic()):
            return False
        trail.spare -= 1
        return True

    def _standing(self, error: PromptwireError, model: str) -> PromptwireError:
        """What the call ends with: that the vendor limits us, when another key will be let in sooner or at all."""
        now_s = self._clock.monotonic()
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
