"""The official SDK drives the provider; what it parses is what the ledger says was sent."""

import json
import math
from collections.abc import AsyncIterator
from typing import Any

import openai
import pytest
from openai import AsyncOpenAI
from openai.types import CompletionUsage
from openai.types.chat import ChatCompletion, ChatCompletionChunk, ChatCompletionToolParam
from pydantic import BaseModel

from tests.faults.fake_provider.answer import expected_text
from tests.faults.fake_provider.ledger import secret
from tests.faults.fake_provider.openai_dialect import MODEL_NAMES, embedding
from tests.faults.fake_provider.process import FakeProvider

PROMPT = "Which words do you know?"
BOTH = pytest.mark.parametrize("stream", [False, True], ids=["whole", "streamed"])


def tool(name: str, **properties: str) -> ChatCompletionToolParam:
    parameters: dict[str, object] = {
        "type": "object",
        "properties": {key: {"type": kind} for key, kind in properties.items()},
        "required": list(properties),
    }
    return {"type": "function", "function": {"name": name, "parameters": parameters}}


WEATHER = tool("get_weather", city="string", days="integer")
CLOCK = tool("get_time", zone="string")


class Heard:
    """What the SDK parsed, a whole answer and a stream brought to one form."""

    def __init__(self, choices: int) -> None:
        self.choices: list[dict[str, Any]] = [
            {"text": "", "reasoning": "", "refusal": "", "tool_calls": [], "finish_reason": None} for _ in range(choices)
        ]
        self.logprobs: list[list[str]] = [[] for _ in range(choices)]
        self.usage: CompletionUsage | None = None
        self.orders: list[int] = []

    def whole(self, answer: ChatCompletion) -> None:
        self.usage = answer.usage
        for choice in answer.choices:
            heard, message = self.choices[choice.index], choice.message
            heard["text"] = message.content or ""
            heard["refusal"] = message.refusal or ""
            heard["reasoning"] = (message.model_extra or {}).get("reasoning_content") or ""
            heard["finish_reason"] = choice.finish_reason
            for call in message.tool_calls or ():
                assert call.type == "function"
                function = call.function
                heard["tool_calls"].append({"id": call.id, "name": function.name, "arguments": function.arguments})
            if choice.logprobs:
                self.logprobs[choice.index] = [p.token for p in choice.logprobs.content or ()]

    def chunk(self, chunk: ChatCompletionChunk) -> None:
        self.usage = chunk.usage or self.usage
        for choice in chunk.choices:
            self.orders.append(choice.index)
            heard, delta = self.choices[choice.index], choice.delta
            heard["text"] += delta.content or ""
            heard["refusal"] += delta.refusal or ""
            heard["reasoning"] += (delta.model_extra or {}).get("reasoning_content") or ""
            heard["finish_reason"] = choice.finish_reason or heard["finish_reason"]
            for piece in delta.tool_calls or ():
                function = piece.function
                assert function
                if piece.id:
                    heard["tool_calls"].append({"id": piece.id, "name": function.name, "arguments": ""})
                heard["tool_calls"][piece.index]["arguments"] += function.arguments or ""
            if choice.logprobs:
                self.logprobs[choice.index] += [p.token for p in choice.logprobs.content or ()]


class Driver:
    """The SDK together with the ledger of what it caused."""

    def __init__(self, fake: FakeProvider, client: AsyncOpenAI, key: str) -> None:
        self._fake = fake
        self._key = key
        self.client = client

    async def ask(self, model: str, *, stream: bool, **options: Any) -> Heard:
        heard = Heard(options.get("n") or 1)
        wanted = {"model": model, "messages": [{"role": "user", "content": PROMPT}], **options}
        create: Any = self.client.chat.completions.create
        if not stream:
            heard.whole(await create(**wanted))
            return heard
        async with await create(**wanted, stream=True, stream_options={"include_usage": True}) as chunks:
            async for chunk in chunks:
                heard.chunk(chunk)
        return heard

    async def entries(self, n: int = 1) -> list[dict[str, Any]]:
        return await self._fake.aledger(ended=n, key_sha256=secret(self._key))

    async def agreed(self, heard: Heard) -> dict[str, Any]:
        """Check what was heard against what was said, and return the latter."""
        (entry,) = await self.entries()
        said: dict[str, Any] = entry["said"]
        assert entry["ended"] == "complete"
        assert heard.choices == said["choices"]
        assert heard.usage
        assert heard.usage.prompt_tokens == said["usage"]["prompt"]
        assert heard.usage.completion_tokens == said["usage"]["completion"] == entry["tokens_sent"]
        return said


@pytest.fixture
async def sdk(fake: FakeProvider, api_key: str) -> AsyncIterator[Driver]:
    # Without TLS to verify: loading the certificates of the system takes 0.1 to 0.4 s a client.
    plain = openai.DefaultAsyncHttpxClient(verify=False)
    async with AsyncOpenAI(base_url=fake.base_url, api_key=api_key, max_retries=0, http_client=plain) as client:
        yield Driver(fake, client, api_key)


@BOTH
async def test_text_is_the_function_of_the_last_user_message(sdk: Driver, *, stream: bool) -> None:
    heard = await sdk.ask("fake", stream=stream)

    await sdk.agreed(heard)
    assert heard.choices[0]["text"] == expected_text(PROMPT)
    assert heard.choices[0]["finish_reason"] == "stop"


@BOTH
async def test_parallel_tool_calls(sdk: Driver, *, stream: bool) -> None:
    heard = await sdk.ask("fake~tool", stream=stream, tools=[WEATHER, CLOCK])

    await sdk.agreed(heard)
    calls = heard.choices[0]["tool_calls"]
    assert [call["name"] for call in calls] == ["get_weather", "get_time"]
    assert json.loads(calls[0]["arguments"]).keys() == {"city", "days"}
    assert heard.choices[0]["finish_reason"] == "tool_calls"


async def test_tools_are_not_called_unless_asked_for(sdk: Driver) -> None:
    heard = await sdk.ask("fake", stream=False, tools=[WEATHER])

    assert heard.choices[0]["tool_calls"] == []
    assert heard.choices[0]["text"]


async def test_named_tool_choice_calls_that_tool(sdk: Driver) -> None:
    choice = {"type": "function", "function": {"name": "get_time"}}
    heard = await sdk.ask("fake", stream=False, tools=[WEATHER, CLOCK], tool_choice=choice)

    assert [call["name"] for call in heard.choices[0]["tool_calls"]] == ["get_time"]


async def test_a_tool_result_is_answered_in_words(sdk: Driver) -> None:
    messages = [
        {"role": "user", "content": PROMPT},
        {"role": "tool", "tool_call_id": "call_1", "content": "sunny"},
    ]
    heard = await sdk.ask("fake~tool", stream=False, tools=[WEATHER], messages=messages)

    assert heard.choices[0]["text"] == expected_text(PROMPT)


class Person(BaseModel):
    name: str
    age: int
    tags: list[str]
    friend: "Person | None"


async def test_structured_output_fits_its_schema(sdk: Driver) -> None:
    parsed = await sdk.client.chat.completions.parse(model="fake", messages=[{"role": "user", "content": PROMPT}], response_format=Person)

    (entry,) = await sdk.entries()
    person = parsed.choices[0].message.parsed
    assert person == Person.model_validate_json(entry["said"]["choices"][0]["text"])


@BOTH
async def test_structured_output_by_plain_schema(sdk: Driver, *, stream: bool) -> None:
    schema = {"type": "object", "properties": {"kind": {"enum": ["b", "a"]}}, "required": ["kind"]}
    wanted = {"type": "json_schema", "json_schema": {"name": "k", "schema": schema, "strict": True}}
    heard = await sdk.ask("fake", stream=stream, response_format=wanted)

    await sdk.agreed(heard)
    assert json.loads(heard.choices[0]["text"]) == {"kind": "b"}


@BOTH
async def test_reasoning_content_and_its_tokens(sdk: Driver, *, stream: bool) -> None:
    heard = await sdk.ask("fake~reasoning=7;cached=3", stream=stream)

    said = await sdk.agreed(heard)
    assert heard.usage
    assert heard.usage.completion_tokens_details
    assert heard.usage.completion_tokens_details.reasoning_tokens == said["usage"]["reasoning"] == 7
    assert heard.usage.prompt_tokens_details
    assert heard.usage.prompt_tokens_details.cached_tokens == said["usage"]["cached"] == 3


@BOTH
async def test_logprobs_of_every_token(sdk: Driver, *, stream: bool) -> None:
    heard = await sdk.ask("fake", stream=stream, logprobs=True, top_logprobs=2)

    await sdk.agreed(heard)
    assert "".join(heard.logprobs[0]) == heard.choices[0]["text"]


@BOTH
async def test_two_choices(sdk: Driver, *, stream: bool) -> None:
    heard = await sdk.ask("fake", stream=stream, n=2)

    await sdk.agreed(heard)
    assert [choice["text"] for choice in heard.choices] == [expected_text(PROMPT, index=i) for i in range(2)]
    if stream:
        assert heard.orders[:6] == [0, 1, 0, 1, 0, 1]


@BOTH
async def test_refusal(sdk: Driver, *, stream: bool) -> None:
    heard = await sdk.ask("fake~refusal=No, I will not.", stream=stream)

    await sdk.agreed(heard)
    assert heard.choices[0]["refusal"] == "No, I will not."
    assert heard.choices[0]["text"] == ""


@BOTH
async def test_content_filter(sdk: Driver, *, stream: bool) -> None:
    heard = await sdk.ask("fake~finish=content_filter", stream=stream)

    await sdk.agreed(heard)
    assert heard.choices[0]["finish_reason"] == "content_filter"


@BOTH
@pytest.mark.parametrize("name", ["max_tokens", "max_completion_tokens"])
async def test_limit_of_tokens(sdk: Driver, *, stream: bool, name: str) -> None:
    heard = await sdk.ask("fake", stream=stream, **{name: 3})

    await sdk.agreed(heard)
    assert heard.choices[0]["finish_reason"] == "length"
    assert heard.usage
    assert heard.usage.completion_tokens == 3


async def test_stop_sequence(sdk: Driver) -> None:
    heard = await sdk.ask("fake~text=one two three", stream=False, stop=["three", "two"])

    assert heard.choices[0]["text"] == "one "
    assert heard.choices[0]["finish_reason"] == "stop"


@pytest.mark.parametrize(
    ("status", "kind"),
    [
        (400, openai.BadRequestError),
        (401, openai.AuthenticationError),
        (403, openai.PermissionDeniedError),
        (404, openai.NotFoundError),
        (409, openai.ConflictError),
        (422, openai.UnprocessableEntityError),
        (429, openai.RateLimitError),
        (500, openai.InternalServerError),
        (502, openai.InternalServerError),
        (503, openai.InternalServerError),
    ],
)
@BOTH
async def test_errors_are_the_classes_of_the_sdk(sdk: Driver, status: int, kind: type[openai.APIStatusError], *, stream: bool) -> None:
    with pytest.raises(kind) as caught:
        await sdk.ask(f"fake~status={status}", stream=stream)

    (entry,) = await sdk.entries()
    assert caught.value.status_code == entry["status"] == status
    assert caught.value.request_id
    if status != 502:  # a page of the proxy, no error object
        assert caught.value.body == entry["said"]["error"]


async def test_sdk_retries_by_the_script(sdk: Driver) -> None:
    client = sdk.client.with_options(max_retries=2)
    model = "fake~status=503;retry_after_ms=1/status=429;retry_after_ms=1/ok"
    answer = await client.chat.completions.create(model=model, messages=[{"role": "user", "content": PROMPT}])

    entries = await sdk.entries(3)
    assert [(e["attempt"], e["status"]) for e in entries] == [(1, 503), (2, 429), (3, 200)]
    assert answer.choices[0].message.content == expected_text(PROMPT)


async def test_error_event_raises_in_the_sdk(sdk: Driver) -> None:
    with pytest.raises(openai.APIError, match="had an error"):
        await sdk.ask("fake~error_event=2", stream=True)


async def test_unknown_fields_do_not_disturb_the_sdk(sdk: Driver) -> None:
    await sdk.agreed(await sdk.ask("fake~unknown", stream=True))


async def test_models(sdk: Driver) -> None:
    listed = [model.id async for model in sdk.client.models.list()]

    assert listed == list(MODEL_NAMES)
    assert (await sdk.client.models.retrieve("fake")).id == "fake"
    with pytest.raises(openai.NotFoundError):
        await sdk.client.models.retrieve("other")


@pytest.mark.parametrize("encoding", ["base64", "float"])
async def test_embeddings(sdk: Driver, encoding: Any) -> None:
    made = await sdk.client.embeddings.create(model="fake-embedding", input=["one", "two words"], dimensions=8, encoding_format=encoding)

    assert made.usage.prompt_tokens == 3
    for item, text in zip(made.data, ["one", "two words"], strict=True):
        vector = item.embedding
        if isinstance(vector, str):  # asked for base64 by name, the SDK leaves it so
            continue
        assert all(math.isclose(a, b, abs_tol=1e-6) for a, b in zip(vector, embedding(text, 8), strict=True))


async def test_embeddings_by_default(sdk: Driver) -> None:
    made = await sdk.client.embeddings.create(model="fake-embedding", input="one")

    assert len(made.data[0].embedding) == 1536
    assert math.isclose(made.data[0].embedding[0], embedding("one", 1536)[0], abs_tol=1e-6)


@pytest.mark.parametrize(
    ("name", "text", "reason"),
    [
        ("text_stream", "The Zugspitze is Germany\u2019s highest mountain: 2962 m 🏔️.", "stop"),
        ("reasoning_stream", "51 is not prime: 3 \u00d7 17.", "stop"),
        ("openrouter_reasoning_stream", "Four.", "stop"),
        ("tools_parallel_stream", "", "tool_calls"),
        ("refusal_stream", "", "stop"),
    ],
)
async def test_recorded_streams(sdk: Driver, name: str, text: str, reason: str) -> None:
    heard = await sdk.ask(f"fake~play={name}", stream=True)

    assert (heard.choices[0]["text"], heard.choices[0]["finish_reason"]) == (text, reason)


async def test_recorded_parallel_tools(sdk: Driver) -> None:
    heard = await sdk.ask("fake~play=tools_parallel_stream", stream=True)

    arguments = [json.loads(call["arguments"]) for call in heard.choices[0]["tool_calls"]]
    assert arguments == [{"city": "München", "unit": "c"}, {"zone": "Europe/Berlin"}]


async def test_recorded_choices_with_logprobs(sdk: Driver) -> None:
    heard = await sdk.ask("fake~play=n2_logprobs_stream", stream=True, n=2)

    assert [choice["text"] for choice in heard.choices] == ["Yes, it is.", "No. 🦄"]
    assert ["".join(tokens) for tokens in heard.logprobs] == ["Yes, it is.", "No. 🦄"]


async def test_recorded_whole_answers(sdk: Driver) -> None:
    text = await sdk.ask("fake~play=text_whole", stream=False)
    tools = await sdk.ask("fake~play=tools_whole", stream=False)

    assert text.choices[0]["text"].startswith("“Żółw”")
    assert len(tools.choices[0]["tool_calls"]) == 2
    with pytest.raises(openai.RateLimitError):
        await sdk.ask("fake~play=rate_limit_429", stream=False)
    with pytest.raises(openai.APIError):
        await sdk.ask("fake~play=error_mid_stream", stream=True)
