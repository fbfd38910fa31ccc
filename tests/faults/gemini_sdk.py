"""Google's official SDK together with the ledger of what it caused."""

from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from typing import Any

import httpx
from google import genai
from google.genai import types

from tests.faults.fake_provider.ledger import secret
from tests.faults.fake_provider.process import FakeProvider

PROMPT = "Which words do you know?"


class Heard:
    """What the SDK parsed, a whole answer and a stream brought to one form."""

    def __init__(self) -> None:
        self.answers: list[types.GenerateContentResponse] = []

    @property
    def last(self) -> types.GenerateContentResponse:
        return self.answers[-1]

    def parts(self, index: int = 0) -> list[types.Part]:
        mine = [one for answer in self.answers for one in answer.candidates or () if one.index == index]
        return [part for one in mine if one.content for part in one.content.parts or ()]

    def content(self) -> types.Content:
        return types.Content(role="model", parts=self.parts())

    def text(self, index: int = 0, *, thoughts: bool = False) -> str:
        return "".join(part.text or "" for part in self.parts(index) if bool(part.thought) is thoughts)

    def calls(self) -> list[types.FunctionCall]:
        return [part.function_call for part in self.parts() if part.function_call]

    def finish(self, index: int = 0) -> str | None:
        found = [one.finish_reason for answer in self.answers for one in answer.candidates or () if one.index == index]
        return found[-1].value if found[-1] else None

    def ends(self) -> types.Candidate:
        assert self.last.candidates
        return self.last.candidates[0]

    def usage(self) -> types.GenerateContentResponseUsageMetadata:
        assert self.last.usage_metadata
        return self.last.usage_metadata


class Driver:
    """The SDK together with the ledger of what it caused."""

    def __init__(self, fake: FakeProvider, client: Any, key: str) -> None:
        self._fake = fake
        self.key = key
        self.client = client

    async def ask(self, model: str, *, stream: bool, contents: Any = PROMPT, **config: Any) -> Heard:
        heard = Heard()
        wanted = {"model": model, "contents": contents, "config": types.GenerateContentConfig(**config)}
        if not stream:
            heard.answers.append(await self.client.models.generate_content(**wanted))
            return heard
        async for chunk in await self.client.models.generate_content_stream(**wanted):
            heard.answers.append(chunk)
        return heard

    async def entries(self, n: int = 1) -> list[dict[str, Any]]:
        return await self._fake.aledger(ended=n, key_sha256=secret(self.key))

    async def agreed(self, heard: Heard) -> dict[str, Any]:
        """Check what was heard against what was said, and return the ledger's entry."""
        (entry,) = await self.entries()
        said = entry["said"]
        usage = heard.usage()
        assert entry["ended"] == "complete"
        assert [heard.text(at) for at in range(len(said["choices"]))] == [choice["text"] for choice in said["choices"]]
        assert [heard.finish(at) for at in range(len(said["choices"]))] == [choice["finish_reason"] for choice in said["choices"]]
        assert usage.prompt_token_count == said["usage"]["prompt"]
        answered = (usage.candidates_token_count or 0) + (usage.thoughts_token_count or 0)
        assert answered == said["usage"]["completion"]
        assert usage.total_token_count == said["usage"]["prompt"] + answered
        return entry


@asynccontextmanager
async def driven(fake: FakeProvider, api_key: str) -> AsyncIterator[Driver]:
    """Yield the SDK with a key of its own."""
    # Without TLS to verify: loading the certificates of the system takes 0.1 to 0.4 s a client. With a client of httpx
    # given, the SDK does not warn about its own way of using aiohttp.
    async with httpx.AsyncClient(verify=False) as plain:  # noqa: S501  # there is no TLS
        options = types.HttpOptions(base_url=fake.origin, api_version="v1beta", client_args={"verify": False}, httpx_async_client=plain)
        with genai.Client(api_key=api_key, http_options=options) as client:
            yield Driver(fake, client.aio, api_key)
