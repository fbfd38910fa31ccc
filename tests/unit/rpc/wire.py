"""What a client sees of a failure, taken apart."""

import asyncio
from collections.abc import Coroutine, Iterable
from dataclasses import dataclass, field

import grpc
import pytest
from google.rpc import error_details_pb2, status_pb2

from promptwire import v1 as pb


@dataclass
class Details:
    """The rich details of a failure."""

    size_bytes: int = 0
    pushback: str | None = None  # in milliseconds, as it travels
    kinds: list[str] = field(default_factory=list)
    info: error_details_pb2.ErrorInfo = field(default_factory=error_details_pb2.ErrorInfo)
    retry: error_details_pb2.RetryInfo = field(default_factory=error_details_pb2.RetryInfo)
    quota: error_details_pb2.QuotaFailure = field(default_factory=error_details_pb2.QuotaFailure)
    bad: error_details_pb2.BadRequest = field(default_factory=error_details_pb2.BadRequest)
    trail: pb.AttemptTrail = field(default_factory=pb.AttemptTrail)
    status: status_pb2.Status = field(default_factory=status_pb2.Status)


@dataclass
class Failed:
    """A failed RPC."""

    code: grpc.StatusCode
    message: str
    details: Details

    @property
    def reason(self) -> str:
        return str(self.details.info.reason)


def details(trailers: Iterable[tuple[str, str | bytes]]) -> Details:
    """The details in some trailing metadata."""
    found = dict(trailers)
    data = found.get("grpc-status-details-bin", b"")
    assert isinstance(data, bytes)
    status = status_pb2.Status.FromString(data)
    taken = Details(size_bytes=len(data), pushback=found.get("grpc-retry-pushback-ms"), status=status)  # type: ignore[arg-type]  # text
    for packed in status.details:
        taken.kinds.append(packed.type_url.rpartition(".")[2])
        for known in (taken.info, taken.retry, taken.quota, taken.bad, taken.trail):
            packed.Unpack(known)
    return taken


async def failure(call: Coroutine[object, object, object], seconds: float = 5.0) -> Failed:
    """How the call fails. A call that fails only since the test lost patience raises TimeoutError."""
    with pytest.raises(grpc.aio.AioRpcError) as caught:
        async with asyncio.timeout(seconds):
            await call
    error = caught.value
    trailers = [(str(key), value) for key, value in error.trailing_metadata() or ()]
    return Failed(error.code(), error.details() or "", details(trailers))
