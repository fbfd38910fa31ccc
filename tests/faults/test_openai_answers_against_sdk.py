"""What OpenAI's own SDK reads from an answer of chat completions, beside what our message says, of the very same bytes."""

from collections.abc import AsyncIterator, Iterable
from typing import Any

import pytest
from openai import APIError, APIStatusError, AsyncOpenAI
from openai.lib.streaming.chat import ChatCompletionStreamState
from openai.types import CompletionUsage
from openai.types.chat import ChatCompletion, ChatCompletionMessage, ChatCompletionTokenLogprob
from openai.types.chat.chat_completion import Choice

from promptwire import v1 as pb
from promptwire_server.core.errors import PromptwireError, StreamInterrupted, UpstreamFailed
from promptwire_server.providers.adapter import Adapter
from tests.faults import raw
from tests.faults.fake_provider.process import FakeProvider
from tests.faults.intents import our_provider
from tests.unit.providers.support import ask, make_call

BOTH = pytest.mark.parametrize("stream", [False, True], ids=["whole", "streamed"])
RECORDED = [
    "n2_logprobs_stream",
    "openrouter_reasoning_stream",
    "reasoning_stream",
    "refusal_stream",
    "text_stream",
    "text_whole",
    "tools_parallel_stream",
    "tools_whole",
]
Json = dict[str, Any]
HI: Any = {"role": "user", "content": "Which words do you know?"}
TOOLS: Json = {"tools": [{"type": "function", "function": {"name": name, "parameters": {"type": "object"}}} for name in ("f", "g")]}
ASKED: list[tuple[str, Json]] = [
    ("fake", {}),
    ("fake~tokens=0", {}),
    ("fake~text=%F0%9F%90%A2 \\n", {}),
    ("fake~tool=2;text=I look.", TOOLS),
    ("fake~tool;tool_piece=3", TOOLS),
    ("fake~refusal=I may not.", {}),
    ("fake~refusal", {"logprobs": True}),
    ("fake~reasoning=4", {}),
    ("fake~reasoning=4;reasoning_field=hidden", {}),
    ("fake~finish=content_filter", {}),
    ("fake", {"n": 3}),
    ("fake", {"logprobs": True, "top_logprobs": 2}),
    ("fake", {"max_tokens": 3}),
    ("fake~text=one two three", {"stop": ["two"]}),
    ("fake~cached=2;cache_write=3", {}),
]


@pytest.fixture
async def sdk(fake: FakeProvider, api_key: str) -> AsyncIterator[AsyncOpenAI]:
    async with AsyncOpenAI(base_url=fake.base_url, api_key=f"{api_key}-sdk", max_retries=0) as made:
        yield made


@pytest.fixture
async def provider(fake: FakeProvider, api_key: str) -> AsyncIterator[Adapter]:
    async with our_provider(fake, api_key) as made:
        yield made


async def answered(sdk: AsyncOpenAI, model: str, *, stream: bool) -> ChatCompletion:
    """The answer, whole, or as the SDK puts its stream together."""
    if not stream:
        return await sdk.chat.completions.create(model=model, messages=[HI])
    state: Any = ChatCompletionStreamState()
    async for chunk in await sdk.chat.completions.create(model=model, messages=[HI], stream=True, stream_options={"include_usage": True}):
        state.handle_chunk(chunk)
    # Not the "final" one, which is an error when the answer was cut short.
    found: ChatCompletion = state.current_completion_snapshot
    return found


async def record(fake: FakeProvider, name: str, model: str, body: Json, *, stream: bool) -> None:
    """Let the provider answer once, and keep its bytes."""
    wanted = {"model": model, "messages": [HI], "stream": stream, **body}
    if stream:
        wanted["stream_options"] = {"include_usage": True}
    async with raw.connected(fake) as client:
        await client.send(raw.post("/v1/chat/completions", wanted, name))
        arrived = await client.read_all()
    assert arrived.status == 200, arrived.body
    fake.register(name, arrived.data)


def kinds(parts: Iterable[pb.ContentPart], kind: str) -> list[pb.ContentPart]:
    return [part for part in parts if part.WhichOneof("content") == kind]


def check_message(parts: list[pb.ContentPart], message: ChatCompletionMessage) -> None:
    extra = message.model_extra or {}
    thought = extra.get("reasoning_content") or extra.get("reasoning") or ""
    assert "".join(part.text for part in kinds(parts, "text")) == (message.content or "")
    assert "".join(part.refusal.text for part in kinds(parts, "refusal")) == (message.refusal or "")
    assert "".join(part.reasoning.text for part in kinds(parts, "reasoning")) == thought
    ours = [(call.tool_call_id, call.name, call.arguments_json) for call in (part.tool_call for part in kinds(parts, "tool_call"))]
    assert ours == [(call.id, call.function.name, call.function.arguments) for call in message.tool_calls or () if call.type == "function"]


def told(token: pb.TokenLogprob) -> tuple[Any, ...]:
    return token.token, token.logprob, token.bytes, [(other.token, other.logprob, other.bytes) for other in token.top]


def read(token: ChatCompletionTokenLogprob) -> tuple[Any, ...]:
    top = [(other.token, other.logprob, bytes(other.bytes or ())) for other in token.top_logprobs]
    return token.token, token.logprob, bytes(token.bytes or ()), top


def check_candidate(candidate: pb.Candidate, choice: Choice) -> None:
    assert (candidate.index, candidate.provider_finish_reason) == (choice.index, choice.finish_reason)
    check_message(list(candidate.message.parts), choice.message)
    tokens = [*(choice.logprobs.content or ()), *(choice.logprobs.refusal or ())] if choice.logprobs else []
    assert [told(token) for token in candidate.logprobs] == [read(token) for token in tokens]


def check_usage(usage: pb.Usage, said: CompletionUsage) -> None:
    assert (usage.input_tokens, usage.output_tokens) == (said.prompt_tokens, said.completion_tokens)
    prompt, completion = said.prompt_tokens_details, said.completion_tokens_details
    assert usage.cached_input_tokens == ((prompt and prompt.cached_tokens) or 0)
    assert usage.cache_write_5m_tokens == ((prompt and prompt.cache_write_tokens) or 0)
    assert usage.reasoning_tokens == ((completion and completion.reasoning_tokens) or 0)
    assert not usage.estimated


def check(ours: pb.ChatResponse, theirs: ChatCompletion) -> None:
    """Both say the same."""
    assert (ours.provider_response_id, ours.model) == (theirs.id, theirs.model)
    for candidate, choice in zip(ours.candidates, theirs.choices, strict=True):
        check_candidate(candidate, choice)
    assert ours.text == (theirs.choices[0].message.content or "")
    if theirs.usage:
        check_usage(ours.usage, theirs.usage)
    else:
        assert ours.usage.estimated


@pytest.mark.parametrize("name", RECORDED)
async def test_a_recorded_answer_says_the_same(provider: Adapter, sdk: AsyncOpenAI, name: str) -> None:
    model, stream = f"fake~play={name}", name.endswith("stream")
    check(await ask(provider, make_call(model=model, stream=stream)), await answered(sdk, model, stream=stream))


@BOTH
@pytest.mark.parametrize(("model", "body"), ASKED, ids=[f"{model} {'+'.join(body)}" for model, body in ASKED])
async def test_an_answer_says_the_same(
    provider: Adapter, sdk: AsyncOpenAI, fake: FakeProvider, api_key: str, model: str, body: Json, *, stream: bool
) -> None:
    await record(fake, api_key, model, body, stream=stream)
    model = f"fake~play={api_key}"
    check(await ask(provider, make_call(model=model, stream=stream)), await answered(sdk, model, stream=stream))


async def test_fields_that_nobody_knows_change_nothing(provider: Adapter, sdk: AsyncOpenAI, fake: FakeProvider, api_key: str) -> None:
    # Whole only: unknown lists in its stream are more than the SDK can put together.
    await record(fake, api_key, "fake~unknown", {}, stream=False)
    check(await ask(provider, make_call(model=f"fake~play={api_key}")), await answered(sdk, f"fake~play={api_key}", stream=False))


async def test_an_error_amid_a_stream_is_the_same(provider: Adapter, sdk: AsyncOpenAI) -> None:
    model = "fake~play=error_mid_stream"
    with pytest.raises(APIError) as theirs:
        await answered(sdk, model, stream=True)
    with pytest.raises((StreamInterrupted, UpstreamFailed)) as ours:  # by how much arrived at once
        await ask(provider, make_call(model=model, stream=True))
    assert ours.value.origin.provider_code == (theirs.value.code or theirs.value.type)


@BOTH
@pytest.mark.parametrize("status", [400, 401, 403, 404, 408, 409, 422, 429, 500, 503])
async def test_an_error_is_the_same(provider: Adapter, sdk: AsyncOpenAI, status: int, *, stream: bool) -> None:
    model = f"fake~status={status}"
    with pytest.raises(APIStatusError) as theirs:
        await answered(sdk, model, stream=stream)
    with pytest.raises(PromptwireError) as ours:
        await ask(provider, make_call(model=model, stream=stream))
    assert ours.value.origin.http_status == theirs.value.status_code == status
    assert ours.value.origin.provider_code == (theirs.value.code or theirs.value.type or "")
    assert ours.value.origin.provider_request_id
    assert (ours.value.retry_after_s is not None) == (status == 429)  # the headers of the limits tell when to come back
