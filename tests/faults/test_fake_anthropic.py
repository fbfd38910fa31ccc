"""Anthropic's own SDK drives the provider: what it parses is what the ledger says was sent."""

from collections.abc import AsyncIterator

import pytest
from anthropic import APIStatusError, AsyncAnthropic, AsyncStream
from anthropic.types import CitationCharLocation, Message, ModelInfo, RawMessageStreamEvent, TextBlock, ThinkingBlock
from pydantic import BaseModel, ConfigDict, TypeAdapter

from tests.faults.anthropic_asks import (
    BOTH,
    CITED,
    CLOCK,
    NOTHING,
    PDF,
    PNG,
    PROMPT,
    QUESTION,
    THINKING,
    WEATHER,
    Json,
    answered,
    asked,
    calls,
    connected,
    results,
    texts,
    turn,
)
from tests.faults.fake_provider.answer import expected_text
from tests.faults.fake_provider.ledger import secret
from tests.faults.fake_provider.process import FakeProvider


@pytest.fixture
async def client(fake: FakeProvider, api_key: str) -> AsyncIterator[AsyncAnthropic]:
    async with connected(fake, api_key) as made:
        yield made


async def in_ledger(fake: FakeProvider, api_key: str) -> Json:
    *_, entry = await fake.aledger(key_sha256=secret(api_key), ended=1)
    said: Json = entry["said"]["choices"][0]
    return said


@BOTH
async def test_a_text(client: AsyncAnthropic, fake: FakeProvider, api_key: str, *, stream: bool) -> None:
    message = await answered(client, stream=stream)

    assert texts(message) == [expected_text(PROMPT)]
    assert (message.stop_reason, message.stop_sequence, message.model) == ("end_turn", None, "fake")
    assert message.usage.output_tokens == len(expected_text(PROMPT).split())
    assert (await in_ledger(fake, api_key))["text"] == expected_text(PROMPT)


@BOTH
async def test_a_loop_of_parallel_tools(client: AsyncAnthropic, fake: FakeProvider, api_key: str, *, stream: bool) -> None:
    tools = {"tools": [WEATHER, CLOCK, NOTHING]}
    message = await answered(client, stream=stream, model="fake~tool", **tools)

    assert message.stop_reason == "tool_use"
    assert [call.name for call in calls(message)] == ["get_weather", "get_time", "do_nothing"]
    assert [set(call.input) for call in calls(message)] == [{"city", "days"}, {"zone"}, set()]
    said = await in_ledger(fake, api_key)
    assert [call.id for call in calls(message)] == [call["id"] for call in said["tool_calls"]]
    history = [QUESTION, turn(message), results(message)]
    last = await answered(client, stream=stream, model="fake~tool", messages=history, **tools)
    assert (last.stop_reason, texts(last)) == ("end_turn", [expected_text(PROMPT)])


@BOTH
async def test_a_text_before_calls_and_ids_that_never_repeat(client: AsyncAnthropic, *, stream: bool) -> None:
    more: Json = {"model": "fake~text=Let me see;tool;tool_loop", "tools": [CLOCK]}
    first = await answered(client, stream=stream, **more)
    second = await answered(client, stream=stream, messages=[QUESTION, turn(first), results(first)], **more)

    assert texts(first) == texts(second) == ["Let me see"]
    assert calls(first)[0].id != calls(second)[0].id


@pytest.mark.parametrize(
    ("choice", "names"),
    [
        ({"type": "auto"}, []),
        ({"type": "none"}, []),
        ({"type": "any"}, ["get_weather", "get_time"]),
        ({"type": "any", "disable_parallel_tool_use": True}, ["get_weather"]),
        ({"type": "tool", "name": "get_time"}, ["get_time"]),
    ],
)
async def test_the_choice_of_tools(client: AsyncAnthropic, choice: Json, names: list[str]) -> None:
    message = await answered(client, stream=False, tools=[WEATHER, CLOCK], tool_choice=choice)

    assert [call.name for call in calls(message)] == names


@BOTH
@pytest.mark.parametrize("thinking", [THINKING, {"type": "adaptive"}, {"type": "adaptive", "display": "omitted"}])
async def test_thinking_comes_back_signed(client: AsyncAnthropic, thinking: Json, *, stream: bool) -> None:
    more: Json = {"model": "fake~tool;redacted=2", "tools": [WEATHER], "thinking": thinking}
    message = await answered(client, stream=stream, **more)
    last = await answered(client, stream=stream, messages=[QUESTION, turn(message), results(message)], **more)

    assert [block.type for block in message.content] == ["thinking", "redacted_thinking", "redacted_thinking", "tool_use"]
    assert isinstance(message.content[0], ThinkingBlock)
    assert bool(message.content[0].thinking) == ("display" not in thinking)
    assert message.usage.output_tokens_details
    assert message.usage.output_tokens_details.thinking_tokens == 6
    assert texts(last) == [expected_text(PROMPT)]


@BOTH
async def test_a_stop_sequence_is_named(client: AsyncAnthropic, *, stream: bool) -> None:
    message = await answered(client, stream=stream, model="fake~text=one two three", stop_sequences=["four", " two", "three"])

    assert (message.stop_reason, message.stop_sequence, texts(message)) == ("stop_sequence", " two", ["one"])


@BOTH
async def test_max_tokens(client: AsyncAnthropic, *, stream: bool) -> None:
    message = await answered(client, stream=stream, max_tokens=3)

    assert (message.stop_reason, message.usage.output_tokens, len(texts(message)[0].split())) == ("max_tokens", 3, 3)


@BOTH
async def test_a_refusal(client: AsyncAnthropic, *, stream: bool) -> None:
    message = await answered(client, stream=stream, model="fake~text=It starts;refusal=No more of that")

    assert (message.stop_reason, texts(message), message.usage.output_tokens) == ("refusal", ["It starts"], 2)
    assert message.stop_details
    assert message.stop_details.explanation == "No more of that"


@BOTH
@pytest.mark.parametrize(("script", "reason"), [("finish=pause_turn", "pause_turn"), ("finish=none", None)])
async def test_any_stop_reason_can_be_scripted(client: AsyncAnthropic, script: str, reason: str | None, *, stream: bool) -> None:
    assert (await answered(client, stream=stream, model=f"fake~{script}")).stop_reason == reason


@BOTH
async def test_documents_are_cited(client: AsyncAnthropic, *, stream: bool) -> None:
    question = {"role": "user", "content": [CITED, {"type": "text", "text": PROMPT}]}
    message = await answered(client, stream=stream, messages=[question])

    assert "".join(texts(message)) == expected_text(PROMPT)
    plain, cited = message.content
    assert isinstance(plain, TextBlock)
    assert isinstance(cited, TextBlock)
    assert not plain.citations
    (citation,) = (one for one in cited.citations or () if isinstance(one, CitationCharLocation))
    assert (citation.cited_text, citation.document_title) == ("Snow falls on cedars.", "Weather")
    assert (await answered(client, stream=stream, messages=[question, turn(message), QUESTION])).stop_reason == "end_turn"


@BOTH
async def test_a_tool_of_the_providers_own_can_come_back(client: AsyncAnthropic, *, stream: bool) -> None:
    message = await answered(client, stream=stream, model="fake~server_tool")

    assert [block.type for block in message.content] == ["server_tool_use", "web_search_tool_result", "text"]
    assert message.usage.server_tool_use
    assert message.usage.server_tool_use.web_search_requests == 1
    assert (await answered(client, stream=stream, messages=[QUESTION, turn(message), QUESTION])).stop_reason == "end_turn"


@BOTH
async def test_images_documents_and_rich_results_are_taken(client: AsyncAnthropic, *, stream: bool) -> None:
    images = [
        {"type": "image", "source": {"type": "base64", "media_type": "image/png", "data": PNG}},
        {"type": "image", "source": {"type": "url", "url": "https://example.com/a.jpg"}},
    ]
    documents = [
        {"type": "document", "source": {"type": "base64", "media_type": "application/pdf", "data": PDF}},
        {"type": "document", "source": {"type": "file", "file_id": "file_1"}},
    ]
    question = {"role": "user", "content": [*images, *documents, {"type": "text", "text": PROMPT}]}
    message = await answered(client, stream=stream, model="fake~tool", messages=[question], tools=[WEATHER])
    history = [question, turn(message), results(message, [*images, {"type": "text", "text": "sunny"}])]

    assert texts(await answered(client, stream=stream, messages=history, tools=[WEATHER])) == [expected_text(PROMPT)]


@BOTH
async def test_input_excludes_the_cache(client: AsyncAnthropic, *, stream: bool) -> None:
    usage = (await answered(client, stream=stream, model="fake~cached=100;cache_write=30;cache_write_1h=7")).usage

    assert usage.input_tokens == len(PROMPT.split())
    assert (usage.cache_read_input_tokens, usage.cache_creation_input_tokens) == (100, 37)
    assert usage.cache_creation
    assert (usage.cache_creation.ephemeral_5m_input_tokens, usage.cache_creation.ephemeral_1h_input_tokens) == (30, 7)


class Weather(BaseModel):
    """What the weather is."""

    model_config = ConfigDict(extra="forbid")
    city: str
    sunny: bool


async def test_structured_output(client: AsyncAnthropic) -> None:
    answer = await client.messages.parse(model="fake", max_tokens=99, messages=[{"role": "user", "content": PROMPT}], output_format=Weather)

    assert answer.parsed_output
    assert answer.parsed_output.sunny is True


async def test_a_count_is_what_the_answer_says_it_used(client: AsyncAnthropic) -> None:
    prompt: Json = {"model": "fake", "messages": [QUESTION], "system": "Be brief.", "tools": [WEATHER]}
    counted = await client.messages.count_tokens(**prompt)
    used = await client.messages.create(**prompt, max_tokens=9)

    assert counted.input_tokens == used.usage.input_tokens > len(PROMPT.split())


async def test_models_come_page_by_page(client: AsyncAnthropic, fake: FakeProvider, api_key: str) -> None:
    found = [model async for model in client.models.list(limit=2)]
    pages = await fake.aledger(key_sha256=secret(api_key), ended=3)

    assert len(pages) == 3
    assert [model.id for model in found] == [model.id async for model in client.models.list()]
    assert await client.models.retrieve(found[0].id) == found[0]
    first = await client.models.list(before_id=found[3].id, limit=2)
    assert ([model.id for model in first.data], first.has_more) == ([found[1].id, found[2].id], True)


def surplus(value: object, where: str = "") -> list[str]:
    """The fields that no type of the SDK knows."""
    if isinstance(value, BaseModel):
        extra = [f"{where}.{name}" for name in value.model_extra or {}]
        return extra + [found for name in type(value).model_fields for found in surplus(getattr(value, name), f"{where}.{name}")]
    return [found for part in value for found in surplus(part, where)] if isinstance(value, list) else []


SCRIPTS = ["reasoning=2;redacted=1;server_tool;tool;text=Let me see", "citations=2", "refusal", "cached=5;cache_write=3"]


@pytest.mark.parametrize("script", SCRIPTS)
async def test_every_object_is_of_the_sdks_types(client: AsyncAnthropic, script: str) -> None:
    whole = await client.messages.with_raw_response.create(**asked(f"fake~{script}", tools=[WEATHER, NOTHING]))
    streamed = await client.messages.with_raw_response.create(**asked(f"fake~{script}", tools=[WEATHER, NOTHING], stream=True))

    assert not surplus(Message.model_validate(whole.http_response.json()))
    names = []
    async for event in AsyncStream.raw_events(streamed.http_response):
        names.append(event.event)
        assert event.json()["type"] == event.event
        if event.event != "ping":
            assert not surplus(TypeAdapter(RawMessageStreamEvent).validate_python(event.json()))
    assert (names[0], *names[-2:]) == ("message_start", "message_delta", "message_stop")


async def test_every_model_is_of_the_sdks_type(client: AsyncAnthropic) -> None:
    page = await client.models.with_raw_response.list()

    assert not [
        surplus(ModelInfo.model_validate(model)) for model in page.http_response.json()["data"] if surplus(ModelInfo.model_validate(model))
    ]


@BOTH
async def test_unknown_fields_and_events_harm_nobody(client: AsyncAnthropic, *, stream: bool) -> None:
    message = await answered(client, stream=stream, model="fake~unknown;tool", tools=[WEATHER])

    assert set(calls(message)[0].input) == {"city", "days"}
    assert "x_fake_unknown" in (message.model_extra or {})


@pytest.mark.parametrize("script", ["pings=3;ping_ms=1", "ping_between", "eol=crlf", "split=7", "multiline", "space=0;ids", "gzip"])
async def test_any_way_to_write_the_events_is_read(client: AsyncAnthropic, script: str) -> None:
    message = await answered(client, stream=True, model=f"fake~tool;reasoning=2;{script}", tools=[WEATHER])

    assert (message.stop_reason, set(calls(message)[0].input)) == ("tool_use", {"city", "days"})


async def test_more_of_a_text_goes_where_a_text_may_stand(client: AsyncAnthropic) -> None:
    message = await answered(client, stream=True, model="fake~reasoning=2;huge_event=1k")

    assert texts(message) == ["a" * 1024 + expected_text(PROMPT)]


async def test_a_redirect_leads_to_a_good_answer(client: AsyncAnthropic) -> None:
    model = "fake~redirect=307;location=%2Fredirected%2Fv1%2Fmessages"

    assert texts(await answered(client, stream=False, model=model)) == [expected_text(PROMPT)]


STOCK = {"ticker": "^GSPC", "at": {"day": "2026-11-09", "zone": None}, "lots": [1, 2.5, 1e21]}
RECORDED: list[tuple[str, list[str], list[Json], tuple[int, int]]] = [
    ("text_stream", ["text"], [], (25, 43)),
    ("text_whole", ["text"], [], (58, 31)),
    ("thinking_stream", ["thinking", "redacted_thinking", "text"], [], (61, 164)),
    ("tools_whole", ["text", "tool_use", "tool_use"], [STOCK, {}], (733, 104)),
    ("tools_stream", ["text", "tool_use", "tool_use"], [{"city": "München", "days": 3, "units": "celsius"}, {}], (512, 117)),
]


@pytest.mark.parametrize(("name", "kinds", "inputs", "usage"), RECORDED, ids=[name for name, *_ in RECORDED])
async def test_a_recording_is_understood(
    client: AsyncAnthropic, name: str, kinds: list[str], inputs: list[Json], usage: tuple[int, int]
) -> None:
    message = await answered(client, stream=name.endswith("stream"), model=f"fake~play=anthropic_{name}")

    assert [block.type for block in message.content] == kinds
    assert [call.input for call in calls(message)] == inputs
    assert (message.usage.input_tokens, message.usage.output_tokens) == usage
    assert not surplus(message)


async def test_recorded_thinking_is_taken_back(client: AsyncAnthropic) -> None:
    message = await answered(client, stream=True, model="fake~play=anthropic_thinking_stream")

    assert texts(await answered(client, stream=True, messages=[QUESTION, turn(message), QUESTION])) == [expected_text(PROMPT)]


async def test_a_recorded_error_amid_a_stream_raises(client: AsyncAnthropic) -> None:
    with pytest.raises(APIStatusError) as caught:
        await answered(client, stream=True, model="fake~play=anthropic_error_mid_stream")

    assert caught.value.type == "overloaded_error"
