"""Hugging Face's official SDK together with the ledger of what it caused."""

from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from types import SimpleNamespace
from typing import Any

import pytest
from huggingface_hub import AsyncInferenceClient
from huggingface_hub.inference._generated import _async_client
from huggingface_hub.inference._providers import CONVERSATIONAL_AUTO_ROUTER
from huggingface_hub.inference._providers.hf_inference import HFInferenceFeatureExtractionTask

from tests.faults.fake_provider.ledger import secret
from tests.faults.fake_provider.process import FakeProvider

PROMPT = "Which words do you know?"
ASKED = [{"role": "user", "content": PROMPT}]
SERVERS = ("router", "tgi")


class Heard:
    """What the SDK parsed, a whole answer and a stream brought to one form."""

    def __init__(self) -> None:
        self.messages: list[Any] = []  # messages and deltas alike
        self.finish: str | None = None
        self.usage: Any = None
        self.model = ""
        self.logprobs: list[Any] = []

    def take(self, answer: Any) -> None:
        """Add a whole answer, or a chunk of one."""
        self.model = answer.model
        self.usage = answer.usage or self.usage
        for choice in answer.choices:
            self.messages.append(getattr(choice, "message", None) or choice.delta)
            self.finish = choice.finish_reason or self.finish
            if choice.logprobs:
                self.logprobs += choice.logprobs.content or ()

    @property
    def text(self) -> str:
        return "".join(message.content or "" for message in self.messages)

    @property
    def reasoning(self) -> str:
        # `reasoning_content` is a name that the SDK passes on without knowing it.
        return "".join(getattr(message, "reasoning_content", None) or message.reasoning or "" for message in self.messages)

    @property
    def calls(self) -> list[tuple[str, str]]:
        """Names and arguments; a fragment with a name begins a call."""
        found: list[tuple[str, str]] = []
        for message in self.messages:
            for call in message.tool_calls or ():
                function = call["function"] if isinstance(call, dict) else call.function
                name, arguments = _of(function, "name"), _of(function, "arguments") or ""
                if name:
                    found.append((name, arguments))
                else:
                    found[-1] = (found[-1][0], found[-1][1] + arguments)
        return found


def _of(function: Any, name: str) -> Any:
    return function.get(name) if isinstance(function, dict) else getattr(function, name)


class Driver:
    """The SDK together with the ledger of what it caused."""

    def __init__(self, fake: FakeProvider, client: AsyncInferenceClient, key: str) -> None:
        self._fake = fake
        self.key = key
        self.client = client

    async def ask(self, model: str, *, stream: bool, messages: Any = ASKED, **settings: Any) -> Heard:
        heard = Heard()
        if not stream:
            heard.take(await self.client.chat_completion(messages, model=model, **settings))
            return heard
        usage = {"stream_options": {"include_usage": True}}
        async for chunk in await self.client.chat_completion(messages, model=model, stream=True, **{**usage, **settings}):
            heard.take(chunk)
        return heard

    async def entries(self, n: int = 1) -> list[dict[str, Any]]:
        return await self._fake.aledger(ended=n, key_sha256=secret(self.key))

    async def agreed(self, heard: Heard) -> dict[str, Any]:
        """Check what was heard against what was said, and return the ledger's entry."""
        (entry,) = await self.entries()
        (said,) = entry["said"]["choices"]
        counts = entry["said"]["usage"]
        assert entry["ended"] == "complete"
        assert (heard.text, heard.reasoning) == (said["text"], said["reasoning"])
        assert [name for name, _ in heard.calls] == [call["name"] for call in said["tool_calls"]]
        assert (heard.usage.prompt_tokens, heard.usage.completion_tokens) == (counts["prompt"], counts["completion"])
        return entry


@asynccontextmanager
async def driven(fake: FakeProvider, api_key: str, server: str, monkeypatch: pytest.MonkeyPatch) -> AsyncIterator[Driver]:
    """Yield the SDK before one of the servers, with a key of its own."""
    if server == "router":
        # The router's address is fixed in the SDK.
        monkeypatch.setattr(CONVERSATIONAL_AUTO_ROUTER, "base_url", f"{fake.origin}/router")
        key, client = f"hf_{api_key}", AsyncInferenceClient(api_key=f"hf_{api_key}")  # other keys it sends to the vendors themselves
    else:
        key, client = api_key, AsyncInferenceClient(base_url=f"{fake.origin}/{server}/v1", api_key=api_key)
    async with client:
        yield Driver(fake, client, key)


async def vectors(origin: str, api_key: str, model: str, texts: list[str], monkeypatch: pytest.MonkeyPatch, **settings: Any) -> Any:
    """The vectors that the SDK returns for a pipeline behind the router at that address."""
    # All that the SDK needs numpy for is to put a list that is complete into an array, which is not worth a dependency of 60 MB.
    monkeypatch.setattr(_async_client, "_import_numpy", lambda: SimpleNamespace(array=lambda value, **_: value))
    task: Any = HFInferenceFeatureExtractionTask
    address = task()._prepare_url(api_key, model)  # the address is fixed in the SDK
    address = address.replace("https://router.huggingface.co", f"{origin}/router")
    async with AsyncInferenceClient(api_key=api_key) as client:
        return await client.feature_extraction(texts, model=address, **settings)
