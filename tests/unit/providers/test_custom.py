"""A provider of the operator's own: what its class may say, and what becomes of what it does wrong."""

import asyncio
from collections.abc import AsyncIterator, Mapping
from pathlib import Path
from typing import Any

import pytest

from promptwire import v1 as pb
from promptwire_server.core.clock import SystemClock
from promptwire_server.core.errors import DeadlineExceeded, Overloaded, StreamInterrupted, UpstreamFailed
from promptwire_server.core.secret import Secret
from promptwire_server.providers.custom import BadEntryPoint, Custom, Settings
from promptwire_server.providers.registry import build
from tests.unit.providers.support import ask, events_of, make_call, make_ids

BOTH = pytest.mark.parametrize("stream", [False, True], ids=["whole", "streamed"])
CALL = pb.ContentPart(tool_call=pb.ToolCallPart(name="f", arguments_json="{}"))
THOUGHT = pb.ContentPart(reasoning=pb.ReasoningPart(text="hm"))


class Speaker:
    """Says the items that it is given; an exception among them is raised."""

    def __init__(self, *items: Any) -> None:
        self.items = items
        self.asked: list[pb.ChatRequest] = []
        self.left = asyncio.Event()

    async def answer(self, request: pb.ChatRequest) -> AsyncIterator[object]:
        self.asked.append(request)
        try:
            for item in self.items:
                if isinstance(item, Exception):
                    raise item
                yield await item() if callable(item) else item
        finally:
            self.left.set()


class Returning:
    """Returns one thing."""

    def __init__(self, found: Any) -> None:
        self.found = found

    async def answer(self, request: pb.ChatRequest) -> Any:
        if isinstance(self.found, Exception):
            raise self.found
        return self.found


def provider(speaker: Any) -> Custom:
    return Custom("mine", speaker, clock=SystemClock(), ids=make_ids(), models=("m",))


@BOTH
async def test_pieces_of_text_become_an_answer(stream: bool) -> None:  # noqa: FBT001 - a parameter of the table
    call = make_call("hi there", model="loud", stream=stream)
    speaker = Speaker("one ", "", "two")
    answer = await ask(provider(speaker), call)
    assert (answer.text, answer.provider, answer.model) == ("one two", "mine", "loud")
    assert answer.candidates[0].finish_reason == pb.FINISH_REASON_STOP
    assert (speaker.asked[0].model, speaker.asked[0].prompt) == ("loud", "hi there")
    assert call.request.model == ""


@BOTH
async def test_parts_stand_where_they_were_said(stream: bool) -> None:  # noqa: FBT001
    answer = await ask(provider(Speaker(THOUGHT, "one", CALL, CALL, "two")), make_call(stream=stream))
    parts = answer.candidates[0].message.parts
    assert [part.WhichOneof("content") for part in parts] == ["reasoning", "text", "tool_call", "tool_call", "text"]
    assert len({part.tool_call.tool_call_id for part in parts if part.HasField("tool_call")} - {""}) == 2
    assert answer.candidates[0].finish_reason == pb.FINISH_REASON_TOOL_CALLS


async def test_usage_that_is_not_said_is_estimated_and_noted() -> None:
    call = make_call("12345678")
    answer = await ask(provider(Speaker("1234", THOUGHT)), call)
    usage = answer.usage
    assert (usage.input_tokens, usage.output_tokens, usage.reasoning_tokens, usage.estimated) == (2, 2, 1, True)
    assert [notice.code for notice in call.trail.notices] == [pb.Notice.CODE_USAGE_ESTIMATED]
    said = await ask(provider(Speaker("1234", pb.Usage(input_tokens=5), pb.FINISH_REASON_LENGTH)), make_call())
    assert (said.usage, said.candidates[0].finish_reason) == (pb.Usage(input_tokens=5), pb.FINISH_REASON_LENGTH)


@BOTH
@pytest.mark.parametrize(
    "found", ["hello", pb.ChatResponse(candidates=[{"message": {"parts": [{"text": "hello"}]}}])], ids=["text", "response"]
)
async def test_a_coroutine_may_return_it_all(found: Any, stream: bool) -> None:  # noqa: FBT001
    answer = await ask(provider(Returning(found)), make_call(model="loud", stream=stream))
    assert (answer.text, answer.model, answer.candidates[0].message.role) == ("hello", "loud", pb.ROLE_ASSISTANT)


@BOTH
async def test_nothing_said_is_an_empty_answer(stream: bool) -> None:  # noqa: FBT001
    answer = await ask(provider(Speaker()), make_call(stream=stream))
    assert (answer.text, answer.candidates[0].finish_reason) == ("", pb.FINISH_REASON_STOP)


@BOTH
@pytest.mark.parametrize("speaker", [Speaker(KeyError("sk-secret")), Returning(KeyError("sk-secret"))], ids=["yields", "returns"])
async def test_an_exception_is_told_by_name_and_place_not_by_its_words(speaker: Any, stream: bool) -> None:  # noqa: FBT001
    call = make_call(stream=stream)
    with pytest.raises(UpstreamFailed, match=r"its class failed: KeyError \(test_custom\.py, line \d+\)") as caught:
        await ask(provider(speaker), call)
    assert "sk-secret" not in f"{caught.value} {caught.value.__cause__}"
    assert call.trail.attempts[0].failure.reason == pb.ERROR_REASON_UPSTREAM_FAILED


async def test_a_timeout_of_its_own_is_not_the_callers_deadline() -> None:
    with pytest.raises(UpstreamFailed, match="TimeoutError"):
        await ask(provider(Speaker(TimeoutError())), make_call())


async def test_an_error_of_ours_passes() -> None:
    with pytest.raises(Overloaded):
        await ask(provider(Speaker(Overloaded("full", retry_after_s=1))), make_call())


async def test_an_exception_after_the_first_words_breaks_the_stream() -> None:
    call = make_call(stream=True)
    with pytest.raises(StreamInterrupted, match="at delta 2"):
        await events_of(provider(Speaker("one ", "two ", ValueError("x"))), call)
    assert call.trail.attempts[0].failure.reason == pb.ERROR_REASON_STREAM_INTERRUPTED


@pytest.mark.parametrize("item", [5.5, None, 999, b"bytes", pb.ContentPart()])
async def test_what_is_no_answer_is_refused(item: object) -> None:
    with pytest.raises(UpstreamFailed, match="which is none of"):
        await ask(provider(Speaker(item)), make_call())
    with pytest.raises(UpstreamFailed, match="which is neither text nor a ChatResponse"):
        await ask(provider(Returning(item)), make_call())


async def test_an_answer_that_blocks_is_refused() -> None:
    class Blocking:
        def answer(self, request: pb.ChatRequest) -> str:
            return "hello"

    with pytest.raises(UpstreamFailed, match="neither is a coroutine nor yields asynchronously"):
        await ask(provider(Blocking()), make_call())


@BOTH
async def test_the_deadline_ends_it_and_its_clean_up_runs(stream: bool) -> None:  # noqa: FBT001
    speaker = Speaker(asyncio.Event().wait)
    with pytest.raises(DeadlineExceeded):
        await ask(provider(speaker), make_call(stream=stream, within_s=0.05))
    assert speaker.left.is_set()


@BOTH
async def test_cancelling_reaches_it(stream: bool) -> None:  # noqa: FBT001
    begun = asyncio.Event()

    async def wait() -> str:
        begun.set()
        await asyncio.Event().wait()
        return ""

    speaker = Speaker(wait)
    task = asyncio.ensure_future(ask(provider(speaker), make_call(stream=stream)))
    await begun.wait()
    task.cancel()
    with pytest.raises(asyncio.CancelledError):
        await task
    assert speaker.left.is_set()


async def test_a_reader_who_leaves_lets_it_clean_up() -> None:
    speaker = Speaker("one ", "two ", "three")
    mine = provider(speaker)
    async with await mine(make_call(stream=True)) as reply:
        await anext(aiter(reply))
    await asyncio.wait_for(speaker.left.wait(), 5)
    await mine.aclose()


async def test_it_is_closed_with_the_server_whatever_it_does_then() -> None:
    class Closing(Returning):
        closed = False

        async def aclose(self) -> None:
            self.closed = True
            raise ValueError("sk-secret")

    speaker = Closing("x")
    await provider(speaker).aclose()
    assert speaker.closed


class Package:
    """A package on the path, with classes to be found."""

    def __init__(self, folder: Path) -> None:
        self._info = folder / "spoken-1.0.dist-info"
        self._info.mkdir()
        (self._info / "METADATA").write_text("Metadata-Version: 2.1\nName: spoken\nVersion: 1.0\n")
        (folder / "spoken.py").write_text(
            "class Good:\n    def __init__(self, options): self.options = options\n"
            "    async def answer(self, request): return self.options['word']\n"
            "class Mute:\n    def __init__(self, options): pass\n"
            "class Broken:\n    def __init__(self, options): raise KeyError('sk-secret')\n"
        )
        names = ("Good", "Mute", "Broken", "Absent")
        lines = ["[promptwire.providers]", *(f"{name.lower()} = spoken:{name}" for name in names)]
        (self._info / "entry_points.txt").write_text("\n".join(lines))


@pytest.fixture
def package(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Package:
    monkeypatch.syspath_prepend(str(tmp_path))
    return Package(tmp_path)


def built(entry_point: str, options: Mapping[str, str] | None = None) -> Any:
    secrets = {name: Secret(value) for name, value in (options or {}).items()}
    return build("mine", Settings(entry_point, secrets), clock=SystemClock(), ids=make_ids())


async def test_an_entry_point_is_made_with_its_options(package: Package) -> None:
    mine = built("good", {"word": "hello"})
    assert (await ask(mine, make_call())).text == "hello"
    assert [model.name for model in await mine.models()] == ["mine/good"]


@pytest.mark.parametrize(
    ("entry_point", "told"),
    [
        ("none", 'nothing that is installed has "none" in the group promptwire.providers; there are absent, broken, good, mute'),
        ("mute", "mute has no method `answer`"),
        ("broken", r"broken cannot be made: KeyError \(spoken\.py, line 7\)"),
        ("absent", "absent cannot be made: AttributeError"),
    ],
)
def test_what_cannot_be_made_is_told(package: Package, entry_point: str, told: str) -> None:
    with pytest.raises(BadEntryPoint, match=rf"providers\.mine\.entry_point: {told}") as caught:
        built(entry_point)
    assert "sk-secret" not in str(caught.value)


def test_options_do_not_show_themselves() -> None:
    assert "sk-secret" not in repr(Settings("x", {"key": Secret("sk-secret")}))
