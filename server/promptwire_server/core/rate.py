"""Rate: what callers are allowed, what one call asks of it, and the arithmetic of token buckets.

A bucket is kept as one number, the time at which it is full again (GCRA): one that was never drawn from, or is full, need not be kept.
"""

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Literal, NamedTuple

Kind = Literal["requests", "tokens", "concurrency"]
Key = tuple[str, ...]  # of one count: the limit's name, the kind, and the values that it is counted by

MINUTE_S = 60.0
EARLY_S = 1e-6  # so much too early is in time: what is told as a delay has been rounded by then
SLOT_S = 1.0  # when a slot will be free nobody knows; long enough for a short answer to end


class Meter:
    """A bucket of requests or tokens: full it holds `size`, and it fills by `per_minute`."""

    __slots__ = ("per_minute", "size", "unit_s", "whole_s")

    def __init__(self, size: int, per_minute: int) -> None:
        self.size = size
        self.per_minute = per_minute
        self.unit_s = MINUTE_S / per_minute  # until one more has flowed in
        self.whole_s = size * self.unit_s


class Draw(NamedTuple):
    """What a call takes out of one bucket. More than its size is taken when it is full; it is then below empty."""

    key: Key
    meter: Meter
    amount: int


class Slot(NamedTuple):
    """A place among the calls that are under way at the same time."""

    key: Key
    most: int


class Ask(NamedTuple):
    """Everything that one call takes, all of it or nothing. Of its draws, those of tokens are estimates."""

    draws: Sequence[Draw]
    slots: Sequence[Slot]
    for_s: float  # the call is over by then, whatever happens


@dataclass(frozen=True, slots=True)
class Refusal:
    """What a call would have to wait for longest."""

    key: Key
    used: int  # of it, now
    most: int
    retry_after_s: float  # exact for requests and tokens, if nobody else asks meanwhile; a guess for concurrency


def wait_s(full_s: float, draw: Draw, now_s: float) -> float:
    """How long until the draw may be made from a bucket that is full at `full_s`; 0 or less: now."""
    meter = draw.meter
    return max(full_s - now_s, 0.0) + min(draw.amount, meter.size) * meter.unit_s - meter.whole_s


def drawn(full_s: float, draw: Draw, now_s: float) -> float:
    """When the bucket will be full, once the draw is made."""
    return max(full_s, now_s) + draw.amount * draw.meter.unit_s


def corrected(full_s: float, meter: Meter, change: int, mine_s: float, now_s: float) -> float:
    """When the bucket will be full, once a draw made before is changed by so much.

    `mine_s` is what `drawn` said of it. What has flowed in since is not given back: the bucket might have been full without the draw,
    and more would come back than is missing.
    """
    full_s = max(full_s, now_s)
    if change >= 0:
        return full_s + change * meter.unit_s
    return full_s - min(-change * meter.unit_s, max(0.0, mine_s - now_s))


def used(full_s: float, meter: Meter, now_s: float) -> int:
    """How much is missing from the bucket, in whole units."""
    return round(max(full_s - now_s, 0.0) / meter.unit_s)
