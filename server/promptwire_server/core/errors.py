"""Everything that can go wrong, as one tree.

    PromptwireError
    ├── CallerError             the request cannot succeed as it is
    │   ├── InvalidRequest          a field is wrong: violations say which
    │   │   └── InvalidTemplate         a template or expression is wrong
    │   ├── TooLarge                a message, its metadata or a prompt is over a limit
    │   ├── ContextTooLong          the prompt does not fit the model
    │   ├── CredentialInvalid       no credential, or a bad one
    │   ├── RequestIdReused         the same id was used for another request
    │   ├── PolicyDenied            a good credential that may not do this
    │   ├── NotFound                absent, or somebody else's
    │   ├── AlreadyExists           the name is taken
    │   ├── EtagMismatch            somebody else has changed it meanwhile
    │   ├── CapabilityMissing       the model cannot do what was asked for
    │   └── Disabled                the server does not offer this
    ├── RequestInProgress       the same request is being answered elsewhere
    ├── BudgetExhausted         the budget is spent; a cheaper model may fit
    ├── PriceUnknown            a hard budget needs a price, and none is known
    ├── BudgetStoreUnavailable  a hard budget needs its store, which does not answer
    ├── CapacityError           not now
    │   ├── Overloaded              shed
    │   ├── Draining                this server is going away
    │   ├── QueueTooLong            the wait would be longer than the deadline
    │   └── RateLimited             the caller's own limit
    ├── UpstreamError           a provider's fault, or our account's
    │   ├── UpstreamAccount         bad key, no money: never retried
    │   │   └── UpstreamKey             one key of several, and others are left
    │   ├── UpstreamRateLimited     the provider limits us
    │   ├── UpstreamInvalidRequest  the provider calls the request wrong
    │   │   └── UpstreamModelUnknown    it has no such model: another may
    │   ├── UpstreamPolicy          the provider refuses the prompt by its policy
    │   ├── UpstreamFailed          broken, unreachable, garbled: nothing was delivered
    │   │   └── UpstreamMisdirected     what is at the operator's address of it will not do: never retried
    │   ├── NoHealthyUpstream       nobody is left to ask
    │   └── StreamInterrupted       broken after the first delta
    ├── DeadlineExceeded        the time ran out, in a phase
    ├── CallCancelled           the caller went away
    ├── ChainFailed             a chain ended badly
    ├── OutputSchemaMismatch    the output never matched its schema
    └── InternalError           a bug

Layers read the facts (`retryable`, `elsewhere`, `retry_after_s`), never the classes; only the edges map classes to statuses.
"""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import ClassVar

from promptwire import v1 as pb


class Code:
    """The canonical codes of google.rpc.Code that Promptwire sends."""

    CANCELLED = 1
    INVALID_ARGUMENT = 3
    DEADLINE_EXCEEDED = 4
    NOT_FOUND = 5
    ALREADY_EXISTS = 6
    PERMISSION_DENIED = 7
    RESOURCE_EXHAUSTED = 8
    FAILED_PRECONDITION = 9
    ABORTED = 10
    OUT_OF_RANGE = 11
    UNIMPLEMENTED = 12
    INTERNAL = 13
    UNAVAILABLE = 14
    UNAUTHENTICATED = 16


_MAX_DELAY_S = 86_400.0  # a vendor may say anything


@dataclass(frozen=True, slots=True)
class Violation:
    """One thing wrong with a request."""

    field: str  # path, e.g. "spec.steps[3].prompt.user"; empty: the request as a whole
    message: str  # what is wrong and what to do
    line: int = 0  # in a template, from 1; 0 when it does not apply


@dataclass(frozen=True, slots=True)
class Origin:
    """Where an upstream failure came from."""

    provider: str = ""
    http_status: int | None = None
    provider_code: str = ""  # the vendor's own word, e.g. "context_length_exceeded"
    provider_request_id: str = ""


class PromptwireError(Exception):
    """Anything that Promptwire reports. The message is for people: what is wrong, where, what to do; no prompts, no keys."""

    code: ClassVar[int] = Code.INTERNAL
    reason: ClassVar["pb.ErrorReason"] = pb.ERROR_REASON_INTERNAL
    retryable: ClassVar[bool] = False  # the same target may succeed later
    elsewhere: ClassVar[bool] = False  # another target may succeed now

    def __init__(
        self,
        message: str,
        *,
        retry_after_s: float | None = None,
        origin: Origin | None = None,
        violations: Sequence[Violation] = (),
        metadata: Mapping[str, str] | None = None,
    ) -> None:
        super().__init__(message)
        self.message = message
        self.retry_after_s = retry_after_s
        self.origin = origin or Origin()
        self.violations = tuple(violations)
        self.metadata = dict(metadata or {})

    @property
    def reason_name(self) -> str:
        """The reason as it travels in ErrorInfo, e.g. "RATE_LIMITED"."""
        return pb.ErrorReason.Name(self.reason).removeprefix("ERROR_REASON_")


class CallerError(PromptwireError):
    """The request cannot succeed as it is."""

    code = Code.INVALID_ARGUMENT
    reason = pb.ERROR_REASON_INVALID_FIELD


class InvalidRequest(CallerError):
    """Fields are wrong; `violations` has one entry each."""

    @classmethod
    def of(cls, *violations: Violation) -> "InvalidRequest":
        """The error for these violations; its message is the first, and how many more there are."""
        first = violations[0]
        more = f" (and {len(violations) - 1} more)" if len(violations) > 1 else ""
        where = f"{first.field}: " if first.field else ""
        return cls(f"{where}{first.message}{more}", violations=violations)

    @classmethod
    def at(cls, field: str, message: str) -> "InvalidRequest":
        """The error for one field."""
        return cls.of(Violation(field, message))


class InvalidTemplate(InvalidRequest):
    """A template or an expression is wrong."""

    reason = pb.ERROR_REASON_INVALID_TEMPLATE


class TooLarge(CallerError):
    """A message, its metadata or a prompt is over a limit of the server."""

    code = Code.RESOURCE_EXHAUSTED
    reason = pb.ERROR_REASON_TOO_LARGE


class ContextTooLong(CallerError):
    """The prompt does not fit the model; a model with a larger context may take it."""

    reason = pb.ERROR_REASON_CONTEXT_TOO_LONG
    elsewhere = True


class CredentialInvalid(CallerError):
    """No credential, or one that is not valid."""

    code = Code.UNAUTHENTICATED
    reason = pb.ERROR_REASON_CREDENTIAL_INVALID


class RequestIdReused(CallerError):
    """The request_id was used for a request with another body."""

    reason = pb.ERROR_REASON_REQUEST_ID_REUSED


class RequestInProgress(PromptwireError):
    """The request with this request_id is being answered, and it is not known when that ends; the same id gets its answer later."""

    code = Code.ABORTED
    reason = pb.ERROR_REASON_REQUEST_IN_PROGRESS
    retryable = True


class PolicyDenied(CallerError):
    """The credential is good but may not do this."""

    code = Code.PERMISSION_DENIED
    reason = pb.ERROR_REASON_POLICY_DENIED


class NotFound(CallerError):
    """Absent, or somebody else's: the two look the same."""

    code = Code.NOT_FOUND
    reason = pb.ERROR_REASON_NOT_FOUND


class AlreadyExists(CallerError):
    """The name is taken."""

    code = Code.ALREADY_EXISTS
    reason = pb.ERROR_REASON_ALREADY_EXISTS


class EtagMismatch(CallerError):
    """It is not as the caller has seen it: somebody else has changed it meanwhile."""

    code = Code.ABORTED
    reason = pb.ERROR_REASON_ETAG_MISMATCH


class CapabilityMissing(CallerError):
    """The model cannot do what was asked for; another may."""

    code = Code.FAILED_PRECONDITION
    reason = pb.ERROR_REASON_CAPABILITY_MISSING
    elsewhere = True


class Disabled(CallerError):
    """The server does not offer this, or it is switched off."""

    code = Code.UNIMPLEMENTED
    reason = pb.ERROR_REASON_DISABLED


class BudgetExhausted(PromptwireError):
    """A budget does not hold what the call may cost at this target; at a cheaper one it may."""

    code = Code.RESOURCE_EXHAUSTED
    reason = pb.ERROR_REASON_BUDGET_EXHAUSTED
    elsewhere = True


class PriceUnknown(PromptwireError):
    """A hard budget needs a price, and none is known for this model; for another one may be."""

    code = Code.FAILED_PRECONDITION
    reason = pb.ERROR_REASON_PRICE_UNKNOWN
    elsewhere = True


class BudgetStoreUnavailable(PromptwireError):
    """A hard budget needs its store, which does not answer: nothing is spent that cannot be counted."""

    code = Code.UNAVAILABLE
    reason = pb.ERROR_REASON_BUDGET_STORE_UNAVAILABLE
    retryable = True


class CapacityError(PromptwireError):
    """Not now."""

    code = Code.UNAVAILABLE
    reason = pb.ERROR_REASON_OVERLOADED
    retryable = True


class Overloaded(CapacityError):
    """Shed: the server is full."""


class Draining(CapacityError):
    """The server is going away; others are not."""

    reason = pb.ERROR_REASON_DRAINING


class QueueTooLong(CapacityError):
    """The predicted wait is beyond the caller's deadline."""

    reason = pb.ERROR_REASON_QUEUE_TOO_LONG
    retryable = False  # a client's own retry has the same deadline


class RateLimited(CapacityError):
    """The caller's own rate or concurrency limit."""

    code = Code.RESOURCE_EXHAUSTED
    reason = pb.ERROR_REASON_RATE_LIMITED


class UpstreamError(PromptwireError):
    """A provider failed, or our account with it."""

    code = Code.UNAVAILABLE
    reason = pb.ERROR_REASON_UPSTREAM_FAILED
    elsewhere = True


class UpstreamAccount(UpstreamError):
    """The operator's key is wrong, or its account empty: retrying the same account is of no use."""

    code = Code.FAILED_PRECONDITION
    reason = pb.ERROR_REASON_UPSTREAM_ACCOUNT


class UpstreamKey(UpstreamAccount):
    """One of the operator's keys is bad, and another one, which was not asked yet, may be good."""

    retryable = True


class UpstreamRateLimited(UpstreamError):
    """The provider limits the gateway."""

    reason = pb.ERROR_REASON_UPSTREAM_RATE_LIMITED
    retryable = True


class UpstreamInvalidRequest(UpstreamError):
    """The provider calls the request wrong, where the gateway could not know."""

    code = Code.INVALID_ARGUMENT
    reason = pb.ERROR_REASON_UPSTREAM_INVALID_REQUEST
    elsewhere = False


class UpstreamModelUnknown(UpstreamInvalidRequest):
    """The provider has no such model, or our account may not use it."""

    elsewhere = True


class UpstreamPolicy(UpstreamError):
    """The provider refuses the prompt by its own policy."""

    code = Code.FAILED_PRECONDITION
    reason = pb.ERROR_REASON_UPSTREAM_POLICY


class UpstreamFailed(UpstreamError):
    """Broken, unreachable or garbled, and nothing was delivered."""

    retryable = True


class UpstreamMisdirected(UpstreamFailed):
    """The operator's address of the provider leads to something else, as it will until somebody changes it."""

    retryable = False


class NoHealthyUpstream(UpstreamError):
    """Nobody is left to ask."""

    reason = pb.ERROR_REASON_NO_HEALTHY_UPSTREAM
    retryable = True


class StreamInterrupted(UpstreamError):
    """The stream broke after its first delta: whether to ask again is the caller's decision."""

    reason = pb.ERROR_REASON_STREAM_INTERRUPTED


class DeadlineExceeded(PromptwireError):
    """The time ran out; metadata["phase"] says where: queue, upstream or step."""

    code = Code.DEADLINE_EXCEEDED
    reason = pb.ERROR_REASON_DEADLINE

    @classmethod
    def during(cls, phase: str, message: str = "") -> "DeadlineExceeded":
        """The error for a phase."""
        return cls(message or f"the deadline passed while waiting ({phase}); allow more time", metadata={"phase": phase})


class CallCancelled(PromptwireError):
    """The caller went away. Never sent by choice: there is nobody to read it."""

    code = Code.CANCELLED
    reason = pb.ERROR_REASON_CANCELLED


class ChainFailed(PromptwireError):
    """A chain used up its steps, or ended in a way that it calls a failure."""

    code = Code.ABORTED
    reason = pb.ERROR_REASON_CHAIN_FAILED


class OutputSchemaMismatch(PromptwireError):
    """The output never matched its schema."""

    code = Code.ABORTED
    reason = pb.ERROR_REASON_OUTPUT_SCHEMA_MISMATCH


class InternalError(PromptwireError):
    """A bug. The message never quotes the exception."""


def failure_of(error: PromptwireError) -> pb.Failure:
    """The error as a message, for attempts, steps and batch items."""
    failure = pb.Failure(
        code=error.code,
        reason=error.reason,
        message=error.message,
        provider=error.origin.provider,
        provider_code=error.origin.provider_code,
        field=error.violations[0].field if error.violations else "",
    )
    if error.origin.http_status is not None:
        failure.http_status = error.origin.http_status
    if error.retry_after_s is not None:
        failure.retry_after.FromNanoseconds(int(min(max(0.0, error.retry_after_s), _MAX_DELAY_S) * 1e9))
    return failure
