"""Addresses of providers: what is wrong with one, and what their own programs make of the variables that hold them."""

import re
from urllib.parse import SplitResult, urlsplit

# Longer ones first: what is left when they are taken off is what should have been written.
_METHODS = ("/v1/messages", "/messages", "/chat/completions", "/completions", "/responses", "/embeddings", "/api/chat", "/api/generate")
_GEMINI_METHOD = re.compile(r"/models/[^/]*:[a-zA-Z]+$|:(stream)?[gG]enerateContent$")
_SCHEME = re.compile(r"https?://", re.IGNORECASE)
_OLLAMA_PORT = 11434
_ANYWHERE = {"0.0.0.0": "127.0.0.1", "::": "[::1]"}  # where a server listens; a client needs one of its addresses


def checked(url: str) -> str:
    """The address. Raises ValueError when no request could go there, without repeating it: it may hold what is none of a log's."""
    try:
        host, port = _parts(url)
        host.encode("ascii" if host.isascii() else "idna")
    except ValueError:
        raise ValueError("is no address: its host or port is malformed; ports are 1 to 65535") from None
    if not host or port == 0 or not url.isprintable():
        raise ValueError("is no address: its host or port is malformed; ports are 1 to 65535")
    return url


def base(url: str) -> str:
    """The address of a provider. Raises ValueError as `checked` does, and when it is one of a method."""
    path = urlsplit(checked(url)).path.rstrip("/")
    method = next((end for end in _METHODS if path.endswith(end)), "")
    if found := _GEMINI_METHOD.search(path):
        method = found[0]
    if method:
        raise ValueError(f'must not name a method: leave out "{method}", which each request adds by itself')
    return url


def from_variable(text: str, *, dialect: str, suffix: str) -> str:
    """What the vendor's own programs ask when their variable has this text; they append `suffix`, which some people write as well."""
    if dialect == "ollama":
        return _ollama(text)
    address = text.rstrip("/")
    return address if address.endswith(suffix) else address + suffix


def _ollama(text: str) -> str:
    """Ollama's programs need neither scheme nor port, and share the variable with the server. What is no address stays as it is."""
    try:
        it = urlsplit(text if _SCHEME.match(text) else f"http://{text}")
        host, port = it.hostname or "127.0.0.1", it.port
    except ValueError:
        return text
    host = _ANYWHERE.get(host) or (f"[{host}]" if ":" in host else host)
    if port is None and not _SCHEME.match(text):
        port = _OLLAMA_PORT
    return f"{it.scheme}://{_user(it)}{host}{f':{port}' if port is not None else ''}{it.path.rstrip('/')}"


def _user(it: SplitResult) -> str:
    """Credentials are kept, so that the check of addresses finds them."""
    return f"{it.netloc.rpartition('@')[0]}@" if "@" in it.netloc else ""


def _parts(url: str) -> tuple[str, int | None]:
    it = urlsplit(url)
    return it.hostname or "", it.port
