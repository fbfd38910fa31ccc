"""Our bodies for Hugging Face's router and for TGI beside those of its official SDK for the same intent, as the server received them."""

from typing import Any

import pytest

from tests.faults.fake_provider.ledger import secret
from tests.faults.fake_provider.process import FakeProvider
from tests.faults.huggingface_intents import INTENTS, Intent
from tests.faults.huggingface_sdk import SERVERS, driven
from tests.faults.upstreams import vendor_at
from tests.unit.providers.support import ask, make_call

MODEL = "fake"
VENDORS = {"router": "huggingface", "tgi": "tgi"}
ASKED = [(server, intent) for server in SERVERS for intent in INTENTS if server in intent.servers]


async def entry(fake: FakeProvider, api_key: str) -> dict[str, Any]:
    (found,) = await fake.aledger(key_sha256=secret(api_key), ended=1)
    assert found["status"] == 200, found["said"]
    return found


def without_nulls(value: Any) -> Any:
    if isinstance(value, dict):
        return {name: without_nulls(one) for name, one in value.items() if one is not None}
    return [without_nulls(one) for one in value] if isinstance(value, list) else value


@pytest.mark.parametrize(("server", "intent"), ASKED, ids=[f"{server}: {intent.name}" for server, intent in ASKED])
async def test_the_server_receives_what_the_sdk_would_send(
    fake: FakeProvider, api_key: str, server: str, intent: Intent, monkeypatch: pytest.MonkeyPatch
) -> None:
    async with vendor_at(VENDORS[server], f"{fake.origin}/{server}/v1", api_key) as provider:
        await ask(provider, make_call(intent.ours, model=MODEL, stream=intent.stream))
    async with driven(fake, f"{api_key}-sdk", server, monkeypatch) as sdk:
        answer: Any = await sdk.client.chat_completion(model=MODEL, **intent.sdk)
        if intent.stream:
            async for _ in answer:
                pass
        (sent,) = await sdk.entries()
    received = await entry(fake, api_key)
    ours, theirs = received["body"], sent["body"]
    for name in intent.differences:
        assert ours.pop(name) != theirs.pop(name)
    if not intent.stream:
        assert theirs.pop("stream") is False  # the default, which the SDK spells out
    if server == "router":
        ours = without_nulls(ours)  # as the SDK does; a message without contents has none
    assert ours == theirs
    assert received["path"] == sent["path"]


def test_the_table_is_long_enough() -> None:
    assert len({intent.name for intent in INTENTS}) == len(INTENTS)
    assert all(sum(server == asked for asked, _ in ASKED) >= 40 for server in SERVERS)
