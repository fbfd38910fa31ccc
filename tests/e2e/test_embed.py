"""Vectors through a real server: from echo, and from a provider over a real socket, in batches and as base64."""

import math

import pytest

from promptwire import Promptwire, errors
from tests.faults.fake_provider.openai_dialect import embedding
from tests.faults.fake_provider.process import FakeProvider


async def test_echo_gives_every_text_its_own_vector(client: Promptwire) -> None:
    response = await client.embed(["a cat", "a dog", "a cat"], model="echo/echo", dimensions=8)
    first, second, third = ([*vector.values] for vector in response.embeddings)
    assert first == third != second
    assert math.isclose(math.hypot(*first), 1.0, rel_tol=1e-6)
    assert (response.provider, response.usage.input_tokens) == ("echo", 6)


async def test_vectors_of_a_provider_are_what_it_sent(client: Promptwire, fake: FakeProvider, marker: str) -> None:
    texts = [f"text {number} of {marker}" for number in range(3)]
    response = await client.embed(texts, model=f"fake/{marker}", dimensions=16)
    (entry,) = await fake.aledger(model=marker, ended=1)
    assert entry["body"]["dimensions"] == 16
    for text, vector in zip(texts, response.embeddings, strict=True):
        assert [*vector.values] == pytest.approx(embedding(text, 16), abs=1e-6)
    assert response.usage.input_tokens > 0
    assert not response.usage.estimated


async def test_more_texts_than_the_vendor_takes_go_in_several_requests_and_come_back_in_order(
    client: Promptwire, fake: FakeProvider, marker: str
) -> None:
    texts = [f"{marker} {number}" for number in range(600)]
    response = await client.embed(texts, model=f"fake/{marker}", dimensions=2)
    entries = await fake.aledger(model=marker, ended=3)
    assert [len(entry["body"]["input"]) for entry in entries] == [256, 256, 88]
    assert [[*vector.values] for vector in response.embeddings] == [pytest.approx(embedding(text, 2), abs=1e-6) for text in texts]
    assert len(response.attempts) == 1


async def test_a_provider_that_fails_is_told_as_for_chats(client: Promptwire, marker: str) -> None:
    with pytest.raises(errors.UpstreamAccount):
        await client.embed(["a"], model=f"fake/{marker}~status=401")


async def test_a_provider_without_vectors_says_so_before_any_call(client: Promptwire) -> None:
    with pytest.raises(errors.CapabilityMissing, match="embeddings"):
        await client.embed(["a"], model="script/any")


async def test_bad_requests_are_told_with_their_fields(client: Promptwire) -> None:
    with pytest.raises(errors.InvalidRequest) as caught:
        await client.embed(["a", ""], model="echo/echo", dimensions=0)
    assert {violation.field for violation in caught.value.violations} == {"texts[1]", "dimensions"}
