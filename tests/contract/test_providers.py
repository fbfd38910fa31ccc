"""What every provider does, whole and streamed."""

import asyncio
from collections.abc import AsyncIterator

import orjson
import pytest

from promptwire import v1 as pb
from promptwire_server.core.answer import Assembly
from promptwire_server.core.embedding import EmbedCall
from promptwire_server.core.errors import (
    CapabilityMissing,
    DeadlineExceeded,
    PromptwireError,
    StreamInterrupted,
    UpstreamAccount,
    UpstreamFailed,
    UpstreamRateLimited,
)
from promptwire_server.core.reply import Ending, Event, Reply
from promptwire_server.providers.json_value import dumped
from tests.contract.subjects import QUESTION, WIRED, Subject, custom, echo, over_http, script
from tests.faults.fake_provider.process import FakeProvider
from tests.unit.providers.support import ask, events_of

BOTH = pytest.mark.parametrize("stream", [False, True], ids=["whole", "streamed"])
OWN = {"echo": echo, "script": script, "custom": custom}
NO_VECTORS = ("script", "custom", "anthropic")
SCHEMA = '{"type":"object","properties":{"city":{"type":"string"}},"required":["city"],"additionalProperties":false}'
ANSWERS = pytest.mark.parametrize("behaviour", ["text", "tools", "reasoning", "refusal"])


@pytest.fixture(params=[*OWN, *WIRED])
async def subject(request: pytest.FixtureRequest) -> AsyncIterator[Subject]:
    if request.param in WIRED:
        fake: FakeProvider = request.getfixturevalue("fake")
        made = over_http(request.param, fake, request.getfixturevalue("api_key"))
    else:
        made = OWN[request.param]()
    yield made
    await made.provider.aclose()


async def collect(reply: Reply, events: list[Event]) -> None:
    """Add the events as they come, so that those before an error are there."""
    async for event in reply:
        events.append(event)  # noqa: PERF401


def comparable(response: pb.ChatResponse) -> pb.ChatResponse:
    """Without what vendors make anew for every answer."""
    copy = pb.ChatResponse()
    copy.CopyFrom(response)
    copy.ClearField("provider_response_id")
    copy.ClearField("provider_extra_json")
    for candidate in copy.candidates:
        # What Gemini signs of a whole text comes behind it in a stream, as a part of its own.
        said = [part for part in candidate.message.parts if part.WhichOneof("content") != "text" or part.text]
        candidate.message.ClearField("parts")
        candidate.message.parts.extend(said)
    for part in (part for candidate in copy.candidates for part in candidate.message.parts):
        if part.text:
            part.ClearField("provider_state")
        if part.HasField("tool_call"):
            part.tool_call.ClearField("tool_call_id")
            # An object in a whole answer is spelled by us, in a stream by the vendor: blanks differ.
            part.tool_call.arguments_json = dumped(orjson.loads(part.tool_call.arguments_json))
        if part.HasField("provider_state"):
            part.provider_state.data = b"signed anew for every answer"
    return copy


@BOTH
@ANSWERS
async def test_an_answer_is_complete(subject: Subject, behaviour: str, *, stream: bool) -> None:
    answer = await ask(subject.provider, subject.call(behaviour, stream=stream))
    candidate = answer.candidates[0]
    assert answer.provider == subject.provider.name
    assert answer.model
    assert candidate.message.role == pb.ROLE_ASSISTANT
    assert candidate.message.parts
    assert candidate.finish_reason != pb.FINISH_REASON_UNSPECIFIED
    assert candidate.provider_finish_reason


@ANSWERS
async def test_a_stream_put_together_is_the_whole_answer(subject: Subject, behaviour: str) -> None:
    whole = await ask(subject.provider, subject.call(behaviour, stream=False))
    streamed = await ask(subject.provider, subject.call(behaviour, stream=True))
    assert comparable(streamed) == comparable(whole)


@BOTH
async def test_text_is_said_once_and_in_the_parts(subject: Subject, *, stream: bool) -> None:
    answer = await ask(subject.provider, subject.call("text", stream=stream))
    assert answer.text == answer.candidates[0].message.parts[0].text
    assert len(answer.text.split()) == 5


@BOTH
async def test_tool_calls_have_names_arguments_and_ids_of_their_own(subject: Subject, *, stream: bool) -> None:
    answer = await ask(subject.provider, subject.call("tools", stream=stream))
    calls = [part.tool_call for part in answer.candidates[0].message.parts]
    assert answer.candidates[0].finish_reason == pb.FINISH_REASON_TOOL_CALLS
    assert [call.name for call in calls] == ["look_up", "look_up"]
    assert all(call.arguments_json.startswith("{") for call in calls)
    assert len({call.tool_call_id for call in calls} - {""}) == 2


@BOTH
async def test_a_refusal_is_an_answer(subject: Subject, *, stream: bool) -> None:
    if "refusal" in subject.lacks:
        pytest.skip("the dialect has no refusals: the model says no in plain text")
    candidate = (await ask(subject.provider, subject.call("refusal", stream=stream))).candidates[0]
    assert candidate.finish_reason == pb.FINISH_REASON_REFUSAL
    assert candidate.message.parts[0].refusal.text


@BOTH
@ANSWERS
async def test_usage_keeps_its_invariants(subject: Subject, behaviour: str, *, stream: bool) -> None:
    usage = (await ask(subject.provider, subject.call(behaviour, stream=stream))).usage
    assert usage.input_tokens > 0
    assert usage.output_tokens > 0 or behaviour == "refusal"  # where nothing was generated, some count nothing
    assert usage.cached_input_tokens + usage.cache_write_5m_tokens + usage.cache_write_1h_tokens <= usage.input_tokens
    assert (usage.reasoning_tokens > 0) == (behaviour == "reasoning" and "reasoning_tokens" not in subject.lacks)
    assert usage.reasoning_tokens <= usage.output_tokens


@BOTH
async def test_a_limit_on_the_length_is_kept_and_told(subject: Subject, *, stream: bool) -> None:
    call = subject.call("long", stream=stream, generation=pb.GenerationSettings(max_output_tokens=16))
    answer = await ask(subject.provider, call)
    assert (len(answer.text.split()), answer.candidates[0].finish_reason) == (16, pb.FINISH_REASON_LENGTH)


@BOTH
async def test_as_many_candidates_come_as_were_asked_for(subject: Subject, *, stream: bool) -> None:
    call = subject.call("text", stream=stream, generation=pb.GenerationSettings(candidate_count=3))
    if "candidates" in subject.lacks:
        with pytest.raises(CapabilityMissing, match="candidate_count"):
            await subject.provider(call)
        return
    answer = await ask(subject.provider, call)
    assert [candidate.index for candidate in answer.candidates] == [0, 1, 2]
    assert all(candidate.message.parts[0].text for candidate in answer.candidates)


@ANSWERS
async def test_events_have_one_beginning_and_one_end(subject: Subject, behaviour: str) -> None:
    events = await events_of(subject.provider, subject.call(behaviour, stream=True))
    kinds = [event.WhichOneof("event") for event in events]
    assert (kinds[0], kinds[-1]) == ("started", "finished")
    assert (kinds.count("started"), kinds.count("finished")) == (1, 1)
    assert kinds.count("part_started") == kinds.count("part_finished") >= 1


@ANSWERS
async def test_every_part_begins_grows_and_ends(subject: Subject, behaviour: str) -> None:
    state: dict[tuple[int, int], str] = {}
    before = {"part_started": [""], "part_delta": ["part_started", "part_delta"], "part_finished": ["part_started", "part_delta"]}
    for event in await events_of(subject.provider, subject.call(behaviour, stream=True)):
        kind = event.WhichOneof("event") or ""
        if kind.startswith("part_"):
            part = getattr(event, kind)
            where = (part.candidate_index, part.part_index)
            assert state.get(where, "") in before[kind]
            state[where] = kind
    assert set(state.values()) == {"part_finished"}


@BOTH
@pytest.mark.parametrize(
    ("behaviour", "kind", "status"),
    [("unwell", UpstreamFailed, 503), ("limited", UpstreamRateLimited, 429), ("account", UpstreamAccount, 401)],
)
async def test_failures_that_can_be_undone_come_from_the_call(
    subject: Subject, behaviour: str, kind: type[PromptwireError], status: int, *, stream: bool
) -> None:
    call = subject.call(behaviour, stream=stream)
    with pytest.raises(kind) as caught:
        await subject.provider(call)
    assert caught.value.origin.http_status == status
    assert caught.value.retry_after_s == (2.0 if behaviour == "limited" else None)
    (attempt,) = call.trail.attempts
    assert (attempt.failure.http_status, attempt.failure.reason) == (status, kind.reason)
    assert not attempt.HasField("usage")


async def test_a_stream_that_breaks_off_says_so_and_keeps_what_came(subject: Subject) -> None:
    call = subject.call("broken", stream=True)
    endings: list[Ending] = []
    events: list[Event] = []
    async with await subject.provider(call) as reply:
        reply.on_done(endings.append)
        with pytest.raises(StreamInterrupted) as caught:
            await collect(reply, events)
    deltas = [event.part_delta.text for event in events if event.HasField("part_delta")]
    assert deltas
    assert int(caught.value.metadata["delivered_deltas"]) >= len(deltas)
    assert not any(event.HasField("finished") for event in events)
    assert endings[0].response is None
    assert endings[0].partial is not None
    attempt = call.trail.attempts[0]
    assert attempt.failure.reason == pb.ERROR_REASON_STREAM_INTERRUPTED
    assert attempt.usage.input_tokens
    assert attempt.usage.output_tokens


@BOTH
async def test_the_deadline_ends_a_silence(subject: Subject, *, stream: bool) -> None:
    call = subject.call("silent", stream=stream, within_s=0.1)
    with pytest.raises(DeadlineExceeded) as caught:
        await ask(subject.provider, call)
    assert caught.value.metadata["phase"] == "upstream"
    assert call.trail.attempts[0].failure.reason == pb.ERROR_REASON_DEADLINE


@BOTH
async def test_the_deadline_ends_a_slow_answer(subject: Subject, *, stream: bool) -> None:
    with pytest.raises(DeadlineExceeded):
        await ask(subject.provider, subject.call("slow", stream=stream, within_s=0.15))


@BOTH
async def test_a_deadline_that_has_passed_costs_nothing(subject: Subject, *, stream: bool) -> None:
    with pytest.raises(DeadlineExceeded):
        await ask(subject.provider, subject.call("silent", stream=stream, within_s=0.0))


@BOTH
async def test_cancelling_while_nothing_comes_ends_the_attempt(subject: Subject, *, stream: bool) -> None:
    call = subject.call("silent", stream=stream)
    task = asyncio.ensure_future(subject.provider(call))
    await asyncio.sleep(0)
    task.cancel()
    with pytest.raises(asyncio.CancelledError):
        await task
    attempt = call.trail.attempts[0]
    assert attempt.failure.reason == pb.ERROR_REASON_CANCELLED
    assert (attempt.usage.input_tokens > 0, attempt.usage.output_tokens, attempt.usage.estimated) == (True, 0, True)


async def test_leaving_a_stream_early_releases_it_and_tells_what_came(subject: Subject) -> None:
    call = subject.call("slow", stream=True)
    endings: list[Ending] = []
    async with await subject.provider(call) as reply:
        reply.on_done(endings.append)
        async for event in reply:
            if event.HasField("part_delta"):
                break
    (ending,) = endings
    assert (ending.response, ending.error, ending.delivered) == (None, None, True)
    assert ending.partial is not None
    attempt = call.trail.attempts[0]
    assert attempt.failure.reason == pb.ERROR_REASON_CANCELLED
    assert attempt.usage.input_tokens
    assert attempt.usage.output_tokens


@BOTH
async def test_an_attempt_that_answered_is_in_the_trail(subject: Subject, *, stream: bool) -> None:
    call = subject.call("text", stream=stream)
    await ask(subject.provider, call)
    (attempt,) = call.trail.attempts
    assert (attempt.provider, attempt.HasField("failure")) == (subject.provider.name, False)


async def test_the_trail_is_complete_when_the_last_event_comes(subject: Subject) -> None:
    call = subject.call("text", stream=True)
    async with await subject.provider(call) as reply:
        async for event in reply:
            assert bool(call.trail.attempts) or not event.HasField("finished")


@BOTH
async def test_what_cannot_be_done_is_refused_before_anything_is_tried(subject: Subject, *, stream: bool) -> None:
    if subject.provider.name == "script":
        pytest.skip("a script says what is written, whatever the shape that was asked for")
    shape = pb.ResponseFormat(grammar=pb.GrammarFormat(grammar="root ::= 'a'"))
    call = subject.call("text", stream=stream, generation=pb.GenerationSettings(response_format=shape))
    with pytest.raises(CapabilityMissing):
        await subject.provider(call)
    assert not call.trail.attempts


@BOTH
async def test_a_stop_sequence_ends_the_answer_and_is_not_part_of_it(subject: Subject, *, stream: bool) -> None:
    if subject.provider.name == "script":
        pytest.skip("a script says what is written")
    words = (await ask(subject.provider, subject.call("text", stream=stream))).text.split()
    call = subject.call("text", stream=stream, generation=pb.GenerationSettings(stop_sequences=[words[2]]))
    answer = await ask(subject.provider, call)
    if "stop" in subject.lacks:
        assert [notice.field for notice in call.trail.notices] == ["generation.stop_sequences"]
        return
    assert answer.text.split() == words[:2]
    assert answer.candidates[0].finish_reason == pb.FINISH_REASON_STOP


@BOTH
async def test_an_answer_of_a_schema_fits_it(subject: Subject, *, stream: bool) -> None:
    if subject.provider.name == "script":
        pytest.skip("a script says what is written")
    shape = pb.ResponseFormat(json_schema=pb.JsonSchemaFormat(schema_json=SCHEMA))
    answer = await ask(subject.provider, subject.call("text", stream=stream, generation=pb.GenerationSettings(response_format=shape)))
    assert isinstance(orjson.loads(answer.text)["city"], str)


@BOTH
async def test_an_answer_in_any_json_is_an_object(subject: Subject, *, stream: bool) -> None:
    if subject.provider.name == "script":
        pytest.skip("a script says what is written")
    shape = pb.ResponseFormat(json_object=pb.JsonObjectFormat())
    answer = await ask(subject.provider, subject.call("json", stream=stream, generation=pb.GenerationSettings(response_format=shape)))
    assert isinstance(orjson.loads(answer.text), dict)


@BOTH
async def test_a_conversation_with_tools_goes_on_from_what_the_model_said(subject: Subject, *, stream: bool) -> None:
    if subject.provider.name == "script":
        pytest.skip("a script says what is written")
    first = subject.call("tools", stream=stream)
    message = (await ask(subject.provider, first)).candidates[0].message
    calls = [part.tool_call for part in message.parts if part.HasField("tool_call")]
    results = [pb.ToolResultPart(tool_call_id=call.tool_call_id, parts=[pb.ContentPart(text="found")]) for call in calls]
    again = subject.call("tools", stream=stream)
    del again.request.messages[:]
    again.request.prompt = ""
    again.request.messages.add(role=pb.ROLE_USER).parts.add(text=QUESTION)
    again.request.messages.append(message)
    again.request.messages.add(role=pb.ROLE_TOOL).parts.extend([pb.ContentPart(tool_result=result) for result in results])
    answer = await ask(subject.provider, again)
    assert answer.text
    assert not again.trail.notices


async def test_vectors_come_in_the_order_of_the_texts_or_not_at_all(subject: Subject) -> None:
    request = pb.EmbedRequest(model=subject.models["text"], texts=["a", "b", "a"], dimensions=4)
    call = EmbedCall(request, subject.call("text", stream=False))
    if subject.provider.name in NO_VECTORS:
        with pytest.raises(CapabilityMissing):
            await subject.provider.embed(call)
        return
    found = await subject.provider.embed(call)
    first, second, third = ([*one.values] for one in found.embeddings)
    assert first == third != second
    assert len(first) == 4
    assert found.usage.input_tokens > 0


async def test_tokens_can_be_counted(subject: Subject) -> None:
    counted = await subject.provider.count_tokens(subject.call("text", stream=False))
    assert counted.input_tokens > 0
    assert counted.provider == subject.provider.name
    assert counted.method


async def test_models_are_named_so_that_they_can_be_asked_for(subject: Subject) -> None:
    models = await subject.provider.models()
    assert models
    assert all(model.name == f"{subject.provider.name}/{model.provider_model}" for model in models)


async def test_the_request_is_left_as_it_was(subject: Subject) -> None:
    call = subject.call("tools", stream=True)
    before = call.request.SerializeToString(deterministic=True)
    await ask(subject.provider, call)
    assert call.request.SerializeToString(deterministic=True) == before


async def test_an_assembly_of_part_of_a_stream_is_no_answer(subject: Subject) -> None:
    events = await events_of(subject.provider, subject.call("text", stream=True))
    assembly = Assembly([])
    for event in events[:-1]:
        assembly.add(event)
    assert assembly.response is None
