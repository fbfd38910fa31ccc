"""Added time to the first token: through the gateway less straight from the upstream, alternating in one run."""

import http.client
import json
import statistics
import time
from dataclasses import dataclass

import grpc

from promptwire import v1 as pb
from promptwire.v1 import chat_service_pb2_grpc


def direct_ms(connection: http.client.HTTPConnection, model: str) -> float:
    """From sending the request to the first delta, without a gateway."""
    body = json.dumps({"model": model, "stream": True, "messages": [{"role": "user", "content": "hi"}]})
    began_s = time.perf_counter()
    connection.request("POST", "/v1/chat/completions", body, {"content-type": "application/json", "authorization": "Bearer sk-x"})
    response = connection.getresponse()
    while b'"content":"' not in response.readline().replace(b" ", b"").replace(b'"content":""', b""):
        pass
    elapsed_s = time.perf_counter() - began_s
    response.read()
    return elapsed_s * 1000


def through_ms(stub: chat_service_pb2_grpc.ChatServiceStub, request: pb.StreamChatRequest) -> float:
    """From sending the request to the first delta, over gRPC."""
    began_s = time.perf_counter()
    elapsed_s = 0.0
    for event in stub.StreamChat(request):
        if event.HasField("part_delta") and not elapsed_s:
            elapsed_s = time.perf_counter() - began_s
    return elapsed_s * 1000


@dataclass(frozen=True, slots=True)
class FirstToken:
    """Medians in milliseconds."""

    through: float  # through the gateway
    direct: float  # straight from the upstream over HTTP
    bare: float  # a bare gRPC server's first message: what gRPC and this client take by themselves


def measure(ours: str, bare: str, upstream_port: int, model: str, rounds: int) -> FirstToken:
    """All three, alternating."""
    relay = pb.StreamChatRequest(chat=pb.ChatRequest(prompt="hi", model=f"fast/{model}"))
    plain = pb.StreamChatRequest(chat=pb.ChatRequest(prompt="hi", generation=pb.GenerationSettings(max_output_tokens=3)))
    connection = http.client.HTTPConnection("127.0.0.1", upstream_port, timeout=10)
    with grpc.insecure_channel(ours) as channel, grpc.insecure_channel(bare) as yardstick:
        stubs = [chat_service_pb2_grpc.ChatServiceStub(channel), chat_service_pb2_grpc.ChatServiceStub(yardstick)]
        rows = [(through_ms(stubs[0], relay), direct_ms(connection, model), through_ms(stubs[1], plain)) for _ in range(rounds)]
    connection.close()
    return FirstToken(*(statistics.median(side) for side in zip(*rows[rounds // 10 :], strict=True)))
