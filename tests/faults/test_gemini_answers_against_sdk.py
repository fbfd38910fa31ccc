"""What Google's own SDK reads from an answer, beside what our message says, of the very same bytes."""

from base64 import b64decode
from collections.abc import AsyncIterator
from itertools import groupby
from typing import Any
from urllib.parse import quote

import orjson
import pytest
from google.genai import errors, types

from promptwire import v1 as pb
from promptwire_server.core.clock import SystemClock
from promptwire_server.core.errors import PromptwireError, StreamInterrupted, UpstreamFailed, UpstreamPolicy
from promptwire_server.core.secret import Secret
from promptwire_server.providers.provider import Provider
from promptwire_server.providers.registry import build
from promptwire_server.providers.settings import HttpSettings
from tests.faults import raw
from tests.faults.fake_provider.process import FakeProvider
from tests.faults.gemini_sdk import PROMPT, Driver, Heard, driven
from tests.unit.providers.support import ask, make_call, make_ids

Json = dict[str, Any]
BOTH = pytest.mark.parametrize("stream", [False, True], ids=["whole", "streamed"])
RECORDED = ["text_stream", "text_whole", "thinking_stream", "tools_stream", "tools_whole"]
DECLARED = [
    {"name": name, "parametersJsonSchema": {"type": "object", "properties": {"a": {"type": "integer"}}, "required": ["a"]}} for name in "fg"
]
TOOLS: Json = {"tools": [{"functionDeclarations": DECLARED}]}
THOUGHTS: Json = {"generationConfig": {"thinkingConfig": {"includeThoughts": True}}}
ASKED: list[tuple[str, Json]] = [
    ("fake", {}),
    ("fake~tokens=1", {}),
    ("fake~text=%F0%9F%90%A2 \\n", {}),
    ("fake", THOUGHTS),
    ("fake~reasoning=4;signatures=all", THOUGHTS),
    ("fake~reasoning=4;signatures=none", THOUGHTS),
    ("fake~reasoning=9;reasoning_field=hidden", THOUGHTS),
    ("fake~tool", TOOLS),
    ("fake~tool;tool_ids=given;signatures=all", TOOLS),
    ("fake~tool=1;text=I look;reasoning=3", TOOLS | THOUGHTS),
    ("fake~tool=1;tool_args=%7B%22a", TOOLS),
    ("fake~images=2", {}),
    ("fake~images=1;reasoning=2", THOUGHTS),
    ("fake~citations=2", {}),
    ("fake~server_tool", {}),
    ("fake~unknown;server_tool;reasoning=2;tool=1", TOOLS | THOUGHTS),
    ("fake", {"generationConfig": {"candidateCount": 3}}),
    ("fake", {"generationConfig": {"responseLogprobs": True, "logprobs": 2}}),
    ("fake", {"generationConfig": {"maxOutputTokens": 3}}),
    ("fake~finish=SAFETY", {}),
    ("fake~finish=PROHIBITED_CONTENT;tokens=2", {}),
    ("fake~cached=3", {}),
    ("fake~usage=text", {}),
]


@pytest.fixture
async def sdk(fake: FakeProvider, api_key: str) -> AsyncIterator[Driver]:
    async with driven(fake, f"{api_key}-sdk") as driver:
        yield driver


@pytest.fixture
async def provider(fake: FakeProvider, api_key: str) -> AsyncIterator[Provider]:
    settings = HttpSettings(dialect="gemini", base_url=f"{fake.origin}/v1beta", api_key=Secret(api_key))
    made = build("gemini", settings, clock=SystemClock(), ids=make_ids())
    yield made
    await made.aclose()


async def record(fake: FakeProvider, name: str, model: str, body: Json, *, stream: bool) -> None:
    """Let the provider answer once, and keep its bytes: asked again, it would sign anew."""
    method = "streamGenerateContent?alt=sse" if stream else "generateContent"
    wanted = {"contents": [{"role": "user", "parts": [{"text": PROMPT}]}], **body}
    async with raw.connected(fake) as client:
        await client.send(raw.post(f"/v1beta/models/{quote(model, safe='')}:{method}", wanted, name))
        arrived = await client.read_all()
    assert arrived.status == 200, arrived.body
    fake.register(name, arrived.data)


def their_part(part: types.Part) -> tuple[str, Any, bytes]:
    """A part of the SDK's: its kind, what it says, its signature."""
    signature = part.thought_signature or b""
    if part.text is not None:
        return ("reasoning" if part.thought else "text"), part.text, signature
    if part.function_call:
        return "tool_call", (part.function_call.name, part.function_call.args or {}), signature
    if part.inline_data:
        return "media", (part.inline_data.mime_type, part.inline_data.data), signature
    return "provider_part", part.model_dump(exclude_none=True), signature


def our_part(part: pb.ContentPart) -> tuple[str, Any, bytes]:
    """A part of ours in the same form."""
    state = orjson.loads(part.provider_state.data or b"{}")
    signature = b64decode(state.get("thoughtSignature", ""))
    kind = part.WhichOneof("content") or ""
    said = {
        "text": part.text,
        "reasoning": part.reasoning.text,
        "tool_call": (part.tool_call.name, orjson.loads(part.tool_call.arguments_json or "null")),
        "media": (part.media.mime_type, part.media.data),
    }
    assert (kind == "reasoning") == bool(state.get("thought"))
    return kind, said.get(kind), signature


def joined(parts: list[tuple[str, Any, bytes]]) -> list[tuple[str, Any, bytes]]:
    """Neighbours that a stream has cut are one; what is signed stays as it came."""
    found: list[tuple[str, Any, bytes]] = []
    for (kind, signed), group in groupby(parts, lambda part: (part[0], part[2])):
        if signed or kind not in ("text", "reasoning"):
            found.extend(group)
        elif whole := "".join(text for _, text, _ in group):
            found.append((kind, whole, b""))
    return found


def check_usage(usage: pb.Usage, heard: Heard) -> None:
    said = heard.usage()
    thoughts = said.thoughts_token_count or 0
    read = (said.prompt_token_count or 0) + (said.tool_use_prompt_token_count or 0)
    assert (usage.input_tokens, usage.output_tokens) == (read, (said.candidates_token_count or 0) + thoughts)
    assert usage.input_tokens + usage.output_tokens == said.total_token_count
    assert (usage.reasoning_tokens, usage.cached_input_tokens) == (thoughts, said.cached_content_token_count or 0)
    images = [detail.token_count for detail in said.candidates_tokens_details or () if detail.modality == types.MediaModality.IMAGE]
    assert usage.output_image_tokens == sum(count or 0 for count in images)
    assert not usage.estimated


def check_logprobs(candidate: pb.Candidate, heard: Heard) -> None:
    told = [one.logprobs_result for answer in heard.answers for one in answer.candidates or () if one.logprobs_result]
    chosen = [token for result in told for token in result.chosen_candidates or ()]
    top = [step.candidates or [] for result in told for step in result.top_candidates or ()]
    assert [(token.token, token.logprob) for token in candidate.logprobs] == [(one.token, one.log_probability) for one in chosen]
    assert [[one.token for one in token.top] for token in candidate.logprobs] == [[one.token for one in step] for step in top]


def check(ours: pb.ChatResponse, heard: Heard) -> None:
    """Both say the same."""
    assert (ours.provider_response_id, ours.model) == (heard.last.response_id, heard.last.model_version)
    for candidate in ours.candidates:
        parts = list(candidate.message.parts)
        assert joined(list(map(our_part, parts))) == joined(list(map(their_part, heard.parts(candidate.index))))
        assert candidate.provider_finish_reason == heard.finish(candidate.index)
    assert ours.text == heard.text()
    given = [call.id for call in heard.calls() if call.id]
    assert [part.tool_call.tool_call_id for part in ours.candidates[0].message.parts if part.HasField("tool_call")][: len(given)] == given
    check_usage(ours.usage, heard)
    check_logprobs(ours.candidates[0], heard)


@pytest.mark.parametrize("name", RECORDED)
async def test_a_recorded_answer_says_the_same(provider: Provider, sdk: Driver, name: str) -> None:
    model, stream = f"fake~play=gemini_{name}", name.endswith("stream")
    check(await ask(provider, make_call(model=model, stream=stream)), await sdk.ask(model, stream=stream))


@BOTH
@pytest.mark.parametrize(("model", "body"), ASKED, ids=[f"{model} {'+'.join(body)}" for model, body in ASKED])
async def test_an_answer_says_the_same(
    provider: Provider, sdk: Driver, fake: FakeProvider, api_key: str, model: str, body: Json, *, stream: bool
) -> None:
    await record(fake, api_key, model, body, stream=stream)
    model = f"fake~play={api_key}"
    ours, theirs = await ask(provider, make_call(model=model, stream=stream)), await sdk.ask(model, stream=stream)
    assert len(ours.candidates) == body.get("generationConfig", {}).get("candidateCount", 1)
    check(ours, theirs)


@BOTH
async def test_sources_are_those_that_the_sdk_reads(
    provider: Provider, sdk: Driver, fake: FakeProvider, api_key: str, *, stream: bool
) -> None:
    await record(fake, api_key, "fake~citations=2;server_tool", {}, stream=stream)
    model = f"fake~play={api_key}"
    ours, theirs = await ask(provider, make_call(model=model, stream=stream)), await sdk.ask(model, stream=stream)
    said, end = theirs.text().encode(), theirs.ends()
    assert end.citation_metadata
    assert end.grounding_metadata
    places = [(one.start_index or 0, one.end_index, one.uri) for one in end.citation_metadata.citations or ()]
    for support in end.grounding_metadata.grounding_supports or ():
        assert support.segment
        chunks = [(end.grounding_metadata.grounding_chunks or [])[index].web for index in support.grounding_chunk_indices or ()]
        places += [(support.segment.start_index or 0, support.segment.end_index, web.uri) for web in chunks if web]
    cited = [(citation, part.text) for part in ours.candidates[0].message.parts for citation in part.citations]
    assert [(text[one.start_index : one.end_index], one.uri) for one, text in cited] == [(said[a:b].decode(), uri) for a, b, uri in places]


@BOTH
async def test_a_blocked_prompt_is_none_to_the_sdk_and_an_error_to_us(provider: Provider, sdk: Driver, *, stream: bool) -> None:
    heard = await sdk.ask("fake~block=PROHIBITED_CONTENT", stream=stream)
    assert heard.last.prompt_feedback
    assert heard.last.prompt_feedback.block_reason
    with pytest.raises(UpstreamPolicy) as ours:
        await ask(provider, make_call(model="fake~block=PROHIBITED_CONTENT", stream=stream))
    assert ours.value.origin.provider_code == heard.last.prompt_feedback.block_reason.value


@pytest.mark.parametrize("model", ["fake~play=gemini_error_mid_stream", "fake~error_event=2", "fake~error_event=2;error_bare"])
async def test_an_error_amid_a_stream_is_the_same(provider: Provider, sdk: Driver, model: str) -> None:
    with pytest.raises(errors.APIError) as theirs:
        await sdk.ask(model, stream=True)
    with pytest.raises((StreamInterrupted, UpstreamFailed)) as ours:  # by how much arrived at once
        await ask(provider, make_call(model=model, stream=True))
    assert ours.value.origin.provider_code == theirs.value.status


@pytest.mark.parametrize("status", [400, 401, 403, 404, 409, 429, 500, 503, 504])
@BOTH
async def test_an_error_is_the_same(provider: Provider, sdk: Driver, status: int, *, stream: bool) -> None:
    model = f"fake~status={status}"
    with pytest.raises(errors.APIError) as theirs:
        await sdk.ask(model, stream=stream)
    with pytest.raises(PromptwireError) as ours:
        await ask(provider, make_call(model=model, stream=stream))
    assert ours.value.origin.http_status == theirs.value.code == status
    assert ours.value.origin.provider_code == theirs.value.status
