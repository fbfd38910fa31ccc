"""grpc.health.v1: Check, Watch and List, on the main port and on a plaintext port of its own for probes."""

import asyncio
from collections.abc import Sequence

from google.protobuf import descriptor_pb2
from google.protobuf.descriptor import ServiceDescriptor
from google.protobuf.descriptor_pool import DescriptorPool
from google.protobuf.message import Message
from google.protobuf.message_factory import GetMessageClass
from grpc_health.v1 import health_pb2

from promptwire_server.core.errors import Draining, NotFound
from promptwire_server.rpc.exchange import Exchange

SERVICE = "grpc.health.v1.Health"
_UNKNOWN, _SERVING, _NOT_SERVING, _SERVICE_UNKNOWN = range(4)


def contract() -> descriptor_pb2.FileDescriptorProto:
    """The health contract with `List`, which grpcio's copy lacks (it was added to the standard in 2025)."""
    file = descriptor_pb2.FileDescriptorProto()
    health_pb2.DESCRIPTOR.CopyToProto(file)
    if any(method.name == "List" for method in file.service[0].method):
        return file
    file.message_type.add(name="HealthListRequest")
    response = file.message_type.add(name="HealthListResponse")
    entry = response.nested_type.add(name="StatusesEntry")
    entry.options.map_entry = True
    field = descriptor_pb2.FieldDescriptorProto
    entry.field.add(name="key", number=1, type=field.TYPE_STRING, label=field.LABEL_OPTIONAL)
    value_type = ".grpc.health.v1.HealthCheckResponse"
    entry.field.add(name="value", number=2, type=field.TYPE_MESSAGE, label=field.LABEL_OPTIONAL, type_name=value_type)
    entries = ".grpc.health.v1.HealthListResponse.StatusesEntry"
    response.field.add(name="statuses", number=1, type=field.TYPE_MESSAGE, label=field.LABEL_REPEATED, type_name=entries)
    names = {"input_type": ".grpc.health.v1.HealthListRequest", "output_type": ".grpc.health.v1.HealthListResponse"}
    file.service[0].method.add(name="List", **names)
    return file


class Health:
    """Whether each service answers, and who watches. The empty name is the server as a whole."""

    def __init__(self, services: Sequence[str]) -> None:
        self._status = dict.fromkeys(["", *services], _NOT_SERVING)
        self._changed = asyncio.Event()
        self.closed = False

    def set_all(self, *, serving: bool) -> None:
        """Every service answers, or none does."""
        self._status = dict.fromkeys(self._status, _SERVING if serving else _NOT_SERVING)
        self._wake()

    @property
    def serving(self) -> bool:
        """The server as a whole answers."""
        return self._status[""] == _SERVING

    def close(self) -> None:
        """Nothing answers any more. Ends the watches: an open one would hold the shutdown until its grace is over."""
        self.closed = True
        self.set_all(serving=False)

    def status(self, service: str) -> int | None:
        """The status of a service as grpc.health.v1 numbers it; None when there is no such service."""
        return self._status.get(service)

    def statuses(self) -> dict[str, int]:
        """The status of every service."""
        return dict(self._status)

    async def change(self) -> None:
        """Wait for the next change."""
        await self._changed.wait()

    def _wake(self) -> None:
        self._changed.set()
        self._changed = asyncio.Event()


class HealthService:
    """grpc.health.v1.Health. Needs no credential."""

    def __init__(self, health: Health) -> None:
        self._health = health
        pool = DescriptorPool()
        pool.AddSerializedFile(contract().SerializeToString())
        self.descriptor: ServiceDescriptor = pool.FindServiceByName(SERVICE)
        self._response = GetMessageClass(pool.FindMessageTypeByName("grpc.health.v1.HealthCheckResponse"))
        self._list = GetMessageClass(pool.FindMessageTypeByName("grpc.health.v1.HealthListResponse"))

    async def Check(self, request: health_pb2.HealthCheckRequest, exchange: Exchange) -> Message:  # noqa: ARG002, N802 - the standard's name and shape
        """The status of one service now."""
        status = self._health.status(request.service)
        if status is None:
            raise NotFound(f'no service is called "{request.service[:128]}" here; leave it empty for the whole server')
        return self._response(status=status)

    async def List(self, request: Message, exchange: Exchange) -> Message:  # noqa: ARG002, N802 - the standard's name and shape
        """The status of every service now."""
        return self._list(statuses={name: self._response(status=status) for name, status in self._health.statuses().items()})

    async def Watch(self, request: health_pb2.HealthCheckRequest, exchange: Exchange) -> None:  # noqa: N802 - the standard's name
        """The status of one service now and at every change; an unknown one is SERVICE_UNKNOWN, as the standard wants."""
        last: int | None = None
        while True:
            status = self._health.status(request.service)
            current = _SERVICE_UNKNOWN if status is None else status
            if current != last:  # sent before the end is looked at: the last news is NOT_SERVING
                last = current
                await exchange.send(self._response(status=current))
            elif self._health.closed:
                raise Draining("this server is going away; watch another")
            else:
                await self._health.change()
