"""Redis: one server, asked with a deadline of our own, without retries, and left alone for a while when it does not answer."""

import asyncio
from collections.abc import Sequence

from redis.exceptions import (
    AskError,
    ClusterError,
    NoPermissionError,
    NoScriptError,
    OutOfMemoryError,
    ReadOnlyError,
    RedisError,
    ResponseError,
    TryAgainError,
)

from promptwire_server.core.clock import Chance, Clock
from promptwire_server.core.store import StoreDown
from promptwire_server.stores.redis.fuse import Changed, Fuse
from promptwire_server.stores.redis.lending import Lending
from promptwire_server.stores.redis.script import Script
from promptwire_server.stores.redis.settings import NAME, RedisSettings

Argument = str | bytes | float
_LATE_S = 0.05  # beyond its deadline a command was kept waiting by this process, which says nothing of the server
# Error replies of a server that cannot serve: it is full, a replica, loading, without a quorum, or does not let us in.
_UNABLE = (OutOfMemoryError, ReadOnlyError, ClusterError, AskError, TryAgainError, NoPermissionError)
_UNABLE_WORDS = ("MISCONF", "NOREPLICAS", "NOAUTH", "BUSY", "MASTERDOWN", "LOADING")


class Redis:
    """One server. Belongs to one event loop.

    Whatever is cancelled, the reply of one command is never taken for another's.
    """

    def __init__(self, settings: RedisSettings, clock: Clock, chance: Chance, changed: Changed = lambda _up, _why: None) -> None:
        """`changed` hears once when the server stops answering and once when it does again. Raises ValueError for a bad URL."""
        self._timeout_s = settings.timeout_s
        self._lending = Lending(settings.url, settings.max_connections)
        self._fuse = Fuse(clock, chance, changed)

    @property
    def down(self) -> bool:
        """It has not answered of late; commands fail at once, but for one now and then that tries."""
        return self._fuse.blown

    async def decide(self, script: Script, keys: Sequence[str | bytes], args: Sequence[Argument]) -> object:
        """What the script returns: bytes, int, None, bool, float, or lists of them. Text comes as bytes.

        Raises StoreDown, and nothing else; the script may have run then all the same.
        """
        try:
            return await self.command("EVALSHA", script.sha, len(keys), *keys, *args)
        except NoScriptError:  # a server that is new, or was told to forget; nothing has run
            return await self._whole(script, keys, args)
        except ResponseError as error:
            raise StoreDown(f"{NAME}: {error}") from None

    async def command(self, *args: Argument) -> object:
        """The reply to one command, e.g. ("GET", key).

        Raises StoreDown when there is none in time; redis.exceptions.ResponseError where the command itself is wrong, a bug of ours.
        """
        probe = self._fuse.blown
        if not self._fuse.enter(self._timeout_s * 2):
            raise StoreDown(f"{NAME}: does not answer")
        told = False
        try:
            reply = await self._in_time(args)
            self._fuse.well()
            told = True
        except ResponseError:  # an answer, too
            self._fuse.well()
            told = True
            raise
        except _Late:
            raise
        except StoreDown as error:
            self._fuse.failed(str(error), probe=probe)
            told = True
            raise
        finally:
            if not told:
                self._fuse.unknown(probe=probe)
        return reply

    async def aclose(self) -> None:
        """Close the connections."""
        await self._lending.aclose()

    async def _whole(self, script: Script, keys: Sequence[str | bytes], args: Sequence[Argument]) -> object:
        """Run a script that the server does not know, which it does from then on."""
        try:
            return await self.command("EVAL", script.source, len(keys), *keys, *args)
        except ResponseError as error:
            raise StoreDown(f"{NAME}: {error}") from None

    async def _in_time(self, args: Sequence[Argument]) -> object:
        """The reply; what shows that the server cannot serve becomes StoreDown."""
        deadline = asyncio.timeout(self._timeout_s)
        try:
            async with deadline:
                return await self._lending.exchange(*args)
        except TimeoutError:
            if asyncio.get_running_loop().time() - (deadline.when() or 0.0) > _LATE_S:
                raise _Late(f"{NAME}: this process was too busy to hear its answer in time") from None
            raise StoreDown(f"{NAME}: no answer within {self._timeout_s * 1000:.0f} ms") from None
        except ResponseError as error:
            if _unable(error):
                raise StoreDown(f"{NAME}: {error}") from None
            raise
        except (RedisError, OSError) as error:
            raise StoreDown(f"{NAME}: {_said(error)}") from None


class _Late(StoreDown):
    """The command failed, but not by the server's fault."""


def _unable(error: ResponseError) -> bool:
    return isinstance(error, _UNABLE) or str(error).startswith(_UNABLE_WORDS)


def _said(error: Exception) -> str:
    return str(error) or type(error).__name__
