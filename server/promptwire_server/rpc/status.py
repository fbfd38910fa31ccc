"""The one table from errors to what goes over the wire: status code, details, trailers."""

from collections.abc import Sequence

import grpc
from google.protobuf import any_pb2
from google.protobuf.message import Message
from google.rpc import code_pb2, error_details_pb2, status_pb2

from promptwire_server.core.errors import PromptwireError

DOMAIN = "promptwire"
_MAX_MESSAGE_BYTES = 1024
_MAX_DETAILS_BYTES = 3072  # details over 4 KiB vanish on the way in a third of all calls; base64 in the trailer adds a third
_MAX_METADATA_BYTES = 256  # a value of ErrorInfo.metadata

_CODES = {code.value[0]: code for code in grpc.StatusCode}


def code_of(error: PromptwireError) -> grpc.StatusCode:
    """The status code of an error; UNKNOWN is never sent."""
    return _CODES[error.code]


def shortened(text: str, max_bytes: int) -> str:
    """At most that many UTF-8 bytes, cut between characters."""
    encoded = text.encode("utf-8", "replace")
    return text if len(encoded) <= max_bytes else encoded[: max_bytes - 3].decode("utf-8", "ignore") + "…"


def trailers_of(error: PromptwireError, request_id: str) -> tuple[tuple[str, str | bytes], ...]:
    """The trailing metadata of a failed RPC: rich details, and whether a client's own retry policy may try again."""
    status = status_pb2.Status(code=error.code, message=shortened(error.message, _MAX_MESSAGE_BYTES))
    for detail in _details(error, request_id):
        _pack(status, detail)
    return (
        ("grpc-status-details-bin", status.SerializeToString()),
        ("grpc-retry-pushback-ms", str(pushback_ms(error))),
    )


def pushback_ms(error: PromptwireError) -> int:
    """How long a client should wait before its own retry; -1 for do not."""
    if not error.retryable:
        return -1
    return round((error.retry_after_s or 0.0) * 1000)


def _pack(status: status_pb2.Status, detail: Message) -> None:
    packed = any_pb2.Any()
    packed.Pack(detail)
    if status.ByteSize() + packed.ByteSize() <= _MAX_DETAILS_BYTES:
        status.details.append(packed)


def _details(error: PromptwireError, request_id: str) -> Sequence[Message]:
    details: list[Message] = [_error_info(error, request_id)]
    if error.retryable and error.retry_after_s is not None:
        retry = error_details_pb2.RetryInfo()
        retry.retry_delay.FromNanoseconds(int(error.retry_after_s * 1e9))
        details.append(retry)
    if error.code == code_pb2.RESOURCE_EXHAUSTED:
        quota = error_details_pb2.QuotaFailure()
        quota.violations.add(subject=error.metadata.get("subject", ""), description=shortened(error.message, _MAX_METADATA_BYTES))
        details.append(quota)
    if error.violations:
        details.append(_bad_request(error))
    return details


def _error_info(error: PromptwireError, request_id: str) -> error_details_pb2.ErrorInfo:
    info = error_details_pb2.ErrorInfo(reason=error.reason_name, domain=DOMAIN)
    facts = {"request_id": request_id, "provider": error.origin.provider, "provider_code": error.origin.provider_code, **error.metadata}
    if error.origin.http_status is not None:
        facts["http_status"] = str(error.origin.http_status)
    for key, value in facts.items():
        if value:
            info.metadata[key] = shortened(value, _MAX_METADATA_BYTES)
    return info


def _bad_request(error: PromptwireError) -> error_details_pb2.BadRequest:
    """As many violations as fit; the last entry then says how many more there are."""
    bad = error_details_pb2.BadRequest()
    for position, violation in enumerate(error.violations):
        bad.field_violations.add(field=shortened(violation.field, 200), description=shortened(violation.message, 400))
        if bad.ByteSize() > _MAX_DETAILS_BYTES // 2:
            bad.field_violations.add(description=f"and {len(error.violations) - position - 1} more")
            break
    return bad
