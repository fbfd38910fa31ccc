"""Image tokens: what an image takes of a prompt of OpenAI's models, by the published formulas."""

import math
from fractions import Fraction

from promptwire import v1 as pb
from promptwire_server.providers.families import Patches, Tiles
from promptwire_server.providers.image_size import Size, size_of

_FITS = 2048  # pixels of a side, at most; larger ones are scaled down first
_SHORT_SIDE = 768  # pixels of the shorter side, at most, after that
_TILE = 512
_PATCH = 32
_MOST_PATCHES = 1536
_USUAL: Size = (1024, 1024)  # what is assumed of an image that is only a link


def image_tokens(media: pb.MediaPart, way: Tiles | Patches) -> int:
    """Tokens of one image. One whose size cannot be seen counts as 1024 by 1024 pixels."""
    size = size_of(media.data) or _USUAL
    if isinstance(way, Patches):
        return -(-patches(size) * way.thousandths // 1000)
    return way.base if media.detail == "low" else way.base + way.tile * tiles(size)


def tiles(size: Size) -> int:
    """Squares of 512 pixels, after scaling into 2048 by 2048 and then to a shorter side of 768; nothing is scaled up."""
    width, height = (Fraction(max(1, side)) for side in size)
    shrink = min(Fraction(1), _FITS / max(width, height))
    shrink *= min(Fraction(1), _SHORT_SIDE / (min(width, height) * shrink))
    return math.ceil(width * shrink / _TILE) * math.ceil(height * shrink / _TILE)


def patches(size: Size) -> int:
    """Squares of 32 pixels; of an image with more than 1536, after scaling until a whole number of them fits."""
    width, height = (max(1, side) for side in size)
    whole = -(-width // _PATCH) * -(-height // _PATCH)
    if whole <= _MOST_PATCHES:
        return whole
    shrink = math.sqrt(_PATCH**2 * _MOST_PATCHES / (width * height))
    across, down = width * shrink / _PATCH, height * shrink / _PATCH
    shrink *= min(math.floor(across) / across, math.floor(down) / down) if min(across, down) >= 1 else 1
    return min(_MOST_PATCHES, math.ceil(width * shrink / _PATCH) * math.ceil(height * shrink / _PATCH))
