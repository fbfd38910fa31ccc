"""Every vendor of OpenAI's shape, as its row has it, answers: whole, and as a stream. Connections are used again."""

import pytest

from promptwire_server.core.clock import SystemClock
from promptwire_server.core.secret import Secret
from promptwire_server.providers.registry import build
from promptwire_server.providers.settings import HttpSettings
from promptwire_server.providers.vendors import VENDORS
from tests.faults.fake_provider.ledger import secret
from tests.faults.fake_provider.process import FakeProvider
from tests.unit.providers.support import ask, make_call, make_ids
from tests.unit.providers.test_vendors import REQUEST

NAMES = [vendor.name for vendor in VENDORS if vendor.dialect == "openai" and vendor.facts.chat]


@pytest.mark.parametrize("name", NAMES)
async def test_a_vendor_answers_whole_and_streamed(fake: FakeProvider, api_key: str, name: str) -> None:
    settings = HttpSettings("openai", vendor=name, base_url=fake.base_url, api_key=Secret(api_key))
    provider = build(name, settings, clock=SystemClock(), ids=make_ids())
    try:
        answers = [await ask(provider, make_call(REQUEST, model="fake~tokens=5", stream=stream)) for stream in (False, True)]
    finally:
        await provider.aclose()
    assert answers[0].text == answers[1].text != ""
    assert all(answer.provider == name and answer.usage.output_tokens for answer in answers)
    entries = await fake.aledger(key_sha256=secret(api_key), ended=2)
    assert len({entry["connection"] for entry in entries}) == 1
