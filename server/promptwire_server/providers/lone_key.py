"""LoneKey: the only credential of a provider. It is always asked, since there is no other; how it fares is known and told all the same."""

from collections.abc import Awaitable, Callable, Mapping
from functools import partial
from typing import TypeVar

from promptwire_server.core.call import Trail
from promptwire_server.core.errors import PromptwireError, UpstreamAccount, UpstreamRateLimited
from promptwire_server.core.secret import Secret
from promptwire_server.providers.key import REST_S, Asked, Key
from promptwire_server.providers.keys import Keys, KeyState
from promptwire_server.providers.reading import Listener

T = TypeVar("T")


class LoneKey:
    """In the place of a KeyRing. The upstream shows it by itself, and whoever stands before the provider keeps to its limits."""

    def __init__(self, provider: str, secret: Secret, headers: Callable[[Secret], Mapping[str, str]], keys: Keys) -> None:
        """See KeyRing."""
        self.provider = provider
        self._key = Key(provider, 1, secret, headers, keys)
        self._clock = keys.clock
        self._known = keys
        keys.use(provider, self)

    def states(self) -> Mapping[KeyState, int]:
        """See keys.Ring."""
        return {"working": 0, "resting": 0, "dead": 0, self._key.state(self._clock.monotonic()): 1}

    def revive(self) -> None:
        """See keys.Ring."""
        self._key.revive()

    def close(self) -> None:
        """It is out of use, as far as this configuration goes."""
        self._known.leave(self.provider, self)

    async def lend(self, model: str, _: Trail, ask: Callable[[None, None], Awaitable[T]]) -> T:
        """What `ask` gives."""
        asked = self._key.under_way(self._clock.monotonic())
        try:
            result = await ask(None, None)
        except (UpstreamAccount, UpstreamRateLimited) as error:
            self._hear(asked, model, error)
            raise
        self._key.works(asked)
        return result

    def listener(self, _: Key | None, model: str) -> Listener:
        """Who hears what breaks off an answer that begins now."""
        return partial(self._hear, self._key.under_way(self._clock.monotonic()), model)

    def _hear(self, asked: Asked, model: str, error: PromptwireError) -> PromptwireError:
        now_s = self._clock.monotonic()
        if isinstance(error, UpstreamAccount):
            self._key.dies(asked, now_s, error.message)
        elif isinstance(error, UpstreamRateLimited):
            self._key.rests(model, REST_S if error.retry_after_s is None else error.retry_after_s, now_s)
        return error
