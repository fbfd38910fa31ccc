"""A client of grpc.health.v1, with List, which grpcio's copy lacks."""

import asyncio

import grpc
from google.protobuf.descriptor_pool import DescriptorPool
from google.protobuf.message import Message
from google.protobuf.message_factory import GetMessageClass
from grpc_health.v1 import health_pb2

from promptwire_server.rpc.health import SERVICE, contract

SERVING, NOT_SERVING, SERVICE_UNKNOWN = 1, 2, 3
_pool = DescriptorPool()
_pool.AddSerializedFile(contract().SerializeToString())
_ListResponse = GetMessageClass(_pool.FindMessageTypeByName("grpc.health.v1.HealthListResponse"))


class Watch:
    """A watch under way."""

    def __init__(self, call: "grpc.aio.UnaryStreamCall[Message, health_pb2.HealthCheckResponse]") -> None:
        self._call = call
        self.code = call.code
        self.done = call.done

    async def next(self) -> int:
        """The next status."""
        async with asyncio.timeout(5):
            response = await self._call.read()
        assert isinstance(response, health_pb2.HealthCheckResponse), "the watch has ended"
        return response.status


class HealthStub:
    """Asks a server about its health, in raw calls."""

    def __init__(self, channel: grpc.aio.Channel) -> None:
        self._channel = channel

    async def check(self, service: str = "") -> int:
        method = self._channel.unary_unary(f"/{SERVICE}/Check", _raw, health_pb2.HealthCheckResponse.FromString)
        response: health_pb2.HealthCheckResponse = await method(health_pb2.HealthCheckRequest(service=service))
        return response.status

    async def list(self) -> dict[str, int]:
        response = await self._channel.unary_unary(f"/{SERVICE}/List", bytes, _ListResponse.FromString)(b"")
        return {name: entry.status for name, entry in response.statuses.items()}  # type: ignore[attr-defined]  # made from a descriptor

    def watch(self, service: str = "") -> "Watch":
        method = self._channel.unary_stream(f"/{SERVICE}/Watch", _raw, health_pb2.HealthCheckResponse.FromString)
        return Watch(method(health_pb2.HealthCheckRequest(service=service)))


def _raw(request: Message) -> bytes:
    return request.SerializeToString()
