"""Near: answers in memory in front of those in a store that replicas share. What is near is a copy, and soon looked for again."""

from collections.abc import Sequence
from typing import Final, Protocol

from promptwire_server.core.kept import Held, Kept, Selector
from promptwire_server.stores.memory import Answers

_NEAR_S: Final = 30.0  # so long may a copy be served here after an operator has purged it elsewhere


class Far(Protocol):
    """The shared store."""

    async def get(self, tenant: str, key: str) -> tuple[Kept, float] | None:
        """See layers.cache.cache.Store."""
        ...

    def put(self, tenant: str, key: str, kept: Kept) -> None:
        """See layers.cache.cache.Store."""
        ...

    async def held(self, selector: Selector) -> Sequence[Held]:
        """What is kept of what is meant, by model."""
        ...

    async def purge(self, selector: Selector, *, dry_run: bool) -> tuple[int, int]:
        """Drop what is meant, or only count it."""
        ...


class NearAnswers:
    """See layers.cache.cache.Store. What is told of it is told of the far store, which has everything."""

    name = "both"
    max_bytes: int | None = None

    def __init__(self, near: Answers, far: Far) -> None:
        self.near = near
        self._far = far

    async def get(self, tenant: str, key: str) -> tuple[Kept, float] | None:
        """See layers.cache.cache.Store."""
        found = await self.near.get(tenant, key)
        if found is not None:
            return found
        found = await self._far.get(tenant, key)
        if found is not None:
            self.near.put(tenant, key, *found, at_most_s=_NEAR_S)
        return found

    def put(self, tenant: str, key: str, kept: Kept) -> None:
        """See layers.cache.cache.Store."""
        self.near.put(tenant, key, kept, at_most_s=_NEAR_S)
        self._far.put(tenant, key, kept)

    async def held(self, selector: Selector) -> Sequence[Held]:
        """See Far."""
        return await self._far.held(selector)

    async def purge(self, selector: Selector, *, dry_run: bool) -> tuple[int, int]:
        """See Far."""
        if not dry_run:
            await self.near.purge(selector, dry_run=False)
        return await self._far.purge(selector, dry_run=dry_run)
