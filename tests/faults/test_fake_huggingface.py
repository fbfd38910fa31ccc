"""Hugging Face's official SDK drives the provider's router, TGI and TEI; what it parses is what the ledger says was sent."""

import json
from base64 import b64decode
from collections.abc import AsyncIterator
from typing import Any

import pytest
from huggingface_hub.errors import GenerationError, HfHubHTTPError, OverloadedError, ValidationError
from huggingface_hub.inference._common import raise_text_generation_error
from pydantic import BaseModel

from tests.faults.fake_provider.answer import expected_text
from tests.faults.fake_provider.ledger import secret
from tests.faults.fake_provider.openai_dialect import embedding
from tests.faults.fake_provider.process import FakeProvider
from tests.faults.huggingface_sdk import ASKED, PROMPT, SERVERS, Driver, driven, vectors
from tests.faults.raw import Arrived, connected, post

BOTH = pytest.mark.parametrize("stream", [False, True], ids=["whole", "streamed"])
TGI = pytest.mark.parametrize("sdk", ["tgi"], indirect=True)
ROUTER = pytest.mark.parametrize("sdk", ["router"], indirect=True)


def tool(name: str, **properties: str) -> dict[str, Any]:
    parameters = {"type": "object", "properties": {key: {"type": kind} for key, kind in properties.items()}, "required": list(properties)}
    return {"type": "function", "function": {"name": name, "description": "", "parameters": parameters}}


TOOLS = [tool("get_weather", city="string", days="integer"), tool("get_time", zone="string")]


class Word(BaseModel):
    """A word and how long it is."""

    word: str
    length: int


@pytest.fixture(params=SERVERS)
async def sdk(fake: FakeProvider, api_key: str, request: pytest.FixtureRequest, monkeypatch: pytest.MonkeyPatch) -> AsyncIterator[Driver]:
    async with driven(fake, api_key, request.param, monkeypatch) as driver:
        yield driver


async def sent(fake: FakeProvider, key: str, path: str, **body: Any) -> Arrived:
    """Ask on a bare socket."""
    async with connected(fake) as client:
        await client.send(post(path, body, key))
        return await client.read_all()


def said_by(got: Arrived) -> Any:
    return json.loads(got.body)


@BOTH
async def test_text_is_the_function_of_the_last_user_message(sdk: Driver, *, stream: bool) -> None:
    heard = await sdk.ask("fake", stream=stream)

    entry = await sdk.agreed(heard)
    assert heard.text == entry["text_sent"] == expected_text(PROMPT)
    assert (heard.model, heard.finish) == ("fake", "stop")


@BOTH
async def test_settings(sdk: Driver, *, stream: bool) -> None:
    limited = await sdk.ask("fake~text=one two three", stream=stream, max_tokens=2, temperature=0.5, seed=1, top_p=0.9)
    stopped = await sdk.ask("fake~text=one two three", stream=stream, stop=[" two"])

    assert (limited.text, limited.finish) == ("one two", "length")
    assert (stopped.text, stopped.finish) in (("one", "stop"), ("one", "stop_sequence"))


@BOTH
async def test_a_tool_loop(sdk: Driver, *, stream: bool) -> None:
    first = await sdk.ask("fake~tool=1;id=hf", stream=stream, tools=TOOLS)
    ((name, arguments),) = first.calls
    call = {"id": "0", "type": "function", "function": {"name": name, "arguments": arguments}}
    history = [*ASKED, {"role": "assistant", "tool_calls": [call]}, {"role": "tool", "tool_call_id": "0", "content": "20 degrees"}]
    second = await sdk.ask("fake~tool=1;id=hf", stream=stream, tools=TOOLS, messages=history)

    assert isinstance(json.loads(arguments)["days"], int)
    assert second.text == expected_text(PROMPT)


@ROUTER
@BOTH
async def test_parallel_calls_behind_the_router(sdk: Driver, *, stream: bool) -> None:
    heard = await sdk.ask("fake~tool", stream=stream, tools=TOOLS)

    await sdk.agreed(heard)
    assert [name for name, _ in heard.calls] == ["get_weather", "get_time"]
    assert heard.finish == "tool_calls"


@TGI
@BOTH
async def test_tgi_calls_one_tool_and_says_why_it_ended_only_when_whole(sdk: Driver, *, stream: bool) -> None:
    heard = await sdk.ask("fake~tool=2", stream=stream, tools=TOOLS)

    await sdk.agreed(heard)
    assert [name for name, _ in heard.calls] == ["get_weather"]
    assert heard.finish == (None if stream else "stop")


@BOTH
async def test_logprobs_of_every_token(sdk: Driver, *, stream: bool) -> None:
    heard = await sdk.ask("fake~tokens=3", stream=stream, logprobs=True, top_logprobs=2)

    assert "".join(one["token"] if isinstance(one, dict) else one.token for one in heard.logprobs) == heard.text


@BOTH
async def test_structured_output(sdk: Driver, *, stream: bool) -> None:
    wanted = {"type": "json_schema", "json_schema": {"name": "word", "schema": Word.model_json_schema()}}
    heard = await sdk.ask("fake", stream=stream, response_format=wanted)

    assert Word(**json.loads(heard.text))


@TGI
@BOTH
async def test_reasons_of_tgi(sdk: Driver, *, stream: bool) -> None:
    assert (await sdk.ask("fake~finish=eos_token", stream=stream)).finish == "eos_token"


@TGI
@pytest.mark.parametrize(
    ("status", "kind"),
    [(422, ValidationError), (424, GenerationError), (429, OverloadedError)],
    ids=["validation", "generation", "overloaded"],
)
async def test_errors_of_tgi_have_kinds_that_the_client_knows(sdk: Driver, status: int, kind: type[Exception]) -> None:
    with pytest.raises(HfHubHTTPError) as caught:
        await sdk.ask(f"fake~status={status}", stream=False)

    with pytest.raises(kind):
        raise_text_generation_error(caught.value)


@ROUTER
@BOTH
@pytest.mark.parametrize("status", [401, 429, 503])
async def test_errors_behind_the_router(sdk: Driver, status: int, *, stream: bool) -> None:
    with pytest.raises(HfHubHTTPError) as caught:
        await sdk.ask(f"fake~status={status}", stream=stream)

    assert caught.value.response.status_code == status


async def test_an_error_within_a_stream_raises(sdk: Driver) -> None:
    chunks: Any = await sdk.client.chat_completion(ASKED, model="fake~error_event=2", stream=True)

    heard = [await anext(chunks), await anext(chunks)]
    with pytest.raises(Exception, match=r"server had an error|CUDA out of memory"):
        await anext(chunks)
    assert len(heard) == 2


async def test_tgi_refuses_a_stream_after_it_has_begun(fake: FakeProvider, api_key: str) -> None:
    body = {"model": "fake", "messages": ASKED, "temperature": -1}
    whole = await sent(fake, api_key, "/tgi/v1/chat/completions", **body)
    streamed = await sent(fake, api_key, "/tgi/v1/chat/completions", **body, stream=True)

    assert (whole.status, said_by(whole)["error_type"]) == (422, "validation")
    assert streamed.status == 200
    assert streamed.body.startswith(b'data: {"error":{"message":"Input validation error: `temperature`')
    assert streamed.body.endswith(b"data: [DONE]\n\n")


@pytest.mark.parametrize(
    ("words", "body"),
    [
        ("missing field `messages`", {"messages": None}),
        ("missing field `value`", {"response_format": {"type": "json_schema", "json_schema": {"schema": {}}}}),
        ("missing field `value`", {"response_format": {"type": "json_object"}}),
        ("unknown variant `text`", {"response_format": {"type": "text"}}),
        ("missing field `arguments`", {"tools": [{"type": "function", "function": {"name": "f"}}]}),
    ],
)
async def test_what_tgi_cannot_read(fake: FakeProvider, api_key: str, words: str, body: dict[str, Any]) -> None:
    got = await sent(fake, api_key, "/tgi/v1/chat/completions", **{"model": "fake", "messages": ASKED, **body})

    assert got.status == 422
    assert words in got.body.decode()


async def test_vectors_of_a_pipeline(fake: FakeProvider, api_key: str, monkeypatch: pytest.MonkeyPatch) -> None:
    found = await vectors(fake.origin, f"hf_{api_key}", "org/fake-embedding", ["one two", "three"], monkeypatch, dimensions=8)

    (entry,) = await fake.aledger(key_sha256=secret(f"hf_{api_key}"), ended=1)
    assert found == [embedding("one two", 8), embedding("three", 8)]
    assert entry["model"] == "org/fake-embedding"
    assert entry["path"] == "/router/hf-inference/models/org/fake-embedding/pipeline/feature-extraction"


async def test_a_prompt_of_the_model_stands_before_the_text(fake: FakeProvider, api_key: str, monkeypatch: pytest.MonkeyPatch) -> None:
    found = await vectors(fake.origin, f"hf_{api_key}", "fake", ["one"], monkeypatch, dimensions=8, prompt_name="query")

    assert found == [embedding("query: one", 8)]
    with pytest.raises(HfHubHTTPError, match="prompt name"):
        await vectors(fake.origin, f"hf_{api_key}", "fake", ["one"], monkeypatch, prompt_name="question")


async def test_a_text_alone_gives_a_vector_alone(fake: FakeProvider, api_key: str) -> None:
    path = "/router/hf-inference/models/fake/pipeline/feature-extraction"
    pipeline = said_by(await sent(fake, api_key, path, inputs="one", dimensions=4))
    tei = said_by(await sent(fake, api_key, "/tei/embed", inputs="one", dimensions=4))

    assert (pipeline, tei) == (embedding("one", 4), [embedding("one", 4)])


async def test_tei_answers_as_openai_would(fake: FakeProvider, api_key: str) -> None:
    body = {"model": "any", "input": ["one two", "three"], "dimensions": 4}
    plain = said_by(await sent(fake, api_key, "/tei/v1/embeddings", **body))
    packed = said_by(await sent(fake, api_key, "/tei/v1/embeddings", **body, encoding_format="base64"))

    assert [item["embedding"] for item in plain["data"]] == [embedding("one two", 4), embedding("three", 4)]
    assert [len(b64decode(item["embedding"])) for item in packed["data"]] == [16, 16]
    assert (plain["model"], plain["usage"]["prompt_tokens"]) == ("fake/embedding", 3)


@pytest.mark.parametrize("texts", [33, 0], ids=["too many", "none"])
async def test_tei_refuses_batches(fake: FakeProvider, api_key: str, texts: int) -> None:
    own = await sent(fake, api_key, "/tei/embed", inputs=["x"] * texts)
    compatible = await sent(fake, api_key, "/tei/v1/embeddings", model="any", input=["x"] * texts)

    assert own.status == compatible.status == (422 if texts else 400)
    assert said_by(own) == {"error": said_by(compatible)["message"], "error_type": said_by(compatible)["type"]}


async def test_the_router_lists_models_with_their_vendors(fake: FakeProvider, api_key: str) -> None:
    async with connected(fake) as client:
        await client.send(f"GET /router/v1/models HTTP/1.1\r\nAuthorization: Bearer {api_key}\r\nConnection: close\r\n\r\n".encode())
        listed = said_by(await client.read_all())

    first = listed["data"][0]
    assert (first["id"], [vendor["provider"] for vendor in first["providers"]]) == ("fake/instruct", ["together", "groq", "sambanova"])


async def test_the_router_wants_a_key(fake: FakeProvider) -> None:
    async with connected(fake) as client:
        await client.send(b"GET /router/v1/models HTTP/1.1\r\nConnection: close\r\n\r\n")
        assert (await client.read_all()).status == 401
