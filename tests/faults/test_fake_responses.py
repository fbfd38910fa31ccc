"""OpenAI's own SDK drives the Responses API of the provider: what it parses is what the ledger says was sent."""

from base64 import b64encode
from collections.abc import AsyncIterator
from typing import Any

import openai
import pytest
from openai import AsyncOpenAI
from openai.types.responses import Response, ResponseFunctionToolCall, ResponseReasoningItem, ResponseStreamEvent
from pydantic import BaseModel, ConfigDict, TypeAdapter

from tests.faults.fake_provider.answer import REFUSAL, expected_text
from tests.faults.fake_provider.ledger import secret
from tests.faults.fake_provider.process import FakeProvider

BOTH = pytest.mark.parametrize("stream", [False, True], ids=["whole", "streamed"])
PROMPT = "Which words do you know?"
QUESTION = {"role": "user", "content": PROMPT}
SEALED = ["reasoning.encrypted_content"]
PNG = b64encode(b"\x89PNG\r\n").decode()
# What the API sends and the SDK's types do not name.
UNNAMED = {"store", "obfuscation"}
Json = dict[str, Any]


def tool(name: str, **properties: str) -> Json:
    kinds = {key: {"type": kind} for key, kind in properties.items()}
    parameters = {"type": "object", "properties": kinds, "required": list(properties), "additionalProperties": False}
    return {"type": "function", "name": name, "parameters": parameters, "strict": True}


WEATHER = tool("get_weather", city="string", days="integer")
CLOCK = tool("get_time", zone="string")


@pytest.fixture
async def client(fake: FakeProvider, api_key: str) -> AsyncIterator[AsyncOpenAI]:
    async with AsyncOpenAI(base_url=fake.base_url, api_key=api_key, max_retries=0, timeout=30) as made:
        yield made


async def answered(client: AsyncOpenAI, *, stream: bool, model: str = "fake", **more: Any) -> Response:
    """The answer, whole, or as the last event of its stream tells it."""
    asked: Json = {"model": model, "input": PROMPT, **more}
    if not stream:
        answer: Response = await client.responses.create(**asked)
        return answer
    last = None
    async for event in await client.responses.create(**asked, stream=True):
        last = event
    assert last is not None
    assert last.type in ("response.completed", "response.incomplete", "response.failed")
    response: Response = last.response
    return response


async def refused(client: AsyncOpenAI, **more: Any) -> openai.APIStatusError:
    with pytest.raises(openai.APIStatusError) as caught:
        await answered(client, stream=False, **more)
    return caught.value


def calls(response: Response) -> list[ResponseFunctionToolCall]:
    return [item for item in response.output if isinstance(item, ResponseFunctionToolCall)]


def back(response: Response) -> list[Json]:
    """The answer as it goes back in the next request."""
    return [item.model_dump(exclude_none=True) for item in response.output]


def outputs(response: Response, output: Any = "sunny") -> list[Json]:
    return [{"type": "function_call_output", "call_id": call.call_id, "output": output} for call in calls(response)]


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


async def lost(client: AsyncOpenAI, *, change: Json | None, store: bool, sealed: bool = True) -> openai.APIStatusError:
    """The error for an answer whose reasoning comes back changed, or not at all."""
    more: Json = {"model": "fake~tool", "tools": [WEATHER], "store": store, "reasoning": {"effort": "low"}}
    first = await answered(client, stream=False, **more, include=SEALED if sealed else [])
    reasoning, *rest = back(first)
    kept = [] if change is None else [reasoning | change]
    return await refused(client, **more, input=[QUESTION, *kept, *rest, *outputs(first)])


async def test_reasoning_that_was_changed_is_refused(client: AsyncOpenAI) -> None:
    broken = await lost(client, change={"encrypted_content": "bm90IG91cnM="}, store=False)
    swapped = await lost(client, change={"id": "rs_1"}, store=False)
    unsealed = await lost(client, change={}, store=False, sealed=False)
    dropped = await lost(client, change=None, store=True)

    assert (broken.status_code, broken.code) == (400, "invalid_encrypted_content")
    assert "item_id did not match" in swapped.message
    assert (unsealed.status_code, "Items are not persisted" in unsealed.message) == (404, True)
    assert "without its required 'reasoning' item" in dropped.message


async def test_reasoning_without_what_followed_is_refused(client: AsyncOpenAI) -> None:
    first = await answered(client, stream=False, model="fake~reasoning=2")

    error = await refused(client, input=[QUESTION, back(first)[0], QUESTION])

    assert "without its required following item" in error.message


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


STATUSES = [
    (400, openai.BadRequestError),
    (401, openai.AuthenticationError),
    (403, openai.PermissionDeniedError),
    (404, openai.NotFoundError),
    (429, openai.RateLimitError),
    (500, openai.InternalServerError),
    (503, openai.InternalServerError),
]


@BOTH
@pytest.mark.parametrize(("status", "kind"), STATUSES)
async def test_each_status_is_its_error(client: AsyncOpenAI, status: int, kind: type[Exception], *, stream: bool) -> None:
    with pytest.raises(openai.APIStatusError) as caught:
        await answered(client, stream=stream, model=f"fake~status={status}")

    assert type(caught.value) is kind


@pytest.mark.parametrize("point", ["0", "5", "end"])
async def test_an_error_amid_a_stream_raises(client: AsyncOpenAI, point: str) -> None:
    with pytest.raises(openai.APIError) as caught:
        await answered(client, stream=True, model=f"fake~error_event={point};code=server_is_overloaded")

    assert caught.value.code == "server_is_overloaded"


CALL = {"type": "function_call", "call_id": "call_1", "name": "get_time", "arguments": "{}"}
OUTPUT = {"type": "function_call_output", "call_id": "call_1", "output": "noon"}
LOOSE = {"type": "function", "name": "loose", "parameters": {"type": "object", "properties": {}}, "strict": True}
REFUSED: list[tuple[Json, str]] = [
    ({"max_output_tokens": 5}, "Invalid 'max_output_tokens': integer below minimum value. Expected a value >= 16, but got 5"),
    ({"temperature": 2.5}, "Invalid 'temperature': decimal above maximum value. Expected a value <= 2, but got 2.5"),
    (
        {"extra_body": {"messages": [QUESTION]}},
        "Unsupported parameter: 'messages'. In the Responses API, this parameter has moved to 'input'",
    ),
    ({"extra_body": {"stop": ["x"]}}, "Unknown parameter: 'stop'"),
    ({"extra_body": {"seed": 1}}, "Unknown parameter: 'seed'"),
    ({"previous_response_id": "resp_1"}, "Previous response with id 'resp_1' not found"),
    ({"include": ["all"]}, "Invalid value: 'all'"),
    ({"reasoning": {"effort": "much"}}, "Invalid value: 'much'"),
    ({"tools": [{"type": "function", "function": {"name": "a"}}]}, "Missing required parameter: 'tools[0].name'"),
    ({"tools": [LOOSE]}, "Invalid schema for function 'loose': 'additionalProperties' is required"),
    ({"tool_choice": "required"}, "Tool choice 'required' must be specified with 'tools' parameter"),
    ({"text": {"format": {"type": "json_schema", "schema": {}}}}, "Missing required parameter: 'text.format.name'"),
    ({"input": [QUESTION, CALL]}, "No tool output found for function call call_1"),
    ({"input": [QUESTION, OUTPUT]}, "No tool call found for function call output with call_id call_1"),
    ({"input": [QUESTION, CALL | {"id": "call_1"}, OUTPUT]}, "Invalid 'input[1].id': 'call_1'. Expected an ID that begins with 'fc'"),
    ({"input": [{"role": "tool", "content": "x"}]}, "Invalid value: 'tool'"),
    ({"input": [{"role": "user", "content": [{"type": "text", "text": "x"}]}]}, "Invalid value: 'text'"),
]


@pytest.mark.parametrize(("more", "complaint"), REFUSED, ids=[complaint[:40] for _, complaint in REFUSED])
async def test_what_the_api_refuses_is_refused(client: AsyncOpenAI, more: Json, complaint: str) -> None:
    error = await refused(client, **more)

    assert error.status_code == 400
    assert complaint in error.message


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
