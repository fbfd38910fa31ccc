"""What Hugging Face's own SDK reads from an answer of its router or of TGI, beside what our message says, of the very same bytes."""

from collections.abc import AsyncIterator
from typing import Any

import pytest
from huggingface_hub.errors import HfHubHTTPError

from promptwire import v1 as pb
from promptwire_server.core.errors import (
    ContextTooLong,
    PromptwireError,
    StreamInterrupted,
    UpstreamFailed,
    UpstreamInvalidRequest,
)
from promptwire_server.providers.provider import Provider
from tests.faults import raw
from tests.faults.fake_provider.process import FakeProvider
from tests.faults.huggingface_sdk import ASKED as MESSAGES
from tests.faults.huggingface_sdk import SERVERS, Driver, Heard, driven
from tests.faults.upstreams import vendor_at
from tests.unit.providers.support import ask, make_call

Json = dict[str, Any]
BOTH = pytest.mark.parametrize("stream", [False, True], ids=["whole", "streamed"])
TGI = pytest.mark.parametrize("server", ["tgi"])
VENDORS = {"router": "huggingface", "tgi": "tgi"}
RECORDED = ["reasoning_stream", "text_stream", "text_whole", "tools_whole"]
TOOLS: Json = {
    "tools": [
        {"type": "function", "function": {"name": name, "parameters": {"type": "object", "properties": {"a": {"type": "integer"}}}}}
        for name in "fg"
    ]
}
ASKED: list[tuple[str, Json]] = [
    ("fake", {}),
    ("fake~tokens=1", {}),
    ("fake~tokens=0", {}),
    ("fake~text=%F0%9F%90%A2 \\n", {}),
    ("fake~tool=1", TOOLS),
    ("fake~tool;tool_piece=3", TOOLS),
    ("fake~reasoning=4", {}),
    ("fake~reasoning=4;reasoning_field=reasoning", {}),
    ("fake~finish=eos_token", {}),
    ("fake~finish=content_filter", {}),
    ("fake", {"max_tokens": 3}),
    ("fake~text=one two three", {"stop": ["two"]}),
    ("fake", {"logprobs": True, "top_logprobs": 2}),
    ("fake~unknown", {}),
]


@pytest.fixture(params=SERVERS)
def server(request: pytest.FixtureRequest) -> str:
    name: str = request.param
    return name


@pytest.fixture
async def sdk(fake: FakeProvider, api_key: str, server: str, monkeypatch: pytest.MonkeyPatch) -> AsyncIterator[Driver]:
    async with driven(fake, f"{api_key}-sdk", server, monkeypatch) as driver:
        yield driver


@pytest.fixture
async def provider(fake: FakeProvider, api_key: str, server: str) -> AsyncIterator[Provider]:
    async with vendor_at(VENDORS[server], f"{fake.origin}/{server}/v1", api_key) as made:
        yield made


async def record(fake: FakeProvider, name: str, server: str, model: str, body: Json, *, stream: bool) -> None:
    """Let the server answer once, and keep its bytes."""
    wanted = {"model": model, "messages": MESSAGES, "stream": stream, **body}
    if stream:
        wanted["stream_options"] = {"include_usage": True}
    async with raw.connected(fake) as client:
        await client.send(raw.post(f"/{server}/v1/chat/completions", wanted, name))
        arrived = await client.read_all()
    assert arrived.status == 200, arrived.body
    fake.register(name, arrived.data)


def check(ours: pb.ChatResponse, heard: Heard) -> None:
    """Both say the same."""
    (candidate,) = ours.candidates
    parts = list(candidate.message.parts)
    calls = [part.tool_call for part in parts if part.HasField("tool_call")]
    assert (ours.model, ours.text) == (heard.model, heard.text)
    assert "".join(part.reasoning.text for part in parts) == heard.reasoning
    assert [(call.name, call.arguments_json) for call in calls] == heard.calls
    assert len({call.tool_call_id for call in calls} - {""}) == len(calls)
    assert (ours.usage.input_tokens, ours.usage.output_tokens) == (heard.usage.prompt_tokens, heard.usage.completion_tokens)
    assert not ours.usage.estimated
    assert [(token.token, token.logprob) for token in candidate.logprobs] == [(one.token, one.logprob) for one in heard.logprobs]
    if heard.finish is not None:
        assert candidate.provider_finish_reason == heard.finish
    else:  # a call at the end of a stream of TGI's
        assert candidate.finish_reason == pb.FINISH_REASON_TOOL_CALLS


@pytest.mark.parametrize("name", RECORDED)
async def test_a_recorded_answer_says_the_same(provider: Provider, sdk: Driver, name: str) -> None:
    model, stream = f"fake~play={name}", name.endswith("stream")
    check(await ask(provider, make_call(model=model, stream=stream)), await sdk.ask(model, stream=stream))


@BOTH
@pytest.mark.parametrize("asked", ASKED, ids=[f"{model} {'+'.join(body)}" for model, body in ASKED])
async def test_an_answer_says_the_same(
    provider: Provider, sdk: Driver, fake: FakeProvider, api_key: str, server: str, asked: tuple[str, Json], *, stream: bool
) -> None:
    await record(fake, api_key, server, *asked, stream=stream)
    model = f"fake~play={api_key}"
    check(await ask(provider, make_call(model=model, stream=stream)), await sdk.ask(model, stream=stream))


@TGI
@BOTH
async def test_a_call_of_tgi_ends_as_a_call(provider: Provider, fake: FakeProvider, api_key: str, *, stream: bool) -> None:
    await record(fake, api_key, "tgi", "fake~tool=1", TOOLS, stream=stream)
    (candidate,) = (await ask(provider, make_call(model=f"fake~play={api_key}", stream=stream))).candidates
    assert (candidate.finish_reason, candidate.provider_finish_reason) == (pb.FINISH_REASON_TOOL_CALLS, "stop")


@TGI
async def test_a_call_of_tgi_whose_arguments_broke_off_is_a_failure(provider: Provider, fake: FakeProvider, api_key: str) -> None:
    await record(fake, api_key, "tgi", "fake~tool=1;tool_args=%7B%22a%22%3A", TOOLS, stream=True)
    with pytest.raises((StreamInterrupted, UpstreamFailed), match="without a finish reason"):
        await ask(provider, make_call(model=f"fake~play={api_key}", stream=True))


@TGI
async def test_a_text_of_tgi_without_a_reason_is_a_failure(provider: Provider) -> None:
    with pytest.raises((StreamInterrupted, UpstreamFailed), match="without a finish reason"):
        await ask(provider, make_call(model="fake~finish=none", stream=True))


@BOTH
@pytest.mark.parametrize("status", [400, 401, 422, 424, 429, 500, 503])
async def test_an_error_is_the_same(provider: Provider, sdk: Driver, status: int, *, stream: bool) -> None:
    model = f"fake~status={status}"
    with pytest.raises(HfHubHTTPError) as theirs:
        await sdk.ask(model, stream=stream)
    with pytest.raises(PromptwireError) as ours:
        await ask(provider, make_call(model=model, stream=stream))
    assert ours.value.origin.http_status == theirs.value.response.status_code == status


@TGI
@BOTH
@pytest.mark.parametrize(
    ("script", "kind"),
    [
        ("status=422;message=Input validation error: `inputs` must have less than 1024 tokens. Given: 2048", ContextTooLong),
        ("status=422", UpstreamInvalidRequest),
        ("status=424", UpstreamFailed),
        ("status=429", UpstreamFailed),
        ("status=500", UpstreamFailed),
    ],
)
async def test_errors_of_tgi_are_told_by_their_kind(provider: Provider, script: str, kind: type[PromptwireError], *, stream: bool) -> None:
    with pytest.raises(kind):
        await ask(provider, make_call(model=f"fake~{script}", stream=stream))


@TGI
async def test_what_tgi_refuses_after_it_has_begun_to_stream_is_a_bad_request(provider: Provider) -> None:
    request = pb.ChatRequest(prompt="hi", generation=pb.GenerationSettings(top_p=1.0))
    for stream in (False, True):
        with pytest.raises(UpstreamInvalidRequest):
            await ask(provider, make_call(request, model="fake", stream=stream))


async def test_an_error_amid_a_stream(provider: Provider, sdk: Driver) -> None:
    with pytest.raises(Exception, match=r"server had an error|CUDA out of memory"):
        await sdk.ask("fake~error_event=2", stream=True)
    with pytest.raises((StreamInterrupted, UpstreamFailed)):  # by how much arrived at once
        await ask(provider, make_call(model="fake~error_event=2", stream=True))


@pytest.mark.parametrize("server", ["router"])
async def test_models_are_what_some_live_vendor_makes_of_them(provider: Provider) -> None:
    known = {model.provider_model: model for model in await provider.models()}
    assert known.keys() == {"fake/instruct", "fake/vision", "fake/mini"}
    assert known["fake/instruct"].context_window_tokens == 131_072  # the one with a larger window is down
    assert {pb.CAPABILITY_TOOLS, pb.CAPABILITY_JSON_SCHEMA} <= {*known["fake/instruct"].capabilities}
    assert pb.CAPABILITY_IMAGE_INPUT in known["fake/vision"].capabilities
    assert pb.CAPABILITY_TOOLS not in known["fake/vision"].capabilities
    assert not any(model.HasField("price") for model in known.values())  # which vendor answers, and so what it costs, shows afterwards


@TGI
async def test_the_model_of_tgi_is_listed(provider: Provider) -> None:
    assert [model.name for model in await provider.models()] == ["tgi/fake/instruct"]
