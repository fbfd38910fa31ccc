"""The gRPC server: options, ports, start, drain, stop."""

import asyncio
import math
from collections.abc import Callable, Sequence
from dataclasses import dataclass, field, replace

import grpc
from google.protobuf.descriptor import ServiceDescriptor
from grpc_channelz.v1 import channelz

from promptwire_server.core.errors import DeadlineExceeded, Draining, Overloaded
from promptwire_server.rpc import reflection
from promptwire_server.rpc.health import Health, HealthService
from promptwire_server.rpc.probes import Probes, add_port
from promptwire_server.rpc.tls import Certificates, TlsSettings
from promptwire_server.rpc.transport import Edge, GrpcExchange, Transport

_EVICTION_MARGIN_S = 0.5  # what is still running when the grace ends gets a status of ours, not the core's CANCELLED
_WATCHDOG_S = 1.0
_PENDING_CALLS = 10_000


@dataclass(frozen=True, slots=True)
class KeepaliveSettings:
    """How connections are kept alive, and when they are let go."""

    ping_interval_s: float = 30.0
    ping_timeout_s: float = 4.0  # bounds the detection of a dead peer; without it that took 62 s
    min_client_ping_interval_s: float = 10.0  # clients that wait for a long answer may ping this often
    max_connection_age_s: float = 1800.0  # spreads clients over replicas; 0 for never
    max_connection_age_grace_s: float = 660.0  # longer than the longest call, so that none is cut


@dataclass(frozen=True, slots=True)
class DrainSettings:
    """How the server goes away."""

    pre_drain_s: float = 5.0  # NOT_SERVING but still answering: load balancers look away
    grace_s: float = 30.0  # calls under way may end


@dataclass(frozen=True, slots=True)
class ServerSettings:
    """Where and how the server listens."""

    listen: str = "127.0.0.1:50051"
    health_listen: str | None = "127.0.0.1:50052"  # plaintext, for probes
    tls: TlsSettings | None = None
    reflection: bool = True
    channelz: bool = False
    max_request_bytes: int = 16 * 2**20
    max_response_bytes: int = 64 * 2**20
    # Unset, a flood of resets on one connection slows everybody down. The core counts streams that have ended until they are cleared away,
    # and refuses those that a client rightly opens in their place: at 100, two thirds of 300 calls at once on one connection.
    max_connection_streams: int = 1000
    reuse_port: bool = False  # several workers on one port
    write_stall_timeout_s: float = 60.0
    keepalive: KeepaliveSettings = field(default_factory=KeepaliveSettings)
    drain: DrainSettings = field(default_factory=DrainSettings)


def options(settings: ServerSettings) -> list[tuple[str, int]]:
    """The channel options; each has broken a shipped gateway (see the page of platform facts)."""
    keepalive = settings.keepalive
    chosen = [
        ("grpc.max_receive_message_length", settings.max_request_bytes),
        ("grpc.max_send_message_length", settings.max_response_bytes),
        ("grpc.max_concurrent_streams", settings.max_connection_streams),
        # Beyond 1,000 waiting calls the core cancels new ones without a word; admission says why, and when to come back.
        ("grpc.server.max_pending_requests", _PENDING_CALLS),
        ("grpc.server.max_pending_requests_hard_limit", _PENDING_CALLS),
        ("grpc.so_reuseport", int(settings.reuse_port)),
        ("grpc.keepalive_time_ms", round(keepalive.ping_interval_s * 1000)),
        ("grpc.keepalive_timeout_ms", round(keepalive.ping_timeout_s * 1000)),
        ("grpc.http2.ping_timeout_ms", round(keepalive.ping_timeout_s * 1000)),
        ("grpc.http2.min_recv_ping_interval_without_data_ms", round(keepalive.min_client_ping_interval_s * 1000)),
        ("grpc.keepalive_permit_without_calls", 1),
        ("grpc.enable_channelz", int(settings.channelz)),
    ]
    if keepalive.max_connection_age_s:
        chosen.append(("grpc.max_connection_age_ms", round(keepalive.max_connection_age_s * 1000)))
        chosen.append(("grpc.max_connection_age_grace_ms", round(keepalive.max_connection_age_grace_s * 1000)))
    return chosen


class Server:
    """Everything that listens for gRPC."""

    def __init__(self, settings: ServerSettings, edge: Edge, services: Sequence[tuple[ServiceDescriptor, object]]) -> None:
        self._settings = settings
        self._clock = edge.clock
        self._edge = replace(edge, max_response_bytes=settings.max_response_bytes)
        self.transport = Transport(self._edge)
        self._watches = Transport(replace(self._edge, max_call_s=math.inf))  # a health Watch lasts as long as its client
        self.health = Health([descriptor.full_name for descriptor, _ in services])
        self._health_service = HealthService(self.health)
        self._grpc = self._main(services)
        self._probes = Probes(settings.health_listen, self.health, edge) if settings.health_listen else None
        self._watchdog: asyncio.Task[None] | None = None
        self.port = 0
        self.health_port = 0

    async def start(self) -> None:
        """Bind and answer. Raises RuntimeError naming the address when a port is taken."""
        self.port = self._bind()
        if self._probes is not None:
            self.health_port = await self._probes.start()
        await self._grpc.start()
        self._watchdog = asyncio.get_running_loop().create_task(self._watch())  # owned here: `stop` ends it
        self.health.set_all(serving=True)

    async def drain(self, closing: Callable[[], None] = lambda: None) -> None:
        """Let load balancers look away, then call `closing`, let calls end, stop. What outlives the grace ends with DRAINING."""
        drain = self._settings.drain
        self.health.set_all(serving=False)
        await asyncio.sleep(drain.pre_drain_s)
        closing()
        await self.stop(drain.grace_s)

    async def stop(self, grace_s: float = 0.0) -> None:
        """Stop listening; calls under way have the grace to end."""
        self.health.close()
        eviction = asyncio.get_running_loop().call_later(max(0.0, grace_s - _EVICTION_MARGIN_S), self._evict)
        await self._grpc.stop(max(grace_s, _EVICTION_MARGIN_S) if self.transport.exchanges else grace_s)
        eviction.cancel()
        if self._watchdog is not None:
            self._watchdog.cancel()
        if self._probes is not None:
            await self._probes.stop()

    def _evict(self) -> None:
        self.transport.evict_all(Draining("this server went away before the call was done; try again, elsewhere", retry_after_s=0.0))

    def _main(self, services: Sequence[tuple[ServiceDescriptor, object]]) -> grpc.aio.Server:
        server = grpc.aio.server(options=options(self._settings))
        health = self._health_service
        server.add_generic_rpc_handlers([self.transport.handlers(descriptor, servicer) for descriptor, servicer in services])
        server.add_generic_rpc_handlers([self._watches.handlers(health.descriptor, health)])
        if self._settings.reflection:
            server.add_generic_rpc_handlers(reflection.handlers([*(descriptor for descriptor, _ in services), health.descriptor]))
        if self._settings.channelz:
            channelz.add_channelz_servicer(server)
        server.add_generic_rpc_handlers([self.transport.others()])  # last: it takes what is left
        return server

    def _bind(self) -> int:
        settings = self._settings
        if settings.tls is None:
            return add_port(settings.listen, "server.listen", self._grpc.add_insecure_port)
        credentials = Certificates(settings.tls, self._clock).credentials()
        return add_port(settings.listen, "server.listen", lambda address: self._grpc.add_secure_port(address, credentials))

    async def _watch(self) -> None:
        """Drop readers that take nothing, which would hold their upstream for ever, and calls beyond the server's own deadline.

        The client's deadline is held by the core, those of steps and upstreams where they wait; this one is for callers that set none.
        """
        while True:
            await asyncio.sleep(min(_WATCHDOG_S, self._edge.max_call_s / 10))
            now_s = self._clock.monotonic()
            for exchange in [*self.transport.exchanges, *self._watches.exchanges]:
                self._judge(exchange, now_s)

    def _judge(self, exchange: GrpcExchange, now_s: float) -> None:
        blocked_since_s = exchange.blocked_since_s
        if blocked_since_s is not None and now_s - blocked_since_s > self._settings.write_stall_timeout_s:
            exchange.evict(Overloaded(f"nothing was read for {self._settings.write_stall_timeout_s:g} s; the call was dropped"))
        elif now_s > exchange.deadline_s:
            exchange.evict(DeadlineExceeded.during("server", f"a call may take {self._edge.max_call_s:g} s here; split the work"))
