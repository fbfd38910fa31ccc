"""OpenAI's own SDK meets the refusals and failures of the Responses API, each as the class it has for it."""

from collections.abc import AsyncIterator

import openai
import pytest
from openai import AsyncOpenAI

from tests.faults.fake_provider.process import FakeProvider
from tests.faults.responses_asks import BOTH, QUESTION, SEALED, WEATHER, Json, answered, back, connected, outputs, refused


@pytest.fixture
async def client(fake: FakeProvider, api_key: str) -> AsyncIterator[AsyncOpenAI]:
    async with connected(fake, api_key) as made:
        yield made


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
