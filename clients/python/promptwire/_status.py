"""From a failed RPC to the exception that says why: google.rpc details first, the status code for the rest."""

from collections.abc import Iterable, Iterator, Mapping
from contextlib import contextmanager

import grpc
from google.protobuf.message import DecodeError, Message
from google.rpc import error_details_pb2, status_pb2

from promptwire import errors
from promptwire import v1 as pb

DOMAIN = "promptwire"  # of our ErrorInfo; reasons of others are not ours to read
_DETAILS_KEY = "grpc-status-details-bin"

_BY_REASON: Mapping[str, type[errors.PromptwireError]] = {
    "OVERLOADED": errors.Overloaded,
    "DRAINING": errors.Overloaded,
    "QUEUE_TOO_LONG": errors.Overloaded,
    "RATE_LIMITED": errors.RateLimited,
    "BUDGET_EXHAUSTED": errors.BudgetExhausted,
    "PRICE_UNKNOWN": errors.BudgetExhausted,
    "BUDGET_STORE_UNAVAILABLE": errors.Overloaded,
    "INVALID_FIELD": errors.InvalidRequest,
    "INVALID_TEMPLATE": errors.InvalidTemplate,
    "CONTEXT_TOO_LONG": errors.ContextTooLong,
    "TOO_LARGE": errors.TooLarge,
    "CREDENTIAL_INVALID": errors.CredentialInvalid,
    "POLICY_DENIED": errors.PolicyDenied,
    "NOT_FOUND": errors.NotFound,
    "BLOCKED_INPUT": errors.Blocked,
    "BLOCKED_OUTPUT": errors.Blocked,
    "CAPABILITY_MISSING": errors.CapabilityMissing,
    "UPSTREAM_ACCOUNT": errors.UpstreamAccount,
    "UPSTREAM_RATE_LIMITED": errors.UpstreamRateLimited,
    "UPSTREAM_FAILED": errors.UpstreamFailed,
    "NO_HEALTHY_UPSTREAM": errors.UpstreamFailed,
    "STREAM_INTERRUPTED": errors.StreamInterrupted,
    "DEADLINE": errors.DeadlineExceeded,
    "REQUEST_ID_REUSED": errors.InvalidRequest,
    "REQUEST_IN_PROGRESS": errors.RequestInProgress,
    "OUTPUT_SCHEMA_MISMATCH": errors.OutputSchemaMismatch,
    "EVENTS_COMPACTED": errors.EventsCompacted,
    "INTERNAL": errors.ServerFault,
    "DISABLED": errors.Disabled,
    "UPSTREAM_POLICY": errors.Blocked,
    "CANCELLED": errors.Cancelled,
    "CHAIN_FAILED": errors.ChainFailed,
    "ETAG_MISMATCH": errors.Conflict,
    "UPSTREAM_INVALID_REQUEST": errors.InvalidRequest,
    "ALREADY_EXISTS": errors.Conflict,
    "IN_USE": errors.Conflict,
}

_BY_CODE: Mapping[grpc.StatusCode, type[errors.PromptwireError]] = {
    grpc.StatusCode.CANCELLED: errors.Cancelled,
    grpc.StatusCode.INVALID_ARGUMENT: errors.InvalidRequest,
    grpc.StatusCode.DEADLINE_EXCEEDED: errors.DeadlineExceeded,
    grpc.StatusCode.NOT_FOUND: errors.NotFound,
    grpc.StatusCode.ALREADY_EXISTS: errors.Conflict,
    grpc.StatusCode.PERMISSION_DENIED: errors.PolicyDenied,
    grpc.StatusCode.RESOURCE_EXHAUSTED: errors.RateLimited,
    grpc.StatusCode.ABORTED: errors.Aborted,
    grpc.StatusCode.OUT_OF_RANGE: errors.EventsCompacted,
    grpc.StatusCode.UNIMPLEMENTED: errors.Disabled,
    grpc.StatusCode.INTERNAL: errors.ServerFault,
    grpc.StatusCode.UNAVAILABLE: errors.Unavailable,
    grpc.StatusCode.DATA_LOSS: errors.ServerFault,
    grpc.StatusCode.UNAUTHENTICATED: errors.CredentialInvalid,
}


@contextmanager
def translated(address: str, request_id: str = "") -> Iterator[None]:
    """Turns a failed RPC inside into a PromptwireError. Cancellation of the caller's task passes through."""
    try:
        yield
    except grpc.RpcError as error:
        # `from None`: the RPC's own text repeats this one between pages of transport state.
        raise error_of(error, address, request_id) from None


def error_of(error: grpc.RpcError, address: str, request_id: str = "") -> errors.PromptwireError:
    """The exception for a failed RPC; `address` is whom the client called."""
    if not isinstance(error, grpc.aio.AioRpcError | grpc.Call):
        return errors.PromptwireError(str(error), request_id=request_id)
    code, message = error.code() or grpc.StatusCode.UNKNOWN, error.details() or "no message"
    details = details_of(error.trailing_metadata() or ())
    made = _class_of(code, message, details.reason)(message, code=code, request_id=request_id, details=details)
    if isinstance(made, errors.Unavailable) and not details.reason:
        made.hint = f"is it running at {address}? promptwire serve; TLS must be on at both ends or at none, its certificate trusted"
    return made


def details_of(trailers: Iterable[tuple[str, str | bytes]]) -> errors.Details:
    """What the trailing metadata says; nothing when it is absent or garbled."""
    status = status_pb2.Status()
    for key, value in trailers:
        if key == _DETAILS_KEY and isinstance(value, bytes):
            _parse(status, value)
    reason, metadata = _reason(status)
    return errors.Details(reason, metadata, _retry_after_s(status), _violations(status), _quotas(status), _attempts(status))


def _class_of(code: grpc.StatusCode, message: str, reason: str) -> type[errors.PromptwireError]:
    # gRPC itself answers RESOURCE_EXHAUSTED for a message over a limit, on either side, and only its words tell.
    if code is grpc.StatusCode.RESOURCE_EXHAUSTED and not reason and "larger than max" in message:
        return errors.TooLarge
    return _BY_REASON.get(reason) or _BY_CODE.get(code, errors.PromptwireError)


def _parse(message: Message, data: bytes) -> None:
    try:
        message.ParseFromString(data)
    except DecodeError:
        message.Clear()  # a proxy cut it: the status code still stands


def _reason(status: status_pb2.Status) -> tuple[str, dict[str, str]]:
    info = error_details_pb2.ErrorInfo()
    return (info.reason, dict(info.metadata)) if _unpack(status, info) and info.domain == DOMAIN else ("", {})


def _retry_after_s(status: status_pb2.Status) -> float | None:
    retry = error_details_pb2.RetryInfo()
    return retry.retry_delay.ToNanoseconds() / 1e9 if _unpack(status, retry) else None


def _violations(status: status_pb2.Status) -> tuple[errors.Violation, ...]:
    bad = error_details_pb2.BadRequest()
    _unpack(status, bad)
    return tuple(errors.Violation(each.field, each.description) for each in bad.field_violations)


def _quotas(status: status_pb2.Status) -> tuple[errors.Quota, ...]:
    failure = error_details_pb2.QuotaFailure()
    _unpack(status, failure)
    return tuple(errors.Quota(each.subject, each.description) for each in failure.violations)


def _attempts(status: status_pb2.Status) -> tuple[pb.Attempt, ...]:
    trail = pb.AttemptTrail()
    _unpack(status, trail)
    return tuple(trail.attempts)


def _unpack(status: status_pb2.Status, into: Message) -> bool:
    """Fill a detail from the first of its kind; False when there is none, or it is garbled."""
    for detail in status.details:
        if detail.Is(into.DESCRIPTOR):
            _parse(into, detail.value)
            return True
    return False
