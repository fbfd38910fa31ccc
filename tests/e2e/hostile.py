"""Messages that no well-meaning client sends, as bytes, and a way to send them to any method."""

from collections.abc import Sequence
from dataclasses import dataclass

import grpc
from google.protobuf import descriptor_pb2, descriptor_pool
from google.protobuf.descriptor import MethodDescriptor
from google.rpc import error_details_pb2, status_pb2
from grpc_reflection.v1alpha import reflection_pb2
from grpc_reflection.v1alpha.reflection_pb2_grpc import ServerReflectionStub

ANSWER_S = 20.0
# Methods without serialisers: bytes as they are.
Unary = grpc.aio.UnaryUnaryMultiCallable[bytes, bytes]
Streaming = grpc.aio.UnaryStreamMultiCallable[bytes, bytes]
# What only the inside of a program says.
TRACES = ("Traceback", 'File "', ".py", "Exception", "object at 0x", "site-packages", "DecodeError", "google.protobuf", "NoneType")


@dataclass(frozen=True, slots=True)
class Said:
    """How a call ended."""

    code: grpc.StatusCode
    message: str = ""
    reason: str = ""
    fields: tuple[str, ...] = ()
    bytes_received: bytes = b""

    def check(self) -> "Said":
        """Never UNKNOWN, and nothing of the program's inside."""
        assert self.code is not grpc.StatusCode.UNKNOWN, self
        text = f"{self.message} {self.reason} {' '.join(self.fields)}"
        assert not [word for word in TRACES if word in text], self
        return self


def varint(number: int) -> bytes:
    out = bytearray()
    while number > 0x7F:
        out.append(number & 0x7F | 0x80)
        number >>= 7
    return bytes([*out, number])


def field(number: int, payload: bytes) -> bytes:
    """A field of type string, bytes or message."""
    return varint(number << 3 | 2) + varint(len(payload)) + payload


def number(of_field: int, value: int) -> bytes:
    """A field of type int or enum."""
    return varint(of_field << 3) + varint(value)


def nested(path: Sequence[int], depth: int) -> bytes:
    """Messages within messages along a cycle of field numbers."""
    data = b""
    for level in range(depth):
        data = field(path[-1 - level % len(path)], data)
    return data


async def send(channel: grpc.aio.Channel, method: str, data: bytes, *, streams: bool = False, timeout_s: float = ANSWER_S) -> Said:
    """Send bytes as the request of a method ("promptwire.v1.ChatService/Chat"), read everything, tell how it ended."""
    received = b""
    try:
        if streams:
            stream: Streaming = channel.unary_stream(f"/{method}")
            async for message in stream(data, timeout=timeout_s):
                received += message
        else:
            unary: Unary = channel.unary_unary(f"/{method}")
            received = await unary(data, timeout=timeout_s)
    except grpc.aio.AioRpcError as error:
        return said_of(error)
    return Said(grpc.StatusCode.OK, bytes_received=received)


def said_of(error: grpc.aio.AioRpcError) -> Said:
    status = status_pb2.Status()
    status.ParseFromString(bytes(dict(error.trailing_metadata() or ()).get("grpc-status-details-bin", b"")))
    info, bad = error_details_pb2.ErrorInfo(), error_details_pb2.BadRequest()
    for detail in status.details:
        detail.Unpack(info)
        detail.Unpack(bad)
    fields = tuple(each.field for each in bad.field_violations)
    return Said(error.code(), f"{error.details()} {status.message} {dict(info.metadata)}", info.reason, fields)


async def methods(channel: grpc.aio.Channel) -> list[MethodDescriptor]:
    """Every method that the server offers by reflection."""
    request = reflection_pb2.ServerReflectionRequest
    call = ServerReflectionStub(channel).ServerReflectionInfo(timeout=ANSWER_S)  # type: ignore[operator, arg-type]  # its stubs know no aio
    await call.write(request(list_services=""))
    services = [service.name for service in (await call.read()).list_services_response.service]
    pool, files = descriptor_pool.DescriptorPool(), {}
    for service in services:
        await call.write(request(file_containing_symbol=service))
        for data in (await call.read()).file_descriptor_response.file_descriptor_proto:
            file = descriptor_pb2.FileDescriptorProto.FromString(data)
            files[file.name] = file
    await call.done_writing()
    for name in list(files):
        _add(pool, name, files)
    return [method for service in services for method in pool.FindServiceByName(service).methods]


def _add(pool: descriptor_pool.DescriptorPool, name: str, files: dict[str, descriptor_pb2.FileDescriptorProto]) -> None:
    file = files.pop(name, None)
    if file is None:
        return
    for dependency in file.dependency:
        _add(pool, dependency, files)
    pool.Add(file)
