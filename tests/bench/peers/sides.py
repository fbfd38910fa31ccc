"""What is measured: ours over gRPC and a peer over HTTP, behind the same five questions."""

import http.client
import json
import time
from collections.abc import Mapping
from dataclasses import dataclass, field
from typing import Protocol

import grpc

from promptwire import v1 as pb
from promptwire.v1 import chat_service_pb2_grpc
from tests.bench import first_token, load, servers

PATH = "/v1/chat/completions"
PROMPT = "Which tea goes with a rainy day?"
_SHAPES = {1: (1, 1), 16: (4, 4), 64: (8, 8)}  # calls at a time: (connections, streams each)
_TIMEOUT_S = 20.0


class RelayError(Exception):
    """An answer that is not what the upstream said."""


class Side(Protocol):
    """A gateway that runs."""

    @property
    def name(self) -> str: ...
    @property
    def pid(self) -> int: ...
    @property
    def calls(self) -> int:
        """Of one run, so that it lasts a second or two."""

    @property
    def streams(self) -> int:
        """Of one run as well."""

    def chat(self, model: str, at: int) -> load.Result: ...
    def stream(self, model: str, at: int) -> load.Result: ...
    def text(self, model: str) -> str: ...
    def streamed_text(self, model: str) -> str: ...
    def first_token_ms(self, model: str) -> float: ...


@dataclass(frozen=True, slots=True)
class Ours:
    """Promptwire: gRPC in, HTTP out."""

    running: servers.Running
    stub: chat_service_pb2_grpc.ChatServiceStub
    name: str
    calls: int = 1000
    streams: int = 200

    @property
    def pid(self) -> int:
        return self.running.pid

    def chat(self, model: str, at: int) -> load.Result:
        return self._run("Chat", _request(model), at, self.calls)

    def stream(self, model: str, at: int) -> load.Result:
        return self._run("StreamChat", pb.StreamChatRequest(chat=_request(model)), at, self.streams)

    def text(self, model: str) -> str:
        return self.stub.Chat(_request(model), timeout=_TIMEOUT_S).text

    def streamed_text(self, model: str) -> str:
        events = self.stub.StreamChat(pb.StreamChatRequest(chat=_request(model)), timeout=_TIMEOUT_S)
        return "".join(event.part_delta.text for event in events if event.HasField("part_delta"))

    def first_token_ms(self, model: str) -> float:
        return first_token.through_ms(self.stub, pb.StreamChatRequest(chat=pb.ChatRequest(prompt="hi", model=f"fast/{model}")))

    def _run(self, method: str, request: pb.ChatRequest | pb.StreamChatRequest, at: int, calls: int) -> load.Result:
        connections, streams = _SHAPES[at]
        return load.run(self.running.url(method), request, calls=calls, connections=connections, streams=streams, pid=self.pid)


@dataclass(frozen=True, slots=True)
class Peer:
    """A gateway that speaks OpenAI's dialect over HTTP/1.1, in and out."""

    name: str
    port: int
    pid: int
    calls: int
    streams: int
    headers: Mapping[str, str] = field(default_factory=dict)

    def chat(self, model: str, at: int) -> load.Result:
        return self._run(model, at, self.calls, stream=False)

    def stream(self, model: str, at: int) -> load.Result:
        return self._run(model, at, self.streams, stream=True)

    def text(self, model: str) -> str:
        with _answered(self, model, stream=False) as response:
            return str(json.load(response)["choices"][0]["message"]["content"])

    def streamed_text(self, model: str) -> str:
        with _answered(self, model, stream=True) as response:
            return "".join(_delta(line) for line in response)

    def first_token_ms(self, model: str) -> float:
        began_s = time.perf_counter()
        with _answered(self, model, stream=True) as response:
            for line in response:
                if _delta(line):
                    return (time.perf_counter() - began_s) * 1000
        raise RelayError(f"{self.name} streamed no token")

    def _run(self, model: str, at: int, calls: int, *, stream: bool) -> load.Result:
        url = f"http://127.0.0.1:{self.port}{PATH}"
        return load.run_h1(url, _body(model, stream=stream), _headers(self), calls=calls, connections=at, pid=self.pid)


def straight(port: int) -> Peer:
    """The upstream itself, to compare with; never under load."""
    return Peer("straight", port, 0, 0, 0)


def ours(name: str, running: servers.Running, channel: grpc.Channel) -> Ours:
    """Ours with a client of its own."""
    return Ours(running, chat_service_pb2_grpc.ChatServiceStub(channel), name)


def _request(model: str) -> pb.ChatRequest:
    return pb.ChatRequest(prompt=PROMPT, model=f"fast/{model}")


def _body(model: str, *, stream: bool) -> bytes:
    asked = {"model": model, "messages": [{"role": "user", "content": PROMPT}]} | ({"stream": True} if stream else {})
    return json.dumps(asked).encode()


def _headers(peer: Peer) -> dict[str, str]:
    return {"content-type": "application/json", "authorization": "Bearer sk-benchmark", **peer.headers}


def _answered(peer: Peer, model: str, *, stream: bool) -> http.client.HTTPResponse:
    """The answer on a connection of its own, that closes with it."""
    connection = http.client.HTTPConnection("127.0.0.1", peer.port, timeout=_TIMEOUT_S)
    connection.request("POST", PATH, _body(model, stream=stream), {**_headers(peer), "connection": "close"})
    response = connection.getresponse()
    if response.status != http.HTTPStatus.OK:
        raise RelayError(f"{peer.name} answered {response.status}: {response.read(200)!r}")
    return response


def _delta(line: bytes) -> str:
    if not line.startswith(b"data: {"):
        return ""
    choices = json.loads(line[6:])["choices"]
    return str((choices[0]["delta"].get("content") if choices else None) or "")
