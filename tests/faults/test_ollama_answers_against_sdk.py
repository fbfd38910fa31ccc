"""What Ollama's own SDK reads from an answer of /api/chat, beside what our message says, of the very same bytes."""

from collections.abc import AsyncIterator
from typing import Any

import ollama
import orjson
import pytest

from promptwire import v1 as pb
from promptwire_server.core.errors import PromptwireError, StreamInterrupted, UpstreamFailed
from promptwire_server.providers.provider import Provider
from tests.faults import raw
from tests.faults.fake_provider.process import FakeProvider
from tests.faults.upstreams import vendor_at
from tests.faults.wires import RECORDINGS
from tests.unit.providers.support import ask, make_call

Json = dict[str, Any]
BOTH = pytest.mark.parametrize("stream", [False, True], ids=["whole", "streamed"])
RECORDED = sorted(path.stem for path in RECORDINGS.glob("ollama_*.http") if "error" not in path.stem)
PROMPT = {"role": "user", "content": "Which words do you know?"}
TOOLS: Json = {
    "tools": [
        {"type": "function", "function": {"name": name, "parameters": {"type": "object", "properties": {"a": {"type": "integer"}}}}}
        for name in ("f", "g")
    ]
}
THINK: Json = {"think": True}
ASKED: list[tuple[str, Json]] = [
    ("fake", {}),
    ("fake~tokens=1", {}),
    ("fake~tokens=0", {}),
    ("fake~text=%F0%9F%90%A2 \\n<&>", {}),
    ("fake", THINK),
    ("fake~reasoning=4;tokens=2", THINK),
    ("fake~reasoning=4;tokens=0", THINK),
    ("fake~tool=1", TOOLS),
    ("fake~tool", TOOLS),
    ("fake~tool;tool_ids=given", TOOLS),
    ("fake~tool=1;text=I look.", TOOLS),
    ("fake~tool=2;reasoning=3", TOOLS | THINK),
    ("fake~tool=1;tool_args=%7B%22a%22%3A9007199254740993,%22b%22%3A%5B1.5,null,%7B%7D%5D%7D", TOOLS),
    ("fake~tokens=3", {"logprobs": True}),
    ("fake~tokens=3", {"logprobs": True, "top_logprobs": 2}),
    ("fake~text=one two three", {"options": {"num_predict": 2}}),
    ("fake~text=one two three", {"options": {"stop": [" two"]}}),
    ("fake", {"format": "json"}),
    ("fake~finish=load", {}),
    ("fake~cached=2", {}),
    ("fake~unknown", {}),
]
UNCOUNTED = ["none", "null", "negative", "huge", "zero"]


class Heard:
    """What the SDK parsed, a whole answer and a stream brought to one form."""

    def __init__(self, *answers: ollama.ChatResponse) -> None:
        self.answers = list(answers)

    @property
    def last(self) -> ollama.ChatResponse:
        return self.answers[-1]

    @property
    def calls(self) -> list[tuple[str, Any]]:
        found = [call.function for answer in self.answers for call in answer.message.tool_calls or ()]
        return [(call.name, dict(call.arguments)) for call in found]

    def logprobs(self) -> list[tuple[Any, ...]]:
        found = [one for answer in self.answers for one in answer.logprobs or ()]
        return [(one.token, one.logprob, [(top.token, top.logprob) for top in one.top_logprobs or ()]) for one in found]


@pytest.fixture
async def sdk(fake: FakeProvider, api_key: str) -> AsyncIterator[ollama.AsyncClient]:
    # There is no TLS to verify; loading the certificates of the system takes 0.1 to 0.4 s a client.
    async with ollama.AsyncClient(host=fake.origin, headers={"authorization": f"Bearer {api_key}-sdk"}, verify=False) as client:
        yield client


@pytest.fixture
async def provider(fake: FakeProvider, api_key: str) -> AsyncIterator[Provider]:
    async with vendor_at("ollama", fake.origin, api_key, dialect="ollama") as made:
        yield made


async def heard(sdk: ollama.AsyncClient, model: str, *, stream: bool) -> Heard:
    if not stream:
        return Heard(await sdk.chat(model, [PROMPT]))
    return Heard(*[line async for line in await sdk.chat(model, [PROMPT], stream=True)])


async def record(fake: FakeProvider, name: str, model: str, body: Json, *, stream: bool) -> None:
    """Let the provider answer once, and keep its bytes."""
    async with raw.connected(fake) as client:
        await client.send(raw.post("/api/chat", {"model": model, "messages": [PROMPT], "stream": stream, **body}, name))
        arrived = await client.read_all()
    assert arrived.status == 200, arrived.body
    fake.register(name, arrived.data)


def check(ours: pb.ChatResponse, theirs: Heard) -> None:
    """Both say the same."""
    (candidate,) = ours.candidates
    parts = list(candidate.message.parts)
    calls = [part.tool_call for part in parts if part.HasField("tool_call")]
    last = theirs.last
    assert (ours.model, candidate.provider_finish_reason) == (last.model, last.done_reason)
    assert ours.text == "".join(answer.message.content or "" for answer in theirs.answers)
    assert "".join(part.reasoning.text for part in parts) == "".join(answer.message.thinking or "" for answer in theirs.answers)
    assert [(call.name, orjson.loads(call.arguments_json)) for call in calls] == theirs.calls
    assert len({call.tool_call_id for call in calls} - {""}) == len(calls)
    assert (ours.usage.input_tokens, ours.usage.output_tokens) == (last.prompt_eval_count, last.eval_count or 0)
    assert ours.usage.estimated == (last.eval_count is None)  # a zero is left out by the server
    found = [(token.token, token.logprob, [(top.token, top.logprob) for top in token.top]) for token in candidate.logprobs]
    assert found == theirs.logprobs()
    check_durations(orjson.loads(ours.provider_extra_json), last)


def check_durations(extra: Json, last: ollama.ChatResponse) -> None:
    """What the contract has no field for is there all the same."""
    names = ("total_duration", "load_duration", "prompt_eval_duration", "eval_duration")
    assert [extra.get(name) for name in names] == [getattr(last, name) for name in names]


def test_the_recordings_are_found() -> None:
    assert len(RECORDED) >= 5


@pytest.mark.parametrize("name", RECORDED)
async def test_a_recorded_answer_says_the_same(provider: Provider, sdk: ollama.AsyncClient, name: str) -> None:
    model, stream = f"fake~play={name}", name.endswith("stream")
    check(await ask(provider, make_call(model=model, stream=stream)), await heard(sdk, model, stream=stream))


@BOTH
@pytest.mark.parametrize(("model", "body"), ASKED, ids=[f"{model} {'+'.join(body)}" for model, body in ASKED])
async def test_an_answer_says_the_same(
    provider: Provider, sdk: ollama.AsyncClient, fake: FakeProvider, api_key: str, model: str, body: Json, *, stream: bool
) -> None:
    await record(fake, api_key, model, body, stream=stream)
    model = f"fake~play={api_key}"
    check(await ask(provider, make_call(model=model, stream=stream)), await heard(sdk, model, stream=stream))


@BOTH
@pytest.mark.parametrize("usage", UNCOUNTED)
async def test_counts_that_cannot_be_are_estimated(provider: Provider, sdk: ollama.AsyncClient, usage: str, *, stream: bool) -> None:
    model = f"fake~usage={usage};tokens=8"
    theirs = (await heard(sdk, model, stream=stream)).last
    ours = await ask(provider, make_call(model=model, stream=stream))
    assert theirs.prompt_eval_count in (None, 0, -5, 10**18)
    assert ours.usage.estimated
    assert 0 < ours.usage.input_tokens < ours.usage.output_tokens < 100


@BOTH
async def test_an_answer_without_a_reason_ended_well_if_it_is_done(provider: Provider, sdk: ollama.AsyncClient, *, stream: bool) -> None:
    theirs = await heard(sdk, "fake~finish=none", stream=stream)
    (candidate,) = (await ask(provider, make_call(model="fake~finish=none", stream=stream))).candidates
    assert (theirs.last.done, theirs.last.done_reason) == (True, None)
    assert candidate.finish_reason == pb.FINISH_REASON_STOP


async def test_a_stream_that_is_not_done_is_whole_to_the_sdk_and_a_failure_to_us(provider: Provider, sdk: ollama.AsyncClient) -> None:
    theirs = await heard(sdk, "fake~tokens=3;done=0", stream=True)
    assert not theirs.last.done
    with pytest.raises((StreamInterrupted, UpstreamFailed)):
        await ask(provider, make_call(model="fake~tokens=3;done=0", stream=True))


@pytest.mark.parametrize("model", ["fake~play=ollama_error_mid_stream", "fake~error_event=2"])
async def test_an_error_amid_a_stream_is_one_for_both(provider: Provider, sdk: ollama.AsyncClient, model: str) -> None:
    with pytest.raises(ollama.ResponseError):
        await heard(sdk, model, stream=True)
    with pytest.raises((StreamInterrupted, UpstreamFailed)):  # by how much arrived at once
        await ask(provider, make_call(model=model, stream=True))


@BOTH
@pytest.mark.parametrize("status", [400, 401, 403, 404, 429, 500, 502, 503])
async def test_an_error_is_the_same(provider: Provider, sdk: ollama.AsyncClient, status: int, *, stream: bool) -> None:
    model = f"fake~status={status}"
    with pytest.raises(ollama.ResponseError) as theirs:
        await heard(sdk, model, stream=stream)
    with pytest.raises(PromptwireError) as ours:
        await ask(provider, make_call(model=model, stream=stream))
    assert ours.value.origin.http_status == theirs.value.status_code == status
