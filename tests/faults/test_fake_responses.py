"""OpenAI's own SDK drives the Responses API of the provider: what it parses is what the ledger says was sent."""

from collections.abc import AsyncIterator
from typing import Any

import pytest
from openai import AsyncOpenAI
from openai.types.responses import Response, ResponseReasoningItem, ResponseStreamEvent
from pydantic import BaseModel, ConfigDict, TypeAdapter

from tests.faults.fake_provider.answer import REFUSAL, expected_text
from tests.faults.fake_provider.ledger import secret
from tests.faults.fake_provider.process import FakeProvider
from tests.faults.responses_asks import (
    BOTH,
    CLOCK,
    PNG,
    PROMPT,
    QUESTION,
    SEALED,
    WEATHER,
    Json,
    answered,
    back,
    calls,
    connected,
    outputs,
)

# What the API sends and the SDK's types do not name.
UNNAMED = {"store", "obfuscation"}


@pytest.fixture
async def client(fake: FakeProvider, api_key: str) -> AsyncIterator[AsyncOpenAI]:
    async with connected(fake, api_key) as made:
        yield made


@BOTH
async def test_a_text(client: AsyncOpenAI, fake: FakeProvider, api_key: str, *, stream: bool) -> None:
    response = await answered(client, stream=stream, instructions="Be brief.")

    assert (response.output_text, response.status, response.model) == (expected_text(PROMPT), "completed", "fake")
    assert response.usage
    assert response.usage.output_tokens == len(expected_text(PROMPT).split())
    assert response.usage.total_tokens == response.usage.input_tokens + response.usage.output_tokens
    (entry,) = await fake.aledger(key_sha256=secret(api_key), ended=1)
    assert entry["said"]["choices"][0]["text"] == expected_text(PROMPT)


async def test_the_helper_puts_a_stream_together(client: AsyncOpenAI) -> None:
    more: Json = {"model": "fake~reasoning=3;tool;text=Let me see;pings=2;ping_between", "input": PROMPT, "tools": [WEATHER, CLOCK]}
    deltas = ""
    async with client.responses.stream(**more) as events:
        async for event in events:
            deltas += event.delta if event.type == "response.output_text.delta" else ""
        response = await events.get_final_response()

    assert deltas == response.output_text == "Let me see"
    assert [item.type for item in response.output] == ["reasoning", "message", "function_call", "function_call"]


@BOTH
async def test_a_loop_of_parallel_tools(client: AsyncOpenAI, *, stream: bool) -> None:
    tools = [WEATHER, CLOCK]
    first = await answered(client, stream=stream, model="fake~tool", tools=tools)
    history = [QUESTION, *back(first), *outputs(first)]
    last = await answered(client, stream=stream, model="fake~tool", tools=tools, input=history)

    assert [call.name for call in calls(first)] == ["get_weather", "get_time"]
    assert len({call.call_id for call in calls(first)}) == 2
    assert last.output_text == expected_text(PROMPT)


@pytest.mark.parametrize(
    ("choice", "parallel", "names"),
    [
        ("auto", True, []),
        ("none", True, []),
        ("required", True, ["get_weather", "get_time"]),
        ("required", False, ["get_weather"]),
        ({"type": "function", "name": "get_time"}, True, ["get_time"]),
        ({"type": "allowed_tools", "mode": "required", "tools": [{"type": "function", "name": "get_time"}]}, True, ["get_time"]),
    ],
)
async def test_the_choice_of_tools(client: AsyncOpenAI, choice: Any, parallel: bool, names: list[str]) -> None:  # noqa: FBT001
    response = await answered(client, stream=False, tools=[WEATHER, CLOCK], tool_choice=choice, parallel_tool_calls=parallel)

    assert [call.name for call in calls(response)] == names


@BOTH
@pytest.mark.parametrize(("summary", "parts"), [(None, 0), ("concise", 1), ("detailed", 2)])
async def test_reasoning_comes_back_sealed(client: AsyncOpenAI, summary: str | None, parts: int, *, stream: bool) -> None:
    more: Json = {
        "model": "fake~tool",
        "tools": [WEATHER],
        "store": False,
        "include": SEALED,
        "reasoning": {"effort": "low", "summary": summary},
    }
    first = await answered(client, stream=stream, **more)
    last = await answered(client, stream=stream, **more, input=[QUESTION, *back(first), *outputs(first)])

    reasoning = first.output[0]
    assert isinstance(reasoning, ResponseReasoningItem)
    assert len(reasoning.summary) == parts
    assert reasoning.encrypted_content
    assert first.usage
    assert first.usage.output_tokens_details.reasoning_tokens == 6
    assert last.output_text == expected_text(PROMPT)


async def test_kept_reasoning_comes_back_by_its_id(client: AsyncOpenAI) -> None:
    more: Json = {"model": "fake~tool", "tools": [WEATHER], "reasoning": {"effort": "low"}}
    first = await answered(client, stream=False, **more)
    reference = {"type": "item_reference", "id": first.output[0].id}

    assert (await answered(client, stream=False, **more, input=[QUESTION, *back(first), *outputs(first)])).output_text
    assert (await answered(client, stream=False, input=[QUESTION, reference, QUESTION])).output_text


async def test_open_reasoning_has_its_own_events(client: AsyncOpenAI) -> None:
    names = [
        event.type
        async for event in await client.responses.create(model="fake~reasoning=2;reasoning_field=reasoning", input=PROMPT, stream=True)
    ]

    assert names.count("response.reasoning_text.delta") == 2
    assert "response.reasoning_summary_text.delta" not in names


@BOTH
async def test_a_text_cut_short(client: AsyncOpenAI, *, stream: bool) -> None:
    response = await answered(client, stream=stream, model="fake~tokens=40", max_output_tokens=16)

    assert (response.status, len(response.output_text.split())) == ("incomplete", 16)
    assert response.incomplete_details
    assert response.incomplete_details.reason == "max_output_tokens"


@BOTH
async def test_a_filtered_and_a_failed_answer(client: AsyncOpenAI, *, stream: bool) -> None:
    filtered = await answered(client, stream=stream, model="fake~finish=content_filter")
    failed = await answered(client, stream=stream, model="fake~finish=failed;code=rate_limit_exceeded;message=Slow down")

    assert filtered.incomplete_details
    assert (filtered.status, filtered.incomplete_details.reason) == ("incomplete", "content_filter")
    assert failed.error
    assert (failed.status, failed.error.code, failed.error.message) == ("failed", "rate_limit_exceeded", "Slow down")


@BOTH
async def test_a_refusal(client: AsyncOpenAI, *, stream: bool) -> None:
    response = await answered(client, stream=stream, model="fake~refusal")

    (message,) = response.output
    assert message.type == "message"
    assert [part.model_dump() for part in message.content] == [{"type": "refusal", "refusal": REFUSAL}]


class Weather(BaseModel):
    """What the weather is."""

    model_config = ConfigDict(extra="forbid")
    city: str
    sunny: bool


async def test_structured_output(client: AsyncOpenAI) -> None:
    answer = await client.responses.parse(model="fake", input=PROMPT, text_format=Weather)

    assert answer.output_parsed
    assert answer.output_parsed.sunny is True


@BOTH
async def test_citations_and_a_tool_of_the_providers_own(client: AsyncOpenAI, *, stream: bool) -> None:
    response = await answered(client, stream=stream, model="fake~server_tool;citations=2")

    search, message = response.output
    assert search.type == "web_search_call"
    assert message.type == "message"
    assert message.content[0].type == "output_text"
    assert [note.type for note in message.content[0].annotations] == ["url_citation"] * 2
    assert (await answered(client, stream=stream, input=[QUESTION, *back(response), QUESTION])).output_text


@BOTH
async def test_images_files_and_rich_outputs_are_taken(client: AsyncOpenAI, *, stream: bool) -> None:
    parts = [
        {"type": "input_text", "text": PROMPT},
        {"type": "input_image", "image_url": f"data:image/png;base64,{PNG}", "detail": "low"},
        {"type": "input_file", "filename": "a.pdf", "file_data": "data:application/pdf;base64,JVBERg=="},
    ]
    question = {"role": "user", "content": parts}
    first = await answered(client, stream=stream, model="fake~tool", tools=[WEATHER], input=[question])
    last = await answered(client, stream=stream, tools=[WEATHER], input=[question, *back(first), *outputs(first, parts)])

    assert last.output_text == expected_text(PROMPT)


@BOTH
async def test_usage_and_logprobs(client: AsyncOpenAI, *, stream: bool) -> None:
    more: Json = {"include": ["message.output_text.logprobs"], "top_logprobs": 2}
    response = await answered(client, stream=stream, model="fake~cached=3;cache_write=2;text=one two", **more)

    assert response.usage
    assert response.usage.input_tokens_details.cached_tokens == 3
    assert response.usage.input_tokens_details.cache_write_tokens == 2
    (message,) = response.output
    assert message.type == "message"
    assert message.content[0].type == "output_text"
    assert [(one.token, len(one.top_logprobs)) for one in message.content[0].logprobs or ()] == [("one", 2), (" two", 2)]


async def test_a_count_is_what_the_answer_says_it_used(client: AsyncOpenAI) -> None:
    more: Json = {"model": "fake", "input": [QUESTION], "instructions": "Be brief.", "tools": [WEATHER]}
    counted = await client.responses.input_tokens.count(**more)
    used = await client.responses.create(**more)

    assert used.usage
    assert counted.input_tokens == used.usage.input_tokens > len(PROMPT.split())


def surplus(value: object, where: str = "") -> list[str]:
    """The fields that no type of the SDK knows."""
    if isinstance(value, BaseModel):
        extra = [f"{where}.{name}" for name in (value.model_extra or {}).keys() - UNNAMED]
        return extra + [found for name in type(value).model_fields for found in surplus(getattr(value, name), f"{where}.{name}")]
    return [found for part in value for found in surplus(part, where)] if isinstance(value, list) else []


SCRIPTS = ["reasoning=2;redacted=1;server_tool;tool;text=Let me see", "citations=2", "refusal", "reasoning=2;reasoning_field=both"]


@pytest.mark.parametrize("script", SCRIPTS)
async def test_every_object_is_of_the_sdks_types(client: AsyncOpenAI, script: str) -> None:
    more: Json = {"model": f"fake~{script}", "input": PROMPT, "tools": [WEATHER], "include": SEALED, "reasoning": {"summary": "detailed"}}
    whole = await client.responses.with_raw_response.create(**more)
    assert not surplus(Response.model_validate(whole.http_response.json()))
    names, numbers = [], []
    async for event in await client.responses.create(**more, stream=True):
        assert not surplus(TypeAdapter(ResponseStreamEvent).validate_python(event.model_dump(by_alias=True)))
        names.append(event.type)
        numbers.append(event.sequence_number)
    assert numbers == list(range(len(numbers)))
    assert (*names[:2], names[-1]) == ("response.created", "response.in_progress", "response.completed")


@BOTH
async def test_unknown_fields_and_events_harm_nobody(client: AsyncOpenAI, *, stream: bool) -> None:
    response = await answered(client, stream=stream, model="fake~unknown")

    assert response.output_text == expected_text(PROMPT)
    assert "x_fake_unknown" in (response.model_extra or {})


@pytest.mark.parametrize("path", ["/openai/v1", "/openai", "/redirected/v1"])
async def test_other_paths_lead_to_it(fake: FakeProvider, api_key: str, path: str) -> None:
    async with AsyncOpenAI(base_url=f"{fake.origin}{path}", api_key=api_key, max_retries=0) as client:
        assert (await answered(client, stream=False)).output_text == expected_text(PROMPT)


async def test_more_of_a_text_goes_where_a_text_may_stand(client: AsyncOpenAI) -> None:
    deltas = ""
    async for event in await client.responses.create(model="fake~reasoning=2;huge_event=1k", input=PROMPT, stream=True):
        deltas += event.delta if event.type == "response.output_text.delta" else ""

    assert deltas == "a" * 1024 + expected_text(PROMPT)


RECORDED: list[tuple[str, list[str], list[str], tuple[int, int]]] = [
    ("text_stream", ["message"], [], (24, 31)),
    ("text_whole", ["message"], [], (1338, 19)),
    ("reasoning_stream", ["reasoning", "message"], [], (31, 231)),
    ("tools_stream", ["message", "function_call", "function_call"], ['{"city":"München","days":3}', "{}"], (512, 48)),
]


@pytest.mark.parametrize(("name", "kinds", "arguments", "usage"), RECORDED, ids=[name for name, *_ in RECORDED])
async def test_a_recording_is_understood(
    client: AsyncOpenAI, name: str, kinds: list[str], arguments: list[str], usage: tuple[int, int]
) -> None:
    response = await answered(client, stream=name.endswith("stream"), model=f"fake~play=responses_{name}")

    assert [item.type for item in response.output] == kinds
    assert [call.arguments for call in calls(response)] == arguments
    assert response.usage
    assert (response.usage.input_tokens, response.usage.output_tokens) == usage
    assert not surplus(response)


async def test_recorded_reasoning_is_taken_back(client: AsyncOpenAI) -> None:
    response = await answered(client, stream=True, model="fake~play=responses_reasoning_stream")

    assert (await answered(client, stream=True, input=[QUESTION, *back(response), QUESTION], store=False)).output_text
