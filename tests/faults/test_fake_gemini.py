"""Google's official SDK drives the provider's Gemini dialect; what it parses is what the ledger says was sent."""

import json
from collections.abc import AsyncIterator
from typing import Any

import pytest
from google.genai import errors, types
from pydantic import BaseModel

from tests.faults.fake_provider.answer import expected_text
from tests.faults.fake_provider.gemini_parts import IMAGE_TOKENS, image
from tests.faults.fake_provider.openai_dialect import embedding
from tests.faults.fake_provider.process import FakeProvider
from tests.faults.gemini_sdk import PROMPT, Driver, driven

BOTH = pytest.mark.parametrize("stream", [False, True], ids=["whole", "streamed"])
WEATHER = types.FunctionDeclaration(
    name="get_weather",
    parameters=types.Schema(
        type=types.Type.OBJECT,
        properties={"city": types.Schema(type=types.Type.STRING), "days": types.Schema(type=types.Type.INTEGER)},
        required=["city", "days"],
    ),
)
CLOCK = types.FunctionDeclaration(
    name="get_time",
    parameters_json_schema={"type": "object", "properties": {"zone": {"type": "string"}}, "required": ["zone"]},
)
TOOLS: list[Any] = [types.Tool(function_declarations=[WEATHER, CLOCK])]
ASKED = {"contents": [{"role": "user", "parts": [{"text": PROMPT}]}]}


class Word(BaseModel):
    """A word and how long it is."""

    word: str
    length: int


@pytest.fixture
async def sdk(fake: FakeProvider, api_key: str) -> AsyncIterator[Driver]:
    async with driven(fake, api_key) as driver:
        yield driver


@BOTH
async def test_text_is_the_function_of_the_last_user_message(sdk: Driver, *, stream: bool) -> None:
    heard = await sdk.ask("fake", stream=stream, system_instruction="Be brief.")

    entry = await sdk.agreed(heard)
    assert entry["tokens_sent"] == entry["said"]["usage"]["completion"]
    assert heard.text() == entry["text_sent"] == expected_text(PROMPT)
    assert heard.finish() == "STOP"
    assert heard.last.model_version == "fake"
    assert len({answer.response_id for answer in heard.answers}) == 1
    assert [answer.candidates[0].finish_reason for answer in heard.answers[:-1] if answer.candidates] == [None] * (len(heard.answers) - 1)


async def test_each_chunk_counts_all_tokens_so_far(sdk: Driver) -> None:
    heard = await sdk.ask("fake~tokens=4", stream=True)

    assert [answer.usage_metadata.candidates_token_count for answer in heard.answers if answer.usage_metadata] == [1, 2, 3, 4]


@BOTH
async def test_a_tool_loop_with_signatures(sdk: Driver, *, stream: bool) -> None:
    first = await sdk.ask("fake~tool=1;id=loop", stream=stream, tools=TOOLS)
    (call,) = first.calls()
    assert call.name == "get_weather"
    assert isinstance((call.args or {})["days"], int)
    assert call.id is None
    assert first.finish() == "STOP"
    result = types.Part.from_function_response(name="get_weather", response={"degrees": 20})
    history = [types.UserContent(PROMPT), first.content(), types.Content(role="user", parts=[result])]
    second = await sdk.ask("fake~tool=1;id=loop", stream=stream, tools=TOOLS, contents=history)

    assert second.text() == expected_text(PROMPT)
    assert [entry["status"] for entry in await sdk.entries(2)] == [200, 200]


@BOTH
async def test_of_parallel_calls_the_first_is_signed(sdk: Driver, *, stream: bool) -> None:
    heard = await sdk.ask("fake~tool;tool_ids=given", stream=stream, tools=TOOLS)

    entry = await sdk.agreed(heard)
    calls = heard.calls()
    assert [call.name for call in calls] == ["get_weather", "get_time"]
    said = [(call["id"], call["name"], json.loads(call["arguments"])) for call in entry["said"]["choices"][0]["tool_calls"]]
    assert [(call.id, call.name, call.args) for call in calls] == said
    assert [part.thought_signature is not None for part in heard.parts()] == [True, False]


@pytest.mark.parametrize(
    ("signature", "script", "refusal"),
    [
        (None, "", "missing a thought_signature"),
        (b"something else", "", "Corrupted thought signature."),
        (None, "~signatures=unchecked", None),
        (b"something else", "~signatures=none", None),
        (b"skip_thought_signature_validator", "", None),
    ],
)
async def test_a_replayed_call_needs_its_signature(sdk: Driver, signature: bytes | None, script: str, refusal: str | None) -> None:
    part = types.Part(function_call=types.FunctionCall(name="get_weather", args={}), thought_signature=signature)
    result = types.Part.from_function_response(name="get_weather", response={})
    history = [types.UserContent(PROMPT), types.Content(role="model", parts=[part]), types.Content(role="user", parts=[result])]
    asked = sdk.ask(f"fake{script}", stream=False, tools=TOOLS, contents=history)

    if refusal is None:
        assert (await asked).text()
        return
    with pytest.raises(errors.ClientError, match=refusal) as caught:
        await asked
    assert (caught.value.code, caught.value.status) == (400, "INVALID_ARGUMENT")


async def test_a_signature_is_bound_to_its_call(sdk: Driver) -> None:
    heard = await sdk.ask("fake~tool=1", stream=False, tools=TOOLS)
    (part,) = heard.parts()
    assert part.function_call
    part.function_call.args = {"city": "elsewhere", "days": 1}
    result = types.Part.from_function_response(name="get_weather", response={})
    history = [types.UserContent(PROMPT), types.Content(role="model", parts=[part]), types.Content(role="user", parts=[result])]

    with pytest.raises(errors.ClientError, match="Corrupted"):
        await sdk.ask("fake", stream=False, tools=TOOLS, contents=history)


@pytest.mark.parametrize(
    ("mode", "allowed", "called"),
    [("AUTO", None, []), ("ANY", None, ["get_weather", "get_time"]), ("ANY", ["get_time"], ["get_time"]), ("NONE", None, [])],
)
async def test_the_calling_mode_decides(sdk: Driver, mode: str, allowed: list[str] | None, called: list[str]) -> None:
    calling = types.FunctionCallingConfig(mode=types.FunctionCallingConfigMode(mode), allowed_function_names=allowed)
    heard = await sdk.ask("fake", stream=False, tools=TOOLS, tool_config=types.ToolConfig(function_calling_config=calling))

    assert [call.name for call in heard.calls()] == called


@BOTH
async def test_arguments_that_are_no_object_end_the_answer(sdk: Driver, *, stream: bool) -> None:
    heard = await sdk.ask("fake~tool=1;tool_args=%7B%22city", stream=stream, tools=TOOLS)

    await sdk.agreed(heard)
    assert heard.finish() == "MALFORMED_FUNCTION_CALL"
    assert heard.parts() == []


@BOTH
async def test_thoughts_are_shown_on_request_and_the_text_signed(sdk: Driver, *, stream: bool) -> None:
    heard = await sdk.ask("fake~reasoning=3;tokens=2", stream=stream, thinking_config=types.ThinkingConfig(include_thoughts=True))

    entry = await sdk.agreed(heard)
    assert heard.text(thoughts=True) == entry["said"]["choices"][0]["reasoning"]
    assert heard.usage().thoughts_token_count == 3
    assert heard.usage().candidates_token_count == 2
    assert [part for part in heard.parts() if part.thought_signature] == heard.parts()[-1:]
    again = [types.UserContent(PROMPT), heard.content(), types.UserContent("more")]
    assert (await sdk.ask("fake", stream=stream, contents=again)).text() == expected_text("more")


@BOTH
async def test_thoughts_are_counted_when_not_shown(sdk: Driver, *, stream: bool) -> None:
    heard = await sdk.ask("fake~reasoning=3;tokens=2", stream=stream)

    await sdk.agreed(heard)
    assert heard.text(thoughts=True) == ""
    assert heard.usage().thoughts_token_count == 3


async def test_a_budget_of_zero_thinks_nothing(sdk: Driver) -> None:
    heard = await sdk.ask("fake~reasoning=3", stream=False, thinking_config=types.ThinkingConfig(thinking_budget=0))

    assert heard.usage().thoughts_token_count is None


@pytest.mark.parametrize("field", ["response_schema", "response_json_schema"])
async def test_structured_output(sdk: Driver, field: str) -> None:
    wanted = Word if field == "response_schema" else Word.model_json_schema()
    heard = await sdk.ask("fake", stream=False, response_mime_type="application/json", **{field: wanted})

    assert Word.model_validate_json(heard.text())
    if field == "response_schema":
        assert isinstance(heard.last.parsed, Word)


async def test_one_of_an_enumeration(sdk: Driver) -> None:
    schema = types.Schema(type=types.Type.STRING, enum=["red", "green"])
    heard = await sdk.ask("fake", stream=False, response_mime_type="text/x.enum", response_schema=schema)

    assert heard.text() == "red"


@BOTH
async def test_limits_and_alternatives(sdk: Driver, *, stream: bool) -> None:
    limited = await sdk.ask("fake~text=one two three", stream=stream, max_output_tokens=2, candidate_count=2)
    stopped = await sdk.ask("fake~text=one two three", stream=stream, stop_sequences=[" two"])

    assert [limited.text(0), limited.text(1)] == ["one two", "one two"]
    assert [limited.finish(0), limited.finish(1)] == ["MAX_TOKENS", "MAX_TOKENS"]
    assert (stopped.text(), stopped.finish()) == ("one", "STOP")


@BOTH
async def test_room_for_thoughts_alone_leaves_no_parts(sdk: Driver, *, stream: bool) -> None:
    heard = await sdk.ask("fake~reasoning=5", stream=stream, max_output_tokens=5)

    assert (heard.parts(), heard.finish()) == ([], "MAX_TOKENS")
    assert heard.ends().content == types.Content(role="model")


@BOTH
async def test_a_blocked_prompt_has_no_candidates(sdk: Driver, *, stream: bool) -> None:
    heard = await sdk.ask("fake~block=PROHIBITED_CONTENT", stream=stream)

    feedback = heard.last.prompt_feedback
    assert feedback
    assert feedback.block_reason == types.BlockedReason.PROHIBITED_CONTENT
    assert heard.last.candidates is None
    assert heard.usage().candidates_token_count is None
    assert (await sdk.entries())[0]["said"]["choices"] == []


@BOTH
async def test_an_unsafe_answer_ends_with_its_ratings(sdk: Driver, *, stream: bool) -> None:
    heard = await sdk.ask("fake~finish=content_filter;text=", stream=stream)

    assert heard.finish() == "SAFETY"
    assert heard.ends().content is None
    assert [rating.blocked for rating in heard.ends().safety_ratings or ()] == [None, None, None, True]


@BOTH
async def test_images_in_and_out(sdk: Driver, *, stream: bool) -> None:
    picture = types.Part.from_bytes(data=image(1), mime_type="image/png")
    heard = await sdk.ask("fake~tokens=2;images=2", stream=stream, contents=[types.UserContent([PROMPT, picture])])

    await sdk.agreed(heard)
    blobs = [part.inline_data for part in heard.parts() if part.inline_data]
    assert [(blob.mime_type, blob.data) for blob in blobs] == [("image/png", image(0)), ("image/png", image(1))]
    details = {detail.modality: detail.token_count for detail in heard.usage().prompt_tokens_details or ()}
    assert details == {types.MediaModality.TEXT: 5, types.MediaModality.IMAGE: 258}
    assert heard.usage().candidates_token_count == 2 + 2 * IMAGE_TOKENS


@BOTH
async def test_logprobs_of_every_token(sdk: Driver, *, stream: bool) -> None:
    heard = await sdk.ask("fake~tokens=3", stream=stream, response_logprobs=True, logprobs=2)

    results = [one.logprobs_result for answer in heard.answers for one in answer.candidates or () if one.logprobs_result]
    assert "".join(chosen.token or "" for result in results for chosen in result.chosen_candidates or ()) == heard.text()
    assert [len(top.candidates or ()) for result in results for top in result.top_candidates or ()] == [2, 2, 2]
    assert (heard.ends().avg_logprobs or 0) < 0


@BOTH
async def test_sources_stand_at_the_end(sdk: Driver, *, stream: bool) -> None:
    heard = await sdk.ask("fake~citations=2;server_tool;text=übung macht", stream=stream)

    last = heard.ends()
    assert last.citation_metadata
    assert last.grounding_metadata
    assert [(cited.start_index, cited.end_index) for cited in last.citation_metadata.citations or ()] == [(None, 6), (6, 12)]
    supports = last.grounding_metadata.grounding_supports or []
    assert [support.segment and support.segment.text for support in supports] == ["übung macht"]
    usage = heard.usage()
    assert usage.total_token_count == (usage.prompt_token_count or 0) + 2 + (usage.tool_use_prompt_token_count or 0)


async def test_cached_tokens_and_no_usage(sdk: Driver) -> None:
    heard = await sdk.ask("fake~cached=3", stream=False)
    silent = await sdk.ask("fake~usage=none", stream=False)

    assert heard.usage().cached_content_token_count == 3
    assert silent.last.usage_metadata is None


async def test_embeddings_and_counts(sdk: Driver) -> None:
    many = await sdk.client.models.embed_content(
        model="fake-embedding", contents=["one two", "three"], config=types.EmbedContentConfig(output_dimensionality=8)
    )
    counted = await sdk.client.models.count_tokens(model="fake", contents="one two three")

    assert [one.values for one in many.embeddings] == [embedding("one two", 8), embedding("three", 8)]
    assert counted.total_tokens == 3


async def test_models_page_by_page(sdk: Driver) -> None:
    pager = await sdk.client.models.list(config={"page_size": 2})
    names = [model.name async for model in pager]
    one = await sdk.client.models.get(model="fake")

    assert names == ["models/fake", "models/fake-mini", "models/fake-embedding"]
    assert (one.input_token_limit, one.thinking) == (1_048_576, True)
    assert "generateContent" in (one.supported_actions or [])
    with pytest.raises(errors.ClientError, match="404 NOT_FOUND"):
        await sdk.client.models.get(model="unknown")


@BOTH
async def test_the_sdk_passes_over_unknown_fields(sdk: Driver, *, stream: bool) -> None:
    heard = await sdk.ask("fake~unknown;tool=1", stream=stream, tools=TOOLS)

    assert set(heard.calls()[0].args or {}) == {"city", "days"}


@pytest.mark.parametrize(
    ("name", "stream", "finish"),
    [
        ("gemini_text_stream", True, "STOP"),
        ("gemini_tools_stream", True, "STOP"),
        ("gemini_thinking_stream", True, "STOP"),
        ("gemini_text_whole", False, "STOP"),
        ("gemini_tools_whole", False, "STOP"),
    ],
)
async def test_the_sdk_understands_the_recordings(sdk: Driver, name: str, finish: str, *, stream: bool) -> None:
    heard = await sdk.ask(f"fake~play={name}", stream=stream)

    assert heard.finish() == finish
    assert bool(heard.calls()) is ("tools" in name)
    assert bool(heard.text()) is (name != "gemini_tools_stream")
    assert bool(heard.text(thoughts=True)) is ("thinking" in name)
    assert (heard.usage().thoughts_token_count is not None) is ("text" not in name)
