"""Front: the services of the contract, who serves them, and what the server says of itself."""

from collections.abc import Mapping
from importlib import metadata

from google.protobuf.descriptor import ServiceDescriptor

from promptwire import v1 as pb
from promptwire.admin.v1 import budget_service_pb2, cache_service_pb2, provider_service_pb2, usage_service_pb2
from promptwire.v1 import (
    batch_service_pb2,
    chain_service_pb2,
    chat_service_pb2,
    conversation_service_pb2,
    embedding_service_pb2,
    model_service_pb2,
    run_service_pb2,
    system_service_pb2,
)
from promptwire_server.chains.plan import MOST_STEPS_OF_RUN
from promptwire_server.config.settings import Settings
from promptwire_server.core.clock import Clock

VERSION = metadata.version("promptwire-server")

_CONTRACT = (
    chat_service_pb2,
    chain_service_pb2,
    model_service_pb2,
    system_service_pb2,
    embedding_service_pb2,
    run_service_pb2,
    batch_service_pb2,
    conversation_service_pb2,
    provider_service_pb2,
    cache_service_pb2,
    budget_service_pb2,
    usage_service_pb2,
)
RPCS = frozenset(
    [method.full_name for file in _CONTRACT for service in file.DESCRIPTOR.services_by_name.values() for method in service.methods]
    + [f"grpc.health.v1.Health.{method}" for method in ("Check", "List")]
)
SERVICES = [service.full_name for file in _CONTRACT for service in file.DESCRIPTOR.services_by_name.values()]


def served_by(servicers: Mapping[str, object]) -> list[tuple[ServiceDescriptor, object]]:
    """Every service of the contract; a method that a servicer lacks answers DISABLED."""
    return [(service, servicers.get(service.name)) for file in _CONTRACT for service in file.DESCRIPTOR.services_by_name.values()]


def server_info(settings: Settings, instance_id: str, clock: Clock, *, keys: bool) -> pb.GetServerInfoResponse:
    """What the server says of itself; `keys`: calls need a credential."""
    server = settings.server
    info = pb.GetServerInfoResponse(version=VERSION, contract_version="v1", default_model=settings.default_model, instance_id=instance_id)
    offered = pb.ServerCapabilities(chat=True, count_tokens=True, embeddings=True, chains=True, models=True, cache=True, budgets=True)
    offered.idempotency = True
    offered.authentication = keys
    info.capabilities.CopyFrom(offered)
    info.limits.max_request_bytes = server.max_request_bytes
    info.limits.max_response_bytes = server.max_response_bytes
    info.limits.max_call_duration.FromNanoseconds(int(server.max_call_duration_s * 1e9))
    info.limits.max_chain_steps = MOST_STEPS_OF_RUN
    info.start_time.FromNanoseconds(int(clock.time() * 1e9))
    return info
