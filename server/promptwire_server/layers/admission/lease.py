"""Lease: one call's right to be worked on, held by its owner until it ends, however it ends."""

from types import TracebackType
from typing import Protocol, Self

from promptwire_server.core.call import Call
from promptwire_server.core.reply import Ending
from promptwire_server.layers.admission.cohort import Mark
from promptwire_server.layers.admission.fair import Share


class Lessor(Protocol):
    """Who gives leases, and takes them back."""

    def answered(self, lease: "Lease") -> None:
        """An upstream has begun to answer."""
        ...

    def returned(self, lease: "Lease") -> None:
        """The lease has ended."""
        ...

    def forgotten(self, lease: "Lease") -> None:
        """Nobody knows the lease any more, and nobody has ended it. Any thread may say so."""
        ...


class Lease:
    """A slot, held for `call`. End it with `release`, or by leaving `with`; ending it again is harmless."""

    __slots__ = ("_held", "_lessor", "call", "charged_s", "mark", "rank", "share", "since_s")

    def __init__(self, lessor: Lessor, call: Call, rank: int, since_s: float) -> None:
        self._lessor = lessor
        self._held = True
        self.call = call
        self.rank = rank
        self.since_s = since_s  # on the monotonic clock
        self.mark: Mark | None = None  # of a call whose latency is watched
        self.share: Share | None = None  # of a call that waited: whom it is charged to
        self.charged_s = 0.0  # for how much of a slot

    def answered(self) -> None:
        """An upstream has begun to answer; how soon says how much it can bear. Not for answers from elsewhere."""
        self._lessor.answered(self)

    def release(self) -> None:
        """Give the slot back."""
        if self._held:
            self._held = False
            self._lessor.returned(self)

    def done(self, _: Ending) -> None:
        """Give the slot back: for `Reply.on_done`."""
        self.release()

    def __enter__(self) -> Self:
        return self

    def __exit__(self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None) -> None:
        self.release()

    def __del__(self) -> None:
        if self._held:  # a Reply that nobody closed: a bug elsewhere, which is not to cost a slot for ever
            self._lessor.forgotten(self)
