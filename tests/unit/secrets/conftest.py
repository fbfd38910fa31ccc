"""A fake Vault, a store in memory, and keys of a configuration."""

from collections.abc import Iterator
from dataclasses import dataclass, field

import pytest

from promptwire_server.core.secret import Credential, Reference
from promptwire_server.secrets.round import Key
from promptwire_server.secrets.store import Found, Unreadable
from tests.unit.secrets import fake_vault
from tests.unit.secrets.fake_vault import FakeVault


@dataclass
class Shelf:
    """A store in memory; an error in place of a secret is raised."""

    held: dict[str, Found | Exception] = field(default_factory=dict)
    asked: list[str] = field(default_factory=list)

    def read(self, name: str) -> Found:
        self.asked.append(name)
        found = self.held.get(name, Unreadable("it is not there"))
        if isinstance(found, Exception):
            raise found
        return found


def key(reference: str, *path: str, least: int = 1, value: str = "") -> Key:
    """A key at a path of the configuration: "shelf:name#field"."""
    store, _, rest = reference.partition(":")
    name, _, of = rest.partition("#")
    return Key(path or ("providers", name, "api_key"), Credential(Reference(store, name, of), value), least)


@pytest.fixture
def shelf() -> Shelf:
    return Shelf()


@pytest.fixture
def vault() -> Iterator[FakeVault]:
    with fake_vault.running() as running:
        yield running
