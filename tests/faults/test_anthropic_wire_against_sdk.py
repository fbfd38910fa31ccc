"""Our bodies of messages beside those of Anthropic's own SDK for the same intent, as the vendor received them."""

from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from typing import Any

import pytest
from anthropic import AsyncAnthropic, AsyncStream

from promptwire import v1 as pb
from promptwire_server.core.clock import SystemClock
from promptwire_server.core.secret import Secret
from promptwire_server.providers.provider import Provider
from promptwire_server.providers.registry import build
from promptwire_server.providers.settings import HttpSettings
from tests.faults.anthropic_asks import connected
from tests.faults.anthropic_intents import INTENTS, WEATHER
from tests.faults.anthropic_words import (
    HI,
    LEAST,
    LOOK_UP,
    MODEL,
    OTHER,
    TOOLS,
    Generation,
    Intent,
    Weather,
)
from tests.faults.fake_provider.ledger import secret
from tests.faults.fake_provider.process import FakeProvider
from tests.unit.providers.support import ask, make_call, make_ids


@asynccontextmanager
async def our_provider(fake: FakeProvider, api_key: str, **options: str) -> AsyncIterator[Provider]:
    settings = HttpSettings(dialect="anthropic", base_url=fake.origin, api_key=Secret(api_key), options=options)
    provider = build("anthropic", settings, clock=SystemClock(), ids=make_ids())
    try:
        yield provider
    finally:
        await provider.aclose()


async def exhausted(answer: object) -> None:
    if isinstance(answer, AsyncStream):
        async for _ in answer:
            pass


async def theirs(sdk: AsyncAnthropic, intent: Intent) -> None:
    await exhausted(await sdk.messages.create(**{"model": intent.model, "max_tokens": LEAST, **intent.sdk}))


async def entry_of(fake: FakeProvider, api_key: str) -> dict[str, Any]:
    (entry,) = await fake.aledger(key_sha256=secret(api_key), ended=1)
    return entry


def test_there_are_enough_of_them() -> None:
    assert len({intent.name for intent in INTENTS}) == len(INTENTS) >= 40


@pytest.mark.parametrize("intent", INTENTS, ids=lambda intent: intent.name)
async def test_the_vendor_receives_what_the_sdk_would_send(fake: FakeProvider, api_key: str, intent: Intent) -> None:
    async with our_provider(fake, f"{api_key}-ours") as provider:
        await ask(provider, make_call(intent.ours, model=intent.model, stream=intent.stream))
    async with connected(fake, f"{api_key}-sdk") as sdk:
        await theirs(sdk, intent)
    mine, body = await entry_of(fake, f"{api_key}-ours"), await entry_of(fake, f"{api_key}-sdk")
    for name in intent.differences:
        assert mine["body"].pop(name, None) != body["body"].pop(name, None)
    assert mine["body"] == body["body"]


async def test_a_shape_is_the_one_that_the_sdk_makes_of_a_class(fake: FakeProvider, api_key: str) -> None:
    shape = pb.ResponseFormat(json_schema=pb.JsonSchemaFormat(schema_json=WEATHER))
    async with our_provider(fake, f"{api_key}-ours") as provider:
        await ask(provider, make_call(pb.ChatRequest(prompt="hi", generation=Generation(response_format=shape)), model=MODEL))
    async with connected(fake, f"{api_key}-sdk") as sdk:
        await sdk.messages.parse(model=MODEL, max_tokens=LEAST, messages=[{"role": "user", "content": "hi"}], output_format=Weather)
    mine, body = await entry_of(fake, f"{api_key}-ours"), await entry_of(fake, f"{api_key}-sdk")
    assert mine["body"] == body["body"]


async def test_our_requests_carry_what_the_sdks_carry(fake: FakeProvider, api_key: str) -> None:
    async with our_provider(fake, f"{api_key}-ours") as provider:
        await ask(provider, make_call("hi", model=MODEL))
    async with connected(fake, f"{api_key}-sdk") as sdk:
        await sdk.messages.create(model=MODEL, max_tokens=LEAST, messages=[{"role": "user", "content": "hi"}])
    mine, sdks = await entry_of(fake, f"{api_key}-ours"), await entry_of(fake, f"{api_key}-sdk")
    assert (mine["method"], mine["path"]) == (sdks["method"], sdks["path"])
    assert mine["headers"]["content-type"] == sdks["headers"]["content-type"]
    assert mine["headers"]["anthropic-version"] == "2023-06-01"


async def test_beta_features_go_where_the_sdk_puts_them(fake: FakeProvider, api_key: str) -> None:
    generation = Generation(provider_options_json={"anthropic": '{"anthropic_beta":["files-api-2025-04-14","context-1m-2025-08-07"]}'})
    async with our_provider(fake, f"{api_key}-ours", anthropic_beta="context-1m-2025-08-07") as provider:
        await ask(provider, make_call(pb.ChatRequest(prompt="hi", generation=generation), model=MODEL))
    betas = ["context-1m-2025-08-07", "files-api-2025-04-14"]
    async with connected(fake, f"{api_key}-sdk") as sdk:
        await sdk.beta.messages.create(model=MODEL, max_tokens=LEAST, messages=[{"role": "user", "content": "hi"}], betas=betas)
    mine, sdks = await entry_of(fake, f"{api_key}-ours"), await entry_of(fake, f"{api_key}-sdk")
    assert mine["headers"]["anthropic-beta"] == sdks["headers"]["anthropic-beta"]
    assert mine["body"] == sdks["body"]


async def test_a_count_asks_what_the_sdk_asks(fake: FakeProvider, api_key: str) -> None:
    generation = Generation(tools=TOOLS, max_output_tokens=9, temperature=0.5)
    async with our_provider(fake, f"{api_key}-ours") as provider:
        ours = await provider.count_tokens(make_call(pb.ChatRequest(prompt="hi", generation=generation), model=MODEL))
    async with connected(fake, f"{api_key}-sdk") as sdk:
        wanted: dict[str, Any] = {"model": MODEL, "messages": [HI], "tools": [LOOK_UP, OTHER]}
        counted = await sdk.messages.count_tokens(**wanted)
    mine, sdks = await entry_of(fake, f"{api_key}-ours"), await entry_of(fake, f"{api_key}-sdk")
    assert (mine["path"], mine["body"]) == (sdks["path"], sdks["body"])
    assert (ours.input_tokens, ours.estimated, ours.method) == (counted.input_tokens, False, "provider")


async def test_models_are_those_that_the_sdk_lists(fake: FakeProvider, api_key: str) -> None:
    async with our_provider(fake, api_key) as provider:
        ours = {model.provider_model: model for model in await provider.models()}
    async with connected(fake, f"{api_key}-sdk") as sdk:
        theirs = {model.id: model async for model in sdk.models.list(limit=2)}
    assert ours.keys() == theirs.keys()
    for name, model in theirs.items():
        assert (ours[name].context_window_tokens, ours[name].max_output_tokens) == (model.max_input_tokens, model.max_tokens)
        assert model.capabilities is not None
        assert (pb.CAPABILITY_REASONING in ours[name].capabilities) == model.capabilities.thinking.supported
        assert (pb.CAPABILITY_DOCUMENT_INPUT in ours[name].capabilities) == model.capabilities.pdf_input.supported
