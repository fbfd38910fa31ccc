"""Everything that can go wrong, as one tree of exceptions.

    PromptwireError             reason, code, request_id, hint, attempts, metadata
    ├── InvalidRequest              a field is wrong: violations say which
    │   ├── InvalidTemplate             a template or expression is wrong
    │   └── ChainFileError              a chain file is faulty (chainfile.py); nothing was sent
    ├── ContextTooLong              the prompt does not fit any model that may answer
    ├── TooLarge                    a message, its metadata or a prompt is over a limit of the server
    ├── CredentialInvalid           no credential, or a bad one
    ├── PolicyDenied                the credential may not do this
    ├── NotFound                    absent, or somebody else's
    ├── CapabilityMissing           the model cannot do what was asked for
    ├── Blocked                     a guard, or the vendor's policy, blocked the prompt or the answer
    ├── BudgetExhausted             quotas say which budget
    ├── Disabled                    the server does not offer this
    ├── RateLimited                 the caller's own limit: retry_after_s, quotas
    ├── Unavailable                 not now, or nobody there
    │   ├── Overloaded                  the server sheds load
    │   └── UpstreamFailed              the providers failed
    │       ├── UpstreamRateLimited         they limit the gateway: retry_after_s
    │       └── StreamInterrupted           broken after the first delta: last_sequence
    ├── UpstreamAccount             the operator's account at the provider is broken
    ├── DeadlineExceeded            phase says where the time went
    ├── Aborted                     it ran, and ended badly
    │   ├── ChainFailed                 a chain used up its steps, or called it a failure
    │   ├── OutputSchemaMismatch        the output never matched its schema
    │   └── RequestInProgress           this request_id is still running elsewhere
    ├── Conflict                    it exists already, is in use, or was changed by somebody else
    ├── EventsCompacted             the events asked for are no longer kept: oldest_sequence
    ├── Cancelled                   the call was cancelled on the way; cancelling one's own task raises CancelledError as always
    └── ServerFault                 a bug: report request_id

An unknown reason, of a server newer than this client, falls back to the class of its status code.
"""

from collections.abc import Mapping
from dataclasses import dataclass, field
from typing import ClassVar

import grpc

from promptwire import v1 as pb

_MOST_SHOWN = 3  # attempts in the text of an error; a request makes no more
_REASON = "ERROR_REASON_"


@dataclass(frozen=True, slots=True)
class Violation:
    """One thing wrong with a request."""

    field: str  # path, e.g. "spec.steps[3].prompt.user"; empty: the request as a whole
    message: str  # what is wrong and what to do
    line: int = 0  # in a template or a chain file, from 1; 0 when it does not apply


@dataclass(frozen=True, slots=True)
class Quota:
    """A limit or budget that was met."""

    subject: str  # whose, or which: "tenant:acme/rpm"
    message: str  # the limit, and when it resets


@dataclass(frozen=True, slots=True)
class Details:
    """What a server said beyond code and message. A client that got no answer has none of it."""

    reason: str = ""  # e.g. "RATE_LIMITED": a value of promptwire.v1.ErrorReason without its prefix
    metadata: Mapping[str, str] = field(default_factory=dict)
    retry_after_s: float | None = None
    violations: tuple[Violation, ...] = ()
    quotas: tuple[Quota, ...] = ()
    attempts: tuple[pb.Attempt, ...] = ()


class PromptwireError(Exception):
    """Anything that goes wrong with a call. Its text is what is wrong, the hint, and the request's id."""

    default_code: ClassVar[grpc.StatusCode] = grpc.StatusCode.UNKNOWN
    hint: str = "see the server's log for this request id"

    def __init__(self, message: str, *, code: grpc.StatusCode | None = None, request_id: str = "", details: Details | None = None) -> None:
        details = details or Details()
        self.message = message  # what is wrong and what to do, in the server's words; never a prompt or a key
        self.code = code or self.default_code
        self.reason = details.reason  # empty when the server gave none
        self.metadata = dict(details.metadata)  # of ErrorInfo: attempts, billed_nano_usd and so on
        self.request_id = self.metadata.get("request_id") or request_id  # the server's name of the call, else the client's
        self.retry_after_s = details.retry_after_s  # seconds after which the same call may succeed; None: not said
        self.violations = details.violations
        self.quotas = details.quotas
        self.attempts = details.attempts  # what the server tried before it gave up, in order; the newest, when there were many
        super().__init__(message)

    def __str__(self) -> str:
        reason = f"{self.reason or self.code.name}: "
        request = f" [request {self.request_id}]" if self.request_id else ""
        return f"{reason}{self.message}{self._tried()} ({self.hint}){request}"

    def _tried(self) -> str:
        """What was tried, when there was more than one attempt: a single one is in the message already."""
        count = max(self._number("attempts") or 0, len(self.attempts))
        if count <= 1 or not self.attempts:
            return ""
        shown = ", ".join(f"{each.provider}/{each.model} ({reason_of(each)})" for each in self.attempts[-_MOST_SHOWN:])
        return f"; {count} attempts: {'…, ' if count > min(len(self.attempts), _MOST_SHOWN) else ''}{shown}"

    def _number(self, key: str) -> int | None:
        value = self.metadata.get(key, "")
        return int(value) if value.isascii() and value.isdigit() and len(value) <= 19 else None  # noqa: PLR2004 - digits of an int64

    @property
    def billed_nano_usd(self) -> int | None:
        """What the failed call has cost so far, in nano-USD; None when the server did not say."""
        return self._number("billed_nano_usd")


def reason_of(attempt: pb.Attempt) -> str:
    """How an attempt ended, in a word: "OK", or the reason of its failure, e.g. "UPSTREAM_FAILED"."""
    if not attempt.HasField("failure"):
        return "OK"
    reason = attempt.failure.reason
    return pb.ErrorReason.Name(reason).removeprefix(_REASON) if reason in pb.ErrorReason.values() else str(reason)


class InvalidRequest(PromptwireError):
    """A field is wrong; `violations` has one entry each. Sending the same again gives the same."""

    default_code = grpc.StatusCode.INVALID_ARGUMENT
    hint = "correct the request; the same again gives the same answer"


class InvalidTemplate(InvalidRequest):
    """A template or an expression is wrong; `violations` says where."""

    hint = "correct the template; `promptwire validate` shows every fault"


class ContextTooLong(PromptwireError):
    """The prompt does not fit any model that may answer."""

    default_code = grpc.StatusCode.INVALID_ARGUMENT
    hint = "shorten the prompt, or name a model with a larger context window"


class TooLarge(PromptwireError):
    """A message, its metadata or a prompt is over a limit of the server, or an answer over this client's."""

    default_code = grpc.StatusCode.RESOURCE_EXHAUSTED
    hint = "send less; server_info() tells the limits"


class CredentialInvalid(PromptwireError):
    """No credential, or one that is not valid."""

    default_code = grpc.StatusCode.UNAUTHENTICATED
    hint = "give a valid api_key, or set PROMPTWIRE_API_KEY"


class PolicyDenied(PromptwireError):
    """The credential is valid but may not do this."""

    default_code = grpc.StatusCode.PERMISSION_DENIED
    hint = "ask the operator to allow it for this key"


class NotFound(PromptwireError):
    """It does not exist, or belongs to somebody else: the two look the same."""

    default_code = grpc.StatusCode.NOT_FOUND
    hint = "check the name; list_models() shows the models"


class CapabilityMissing(PromptwireError):
    """The model cannot do what was asked for."""

    default_code = grpc.StatusCode.FAILED_PRECONDITION
    hint = "name a model that can; list_models() shows capabilities"


class Blocked(PromptwireError):
    """A guard, or the vendor's own policy, blocked the prompt or the answer; `reason` says which."""

    default_code = grpc.StatusCode.FAILED_PRECONDITION
    hint = "change what is asked; retrying does not help"


class BudgetExhausted(PromptwireError):
    """A budget is spent (`quotas` says which), or a hard budget cannot be kept because a price is unknown."""

    default_code = grpc.StatusCode.RESOURCE_EXHAUSTED
    hint = "wait until the budget resets, or ask the operator"


class Disabled(PromptwireError):
    """The server does not offer this, or it is switched off."""

    default_code = grpc.StatusCode.UNIMPLEMENTED
    hint = "server_info() tells what this server offers"


class RateLimited(PromptwireError):
    """The caller's own rate or concurrency limit; `retry_after_s` says when to come back, `quotas` which limit."""

    default_code = grpc.StatusCode.RESOURCE_EXHAUSTED
    hint = "wait for retry_after_s, then try again"


class Unavailable(PromptwireError):
    """Not now, or nobody there; the retry policy has tried already."""

    default_code = grpc.StatusCode.UNAVAILABLE
    hint = "is it running? promptwire serve"


class Overloaded(Unavailable):
    """The server sheds load, is going away, or its queue is longer than the deadline; `reason` says which."""

    hint = "try again later, or with a longer timeout_s"


class UpstreamFailed(Unavailable):
    """The providers failed, or all are known to be broken. Nothing was delivered."""

    hint = "try again later, or name fallback_models"


class UpstreamRateLimited(UpstreamFailed):
    """Every provider rate-limits the gateway; `retry_after_s` says when to come back."""

    hint = "wait for retry_after_s, or name fallback_models"


class StreamInterrupted(UpstreamFailed):
    """The stream broke after its first delta: what was delivered is true, but not all."""

    hint = "ask again; what was delivered so far is no whole answer"

    @property
    def last_sequence(self) -> int | None:
        """Number of the last event that was sent; None when the server did not say."""
        return self._number("last_sequence")


class UpstreamAccount(PromptwireError):
    """The operator's account at the provider is broken or empty."""

    default_code = grpc.StatusCode.FAILED_PRECONDITION
    hint = "the operator must renew the provider's key or credit"


class DeadlineExceeded(PromptwireError):
    """The time ran out."""

    default_code = grpc.StatusCode.DEADLINE_EXCEEDED
    hint = "allow more time with timeout_s"

    @property
    def phase(self) -> str:
        """Where the time went: "queue", "upstream", "step"; "client" when this client's own clock ran out before the server answered."""
        return self.metadata.get("phase", "client" if not self.reason else "")


class Aborted(PromptwireError):
    """It ran, and ended badly."""

    default_code = grpc.StatusCode.ABORTED
    hint = "whether to try again is the caller's decision"


class ChainFailed(Aborted):
    """A chain used up its max_steps, or ended in a way that it calls a failure."""

    hint = "look at the chain's transitions and limits"


class OutputSchemaMismatch(Aborted):
    """The output never matched its schema."""

    hint = "simplify the schema, or name a stronger model"


class RequestInProgress(Aborted):
    """The request with this request_id is still running elsewhere."""

    hint = "try again later with the same request_id"


class Conflict(PromptwireError):
    """It exists already, something depends on it, or somebody else has changed it; `reason` says which."""

    default_code = grpc.StatusCode.ALREADY_EXISTS
    hint = "read the present state, then decide"


class EventsCompacted(PromptwireError):
    """The events asked for are no longer kept."""

    default_code = grpc.StatusCode.OUT_OF_RANGE
    hint = "start from oldest_sequence"

    @property
    def oldest_sequence(self) -> int | None:
        """The oldest event that is kept; None when the server did not say."""
        return self._number("oldest_sequence")


class Cancelled(PromptwireError):
    """The call was cancelled on the way. Cancelling one's own task raises asyncio.CancelledError as always."""

    default_code = grpc.StatusCode.CANCELLED
    hint = "the server or a proxy ended the call; try again"


class ServerFault(PromptwireError):
    """A bug of the server: report `request_id`."""

    default_code = grpc.StatusCode.INTERNAL
    hint = "report it with the request id"
