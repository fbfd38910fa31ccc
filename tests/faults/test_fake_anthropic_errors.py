"""Anthropic's own SDK meets the provider's refusals and failures, each as the class it has for it."""

from collections.abc import AsyncIterator
from typing import Any

import anthropic
import pytest
from anthropic import AsyncAnthropic

from tests.faults.anthropic_asks import (
    BOTH,
    CITED,
    CLOCK,
    PROMPT,
    QUESTION,
    THINKING,
    WEATHER,
    Json,
    answered,
    asked,
    connected,
    refused,
    results,
    texts,
    tool,
    turn,
)
from tests.faults.fake_provider.answer import expected_text
from tests.faults.fake_provider.process import FakeProvider


@pytest.fixture
async def client(fake: FakeProvider, api_key: str) -> AsyncIterator[AsyncAnthropic]:
    async with connected(fake, api_key) as made:
        yield made


STATUSES = [
    (400, anthropic.BadRequestError, "invalid_request_error"),
    (401, anthropic.AuthenticationError, "authentication_error"),
    (402, anthropic.PaymentRequiredError, "billing_error"),
    (403, anthropic.PermissionDeniedError, "permission_error"),
    (404, anthropic.NotFoundError, "not_found_error"),
    (413, anthropic.ContentTooLargeError, "request_too_large"),
    (429, anthropic.RateLimitError, "rate_limit_error"),
    (500, anthropic.InternalServerError, "api_error"),
    (502, anthropic.InternalServerError, None),
    (504, anthropic.GatewayTimeoutError, "timeout_error"),
    (529, anthropic.OverloadedError, "overloaded_error"),
]


@BOTH
@pytest.mark.parametrize(("status", "kind", "name"), STATUSES)
async def test_each_status_is_its_error(
    client: AsyncAnthropic, status: int, kind: type[Exception], name: str | None, *, stream: bool
) -> None:
    with pytest.raises(anthropic.APIStatusError) as caught:
        await answered(client, stream=stream, model=f"fake~status={status}")

    error = caught.value
    assert type(error) is kind
    assert (error.status_code, error.type) == (status, name)
    if isinstance(error.body, dict):
        assert error.body["request_id"] == error.request_id


async def test_a_rate_limit_tells_when_to_come_back(client: AsyncAnthropic) -> None:
    with pytest.raises(anthropic.RateLimitError) as caught:
        await client.messages.create(**asked("fake~status=429;retry_after=7"))

    headers = caught.value.response.headers
    assert headers.get_list("retry-after") == ["7"]
    assert headers["anthropic-ratelimit-requests-remaining"] == "0"
    assert headers["anthropic-ratelimit-requests-reset"].endswith("Z")


async def test_the_scripts_own_words_of_an_error(client: AsyncAnthropic) -> None:
    with pytest.raises(anthropic.RateLimitError) as caught:
        await client.messages.create(**asked("fake~status=429;message=Slow down;error_type=a_new_error;code=ramp_limit_exceeded"))

    error = caught.value
    assert (error.api_message, error.type, error.error_code) == ("Slow down", "a_new_error", "ramp_limit_exceeded")


@pytest.mark.parametrize("point", ["0", "4", "end"])
async def test_an_error_amid_a_stream_raises(client: AsyncAnthropic, point: str) -> None:
    with pytest.raises(anthropic.APIStatusError) as caught:
        await answered(client, stream=True, model=f"fake~error_event={point}")

    assert (caught.value.type, caught.value.api_message) == ("overloaded_error", "Overloaded")


async def test_a_key_and_a_version_are_needed(fake: FakeProvider, api_key: str) -> None:
    bearer = AsyncAnthropic(base_url=fake.origin, auth_token=api_key, max_retries=0)
    async with bearer:
        assert texts(await answered(bearer, stream=False))
        unversioned = bearer.with_options(default_headers={"anthropic-version": ""})
        assert await refused(unversioned) == "anthropic-version: header is required"
        strange = bearer.with_options(default_headers={"anthropic-version": "2020-01-01"})
        assert await refused(strange) == 'anthropic-version: "2020-01-01" is not a valid version'
        without_key: Any = {"authorization": anthropic.omit, "api-key": api_key}
        keyless = bearer.with_options(default_headers=without_key)
        with pytest.raises(anthropic.AuthenticationError):
            await answered(keyless, stream=False)
        assert texts(await answered(keyless.with_options(default_headers={"x-api-key": api_key}), stream=False))


EARLIER: Json = {"extra_headers": {"anthropic-version": "2023-06-01"}}
USED = {"type": "tool_use", "id": "toolu_1", "name": "get_weather", "input": {}}
RESULT = {"type": "tool_result", "tool_use_id": "toolu_1", "content": "sunny"}
TEXT = {"type": "text", "text": "hm"}


def history(asked_for: list[Json], got: list[Json]) -> Json:
    return {"messages": [QUESTION, {"role": "assistant", "content": asked_for}, {"role": "user", "content": got}]}


REFUSED: list[tuple[Json, str]] = [
    ({"temperature": 1.0}, "temperature: Extra inputs are not permitted"),
    ({"temperature": 1.5} | EARLIER, "temperature: range: 0..1"),
    ({"seed": 1} | EARLIER, "seed: Extra inputs are not permitted"),
    ({"max_tokens": anthropic.omit}, "max_tokens: Field required"),
    ({"messages": []}, "messages: at least one message is required"),
    ({"stop_sequences": [" "]}, "stop_sequences: each stop sequence must contain non-whitespace"),
    ({"thinking": {"type": "enabled", "budget_tokens": 1000}}, "thinking.enabled.budget_tokens: Input should be greater"),
    ({"thinking": {"type": "enabled", "budget_tokens": 4096}}, "`max_tokens` must be greater than `thinking.budget_tokens`"),
    ({"thinking": THINKING, "temperature": 0.5} | EARLIER, "`temperature` may only be set to 1"),
    ({"thinking": THINKING, "tools": [CLOCK], "tool_choice": {"type": "any"}}, "Thinking may not be enabled when tool_choice"),
    ({"tool_choice": {"type": "any"}}, "tool_choice: may only be specified while providing tools"),
    ({"tools": [CLOCK], "tool_choice": {"type": "tool", "name": "no"}}, "Tool 'no' not found"),
    ({"tools": [CLOCK, CLOCK]}, "tools: Tool names must be unique"),
    ({"tools": [tool("not a name")]}, "tools.0.custom.name: String should match pattern"),
    ({"tools": [{"name": "a"}]}, "tools.0.custom.input_schema: Field required"),
    ({"messages": [{"role": "user", "content": ""}]}, "messages.0: all messages must have non-empty content"),
    ({"messages": [{"role": "tool", "content": "x"}]}, "messages.0.role: Input should be"),
    ({"messages": [{"role": "user", "content": [{"type": "sound"}]}]}, "messages.0.content.0: Input tag 'sound'"),
    ({"messages": [QUESTION, {"role": "assistant", "content": "well "}]}, "messages: final assistant content cannot end with"),
    (history([CITED], [TEXT]), "messages.1.content.0: `document` blocks are not permitted in `assistant` messages"),
    (history([TEXT], [TEXT | {"citations": [{}]}]), "messages.2.content.0.text.citations: not permitted in `user` messages"),
    (history([USED], [TEXT]), "messages.1: `tool_use` ids were found without `tool_result` blocks"),
    (history([USED], [TEXT, RESULT]), "messages.1: `tool_use` ids were found without `tool_result` blocks"),
    (history([TEXT], [RESULT]), "messages.2.content.0: unexpected `tool_use_id` found in `tool_result` blocks: toolu_1"),
    (history([USED], [RESULT, RESULT]), "messages.2.content.1: each tool_use must have a single result"),
    (history([USED, USED], [RESULT]), "messages: `tool_use` ids must be unique"),
    (history([USED | {"id": "call|1"}], [RESULT]), "messages.1.content.0.tool_use.id: String should match pattern"),
    (history([USED | {"input": "{}"}], [RESULT]), "messages.1.content.0.tool_use.input: Input should be a valid dictionary"),
    ({"output_config": {"format": {"type": "json_schema", "schema": {"type": "object"}}}}, "output_config.format.schema: For 'object'"),
    ({"system": [TEXT | {"cache_control": {"type": "ephemeral"}}] * 5}, "A maximum of 4 blocks with cache_control"),
]


@pytest.mark.parametrize(("more", "complaint"), REFUSED, ids=[complaint[:40] for _, complaint in REFUSED])
async def test_what_the_api_refuses_is_refused(client: AsyncAnthropic, more: Json, complaint: str) -> None:
    assert (await refused(client, **more)).startswith(complaint)


async def test_the_earlier_version_takes_sampling_and_documents_anywhere(client: AsyncAnthropic) -> None:
    more = history([CITED], [TEXT | {"citations": []}])

    message = await answered(client, stream=False, temperature=0.5, top_p=0.9, **EARLIER, **more)

    assert "".join(texts(message)) == expected_text("hm")


@pytest.mark.parametrize(
    ("at", "changed", "complaint"),
    [
        (0, {"signature": "bm90IG91cnM="}, "messages.1.content.0: Invalid `signature` in `thinking` block"),
        (0, {"signature": ""}, "messages.1.content.0: Invalid `signature` in `thinking` block"),
        (0, {"signature": None}, "messages.1.content.0.thinking.signature: Field required"),
        (0, {"thinking": "other words"}, "messages.1.content.0: Invalid `signature` in `thinking` block"),
        (1, {"data": "bm90IG91cnM="}, "messages.1.content.1: Invalid `data` in `redacted_thinking` block"),
    ],
)
async def test_changed_thinking_is_refused(client: AsyncAnthropic, at: int, changed: Json, complaint: str) -> None:
    message = await answered(client, stream=False, model="fake~redacted=1", thinking=THINKING)
    back = turn(message)
    back["content"][at] = {name: value for name, value in (back["content"][at] | changed).items() if value is not None}

    assert await refused(client, messages=[QUESTION, back, QUESTION]) == complaint


async def test_a_call_that_lost_its_thinking_is_refused(client: AsyncAnthropic) -> None:
    more: Json = {"model": "fake~tool", "tools": [WEATHER], "thinking": THINKING}
    message = await answered(client, stream=False, **more)
    back = turn(message)
    del back["content"][0]

    complaint = await refused(client, messages=[QUESTION, back, results(message)], **more)

    assert complaint.startswith("messages.1.content.0.type: Expected `thinking` or `redacted_thinking`, but found `tool_use`")


async def test_neighbours_of_one_role_are_one_turn(client: AsyncAnthropic) -> None:
    second = USED | {"id": "toolu_2"}
    answers = [RESULT, RESULT | {"tool_use_id": "toolu_2"}]
    messages = [QUESTION, {"role": "assistant", "content": [USED, second]}, *({"role": "user", "content": [one]} for one in answers)]

    assert texts(await answered(client, stream=False, messages=messages)) == [expected_text(PROMPT)]
