"""The steps an answer is made of, and surgery on a list of them.

A body is a finite list even when it never ends: endless parts are Repeat steps.
"""

import zlib
from collections.abc import Iterable, Iterator
from dataclasses import dataclass, replace

from tests.faults.fake_provider.script import FOREVER, Point, PointKind, ScriptError

GZIP_WINDOW = 31  # zlib's number for the gzip container at its largest window
BLOCK_BYTES = 1 << 16


@dataclass(frozen=True, slots=True)
class Wait:
    ms: float


@dataclass(frozen=True, slots=True)
class Raw:
    """Bytes past all framing; `head` marks the response head."""

    data: bytes
    head: bool = False


@dataclass(frozen=True, slots=True)
class Body:
    """Bytes of the body, framed on the way out; `event` ends an event."""

    data: bytes
    tokens: int = 0
    text: str = ""
    event: bool = False


@dataclass(frozen=True, slots=True)
class Repeat:
    """The same bytes of the body many times, or FOREVER."""

    block: bytes
    count: int
    gap_ms: float = 0.0


@dataclass(frozen=True, slots=True)
class Finish:
    """The end of the body as the framing marks it."""


@dataclass(frozen=True, slots=True)
class Hang:
    """Silence until the client leaves."""


@dataclass(frozen=True, slots=True)
class Fin:
    """An orderly close by us."""


@dataclass(frozen=True, slots=True)
class Rst:
    """A reset by us."""


Step = Wait | Raw | Body | Repeat | Finish | Hang | Fin | Rst


def filler(size: int, block: bytes = b"a") -> list[Step]:
    """Return steps of so many bytes of the repeated block, or FOREVER."""
    large = block * max(1, BLOCK_BYTES // len(block))
    if size == FOREVER:
        return [Repeat(large, FOREVER)]
    full, rest = divmod(size, len(large))
    tail = (large[:rest],) if rest else ()
    return [Repeat(large, full), *(Body(data) for data in tail)]


def body_bytes(steps: Iterable[Step]) -> int | None:
    """Return the length of the body, None if it has no end."""
    total = 0
    for step in steps:
        match step:
            case Body(data=data):
                total += len(data)
            case Repeat(count=count) if count == FOREVER:
                return None
            case Repeat(block=block, count=count):
                total += len(block) * count
            case _:
                pass
    return total


def insert(steps: list[Step], point: Point, extra: list[Step]) -> list[Step]:
    before, after = divide(steps, point)
    return [*before, *extra, *after]


def cut(steps: list[Step], point: Point, end: list[Step]) -> list[Step]:
    """Put the end at the point and drop what came after it."""
    return [*divide(steps, point)[0], *end]


def divide(steps: list[Step], point: Point) -> tuple[list[Step], list[Step]]:
    """Return what comes before and after a point; past the end means `end`."""
    match point.kind:
        case PointKind.START:
            return [], steps
        case PointKind.END:
            at = len(steps) - isinstance(steps[-1], Finish)
            return steps[:at], steps[at:]
        case PointKind.BYTE:
            return _divide_bytes(steps, point.n)
        case _:
            at = _after_event(steps, point.n)
            return steps[:at], steps[at:]


def zipped(steps: list[Step]) -> list[Step]:
    """Return the steps with a gzipped body, flushed at every event."""
    if body_bytes(steps) is None:
        raise ScriptError("gzip needs a body that ends")
    packer = zlib.compressobj(wbits=GZIP_WINDOW)

    def pack(step: Step) -> Step:
        match step:
            case Body(data=data):
                packed = packer.compress(data) + packer.flush(zlib.Z_SYNC_FLUSH)
                return replace(step, data=packed)
            case Repeat(block=block, count=count):
                return Body(packer.compress(block * count))
            case _:
                return step

    return [*[pack(step) for step in steps], Body(packer.flush())]


def bomb(size: int) -> Iterator[Step]:
    """Yield a gzip body that unpacks to so many zero bytes, itself never unpacked."""
    packer = zlib.compressobj(wbits=GZIP_WINDOW)
    zeros = bytes(1 << 20)
    for at in range(0, size, len(zeros)):
        packed = packer.compress(zeros[: size - at])
        if packed:
            yield Body(packed)
    yield Body(packer.flush(), event=True)


def _after_event(steps: list[Step], n: int) -> int:
    """Return the index after `n` events; without any, the one after the head."""
    seen = 0
    for at, step in enumerate(steps, start=1):
        seen += isinstance(step, Body) and step.event
        if n and seen == n:
            return at
    if n:
        return len(steps) - isinstance(steps[-1], Finish)
    heads = [at for at, step in enumerate(steps, 1) if isinstance(step, Raw) and step.head]
    return heads[-1] if heads else 0


def _divide_bytes(steps: list[Step], n: int) -> tuple[list[Step], list[Step]]:
    left = n
    for at, step in enumerate(steps):
        size = body_bytes([step])
        if size is None or size > left:
            before, after = _split(step, left)
            return [*steps[:at], *before], [*after, *steps[at + 1 :]]
        left -= size
        if left == 0 and size:
            return steps[: at + 1], steps[at + 1 :]
    return divide(steps, Point(PointKind.END))


def _split(step: Step, n: int) -> tuple[list[Step], list[Step]]:
    match step:
        case Body(data=data):
            return [Body(data[:n])] if n else [], [replace(step, data=data[n:])]
        case Repeat(block=block, count=count, gap_ms=gap_ms):
            full, rest = divmod(n, len(block))
            more = FOREVER if count == FOREVER else count - full - 1
            after: list[Step] = [Body(block[rest:]), Repeat(block, more, gap_ms)]
            return [Repeat(block, full, gap_ms), Body(block[:rest])], after
        case _:
            return [], [step]
