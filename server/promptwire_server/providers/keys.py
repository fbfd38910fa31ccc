"""Keys: what vendors have let this process know of each secret that it shows them. It outlives configurations.

A secret is known by a digest of its value and by the provider that it was shown to: one that was read anew is another one, which deserves
a try, and one that comes back is as it was left.
"""

import hashlib
from collections.abc import Callable, Iterator, Mapping
from dataclasses import dataclass
from typing import Literal, Protocol
from weakref import WeakValueDictionary

from promptwire_server.core.clock import Clock

KeyState = Literal["working", "resting", "dead"]


@dataclass(frozen=True, slots=True)
class KeyNews:
    """A key is no longer what it was."""

    provider: str
    number: int  # of the provider's keys, from 1
    state: KeyState
    for_s: float = 0.0  # so long, unless it is found out before
    model: str = ""  # that it rests for
    error: str = ""  # in words, which show nothing of it


Report = Callable[[KeyNews], None]  # must neither wait nor raise


class Record:
    """What is known of one secret. Gone with the last key that has it."""

    __slots__ = ("__weakref__", "deaths", "died_s", "limited_s", "out_until_s", "rests")

    def __init__(self) -> None:
        self.deaths = 0  # of its account, in a row
        self.died_s = float("-inf")
        self.out_until_s = float("-inf")
        self.limited_s = float("-inf")  # when the vendor limited it last
        self.rests: dict[str, float] = {}  # until when, by model


class Ring(Protocol):
    """The keys of one provider that are in use now."""

    def states(self) -> Mapping[KeyState, int]:
        """How many are in each state."""
        ...

    def revive(self) -> None:
        """Those whose account was refused may be tried again at once."""
        ...


class Keys:
    """The records of all secrets in use, and who uses them."""

    def __init__(self, clock: Clock, report: Report = lambda news: None) -> None:  # noqa: ARG005 - a Report's shape
        self.clock = clock
        self.report = report
        self._records: WeakValueDictionary[tuple[str, bytes], Record] = WeakValueDictionary()
        self._rings: WeakValueDictionary[str, Ring] = WeakValueDictionary()  # by provider, the newest of each

    def record(self, provider: str, value: str) -> Record:
        """What is known of a secret; whoever keeps it shares it with all others who show the same to the same provider."""
        name = provider, hashlib.sha256(value.encode()).digest()
        found = self._records.get(name)
        if found is None:
            found = self._records[name] = Record()
        return found

    def use(self, provider: str, ring: Ring) -> None:
        """These are the keys of a provider from now on."""
        self._rings[provider] = ring

    def leave(self, provider: str, ring: Ring) -> None:
        """These no longer are, unless others have taken their place."""
        if self._rings.get(provider) is ring:
            del self._rings[provider]

    def revive(self, provider: str) -> None:
        """An operator says that its accounts are in order: their keys may be tried again at once."""
        if (ring := self._rings.get(provider)) is not None:
            ring.revive()

    def counts(self) -> Iterator[tuple[str, KeyState, int]]:
        """How many keys of each provider are in each state, by provider."""
        for provider, ring in sorted(self._rings.items()):
            for state, count in ring.states().items():
                yield provider, state, count
