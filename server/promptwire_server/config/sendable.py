"""What HTTP can carry: credentials and headers of providers that no request could be sent with are told at start."""

import re
from collections.abc import Iterator

from promptwire_server.config.model import File
from promptwire_server.config.providers import Remote
from promptwire_server.config.reference import STORES
from promptwire_server.config.remotes import Finding, remotes
from promptwire_server.config.settings import KeyPath
from promptwire_server.core.secret import Credential, Secret

UNSENDABLE = "has a line break or another character that HTTP headers cannot carry; correct it"
_VALUE = re.compile(r"[\t\x20-\x7e\xa0-\xff]*")
_TOKEN = re.compile(r"[A-Za-z0-9!#$%&'*+.^_`|~-]+")
_OURS = frozenset({"host", "content-length", "transfer-encoding", "connection", "keep-alive", "te", "trailer", "upgrade", "expect"})
_ELSEWHERE = re.compile(r"(?!https?:)[a-z][a-z0-9-]*:\S+#\w+")  # looks like a reference


def sendable(text: str) -> bool:
    """Whether a header can have this value."""
    return _VALUE.fullmatch(text) is not None


def headers_are_sendable(file: File) -> Iterator[Finding]:
    """Names and values of headers, those of the credentials included."""
    for at, provider in remotes(file):
        for name in provider.headers:
            if not _TOKEN.fullmatch(name):
                yield (*at, "headers", name), "is no name of a header: letters, digits and - only"
            elif name.lower() in _OURS:
                yield (*at, "headers", name), "belongs to the connection, which the server looks after; leave it out"
        for path, text in _texts(provider):
            if not sendable(text):
                yield (*at, *path), UNSENDABLE


def stores_are_known(file: File) -> Iterator[Finding]:
    """A reference to a store that this server does not know would go to the vendor as a key, or let people in."""
    secrets = [((*at, *path), secret) for at, provider in remotes(file) for path, secret in _secrets(provider)]
    secrets += [(("auth", "api_keys", str(place), "key"), key.key) for place, key in enumerate(file.auth.api_keys) if key.key is not None]
    for path, secret in secrets:
        if not isinstance(secret, Credential) and _ELSEWHERE.fullmatch(secret.reveal()):
            yield path, f"refers to a place of secrets, but there is no such secret store; known: {', '.join(STORES)}"


def _texts(provider: Remote) -> Iterator[tuple[KeyPath, str]]:
    """All that goes into headers, as far as it is known by now."""
    for path, secret in _secrets(provider):
        if not isinstance(secret, Credential) or secret.known:
            yield path, secret.reveal()
    for name in ("organization", "project", "version"):
        yield (name,), getattr(provider, name, None) or ""
    for position, beta in enumerate(getattr(provider, "beta", ())):
        yield ("beta", str(position)), beta


def _secrets(provider: Remote) -> Iterator[tuple[KeyPath, Secret]]:
    named: list[tuple[KeyPath, Secret | None]] = [(("api_key",), provider.api_key), (("token",), getattr(provider, "token", None))]
    named += [(("api_keys", str(position)), key) for position, key in enumerate(provider.api_keys)]
    named += [(("headers", name), value) for name, value in provider.headers.items()]
    yield from ((path, secret) for path, secret in named if secret is not None)
