"""A conversation of three turns with tools and reasoning at each vendor, then replayed at every other: nothing is lost silently."""

import json
from collections.abc import AsyncIterator, Iterator
from contextlib import asynccontextmanager
from typing import Any

import pytest

from promptwire import v1 as pb
from tests.contract.subjects import TOOL, WIRED, Subject, over_http
from tests.faults.fake_provider.ledger import secret
from tests.faults.fake_provider.process import FakeProvider
from tests.unit.providers.support import ask, make_call

THINKS = pb.ReasoningSettings(effort=pb.ReasoningSettings.EFFORT_LOW, include=True)
GENERATION = pb.GenerationSettings(tools=[TOOL], reasoning=THINKS, max_output_tokens=4096)
CALLS, ANSWERS = "fake~reasoning=4;tool=2", "fake~reasoning=4"
FOUND = "it means tea"
PAIRS = [(source, target) for source in WIRED for target in WIRED if source != target]


@asynccontextmanager
async def opened(name: str, fake: FakeProvider, api_key: str) -> AsyncIterator[Subject]:
    subject = over_http(name, fake, api_key)
    try:
        yield subject
    finally:
        await subject.provider.aclose()


class Talk:
    """A conversation that grows turn by turn at one vendor."""

    def __init__(self, subject: Subject, *, stream: bool) -> None:
        self.messages: list[pb.ChatMessage] = []
        self.dropped: list[str] = []  # fields that notices say were not sent
        self._subject = subject
        self._stream = stream

    async def turn(self, model: str, *parts: pb.ContentPart, role: "pb.Role" = pb.ROLE_USER) -> pb.ChatMessage:
        """Say something; the vendor's message, which is kept as it came."""
        self.messages.append(pb.ChatMessage(role=role, parts=parts))
        call = make_call(pb.ChatRequest(messages=self.messages, generation=GENERATION), model=model, stream=self._stream)
        answer = await ask(self._subject.provider, call)
        self.messages.append(answer.candidates[0].message)
        self.dropped += [notice.field for notice in call.trail.notices if notice.code == pb.Notice.CODE_CONTENT_DROPPED]
        return answer.candidates[0].message


async def talked(subject: Subject, *, stream: bool) -> Talk:
    """Three turns: a question, the results of two tools, and another question."""
    talk = Talk(subject, stream=stream)
    called = await talk.turn(CALLS, pb.ContentPart(text="What does cha mean?"))
    calls = [part.tool_call for part in called.parts if part.HasField("tool_call")]
    assert len(calls) == 2
    await talk.turn(ANSWERS, *(_result(call.tool_call_id, f"{FOUND} {at}") for at, call in enumerate(calls)), role=pb.ROLE_TOOL)
    await talk.turn(ANSWERS, pb.ContentPart(text="And in Portugal?"))
    return talk


def _result(call_id: str, text: str) -> pb.ContentPart:
    return pb.ContentPart(tool_result=pb.ToolResultPart(tool_call_id=call_id, parts=[pb.ContentPart(text=text)]))


def parts_of(messages: list[pb.ChatMessage]) -> Iterator[tuple[str, pb.ContentPart]]:
    """Every part with its path."""
    for at, message in enumerate(messages):
        for place, part in enumerate(message.parts):
            yield f"messages[{at}].parts[{place}]", part


async def last_body(fake: FakeProvider, api_key: str, count: int) -> str:
    """What the vendor received last, all of its JSON read out."""
    entries = await fake.aledger(key_sha256=secret(api_key), ended=count)
    assert [entry["status"] for entry in entries] == [200] * count, [entry["said"] for entry in entries]
    return spelled(entries[-1]["body"])


def spelled(value: Any) -> str:
    """All names and texts, those within JSON that travels as text too, so that one look finds them."""
    if isinstance(value, dict):
        return " ".join(f"{name} {spelled(inner)}" for name, inner in value.items())
    if isinstance(value, list):
        return " ".join(map(spelled, value))
    if isinstance(value, str) and value[:1] in ("{", "["):
        try:
            return f"{value} {spelled(json.loads(value))}"
        except ValueError:
            return value
    return str(value)


@pytest.mark.parametrize("stream", [False, True], ids=["whole", "streamed"])
@pytest.mark.parametrize("name", WIRED)
async def test_three_turns_lose_nothing_at_the_vendor_itself(name: str, fake: FakeProvider, api_key: str, *, stream: bool) -> None:
    async with opened(name, fake, api_key) as subject:
        talk = await talked(subject, stream=stream)
        lacks_reasoning = "reasoning back" in subject.lacks
    body = await last_body(fake, api_key, 3)
    thoughts = [path for path, part in parts_of(talk.messages[:-1]) if part.HasField("reasoning")]
    assert thoughts
    # The first turn's thoughts go back in the second and the third, the second's in the third; where none are taken, that is said.
    assert talk.dropped == ([thoughts[0], *thoughts] if lacks_reasoning else [])
    assert_all_there(talk.messages[:-1], body, set(talk.dropped))


@pytest.mark.parametrize(("source", "target"), PAIRS, ids=lambda value: value)
async def test_replayed_elsewhere_nothing_is_lost_silently(source: str, target: str, fake: FakeProvider, api_key: str) -> None:
    async with opened(source, fake, f"{api_key}-1") as subject:
        talk = await talked(subject, stream=True)
    request = pb.ChatRequest(messages=talk.messages, prompt="Thanks. And here?", generation=GENERATION)
    call = make_call(request, model=ANSWERS)
    async with opened(target, fake, f"{api_key}-2") as subject:
        await ask(subject.provider, call)
    dropped = {notice.field for notice in call.trail.notices if notice.code == pb.Notice.CODE_CONTENT_DROPPED}
    assert_all_there(talk.messages, await last_body(fake, f"{api_key}-2", 1), dropped)


def assert_all_there(messages: list[pb.ChatMessage], body: str, dropped: set[str]) -> None:
    """Texts, calls and results are in the body; thoughts and state are, or a notice says that they are not."""
    for path, part in parts_of(messages):
        for kept in kept_of(part):
            assert kept in body, f"{path}: {kept}"
        if part.reasoning.text:
            assert part.reasoning.text in body or any(field.startswith(path) for field in dropped), path
        if part.HasField("provider_state"):
            assert state_in(part.provider_state.data, body) or any(field.startswith(path) for field in dropped), path


def kept_of(part: pb.ContentPart) -> list[str]:
    """What every vendor takes."""
    match part.WhichOneof("content"):
        case "text":
            return [part.text]
        case "tool_call":
            return [part.tool_call.name, *(spelled(value) for value in json.loads(part.tool_call.arguments_json).values())]
        case "tool_result":
            return [inner.text for inner in part.tool_result.parts]
    return []


def state_in(state: bytes, body: str) -> bool:
    """Whether what a vendor wanted back is there, verbatim or with all its values."""
    text = state.decode()
    if text in body:
        return True
    try:
        value = json.loads(text)
    except ValueError:
        return False
    return all(spelled(inner) in body for inner in (value.values() if isinstance(value, dict) else [value]))
