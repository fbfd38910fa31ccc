"""Added time to the first token: through the gateway less straight from the upstream, alternating in one run."""

import http.client
import json
import statistics
import time

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


def through_ms(stub: chat_service_pb2_grpc.ChatServiceStub, model: str) -> float:
    """From sending the request to the first delta, through the gateway."""
    request = pb.StreamChatRequest(chat=pb.ChatRequest(prompt="hi", model=f"fast/{model}"))
    began_s = time.perf_counter()
    elapsed_s = 0.0
    for event in stub.StreamChat(request):
        if event.HasField("part_delta") and not elapsed_s:
            elapsed_s = time.perf_counter() - began_s
    return elapsed_s * 1000


def added_p50_ms(target: str, upstream_port: int, model: str, rounds: int) -> tuple[float, float, float]:
    """(added, through, direct), medians in milliseconds."""
    connection = http.client.HTTPConnection("127.0.0.1", upstream_port, timeout=10)
    with grpc.insecure_channel(target) as channel:
        stub = chat_service_pb2_grpc.ChatServiceStub(channel)
        pairs = [(through_ms(stub, model), direct_ms(connection, model)) for _ in range(rounds)][rounds // 10 :]
    connection.close()
    through, direct = (statistics.median(side) for side in zip(*pairs, strict=True))
    return through - direct, through, direct
