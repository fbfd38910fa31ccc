"""Bill: who pays for an answer that several callers get, and what each of them is told."""

from typing import Final

from promptwire import v1 as pb

_OF_THE_FIRST_CALL: Final = ("request_id", "trace_id", "timing", "attempts")  # usage stays: it is that of the attempt that answered


def split(total_nano_usd: int, callers: int) -> list[int]:
    """Exact shares in nano-USD, whose sum is the total; the first callers pay one more where it cannot be divided."""
    share, rest = divmod(total_nano_usd, callers)
    return [share + (caller < rest) for caller in range(callers)]


def part(response: pb.ChatResponse, share_nano_usd: int) -> None:
    """Write into an answer that its caller pays only this much of its cost, and saved the rest. Parts of the total are not told."""
    total = response.cost.total_nano_usd
    cost = pb.Cost(price_source=response.cost.price_source, estimated=response.cost.estimated)
    cost.total_nano_usd = share_nano_usd
    cost.saved_nano_usd = total - share_nano_usd
    response.cost.CopyFrom(cost)


def shared(response: pb.ChatResponse, share_nano_usd: int) -> None:
    """Make an answer that of a caller who shares another's: at its share of the cost, which is nothing where the cost is unknown."""
    for name in _OF_THE_FIRST_CALL:
        response.ClearField(name)
    if response.cost.HasField("total_nano_usd"):
        part(response, share_nano_usd)
    else:
        response.ClearField("cost")
        response.cost.total_nano_usd = 0
    response.served_from = pb.SERVED_FROM_DEDUP
