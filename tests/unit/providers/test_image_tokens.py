"""Tokens of images: the vendor's own examples, sizes from the first bytes of files, and bytes that are no image."""

import struct

import pytest
from hypothesis import given
from hypothesis import strategies as st

from promptwire import v1 as pb
from promptwire_server.providers.families import Patches, Tiles
from promptwire_server.providers.image_size import size_of
from promptwire_server.providers.image_tokens import image_tokens, patches, tiles

GPT_4O = Tiles(85, 170)


def png(width: int, height: int) -> bytes:
    return b"\x89PNG\r\n\x1a\n\x00\x00\x00\rIHDR" + struct.pack(">II", width, height) + b"\x08\x06"


def jpeg(width: int, height: int) -> bytes:
    segment = b"\xff\xe0\x00\x10JFIF\x00\x01\x01\x00\x00\x01\x00\x01\x00\x00"
    table = b"\xff\xc4\x00\x05abc"
    return b"\xff\xd8" + segment + table + b"\xff\xff\xc2\x00\x11\x08" + struct.pack(">HH", height, width) + b"\x03" * 12


def webp(kind: bytes, body: bytes) -> bytes:
    return b"RIFF\x00\x00\x00\x00WEBP" + kind + b"\x00\x00\x00\x00" + body + b"\x00" * 12


@pytest.mark.parametrize(
    ("data", "size"),
    [
        (png(640, 480), (640, 480)),
        (jpeg(800, 600), (800, 600)),
        (b"GIF89a" + struct.pack("<HH", 320, 200), (320, 200)),
        (webp(b"VP8X", b"\x10\x00\x00\x00" + (639).to_bytes(3, "little") + (479).to_bytes(3, "little")), (640, 480)),
        (webp(b"VP8L", b"\x2f" + (639 | 479 << 14).to_bytes(4, "little")), (640, 480)),
        (webp(b"VP8 ", b"\x00\x00\x00\x9d\x01\x2a" + struct.pack("<HH", 640, 480)), (640, 480)),
        (b"", None),
        (png(1, 1)[:20], None),
        (jpeg(1, 1)[:30], None),
        (b"%PDF-1.7", None),
        (webp(b"????", b"\x00" * 8), None),
    ],
)
def test_the_size_stands_in_the_first_bytes(data: bytes, size: tuple[int, int] | None) -> None:
    assert size_of(data) == size


beginnings = st.sampled_from([png(1, 1)[:8], b"GIF89a", b"RIFF\x00\x00\x00\x00WEBPVP8 ", b"RIFF\x00\x00\x00\x00WEBPVP8L", b"\xff\xd8", b""])


@given(beginning=beginnings, rest=st.binary(max_size=100))
def test_any_bytes_have_a_price(beginning: bytes, rest: bytes) -> None:
    media = pb.MediaPart(mime_type="image/png", data=beginning + rest)
    assert 255 <= image_tokens(media, GPT_4O) <= 85 + 170 * 16
    assert 1 <= image_tokens(media, Patches(1000)) <= 1536


@pytest.mark.parametrize(("size", "tokens"), [((1024, 1024), 765), ((2048, 4096), 1105), ((100, 100), 255)])
def test_the_vendor_s_examples_of_tiles(size: tuple[int, int], tokens: int) -> None:
    assert image_tokens(pb.MediaPart(data=png(*size), detail="high"), GPT_4O) == 85 + 170 * tiles(size) == tokens


def test_an_image_that_is_not_looked_at_closely_costs_the_base() -> None:
    assert image_tokens(pb.MediaPart(data=png(4096, 8192), detail="low"), GPT_4O) == 85


@pytest.mark.parametrize(("size", "count"), [((1024, 1024), 1024), ((1800, 2400), 1452)])
def test_the_vendor_s_examples_of_patches(size: tuple[int, int], count: int) -> None:
    assert patches(size) == count
    assert image_tokens(pb.MediaPart(data=png(*size)), Patches(1620)) == -(-count * 1620 // 1000)


def test_a_link_counts_as_an_image_of_a_usual_size() -> None:
    assert image_tokens(pb.MediaPart(uri="https://x/y.png"), GPT_4O) == 765


@given(width=st.integers(1, 100_000), height=st.integers(1, 100_000))
def test_no_image_takes_more_than_the_most(width: int, height: int) -> None:
    assert 1 <= tiles((width, height)) <= 8
    assert 1 <= patches((width, height)) <= 1536
