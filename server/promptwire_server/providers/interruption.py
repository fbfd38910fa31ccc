"""What a failure becomes once something of the answer was delivered: another try is then the caller's decision."""

from promptwire_server.core.errors import DeadlineExceeded, PromptwireError, StreamInterrupted


def interrupted(error: PromptwireError, *, delivered_deltas: int) -> PromptwireError:
    """The error after the first delivered delta, with what broke it as its cause. The caller's own deadline stays what it is."""
    if isinstance(error, DeadlineExceeded | StreamInterrupted):
        return error
    broken = StreamInterrupted(
        f"the answer broke off at delta {delivered_deltas}: {error.message}",
        origin=error.origin,
        retry_after_s=error.retry_after_s,
        metadata={**error.metadata, "delivered_deltas": str(delivered_deltas), "cause": error.reason_name},
    )
    broken.__cause__ = error
    return broken
