"""Round: all secrets of one store, each name asked for once."""

import re
from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from itertools import groupby

from promptwire_server.core.secret import Credential
from promptwire_server.secrets.store import Found, Store, Unavailable, Unreadable

KeyPath = tuple[str, ...]
_SENDABLE = re.compile(r"[\t\x20-\x7e]+")  # what every HTTP server takes in a header


@dataclass(frozen=True, slots=True)
class Key:
    """A key of the configuration whose secret is kept elsewhere."""

    path: KeyPath
    credential: Credential
    least: int = 1  # characters, so that nobody can guess it


@dataclass(frozen=True, slots=True)
class Outcome:
    """What came of one key."""

    key: Key
    value: str = ""  # empty: none
    problem: str = ""  # why there is none, and what to do
    ttl_s: float = 0.0  # how long the value holds; 0: not said

    def __repr__(self) -> str:
        return f"Outcome({self.key.credential!r}, problem={self.problem!r})"


def ask(store: Store, keys: Sequence[Key]) -> list[Outcome]:
    """One outcome a key. Once the store is unavailable, it is not asked any more. Never raises: who calls this is a thread's outermost."""
    try:
        return list(_outcomes(store, keys))
    except Exception as error:  # noqa: BLE001 - client libraries raise what they like; the text may quote a secret
        return [Outcome(key, problem=f"it cannot be read ({type(error).__name__})") for key in keys]


def _outcomes(store: Store, keys: Sequence[Key]) -> Iterator[Outcome]:
    broken = ""
    for name, sharing in groupby(sorted(keys, key=_name), key=_name):
        found: Found | None = None
        problem = broken
        if not broken:
            try:
                found = store.read(name)
            except Unavailable as error:
                problem = broken = str(error)
            except Unreadable as error:
                problem = str(error)
        for key in sharing:
            yield Outcome(key, problem=problem) if found is None else _outcome(key, found)


def _name(key: Key) -> str:
    return key.credential.reference.name


def _outcome(key: Key, found: Found) -> Outcome:
    try:
        value = found.pick(key.credential.reference.field).strip()
    except Unreadable as error:
        return Outcome(key, problem=str(error))
    if not value:
        return Outcome(key, problem="it is empty")
    if not _SENDABLE.fullmatch(value):
        return Outcome(key, problem="it has line breaks or characters beyond ASCII, which no header can carry; is it the right one?")
    if len(value) < key.least:
        return Outcome(key, problem=f"it is too easy to guess with {len(value)} characters; use at least {key.least}")
    return Outcome(key, value, ttl_s=found.ttl_s)
