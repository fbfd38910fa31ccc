"""Seals: opaque strings that show, when they come back, that this provider made them and nobody changed them."""

import binascii
import hashlib
import hmac
from base64 import b64decode, b64encode

KEY = b"the fake provider's own"
SALT_BYTES = 16
MAC_BYTES = 64
TAG_DIGITS = 24


def signature(purpose: str, text: str, salt: str) -> str:
    """Return a seal on a text that travels beside it; another salt, another seal."""
    salted = hashlib.sha256(salt.encode()).digest()[:SALT_BYTES]
    return b64encode(salted + _mac(purpose, salted, text.encode("utf-8", "replace"))).decode()


def signs(seal: object, purpose: str, text: str) -> bool:
    """Whether the seal was made for this purpose and this very text."""
    raw = _decoded(seal)
    return len(raw) == SALT_BYTES + MAC_BYTES and _is_ours(raw, purpose, text.encode("utf-8", "replace"))


def wrapped(purpose: str, text: str, salt: str) -> str:
    """Return an opaque string that carries the text."""
    data = text.encode("utf-8", "replace")
    salted = hashlib.sha256(salt.encode()).digest()[:SALT_BYTES]
    return b64encode(salted + _mac(purpose, salted, data) + data).decode()


def unwrapped(purpose: str, seal: object) -> str | None:
    """Return the text in an opaque string, None if it is not one of ours."""
    raw = _decoded(seal)
    data = raw[SALT_BYTES + MAC_BYTES :]
    return data.decode() if _is_ours(raw, purpose, data) else None


def tag(purpose: str, text: str) -> str:
    """Return a short seal of hexadecimal digits, always the same for a text."""
    return hmac.digest(KEY, f"{purpose}\0{text}".encode(), "sha256").hex()[:TAG_DIGITS]


def _decoded(seal: object) -> bytes:
    try:
        return b64decode(seal, validate=True) if isinstance(seal, str) else b""
    except (binascii.Error, ValueError):
        return b""


def _is_ours(raw: bytes, purpose: str, data: bytes) -> bool:
    salted, mac = raw[:SALT_BYTES], raw[SALT_BYTES : SALT_BYTES + MAC_BYTES]
    return hmac.compare_digest(mac, _mac(purpose, salted, data))


def _mac(purpose: str, salted: bytes, data: bytes) -> bytes:
    return hmac.digest(KEY, purpose.encode() + b"\0" + salted + data, "sha512")
