"""Try: one attempt at a provider, written into the call's trail when it has ended, however it ended."""

from collections.abc import Callable
from types import TracebackType
from typing import Self

from promptwire import v1 as pb
from promptwire_server.core.call import Call
from promptwire_server.core.clock import Clock
from promptwire_server.core.errors import CallCancelled, Origin, PromptwireError, failure_of
from promptwire_server.core.estimate import prompt_tokens
from promptwire_server.providers.failed import waited


class Try:
    """One attempt. As a context manager it notes an exception that passes; an answer still under way is settled later."""

    __slots__ = ("_attempt", "_begun_s", "_call", "_clock", "_reads", "_settled", "_spent")

    def __init__(self, call: Call, provider: str, model: str, clock: Clock, because: str = "") -> None:
        """`because`: why it is made, where the call does not say it."""
        self._attempt = pb.Attempt(provider=provider, model=model, chosen_because=because or call.because)
        self._call = call
        self._clock = clock
        self._begun_s = clock.monotonic()
        self._settled = False
        self._spent: Callable[[], pb.Usage] | None = None
        self._reads: Callable[[], pb.Usage] | None = None

    def __enter__(self) -> Self:
        return self

    def __exit__(self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None) -> None:
        if isinstance(error, PromptwireError):
            self.failed(error)
        elif error is not None:
            self.abandoned()

    def named(self, provider_request_id: str) -> None:
        """The vendor's name of the request is known."""
        self._attempt.provider_request_id = provider_request_id[:128]

    def asked(self, reads: Callable[[], pb.Usage]) -> None:
        """Only a part of the prompt is with the vendor: `reads` says what it takes if nobody waits any longer, and must not raise."""
        self._reads = reads

    def begun(self, spent: Callable[[], pb.Usage]) -> None:
        """An answer has begun, which takes tokens also if it breaks off: `spent` says how many so far, and must not raise."""
        self._spent = spent

    def answered(self) -> None:
        """It ended well."""
        self._settle()

    def failed(self, error: PromptwireError) -> None:
        """It ended in an error. Who was asked and has not answered in time has read the prompt all the same."""
        if not self._settled:
            if waited(error):
                self._unanswered()
            self._attempt.failure.CopyFrom(failure_of(error))
            if self._spent is not None:
                self._bill(self._spent())
            self._settle()

    def abandoned(self) -> None:
        """Nobody waits for it any longer. Does nothing when it had ended before.

        The vendor has begun to read the prompt, and no longer says what it takes for that: an estimate.
        """
        self._unanswered()
        self.failed(CallCancelled("the caller went away", origin=Origin(self._attempt.provider)))

    def withdrawn(self) -> None:
        """It was none: the request was refused before anything was asked."""
        self._settled = True

    def _unanswered(self) -> None:
        if self._reads is not None or self._spent is None:
            self._spent = self._reads or self._read

    def _read(self) -> pb.Usage:
        return pb.Usage(input_tokens=prompt_tokens(self._call.request), estimated=True)

    def _bill(self, usage: pb.Usage) -> None:
        if usage.input_tokens or usage.output_tokens:
            self._attempt.usage.CopyFrom(usage)

    def _settle(self) -> None:
        if self._settled:
            return
        self._settled = True
        latency_s = self._clock.monotonic() - self._begun_s
        self._attempt.latency.FromNanoseconds(int(latency_s * 1e9))
        self._call.trail.upstream_s += latency_s
        self._call.trail.attempts.append(self._attempt)
