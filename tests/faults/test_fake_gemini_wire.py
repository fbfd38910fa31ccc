"""What the provider's Gemini dialect does on the wire: paths, keys, frames, errors, and what it refuses."""

import json
from collections.abc import AsyncIterator
from typing import Any
from urllib.parse import quote

import pytest
from google.genai import errors

from tests.faults.fake_provider.ledger import secret
from tests.faults.fake_provider.openai_dialect import embedding
from tests.faults.fake_provider.process import FakeProvider
from tests.faults.gemini_sdk import PROMPT, Driver, driven
from tests.faults.raw import Arrived, connected, post

BOTH = pytest.mark.parametrize("stream", [False, True], ids=["whole", "streamed"])
ASKED = {"contents": [{"role": "user", "parts": [{"text": PROMPT}]}]}


@pytest.fixture
async def sdk(fake: FakeProvider, api_key: str) -> AsyncIterator[Driver]:
    async with driven(fake, api_key) as driver:
        yield driver


async def sent(fake: FakeProvider, key: str, model: str, method: str, body: Any = None) -> Arrived:
    """Ask on a bare socket, the model quoted as a careful client does it."""
    async with connected(fake) as client:
        await client.send(post(f"/v1beta/models/{quote(model, safe='')}:{method}", body or ASKED, key))
        return await client.read_all()


async def test_one_embedding_on_the_bare_wire(fake: FakeProvider, api_key: str) -> None:
    body = {"model": "models/fake", "content": {"parts": [{"text": "one"}]}, "outputDimensionality": 4}
    got = await sent(fake, api_key, "fake", "embedContent", body)

    assert json.loads(got.body) == {"embedding": {"values": embedding("one", 4)}}


@BOTH
@pytest.mark.parametrize(
    ("script", "kind", "code", "status"),
    [
        ("status=400", errors.ClientError, 400, "INVALID_ARGUMENT"),
        ("status=400;code=API_KEY_INVALID", errors.ClientError, 400, "INVALID_ARGUMENT"),
        ("status=403", errors.ClientError, 403, "PERMISSION_DENIED"),
        ("status=404", errors.ClientError, 404, "NOT_FOUND"),
        ("status=429", errors.ClientError, 429, "RESOURCE_EXHAUSTED"),
        ("status=500", errors.ServerError, 500, "INTERNAL"),
        ("status=503", errors.ServerError, 503, "UNAVAILABLE"),
        ("status=504", errors.ServerError, 504, "DEADLINE_EXCEEDED"),
    ],
)
async def test_errors_as_the_sdk_knows_them(
    sdk: Driver, script: str, kind: type[errors.APIError], code: int, status: str, *, stream: bool
) -> None:
    with pytest.raises(kind) as caught:
        await sdk.ask(f"fake~{script}", stream=stream)

    assert (caught.value.code, caught.value.status) == (code, status)


@pytest.mark.parametrize(
    ("script", "delay"), [("status=429", "13s"), ("status=429;retry_delay=0.5s", "0.5s"), ("status=503;retry_delay=2s", "2s")]
)
async def test_when_to_try_again_stands_in_the_details(sdk: Driver, script: str, delay: str) -> None:
    with pytest.raises(errors.APIError) as caught:
        await sdk.ask(f"fake~{script}", stream=False)

    details = caught.value.details["error"]["details"]
    assert details[-1] == {"@type": "type.googleapis.com/google.rpc.RetryInfo", "retryDelay": delay}


async def test_a_bad_key_is_an_invalid_argument(sdk: Driver) -> None:
    with pytest.raises(errors.ClientError, match="API key not valid") as caught:
        await sdk.ask("fake~status=400;code=API_KEY_INVALID", stream=False)

    assert caught.value.details["error"]["details"][0]["reason"] == "API_KEY_INVALID"


@pytest.mark.parametrize("bare", ["", ";error_bare"])
async def test_an_error_within_a_stream_raises(sdk: Driver, bare: str) -> None:
    chunks = await sdk.client.models.generate_content_stream(model=f"fake~error_event=2{bare}", contents=PROMPT)
    heard = [await anext(chunks), await anext(chunks)]

    with pytest.raises(errors.ServerError, match="503 UNAVAILABLE"):
        await anext(chunks)
    assert [answer.candidates is not None for answer in heard] == [True, True]


async def test_what_is_no_json_raises(sdk: Driver) -> None:
    with pytest.raises(errors.UnknownApiResponseError):
        await sdk.ask("fake~bad_json=1", stream=True)


@pytest.mark.parametrize("name", ["fake~status=503/ok", "fake~status=503;header=x-a:b/ok;text=a~b", "fake~id=x;status=503/id=x"])
async def test_a_script_survives_the_path(sdk: Driver, name: str) -> None:
    with pytest.raises(errors.ServerError):
        await sdk.ask(name, stream=True)
    heard = await sdk.ask(name, stream=True)

    assert heard.finish() == "STOP"
    assert [entry["model"] for entry in await sdk.entries(2)] == [name, name]


async def test_a_quoted_name_is_the_same_name(fake: FakeProvider, api_key: str) -> None:
    got = await sent(fake, api_key, "fake~content_type=text%2Fhtml;text=a%3Bb/ok", "generateContent")

    assert got.headers["content-type"] == "text/html"
    assert json.loads(got.body)["candidates"][0]["content"]["parts"] == [{"text": "a;b"}]


async def test_a_key_in_the_query_counts_and_carries_a_script(fake: FakeProvider, api_key: str) -> None:
    key = f"{api_key}~tokens=1"
    head = f"POST /v1beta/models/fake:generateContent?key={quote(key)} HTTP/1.1\r\nConnection: close\r\n"
    data = json.dumps(ASKED).encode()
    async with connected(fake) as client:
        await client.send(f"{head}Content-Length: {len(data)}\r\n\r\n".encode() + data)
        got = await client.read_all()

    assert json.loads(got.body)["usageMetadata"]["candidatesTokenCount"] == 1
    (entry,) = await fake.aledger(ended=1, key_sha256=secret(key))
    assert entry["path"] == "/v1beta/models/fake:generateContent"


async def test_no_key_is_no_permission(fake: FakeProvider) -> None:
    async with connected(fake) as client:
        await client.send(b"GET /v1beta/models HTTP/1.1\r\nConnection: close\r\n\r\n")
        got = await client.read_all()

    assert (got.status, json.loads(got.body)["error"]["status"]) == (403, "PERMISSION_DENIED")


async def test_events_end_in_two_line_ends_and_nothing_follows_the_last(fake: FakeProvider, api_key: str) -> None:
    got = await sent(fake, api_key, "fake~tokens=2", "streamGenerateContent?alt=sse")

    *events, rest = got.body.split(b"\r\n\r\n")
    assert rest == b""
    assert [event[:17] for event in events] == [b'data: {"candidate'] * 2
    assert b'"finishReason": "STOP"' in events[-1]
    assert got.headers["content-type"] == "text/event-stream"


async def test_without_sse_a_stream_is_an_array(fake: FakeProvider, api_key: str) -> None:
    good = await sent(fake, api_key, "fake~tokens=3", "streamGenerateContent")
    late = await sent(fake, api_key, "fake~tokens=3;error_event=1", "streamGenerateContent")
    bad = await sent(fake, api_key, "fake~status=503", "streamGenerateContent")

    assert len(json.loads(good.body)) == 3
    assert [next(iter(one)) for one in json.loads(late.body)] == ["candidates", "error"]
    assert json.loads(bad.body)[0]["error"]["code"] == 503


CALLED = [{"functionCall": {"name": "f", "args": {}}}]
REFUSED: list[tuple[str, dict[str, Any]]] = [
    ("contents is not specified", {"contents": []}),
    ("valid role", {"contents": [{"role": "assistant", "parts": [{"text": "x"}]}]}),
    ("must not be empty", {"contents": [{"role": "user", "parts": []}]}),
    ("required oneof field 'data'", {"contents": [{"parts": [{"thought": True}]}]}),
    ("Cannot set 'inlineData'", {"contents": [{"parts": [{"text": "x", "inlineData": {}}]}]}),
    ('Unknown name \\"maxTokens\\"', {**ASKED, "max_tokens": 3}),
    ("Unknown name \\\"n\\\" at 'generation_config'", {**ASKED, "generationConfig": {"n": 3}}),
    (
        'Unknown name \\"const\\"',
        {**ASKED, "generationConfig": {"responseMimeType": "application/json", "responseSchema": {"type": "STRING", "const": "x"}}},
    ),
    ("mime type", {**ASKED, "generationConfig": {"responseSchema": {"type": "STRING"}}}),
    ("response_logprobs", {**ASKED, "generationConfig": {"logprobs": 3}}),
    ("[0.0, 2.0]", {**ASKED, "generationConfig": {"temperature": 3}}),
    ("Invalid function name", {**ASKED, "tools": [{"functionDeclarations": [{"name": "1 x"}]}]}),
    ("without function_declarations", {**ASKED, "toolConfig": {"functionCallingConfig": {"mode": "ANY"}}}),
    ("number of function response parts", {"contents": [*ASKED["contents"], {"role": "model", "parts": CALLED}, *ASKED["contents"]]}),
    ("Name cannot be empty", {"contents": [{"parts": [{"functionResponse": {"response": {}}}]}]}),
    ("protobuf.Struct", {"contents": [{"parts": [{"functionResponse": {"name": "f", "response": "x"}}]}]}),
]


@pytest.mark.parametrize(("words", "body"), REFUSED, ids=[words for words, _ in REFUSED])
async def test_what_the_api_refuses(fake: FakeProvider, api_key: str, words: str, body: dict[str, Any]) -> None:
    got = await sent(fake, api_key, "fake", "generateContent", body)

    assert got.status == 400
    assert words in got.body.decode()


async def test_the_recorded_error_raises(sdk: Driver) -> None:
    with pytest.raises(errors.ServerError, match="503 UNAVAILABLE"):
        await sdk.ask("fake~play=gemini_error_mid_stream", stream=True)
