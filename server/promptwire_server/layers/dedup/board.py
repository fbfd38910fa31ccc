"""Board: where servers tell each other which questions they ask, and what they have heard; the port of stores that replicas share."""

from collections.abc import Sequence
from typing import Protocol


class Listener(Protocol):
    """Hears what one server tells of one answer, from its first entry on."""

    async def next(self, within_s: float) -> tuple[int, bytes] | None:
        """The next entry and its number, from 1; None when none comes in time. Within 0: of those that are there. Raises StoreDown."""
        ...

    def close(self) -> None:
        """Hear no more."""
        ...


class Board(Protocol):
    """Which server leads which question. Whoever leads has a lease with a token of its own, and writes only while it holds it.

    Every method raises StoreDown when the store cannot decide.
    """

    async def take(self, tenant: str, key: str, token: str) -> str:
        """The token of whoever leads: the given one where nobody did."""
        ...

    async def tell(self, tenant: str, key: str, token: str, first: int, entries: Sequence[bytes], *, last: bool, most: int = 0) -> bool:
        """Tell entries, the first of which has the number `first`, and renew the lease; False where the lead is lost.

        `last`: none will follow, and the lead is given back. `most`: so many entries stay, the newest; 0: all.
        """
        ...

    async def renew(self, tenant: str, key: str, token: str) -> int:
        """Keep the lead; how many servers follow, -1 where the lead is lost."""
        ...

    async def give_up(self, tenant: str, key: str, token: str) -> int:
        """Give the lead back if nobody follows; how many servers do, -1 where the lead is lost."""
        ...

    async def follow(self, tenant: str, key: str, token: str, follower: str) -> bool:
        """Be counted as a follower for as long as a lease lasts; False where nobody leads by this token any more."""
        ...

    def listen(self, tenant: str, key: str, token: str) -> Listener:
        """Hear what is told by this token."""
        ...
