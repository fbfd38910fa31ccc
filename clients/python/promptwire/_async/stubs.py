"""The raw stubs of every service."""

import grpc
from google.protobuf.wrappers_pb2 import Int32Value, StringValue

from promptwire.admin.v1.budget_service_pb2_grpc import BudgetServiceStub
from promptwire.admin.v1.cache_service_pb2_grpc import CacheServiceStub
from promptwire.admin.v1.provider_service_pb2_grpc import ProviderServiceStub
from promptwire.admin.v1.usage_service_pb2_grpc import UsageServiceStub
from promptwire.v1.batch_service_pb2_grpc import BatchServiceStub
from promptwire.v1.chain_service_pb2_grpc import ChainServiceStub
from promptwire.v1.chat_service_pb2_grpc import ChatServiceStub
from promptwire.v1.conversation_service_pb2_grpc import ConversationServiceStub
from promptwire.v1.embedding_service_pb2_grpc import EmbeddingServiceStub
from promptwire.v1.model_service_pb2_grpc import ModelServiceStub
from promptwire.v1.run_service_pb2_grpc import RunServiceStub
from promptwire.v1.system_service_pb2_grpc import SystemServiceStub


class Stubs:
    """One stub a service on one channel. Calls by them raise grpc.RpcError, and need `metadata=client.metadata` and a timeout."""

    def __init__(self, channel: grpc.aio.Channel) -> None:
        self.channel = channel
        self.batches = BatchServiceStub(channel)
        self.budgets = BudgetServiceStub(channel)
        self.cache = CacheServiceStub(channel)
        self.chains = ChainServiceStub(channel)
        self.chat = ChatServiceStub(channel)
        self.conversations = ConversationServiceStub(channel)
        self.embeddings = EmbeddingServiceStub(channel)
        self.models = ModelServiceStub(channel)
        self.providers = ProviderServiceStub(channel)
        self.runs = RunServiceStub(channel)
        self.system = SystemServiceStub(channel)
        self.usage = UsageServiceStub(channel)


async def health_status(channel: grpc.aio.Channel, service: str, timeout_s: float) -> int:
    """The status of grpc.health.v1: 1 is SERVING. Raises grpc.RpcError."""
    # On the wire a HealthCheckRequest is a StringValue and its response an Int32Value: no further package for one field each.
    check = channel.unary_unary(
        "/grpc.health.v1.Health/Check",
        request_serializer=StringValue.SerializeToString,
        response_deserializer=Int32Value.FromString,
    )
    response: Int32Value = await check(StringValue(value=service), timeout=timeout_s)
    return response.value
