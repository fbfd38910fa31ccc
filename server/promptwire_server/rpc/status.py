"""The one table from errors to what goes over the wire: status code, details, trailers."""

import math
from collections.abc import Mapping, Sequence

import grpc
from google.protobuf.message import Message
from google.rpc import error_details_pb2, status_pb2

from promptwire import v1 as pb
from promptwire_server.core.errors import PromptwireError

DOMAIN = "promptwire"
_MAX_MESSAGE_BYTES = 512
_MAX_DETAILS_BYTES = 3072  # details over 4 KiB vanish on the way in a third of all calls; base64 in the trailer adds a third
_MAX_METADATA_BYTES = 256  # a value of ErrorInfo.metadata
_MAX_KEY_BYTES = 64
_MAX_INFO_BYTES = 1024  # ErrorInfo; one more entry may go over it
_ENTRY_BYTES = 700  # one violation at its longest, and the entry that says how many more there are
_MOST_ATTEMPTS = 16  # more never fit
_MAX_NAME_BYTES = 128  # in an attempt
_PACKING_BYTES = 64  # the name of a detail's type, and the lengths
_ATTEMPT_MESSAGE_BYTES = (256, 96)  # of an attempt's failure: as a rule, and where that is too much
_DEFAULT_DELAY_S = 1.0  # for a retry where nobody knows better
_SHORTEST_DELAY_S = 0.01  # pushed back by 0, clients of grpcio 1.85 wait until their own deadline instead of trying again
_MAX_DELAY_S = 86_400.0
_QUOTAS = frozenset({pb.ERROR_REASON_RATE_LIMITED, pb.ERROR_REASON_BUDGET_EXHAUSTED})
_LATER = frozenset({pb.ERROR_REASON_QUEUE_TOO_LONG})  # of no use to a client's own retry, but later, with more time, it may go well

_CODES = {code.value[0]: code for code in grpc.StatusCode}


def code_of(error: PromptwireError) -> grpc.StatusCode:
    """The status code of an error; UNKNOWN is never sent."""
    return _CODES[error.code]


def shortened(text: str, max_bytes: int) -> str:
    """At most that many UTF-8 bytes, cut between characters; what has no UTF-8 (half a surrogate pair) becomes "?"."""
    encoded = text.encode("utf-8", "replace")
    if len(encoded) <= max_bytes:
        return encoded.decode()
    return encoded[: max_bytes - 3].decode("utf-8", "ignore") + "…"


def trailers_of(
    error: PromptwireError, facts: Mapping[str, str], attempts: Sequence[pb.Attempt] = (), remaining_s: float = math.inf
) -> tuple[tuple[str, str | bytes], ...]:
    """The trailing metadata of a failed RPC: rich details, and whether a client's own retry policy may try again.

    `facts` are of this RPC rather than of the error: its request_id, how far it came. They win over the error's metadata. `attempts` is
    what was tried before it failed, `remaining_s` the time that the RPC still had.
    """
    status = status_pb2.Status(code=error.code, message=shortened(error.message, _MAX_MESSAGE_BYTES))
    for detail in _details(error, facts, attempts):
        status.details.add().Pack(detail)
    if error.violations:
        status.details.add().Pack(_bad_request(error, _MAX_DETAILS_BYTES - status.ByteSize()))
    trail = _trail(attempts, _MAX_DETAILS_BYTES - status.ByteSize() - _PACKING_BYTES)
    if trail.attempts:
        status.details.add().Pack(trail)
    return (
        ("grpc-status-details-bin", status.SerializeToString()),
        ("grpc-retry-pushback-ms", str(pushback_ms(error, remaining_s))),
    )


def pushback_ms(error: PromptwireError, remaining_s: float = math.inf) -> int:
    """How long a client should wait before its own retry; -1 for do not.

    Not when its deadline comes first: clients would wait until then, and tell of the deadline in place of this error and its delay.
    """
    delay_s = _delay_s(error)
    return -1 if not error.retryable or delay_s is None or delay_s >= remaining_s else round(delay_s * 1000)


def _delay_s(error: PromptwireError) -> float | None:
    """When to try again, None for never. Somebody must say when: at once, every client would."""
    if not error.retryable and error.reason not in _LATER:
        return None
    if error.retry_after_s is None or math.isnan(error.retry_after_s):
        return _SHORTEST_DELAY_S if error.reason == pb.ERROR_REASON_DRAINING else _DEFAULT_DELAY_S  # another server is ready at once
    return min(max(_SHORTEST_DELAY_S, error.retry_after_s), _MAX_DELAY_S)


def _details(error: PromptwireError, facts: Mapping[str, str], attempts: Sequence[pb.Attempt]) -> Sequence[Message]:
    """What is bounded in itself; the violations take the room that is left, and then the trail."""
    details: list[Message] = [_error_info(error, facts, _summed(attempts))]
    delay_s = _delay_s(error)
    if delay_s is not None:
        retry = error_details_pb2.RetryInfo()
        retry.retry_delay.FromNanoseconds(int(delay_s * 1e9))
        details.append(retry)
    if error.reason in _QUOTAS:
        quota = error_details_pb2.QuotaFailure()
        quota.violations.add(subject=error.metadata.get("subject", ""), description=shortened(error.message, _MAX_METADATA_BYTES))
        details.append(quota)
    return details


def _error_info(error: PromptwireError, facts: Mapping[str, str], tried: Mapping[str, str]) -> error_details_pb2.ErrorInfo:
    """Reason and facts; as many facts as fit, those of the RPC first. An error of many questions knows itself what they cost."""
    info = error_details_pb2.ErrorInfo(reason=error.reason_name, domain=DOMAIN)
    origin = error.origin
    known = {
        **facts,
        **tried,
        "provider": origin.provider,
        "provider_code": origin.provider_code,
        "provider_request_id": origin.provider_request_id,
    }
    if origin.http_status is not None:
        known["http_status"] = str(origin.http_status)
    for key, value in {**known, **error.metadata, **facts}.items():
        if value and info.ByteSize() < _MAX_INFO_BYTES:
            info.metadata[shortened(key, _MAX_KEY_BYTES)] = shortened(value, _MAX_METADATA_BYTES)
    return info


def _bad_request(error: PromptwireError, room_bytes: int) -> error_details_pb2.BadRequest:
    """As many violations as fit; the last entry then says how many more there are."""
    bad = error_details_pb2.BadRequest()
    count = len(error.violations)
    for position, violation in enumerate(error.violations):
        if bad.ByteSize() + _ENTRY_BYTES > room_bytes:
            bad.field_violations.add(description=f"and {count - position} more")
            break
        bad.field_violations.add(field=shortened(violation.field, 200), description=shortened(violation.message, 400))
    return bad


def _summed(attempts: Sequence[pb.Attempt]) -> dict[str, str]:
    """How many attempts were made, and what was billed for them as far as prices are known; nothing when there was none."""
    summed = {"attempts": str(len(attempts))} if attempts else {}
    costs = [attempt.cost.total_nano_usd for attempt in attempts if attempt.cost.HasField("total_nano_usd")]
    return {**summed, "billed_nano_usd": str(sum(costs))} if costs else summed


def _trail(attempts: Sequence[pb.Attempt], room_bytes: int) -> pb.AttemptTrail:
    """As many of the newest attempts as fit; their messages are shortened before one is left out."""
    trail = pb.AttemptTrail(attempts=attempts[-_MOST_ATTEMPTS:])
    for max_bytes in _ATTEMPT_MESSAGE_BYTES:
        for attempt in trail.attempts:
            _bound(attempt, max_bytes)
        if trail.ByteSize() <= room_bytes:
            return trail
    while trail.attempts and trail.ByteSize() > room_bytes:
        del trail.attempts[0]
    return trail


def _bound(attempt: pb.Attempt, message_bytes: int) -> None:
    """Cut what callers and vendors may make as long as they like."""
    attempt.model = shortened(attempt.model, _MAX_NAME_BYTES)
    attempt.chosen_because = shortened(attempt.chosen_because, _MAX_NAME_BYTES)
    if attempt.HasField("failure"):
        failure = attempt.failure
        failure.message = shortened(failure.message, message_bytes)
        failure.provider_code = shortened(failure.provider_code, _MAX_NAME_BYTES)
        failure.field = shortened(failure.field, _MAX_NAME_BYTES)
