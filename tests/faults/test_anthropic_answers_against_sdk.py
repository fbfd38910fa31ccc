"""What Anthropic's own SDK reads from an answer, beside what our message says, of the very same bytes."""

from collections.abc import AsyncIterator
from typing import Any

import orjson
import pytest
from anthropic import APIStatusError, AsyncAnthropic
from anthropic.types import ContentBlock, Message, RedactedThinkingBlock, TextBlock, ThinkingBlock, ToolUseBlock

from promptwire import v1 as pb
from promptwire_server.core.clock import SystemClock
from promptwire_server.core.errors import PromptwireError, StreamInterrupted, UpstreamFailed
from promptwire_server.core.secret import Secret
from promptwire_server.providers.provider import Provider
from promptwire_server.providers.registry import build
from promptwire_server.providers.settings import HttpSettings
from tests.faults import raw
from tests.faults.anthropic_asks import BOTH, CITED, CLOCK, QUESTION, THINKING, WEATHER, Json, answered, connected
from tests.faults.fake_provider.process import FakeProvider
from tests.unit.providers.support import ask, make_call, make_ids

RECORDED = ["text_stream", "text_whole", "thinking_stream", "tools_stream", "tools_whole"]
DOCUMENT = {"messages": [{"role": "user", "content": [CITED, {"type": "text", "text": "Why?"}]}]}
TOOLS = {"tools": [WEATHER, CLOCK]}
ASKED: list[tuple[str, Json]] = [
    ("fake", {}),
    ("fake~tokens=0", {}),
    ("fake~text=%F0%9F%90%A2 \\n", {}),
    ("fake~tool=2;text=I look.", TOOLS),
    ("fake~tool;tool_piece=3", TOOLS),
    ("fake", {"thinking": THINKING}),
    ("fake", {"thinking": {**THINKING, "display": "omitted"}}),
    ("fake~redacted=2;reasoning=5;tool", TOOLS),
    ("fake~refusal=I may not.", {}),
    ("fake~refusal", {}),
    ("fake~citations=2", DOCUMENT),
    ("fake~server_tool;citations=1", {}),
    ("fake~unknown;server_tool;reasoning=2", {}),
    ("fake~finish=pause_turn", {}),
    ("fake~finish=model_context_window_exceeded", {}),
    ("fake", {"max_tokens": 3}),
    ("fake~text=one two three", {"stop_sequences": ["two"]}),
    ("fake~cached=30", {}),
    ("fake~cache_write=20;cache_write_1h=10;cached=3;reasoning=4", {}),
]


@pytest.fixture
async def sdk(fake: FakeProvider, api_key: str) -> AsyncIterator[AsyncAnthropic]:
    async with connected(fake, f"{api_key}-sdk") as made:
        yield made


@pytest.fixture
async def provider(fake: FakeProvider, api_key: str) -> AsyncIterator[Provider]:
    settings = HttpSettings(dialect="anthropic", base_url=fake.origin, api_key=Secret(api_key))
    made = build("anthropic", settings, clock=SystemClock(), ids=make_ids())
    yield made
    await made.aclose()


async def record(fake: FakeProvider, name: str, model: str, body: Json, *, stream: bool) -> None:
    """Let the provider answer once, and keep its bytes: asked again, it would sign anew."""
    wanted = {"model": model, "max_tokens": 4096, "messages": [QUESTION], "stream": stream, **body}
    async with raw.connected(fake) as client:
        await client.send(raw.post("/v1/messages", wanted, name, headers="anthropic-version: 2023-06-01\r\n"))
        arrived = await client.read_all()
    assert arrived.status == 200, arrived.body
    fake.register(name, arrived.data)


def state_of(part: pb.ContentPart) -> Json:
    found: Json = orjson.loads(part.provider_state.data or b"{}")
    return found


def check_part(part: pb.ContentPart, block: ContentBlock) -> None:
    """The part says what the SDK's block says."""
    if isinstance(block, TextBlock):
        assert part.text == block.text
        assert [orjson.loads(cited.provider_json) for cited in part.citations] == [one.to_dict() for one in block.citations or ()]
        assert [cited.quoted_text for cited in part.citations] == [one.cited_text for one in block.citations or ()]
    elif isinstance(block, ThinkingBlock):
        assert (part.reasoning.text, part.reasoning.redacted) == (block.thinking, not block.thinking)
        assert state_of(part)["signature"] == block.signature
    elif isinstance(block, RedactedThinkingBlock):
        assert part.reasoning.redacted
        assert state_of(part)["data"] == block.data
    elif isinstance(block, ToolUseBlock):
        call = part.tool_call
        assert (call.tool_call_id, call.name, orjson.loads(call.arguments_json)) == (block.id, block.name, block.input)
    else:
        assert part.provider_part.type == block.type
        assert orjson.loads(part.provider_part.json) == block.to_dict()


def check_usage(usage: pb.Usage, message: Message) -> None:
    said = message.usage
    read, written = said.cache_read_input_tokens or 0, said.cache_creation_input_tokens or 0
    assert (usage.input_tokens, usage.output_tokens) == (said.input_tokens + read + written, said.output_tokens)
    assert (usage.cached_input_tokens, usage.cache_write_5m_tokens + usage.cache_write_1h_tokens) == (read, written)
    assert said.cache_creation is not None
    assert usage.cache_write_1h_tokens == said.cache_creation.ephemeral_1h_input_tokens
    assert usage.reasoning_tokens == (said.output_tokens_details.thinking_tokens if said.output_tokens_details else 0)
    searches = said.server_tool_use.web_search_requests if said.server_tool_use else 0
    assert dict(usage.provider_units) == ({"web_search": searches} if searches else {})
    assert not usage.estimated


def check(ours: pb.ChatResponse, message: Message) -> None:
    """Both say the same."""
    (candidate,) = ours.candidates
    extra: dict[str, Any] = orjson.loads(candidate.provider_extra_json or "{}")
    details = message.stop_details.to_dict() if message.stop_details else None
    refusal = message.stop_details.explanation if message.stop_details else None
    parts = [part for part in candidate.message.parts if not part.HasField("refusal")]
    assert len(parts) == len(message.content)
    for part, block in zip(parts, message.content, strict=True):
        check_part(part, block)
    assert ours.text == "".join(block.text for block in message.content if isinstance(block, TextBlock))
    assert [part.refusal.text for part in candidate.message.parts if part.HasField("refusal")] == ([refusal] if refusal else [])
    assert (ours.provider_response_id, ours.model) == (message.id, message.model)
    assert candidate.provider_finish_reason == message.stop_reason
    assert (extra.get("stop_sequence"), extra.get("stop_details")) == (message.stop_sequence, details)
    check_usage(ours.usage, message)


@pytest.mark.parametrize("name", RECORDED)
async def test_a_recorded_answer_says_the_same(provider: Provider, sdk: AsyncAnthropic, name: str) -> None:
    model, stream = f"fake~play=anthropic_{name}", name.endswith("stream")
    check(await ask(provider, make_call(model=model, stream=stream)), await answered(sdk, stream=stream, model=model))


@BOTH
@pytest.mark.parametrize(("model", "body"), ASKED, ids=[f"{model} {'+'.join(body)}" for model, body in ASKED])
async def test_an_answer_says_the_same(
    provider: Provider, sdk: AsyncAnthropic, fake: FakeProvider, api_key: str, model: str, body: Json, *, stream: bool
) -> None:
    await record(fake, api_key, model, body, stream=stream)
    model = f"fake~play={api_key}"
    check(await ask(provider, make_call(model=model, stream=stream)), await answered(sdk, stream=stream, model=model))


async def test_an_error_amid_a_stream_is_the_same(provider: Provider, sdk: AsyncAnthropic) -> None:
    model = "fake~play=anthropic_error_mid_stream"
    with pytest.raises(APIStatusError) as theirs:
        await answered(sdk, stream=True, model=model)
    with pytest.raises((StreamInterrupted, UpstreamFailed)) as ours:  # by how much arrived at once
        await ask(provider, make_call(model=model, stream=True))
    assert ours.value.origin.provider_code == theirs.value.type
    assert isinstance(theirs.value.body, dict)
    assert ours.value.origin.provider_request_id == theirs.value.body["request_id"]


@pytest.mark.parametrize("status", [400, 401, 402, 403, 404, 408, 409, 413, 429, 500, 502, 503, 504, 529])
@BOTH
async def test_an_error_is_the_same(provider: Provider, sdk: AsyncAnthropic, status: int, *, stream: bool) -> None:
    model = f"fake~status={status}"
    with pytest.raises(APIStatusError) as theirs:
        await answered(sdk, stream=stream, model=model)
    with pytest.raises(PromptwireError) as ours:
        await ask(provider, make_call(model=model, stream=stream))
    assert ours.value.origin.http_status == theirs.value.status_code == status
    assert ours.value.origin.provider_code == (theirs.value.type or "")
    assert ours.value.origin.provider_request_id.startswith("req_011")
    assert (ours.value.retry_after_s is not None) == ("retry-after" in theirs.value.response.headers)
