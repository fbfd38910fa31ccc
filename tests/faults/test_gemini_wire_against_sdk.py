"""Our bodies of generateContent beside those of Google's own SDK for the same intent, as the vendor received them."""

import re
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from typing import Any

import pytest
from google.genai import types

from promptwire import v1 as pb
from promptwire_server.core.clock import SystemClock
from promptwire_server.core.secret import Secret
from promptwire_server.providers.provider import Provider
from promptwire_server.providers.registry import build
from promptwire_server.providers.settings import HttpSettings
from tests.faults.fake_provider.ledger import secret
from tests.faults.fake_provider.process import FakeProvider
from tests.faults.gemini_intents import INTENTS
from tests.faults.gemini_sdk import driven
from tests.faults.gemini_words import MODEL, Intent
from tests.unit.providers.support import ask, make_call, make_embed_call, make_ids

UNCHECKED = "signatures=unchecked"  # the signatures of these conversations are of nobody's making
CALLERS = frozenset({"args", "response", "parametersJsonSchema", "responseJsonSchema"})  # what is in there is the caller's own
BYTES = frozenset({"data", "thoughtSignature"})
CAPITAL = re.compile(r"_([a-z])")
Entry = dict[str, Any]


@asynccontextmanager
async def our_provider(fake: FakeProvider, api_key: str) -> AsyncIterator[Provider]:
    settings = HttpSettings(dialect="gemini", base_url=f"{fake.origin}/v1beta", api_key=Secret(api_key))
    provider = build("gemini", settings, clock=SystemClock(), ids=make_ids())
    try:
        yield provider
    finally:
        await provider.aclose()


async def entry_of(fake: FakeProvider, api_key: str) -> Entry:
    (entry,) = await fake.aledger(key_sha256=secret(api_key), ended=1)
    return entry


def spelled(value: Any, name: str = "") -> Any:
    """In one spelling. The API reads names with capitals and with underscores, bytes in both alphabets of base64: the SDK mixes them."""
    if isinstance(value, dict) and name not in CALLERS:
        return {(key := CAPITAL.sub(lambda found: found[1].upper(), name)): spelled(part, key) for name, part in value.items()}
    if isinstance(value, str) and name in BYTES:
        return value.replace("-", "+").replace("_", "/")
    return [spelled(part) for part in value] if isinstance(value, list) else value


async def body_of(fake: FakeProvider, api_key: str) -> dict[str, Any]:
    """What the vendor received. The SDK sends settings also when there are none."""
    body: dict[str, Any] = spelled((await entry_of(fake, api_key))["body"])
    return {name: part for name, part in body.items() if part != {}}


def test_there_are_enough_of_them() -> None:
    assert len({intent.name for intent in INTENTS}) == len(INTENTS) >= 40


@pytest.mark.parametrize("intent", INTENTS, ids=lambda intent: intent.name)
async def test_the_vendor_receives_what_the_sdk_would_send(fake: FakeProvider, api_key: str, intent: Intent) -> None:
    model = f"{intent.model}~{UNCHECKED}"
    async with our_provider(fake, f"{api_key}-ours") as provider:
        await ask(provider, make_call(intent.ours, model=model, stream=intent.stream))
    async with driven(fake, f"{api_key}-sdk") as sdk:
        await sdk.ask(model, stream=intent.stream, contents=intent.contents, **intent.config)
    ours, theirs = await body_of(fake, f"{api_key}-ours"), await body_of(fake, f"{api_key}-sdk")
    for name in intent.differences:
        assert ours.pop(name, None) != theirs.pop(name, None)
    assert ours == theirs


async def test_our_requests_carry_what_the_sdks_carry(fake: FakeProvider, api_key: str) -> None:
    async with our_provider(fake, f"{api_key}-ours") as provider:
        await ask(provider, make_call("hi", model=MODEL, stream=True))
    async with driven(fake, f"{api_key}-sdk") as sdk:
        await sdk.ask(MODEL, stream=True, contents="hi")
    mine, sdks = await entry_of(fake, f"{api_key}-ours"), await entry_of(fake, f"{api_key}-sdk")
    assert (mine["method"], mine["path"]) == (sdks["method"], sdks["path"])
    assert mine["headers"]["content-type"] == sdks["headers"]["content-type"]


async def test_a_count_is_what_the_sdk_counts(fake: FakeProvider, api_key: str) -> None:
    async with our_provider(fake, f"{api_key}-ours") as provider:
        ours = await provider.count_tokens(make_call("one two three", model=MODEL))
    async with driven(fake, f"{api_key}-sdk") as sdk:
        theirs = await sdk.client.models.count_tokens(model=MODEL, contents="one two three")
    mine, sdks = await entry_of(fake, f"{api_key}-ours"), await entry_of(fake, f"{api_key}-sdk")
    assert mine["path"] == sdks["path"]
    # The SDK cannot count instructions and tools, since it sends the contents alone.
    assert mine["body"] == {"generateContentRequest": {"model": f"models/{MODEL}", **sdks["body"]}}
    assert (ours.input_tokens, ours.estimated, ours.method) == (theirs.total_tokens, False, "provider")


async def test_models_are_those_that_the_sdk_lists(fake: FakeProvider, api_key: str) -> None:
    async with our_provider(fake, api_key) as provider:
        ours = {f"models/{model.provider_model}": model for model in await provider.models()}
    async with driven(fake, f"{api_key}-sdk") as sdk:
        theirs = {model.name: model async for model in await sdk.client.models.list(config={"page_size": 2})}
    assert ours.keys() == theirs.keys()
    for name, model in theirs.items():
        assert (ours[name].context_window_tokens, ours[name].max_output_tokens) == (model.input_token_limit, model.output_token_limit)
        assert (pb.CAPABILITY_CHAT in ours[name].capabilities) == ("generateContent" in model.supported_actions)
        assert (pb.CAPABILITY_REASONING in ours[name].capabilities) == bool(model.thinking)


async def test_vectors_are_asked_for_as_the_sdk_asks(fake: FakeProvider, api_key: str) -> None:
    model, texts = "gemini-embedding-001", ["a", "b"]
    request = pb.EmbedRequest(texts=texts, dimensions=4, task=pb.EmbedRequest.TASK_QUERY)
    async with our_provider(fake, f"{api_key}-ours") as provider:
        ours = await provider.embed(make_embed_call(request, model=model))
    async with driven(fake, f"{api_key}-sdk") as sdk:
        config = types.EmbedContentConfig(output_dimensionality=4, task_type="RETRIEVAL_QUERY")
        theirs = await sdk.client.models.embed_content(model=model, contents=texts, config=config)
    assert await body_of(fake, f"{api_key}-ours") == await body_of(fake, f"{api_key}-sdk")
    assert [list(embedding.values) for embedding in ours.embeddings] == [pytest.approx(one.values) for one in theirs.embeddings]
