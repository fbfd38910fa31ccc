"""What OpenAI's own SDK reads from an answer of the Responses API, beside what our message says, of the very same bytes."""

from collections.abc import AsyncIterator
from typing import Any

import orjson
import pytest
from openai import APIError, APIStatusError, AsyncOpenAI
from openai.types.responses import (
    Response,
    ResponseFunctionToolCall,
    ResponseOutputItem,
    ResponseOutputMessage,
    ResponseOutputRefusal,
    ResponseReasoningItem,
)
from openai.types.responses.response_output_text import Logprob, ResponseOutputText

from promptwire import v1 as pb
from promptwire_server.core.errors import PromptwireError, StreamInterrupted, UpstreamFailed
from promptwire_server.providers.adapter import Adapter
from promptwire_server.providers.openai import states
from tests.faults import raw
from tests.faults.fake_provider.process import FakeProvider
from tests.faults.intents import our_provider
from tests.faults.responses_asks import CLOCK, PROMPT, QUESTION, SEALED, WEATHER, answered, connected
from tests.unit.providers.support import ask, make_call

BOTH = pytest.mark.parametrize("stream", [False, True], ids=["whole", "streamed"])
RECORDED = ["reasoning_stream", "text_stream", "text_whole", "tools_stream"]
Json = dict[str, Any]
TOOLS: Json = {"tools": [WEATHER, CLOCK]}
SEEN: Json = {"include": SEALED, "reasoning": {"summary": "auto"}, "store": False}
ASKED: list[tuple[str, Json]] = [
    ("fake", {}),
    ("fake~tokens=0", {}),
    ("fake~text=%F0%9F%90%A2 \\n", {}),
    ("fake~tool=2;text=I look.", TOOLS),
    ("fake~tool;tool_piece=3", TOOLS),
    ("fake~reasoning=9;text=Because.", SEEN),
    ("fake~reasoning=4;redacted=1;tool", {**TOOLS, **SEEN}),
    ("fake~reasoning=4;reasoning_field=reasoning", {}),
    ("fake~reasoning=4;reasoning_field=hidden", {}),
    ("fake~refusal=I may not.", {}),
    ("fake~refusal", {}),
    ("fake~server_tool;citations=2", {}),
    ("fake~unknown;server_tool;reasoning=2", SEEN),
    ("fake", {"include": ["message.output_text.logprobs"], "top_logprobs": 2}),
    ("fake~tokens=40", {"max_output_tokens": 16}),
    ("fake~finish=content_filter", {}),
    ("fake~cached=1;cache_write=2;cache_write_1h=1", {}),
]


@pytest.fixture
async def sdk(fake: FakeProvider, api_key: str) -> AsyncIterator[AsyncOpenAI]:
    async with connected(fake, f"{api_key}-sdk") as made:
        yield made


@pytest.fixture
async def provider(fake: FakeProvider, api_key: str) -> AsyncIterator[Adapter]:
    async with our_provider(fake, api_key, api="responses") as made:
        yield made


async def record(fake: FakeProvider, name: str, model: str, body: Json, *, stream: bool) -> None:
    """Let the provider answer once, and keep its bytes: asked again, it would seal anew."""
    async with raw.connected(fake) as client:
        await client.send(raw.post("/v1/responses", {"model": model, "input": [QUESTION], "stream": stream, **body}, name))
        arrived = await client.read_all()
    assert arrived.status == 200, arrived.body
    fake.register(name, arrived.data)


def as_sent(value: Any) -> Json:
    """What the vendor sent, as the SDK keeps it."""
    found: Json = value.to_dict(mode="json")
    return found


def told(token: pb.TokenLogprob) -> tuple[Any, ...]:
    return token.token, token.logprob, token.bytes, [(other.token, other.logprob, other.bytes) for other in token.top]


def read(token: Logprob) -> tuple[Any, ...]:
    return token.token, token.logprob, bytes(token.bytes), [(top.token, top.logprob, bytes(top.bytes)) for top in token.top_logprobs]


def contents(item: ResponseOutputMessage) -> list[ResponseOutputText | ResponseOutputRefusal]:
    """Those that say something; an empty text is no part."""
    return [content for content in item.content if not isinstance(content, ResponseOutputText) or content.text]


def check_content(part: pb.ContentPart, content: ResponseOutputText | ResponseOutputRefusal, item: ResponseOutputMessage) -> None:
    if isinstance(content, ResponseOutputText):
        assert part.text == content.text
        assert [orjson.loads(cited.provider_json) for cited in part.citations] == [as_sent(one) for one in content.annotations]
    else:
        assert part.refusal.text == content.refusal
    assert states.item_in(part.provider_state.data)["id"] == item.id


def check_item(parts: list[pb.ContentPart], item: ResponseOutputItem) -> None:
    """Take the parts that an item became off the list, and compare."""
    if isinstance(item, ResponseOutputMessage):
        for content in contents(item):
            check_content(parts.pop(0), content, item)
        return
    part = parts.pop(0)
    if isinstance(item, ResponseReasoningItem):
        paragraphs = [one.text for one in [*item.summary, *(item.content or ())]]
        assert part.reasoning.text == "\n\n".join(paragraphs)
        assert states.item_in(part.provider_state.data) == as_sent(item)
    elif isinstance(item, ResponseFunctionToolCall):
        call = part.tool_call
        assert (call.tool_call_id, call.name, call.arguments_json) == (item.call_id, item.name, item.arguments)
        assert states.item_in(part.provider_state.data)["id"] == item.id
    else:
        assert (part.provider_part.type, orjson.loads(part.provider_part.json)) == (item.type, as_sent(item))


def check_usage(usage: pb.Usage, response: Response) -> None:
    said = response.usage
    assert said
    assert (usage.input_tokens, usage.output_tokens) == (said.input_tokens, said.output_tokens)
    assert usage.cached_input_tokens == said.input_tokens_details.cached_tokens
    assert usage.cache_write_5m_tokens + usage.cache_write_1h_tokens == said.input_tokens_details.cache_write_tokens
    assert usage.reasoning_tokens == said.output_tokens_details.reasoning_tokens
    searches = sum(item.type == "web_search_call" for item in response.output)
    assert dict(usage.provider_units) == ({"web_search": searches} if searches else {})
    assert not usage.estimated


def check(ours: pb.ChatResponse, theirs: Response) -> None:
    """Both say the same."""
    (candidate,) = ours.candidates
    parts = list(candidate.message.parts)
    for item in theirs.output:
        check_item(parts, item)
    assert not parts
    assert ours.text == theirs.output_text
    assert (ours.provider_response_id, ours.model) == (theirs.id, theirs.model)
    reason = theirs.incomplete_details.reason if theirs.incomplete_details else theirs.status
    assert candidate.provider_finish_reason == reason
    texts = [content for item in theirs.output if isinstance(item, ResponseOutputMessage) for content in item.content]
    tokens = [token for content in texts if isinstance(content, ResponseOutputText) for token in content.logprobs or ()]
    assert [told(token) for token in candidate.logprobs] == [read(token) for token in tokens]
    check_usage(ours.usage, theirs)


@pytest.mark.parametrize("name", RECORDED)
async def test_a_recorded_answer_says_the_same(provider: Adapter, sdk: AsyncOpenAI, name: str) -> None:
    model, stream = f"fake~play=responses_{name}", name.endswith("stream")
    check(await ask(provider, make_call(PROMPT, model=model, stream=stream)), await answered(sdk, stream=stream, model=model))


@BOTH
@pytest.mark.parametrize(("model", "body"), ASKED, ids=[f"{model} {'+'.join(body)}" for model, body in ASKED])
async def test_an_answer_says_the_same(
    provider: Adapter, sdk: AsyncOpenAI, fake: FakeProvider, api_key: str, model: str, body: Json, *, stream: bool
) -> None:
    await record(fake, api_key, model, body, stream=stream)
    model = f"fake~play={api_key}"
    check(await ask(provider, make_call(model=model, stream=stream)), await answered(sdk, stream=stream, model=model))


async def test_an_error_amid_a_stream_is_the_same(provider: Adapter, sdk: AsyncOpenAI) -> None:
    model = "fake~error_event=9"
    with pytest.raises(APIError) as theirs:
        await answered(sdk, stream=True, model=model)
    with pytest.raises((StreamInterrupted, UpstreamFailed)) as ours:  # by how much arrived at once
        await ask(provider, make_call(model=model, stream=True))
    assert ours.value.origin.provider_code == (theirs.value.code or theirs.value.type)


@BOTH
@pytest.mark.parametrize("status", [400, 401, 403, 404, 408, 409, 429, 500, 503])
async def test_an_error_is_the_same(provider: Adapter, sdk: AsyncOpenAI, status: int, *, stream: bool) -> None:
    model = f"fake~status={status}"
    with pytest.raises(APIStatusError) as theirs:
        await answered(sdk, stream=stream, model=model)
    with pytest.raises(PromptwireError) as ours:
        await ask(provider, make_call(model=model, stream=stream))
    assert ours.value.origin.http_status == theirs.value.status_code == status
    assert ours.value.origin.provider_code == (theirs.value.code or theirs.value.type or "")
    assert ours.value.origin.provider_request_id
    assert (ours.value.retry_after_s is not None) == (status == 429)  # the headers of the limits tell when to come back
