"""Image size: width and height from the first bytes of a PNG, GIF, WebP or JPEG file, without decoding it."""

from collections.abc import Iterator
from typing import Final

Size = tuple[int, int]  # width and height in pixels

_PNG: Final = b"\x89PNG\r\n\x1a\n"
_NO_FRAME: Final = frozenset({0xC4, 0xC8, 0xCC})  # among JPEG's markers 0xC0 to 0xCF, those that begin no frame


def size_of(data: bytes) -> Size | None:
    """The size; None when this is no such file, or cut off too early."""
    if data[:8] == _PNG and len(data) >= 24:  # noqa: PLR2004 - the end of the header's first two fields
        return _big(data[16:20]), _big(data[20:24])
    if data[:6] in (b"GIF87a", b"GIF89a") and len(data) >= 10:  # noqa: PLR2004
        return _little(data[6:8]), _little(data[8:10])
    if data[:4] == b"RIFF" and data[8:12] == b"WEBP" and len(data) >= 30:  # noqa: PLR2004
        return _webp(data)
    if data[:2] == b"\xff\xd8":
        return next(_jpeg_frames(data), None)
    return None


def _webp(data: bytes) -> Size | None:
    kind = data[12:16]
    if kind == b"VP8X":
        return _little(data[24:27]) + 1, _little(data[27:30]) + 1
    if kind == b"VP8L":
        bits = _little(data[21:25])
        return (bits & 0x3FFF) + 1, (bits >> 14 & 0x3FFF) + 1
    if kind == b"VP8 ":
        return _little(data[26:28]) & 0x3FFF, _little(data[28:30]) & 0x3FFF
    return None


def _jpeg_frames(data: bytes) -> Iterator[Size]:
    """The sizes of frames: of each segment, the marker and the length are read, and the rest is skipped."""
    at = 2
    while at + 9 <= len(data) and data[at] == 0xFF:  # noqa: PLR2004
        marker = data[at + 1]
        if marker == 0xFF:  # noqa: PLR2004 - padding
            at += 1
            continue
        if 0xC0 <= marker <= 0xCF and marker not in _NO_FRAME:  # noqa: PLR2004
            yield _big(data[at + 7 : at + 9]), _big(data[at + 5 : at + 7])
        at += 2 + max(2, _big(data[at + 2 : at + 4]))


def _big(data: bytes) -> int:
    return int.from_bytes(data, "big")


def _little(data: bytes) -> int:
    return int.from_bytes(data, "little")
