"""Our requests to chat completions beside those of the official SDK for the same intent, as the vendor received them."""

import pytest
from openai import AsyncOpenAI

from tests.faults.chat_intents import CONTENTS, SETTINGS
from tests.faults.chat_tool_intents import TOOL_USE
from tests.faults.fake_provider.ledger import secret
from tests.faults.fake_provider.process import FakeProvider
from tests.faults.intents import MODEL, Intent, bodies, our_provider
from tests.unit.providers.support import ask, make_call

INTENTS = [*CONTENTS, *SETTINGS, *TOOL_USE]


@pytest.mark.parametrize("intent", INTENTS, ids=lambda intent: intent.name)
async def test_the_vendor_receives_what_the_sdk_would_send(fake: FakeProvider, api_key: str, intent: Intent) -> None:
    ours, theirs = await bodies(fake, api_key, intent)
    assert ours == theirs


def test_the_table_is_long_enough() -> None:
    names = {intent.name for intent in INTENTS}
    assert len(names) == len(INTENTS) >= 40


async def test_our_requests_carry_what_the_sdks_carry(fake: FakeProvider, api_key: str) -> None:
    async with our_provider(fake, f"{api_key}-ours") as provider:
        await ask(provider, make_call(model=MODEL))
    async with AsyncOpenAI(base_url=fake.base_url, api_key=f"{api_key}-sdk", max_retries=0) as sdk:
        await sdk.chat.completions.create(model=MODEL, messages=[{"role": "user", "content": "hi there"}])
    (ours,) = await fake.aledger(key_sha256=secret(f"{api_key}-ours"), ended=1)
    (theirs,) = await fake.aledger(key_sha256=secret(f"{api_key}-sdk"), ended=1)
    assert (ours["method"], ours["path"]) == (theirs["method"], theirs["path"])
    assert ours["headers"]["content-type"] == theirs["headers"]["content-type"]
    assert ours["body_bytes"] == theirs["body_bytes"]
