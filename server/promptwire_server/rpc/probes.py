"""Health on a plaintext port of its own, without auth: what a kubelet can probe. A supervisor of workers offers nothing else."""

import math
from collections.abc import Callable
from dataclasses import replace

import grpc

from promptwire_server.rpc.health import Health, HealthService
from promptwire_server.rpc.transport import Edge, Transport

_MAX_PROBE_BYTES = 4096


class Probes:
    """The port of the probes."""

    def __init__(self, address: str, health: Health, edge: Edge) -> None:
        self._address = address
        self._grpc = grpc.aio.server(options=[("grpc.so_reuseport", 0), ("grpc.max_receive_message_length", _MAX_PROBE_BYTES)])
        service = HealthService(health)
        self._grpc.add_generic_rpc_handlers([Transport(replace(edge, max_call_s=math.inf)).handlers(service.descriptor, service)])

    async def start(self) -> int:
        """Bind and answer; the port. Raises RuntimeError naming the address when it is taken."""
        port = add_port(self._address, "server.health_listen", self._grpc.add_insecure_port)
        await self._grpc.start()
        return port

    async def stop(self) -> None:
        """Stop at once."""
        await self._grpc.stop(0)


def add_port(address: str, key: str, add: Callable[[str], int]) -> int:
    """Bind an address by `add`; the port, 0 for a unix socket. Raises RuntimeError that names the address and its configuration key."""
    try:
        port = add(address)
    except RuntimeError:
        port = 0
    if not port and not address.startswith("unix:"):
        raise RuntimeError(f"{key}: cannot listen on {address}; is another program (or another promptwire) using it?")
    return port
