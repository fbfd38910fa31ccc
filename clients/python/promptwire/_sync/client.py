# Generated from _async by .ci/unasync.py: change it there, then run `make gen`.
"""Promptwire: the client."""

import os
import threading
from collections.abc import Mapping, Sequence
from types import TracebackType
from typing import Self, Unpack

import grpc

from promptwire import _channel as channels
from promptwire import _requests as requests
from promptwire import v1 as pb
from promptwire._channel import Metadata, Tls
from promptwire._messages import enum
from promptwire._requests import Chain, ChatOptions, Prompt
from promptwire._status import translated
from promptwire._sync.admin import Admin
from promptwire._sync.streams import ChainStream, ChatStream, StreamCall
from promptwire._sync.stubs import Stubs, health_status

DEFAULT_TARGET = "127.0.0.1:50051"
DEFAULT_TIMEOUT_S = 300.0  # reasoning models think for minutes
_SERVING = 1  # of grpc.health.v1


class Promptwire:
    """A connection to Promptwire servers: made when first used, shared by all calls, closed by `with` or `close()`.

    Every call has a deadline (`timeout_s` in seconds), and a request_id that its retries share. Calls that fail with UNAVAILABLE are tried
    up to four times within the deadline, at the pace that the server asks for. All methods raise PromptwireError; a call blocks
    its thread, and one client serves many.
    """

    def __init__(
        self,
        target: str | None = None,
        *,
        api_key: str | None = None,
        tls: Tls | bool | None = None,
        timeout_s: float = DEFAULT_TIMEOUT_S,
        model: str = "",
    ) -> None:
        """Name a server; nothing is sent yet.

        target: `host:port` or any gRPC name, several addresses as `ipv4:10.0.0.1:50051,10.0.0.2:50051`. Default: PROMPTWIRE_TARGET in the
            environment, then 127.0.0.1:50051.
        api_key: the credential. Default: PROMPTWIRE_API_KEY in the environment, then none.
        tls: whether, and how. Default: everywhere but on this machine.
        timeout_s: deadline of calls that name none.
        model: asked by chat calls that name none. Default: the server's. Chains have defaults of their own.

        Raises ValueError for a target that is none, or a key that cannot be sent.
        """
        self.target = channels.checked_target(target or os.environ.get("PROMPTWIRE_TARGET") or DEFAULT_TARGET)
        self.timeout_s = timeout_s
        self.model = model
        key = api_key if api_key is not None else os.environ.get("PROMPTWIRE_API_KEY", "")
        self._metadata = channels.metadata(key)
        self._tls = channels.tls_for(self.target, tls)
        self._stubs: Stubs | None = None
        self._closed = False
        self._opening = threading.Lock()

    def __enter__(self) -> Self:
        return self

    def __exit__(self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None) -> None:
        self.close()

    def close(self) -> None:
        """Close the connection; calls under way are cancelled. Closing twice changes nothing."""
        with self._opening:
            stubs, self._stubs, self._closed = self._stubs, None, True
        if stubs is not None:
            stubs.channel.close()

    @property
    def stubs(self) -> Stubs:
        """The raw stubs of every service, for what has no method here; give their calls `metadata=client.metadata` and a timeout."""
        with self._opening:
            if self._closed:
                raise RuntimeError("this client is closed; make a new one")
            if self._stubs is None:
                self._stubs = Stubs(self._channel())
            return self._stubs

    @property
    def admin(self) -> Admin:
        """What operators do: `client.admin.list_providers()`. Needs an API key of no tenant, where the server has keys."""
        return Admin(self.stubs, self.target, self._metadata, self.timeout_s)

    @property
    def metadata(self) -> Metadata:
        """The metadata of every call: the credential."""
        return self._metadata

    def chat(self, prompt: Prompt, *, timeout_s: float | None = None, **options: Unpack[ChatOptions]) -> pb.ChatResponse:
        """Ask a model; `.text` of the answer is what it said.

        prompt: a text, messages (`{"role": "user", "content": "hi"}` or promptwire.v1.ChatMessage) or a whole promptwire.v1.ChatRequest.
        Raises PromptwireError, and TypeError for options that do not exist.
        """
        request = requests.chat(prompt, options, self.model)
        with translated(self.target, request.request_id):
            return self.stubs.chat.Chat(request, timeout=self._timeout(timeout_s), metadata=self._metadata)

    def stream_chat(
        self,
        prompt: Prompt,
        *,
        timeout_s: float | None = None,
        restart_policy: str | int = "never",
        heartbeat_interval_s: float | None = None,
        **options: Unpack[ChatOptions],
    ) -> ChatStream:
        """Ask a model and read its answer while it arrives: `for text in client.stream_chat("hi")`.

        restart_policy: what happens when the provider dies midway: "never" (StreamInterrupted), "restart_with_discard" (a piece with
            `restarts` voids what came before it) or "continue".
        heartbeat_interval_s: the server shows that it lives when nothing else was sent for so many seconds; for proxies that hang up.
        """
        chat = requests.chat(prompt, options, self.model)
        policy = enum(pb.StreamChatRequest.RestartPolicy, "RESTART_POLICY_", restart_policy)
        request = pb.StreamChatRequest(chat=chat, restart_policy=policy, heartbeat_interval=requests.duration(heartbeat_interval_s))

        def start() -> StreamCall[pb.StreamChatResponse]:
            return self.stubs.chat.StreamChat(request, timeout=self._timeout(timeout_s), metadata=self._metadata)

        return ChatStream(start, self.target, chat.request_id)

    def count_tokens(self, prompt: Prompt, *, timeout_s: float | None = None, **options: Unpack[ChatOptions]) -> pb.CountTokensResponse:
        """How many tokens a question has; asks no model to generate."""
        request = pb.CountTokensRequest(chat=requests.chat(prompt, options, self.model))
        with translated(self.target, request.chat.request_id):
            return self.stubs.chat.CountTokens(request, timeout=self._timeout(timeout_s), metadata=self._metadata)

    def embed(
        self,
        texts: Sequence[str],
        *,
        model: str | None = None,
        dimensions: int | None = None,
        task: "pb.EmbedRequest.Task" = pb.EmbedRequest.TASK_UNSPECIFIED,
        timeout_s: float | None = None,
    ) -> pb.EmbedResponse:
        """Vectors of texts, one each, in order: `embeddings[0].values`. `model` defaults to the client's; one of the two is needed."""
        request = pb.EmbedRequest(
            model=model or self.model, texts=texts, dimensions=dimensions, task=task, request_id=requests.new_request_id()
        )
        with translated(self.target, request.request_id):
            return self.stubs.embeddings.Embed(request, timeout=self._timeout(timeout_s), metadata=self._metadata)

    def run_chain(
        self, chain: Chain, /, *, timeout_s: float | None = None, inputs: Mapping[str, object] | None = None, **named: object
    ) -> pb.RunChainResponse:
        """Run a chain: `run_chain("chain.yaml", topic="tea")`; `.result.text` of the answer is what its last step said.

        chain: a file (`chain.yaml`), a list of prompts, a registered chain's name, or a message (ChainSpec, ChainRef, RunChainRequest).
        named: the chain's inputs; texts go as they are, other values as JSON. But model, request_id, priority, labels, limits and
            session_id are those of RunChainRequest: inputs of these names, and of this method's own, go into `inputs`.
        Raises PromptwireError (ChainFileError for a faulty file), OSError when the file cannot be read, TypeError for a useless value.
        """
        request = requests.run(chain, inputs or {}, named)
        with translated(self.target, request.request_id):
            return self.stubs.chains.RunChain(request, timeout=self._timeout(timeout_s), metadata=self._metadata)

    def stream_chain(
        self,
        chain: Chain,
        /,
        *,
        timeout_s: float | None = None,
        inputs: Mapping[str, object] | None = None,
        heartbeat_interval_s: float | None = None,
        omit_parts: bool = False,
        **named: object,
    ) -> ChainStream:
        """Run a chain and see what happens: `for event in client.stream_chain("chain.yaml", topic="tea")`.

        heartbeat_interval_s: the server shows that it lives when nothing else was sent for so many seconds; for proxies that hang up.
        omit_parts: only runs and steps are told, not what the models say meanwhile.
        Everything else as for run_chain().
        """
        run = requests.run(chain, inputs or {}, named)
        request = pb.StreamChainRequest(run=run, omit_parts=omit_parts, heartbeat_interval=requests.duration(heartbeat_interval_s))

        def start() -> StreamCall[pb.StreamChainResponse]:
            return self.stubs.chains.StreamChain(request, timeout=self._timeout(timeout_s), metadata=self._metadata)

        return ChainStream(start, self.target, run.request_id)

    def validate_chain(
        self, chain: Chain, /, *, timeout_s: float | None = None, inputs: Mapping[str, object] | None = None, **named: object
    ) -> pb.ValidateChainResponse:
        """Check a chain without running it. Its faults are in the answer; those of a file that is no chain are a ChainFileError."""
        request = pb.ValidateChainRequest(run=requests.run(chain, inputs or {}, named))
        with translated(self.target, request.run.request_id):
            return self.stubs.chains.ValidateChain(request, timeout=self._timeout(timeout_s), metadata=self._metadata)

    def list_models(self, *, provider: str = "", timeout_s: float | None = None) -> list[pb.Model]:
        """The models and aliases that the caller may use, all pages of them; `timeout_s` is for each page."""
        models: list[pb.Model] = []
        request = pb.ListModelsRequest(provider=provider)
        with translated(self.target):
            while True:
                page = self.stubs.models.ListModels(request, timeout=self._timeout(timeout_s), metadata=self._metadata)
                models.extend(page.models)
                request.page_token = page.next_page_token
                if not request.page_token:
                    return models

    def get_model(self, name: str, *, timeout_s: float | None = None) -> pb.Model:
        """One model, by alias or "provider/model". Raises NotFound."""
        with translated(self.target):
            request = pb.GetModelRequest(name=name)
            return (self.stubs.models.GetModel(request, timeout=self._timeout(timeout_s), metadata=self._metadata)).model

    def server_info(self, *, timeout_s: float | None = None) -> pb.GetServerInfoResponse:
        """Version, capabilities and limits of the server. Needs no credential."""
        with translated(self.target):
            request = pb.GetServerInfoRequest()
            return self.stubs.system.GetServerInfo(request, timeout=self._timeout(timeout_s), metadata=self._metadata)

    def health(self, service: str = "", *, timeout_s: float | None = None) -> bool:
        """Whether the server says that it serves. Raises Unavailable when nobody answers, NotFound for an unknown service."""
        # A connection of its own: the other one sends nothing to a server that is not healthy.
        with translated(self.target), self._channel(health_checks=False) as channel:
            return health_status(channel, service, self._timeout(timeout_s)) == _SERVING

    def _timeout(self, timeout_s: float | None) -> float:
        return self.timeout_s if timeout_s is None else timeout_s

    def _channel(self, *, health_checks: bool = True) -> grpc.Channel:
        options = channels.options(self.target, self._tls, health_checks=health_checks)
        if self._tls is None:
            return grpc.insecure_channel(self.target, options=options)
        return grpc.secure_channel(self.target, channels.credentials(self._tls), options=options)
