"""Ollama's official client drives the provider's Ollama dialect; what it parses is what the ledger says was sent."""

import json
from base64 import b64encode
from collections.abc import AsyncIterator
from typing import Any

import ollama
import pytest
from pydantic import BaseModel

from tests.faults.fake_provider.answer import expected_text
from tests.faults.fake_provider.gemini_parts import image
from tests.faults.fake_provider.ledger import secret
from tests.faults.fake_provider.ollama_errors import LATE
from tests.faults.fake_provider.openai_dialect import embedding
from tests.faults.fake_provider.process import FakeProvider
from tests.faults.raw import Arrived, connected, post

PROMPT = "Which words do you know?"
ASKED = [{"role": "user", "content": PROMPT}]
BOTH = pytest.mark.parametrize("stream", [False, True], ids=["whole", "streamed"])


def tool(name: str, **properties: str) -> dict[str, Any]:
    parameters = {"type": "object", "properties": {key: {"type": kind} for key, kind in properties.items()}, "required": list(properties)}
    return {"type": "function", "function": {"name": name, "description": "", "parameters": parameters}}


TOOLS = [tool("get_weather", city="string", days="integer"), tool("get_time", zone="string")]


class Word(BaseModel):
    """A word and how long it is."""

    word: str
    length: int


class Heard:
    """What the client parsed, a whole answer and a stream brought to one form."""

    def __init__(self) -> None:
        self.answers: list[ollama.ChatResponse] = []

    @property
    def last(self) -> ollama.ChatResponse:
        return self.answers[-1]

    @property
    def text(self) -> str:
        return "".join(answer.message.content or "" for answer in self.answers)

    @property
    def thinking(self) -> str:
        return "".join(answer.message.thinking or "" for answer in self.answers)

    @property
    def calls(self) -> list[tuple[str, dict[str, Any]]]:
        found = [call.function for answer in self.answers for call in answer.message.tool_calls or ()]
        return [(call.name, dict(call.arguments)) for call in found]


class Driver:
    """The client together with the ledger of what it caused."""

    def __init__(self, fake: FakeProvider, client: ollama.AsyncClient, key: str) -> None:
        self._fake = fake
        self._key = key
        self.client = client

    async def ask(self, model: str, *, stream: bool, messages: Any = ASKED, **more: Any) -> Heard:
        heard = Heard()
        chat: Any = self.client.chat
        if not stream:
            heard.answers.append(await chat(model=model, messages=messages, **more))
            return heard
        async for answer in await chat(model=model, messages=messages, stream=True, **more):
            heard.answers.append(answer)
        return heard

    async def entries(self, n: int = 1) -> list[dict[str, Any]]:
        return await self._fake.aledger(ended=n, key_sha256=secret(self._key))

    async def agreed(self, heard: Heard) -> dict[str, Any]:
        """Check what was heard against what was said, and return the ledger's entry."""
        (entry,) = await self.entries()
        (choice,) = entry["said"]["choices"]
        usage = entry["said"]["usage"]
        assert entry["ended"] == "complete"
        assert (heard.text, heard.thinking) == (choice["text"], choice["reasoning"])
        assert heard.calls == [(call["name"], json.loads(call["arguments"])) for call in choice["tool_calls"]]
        assert [answer.done for answer in heard.answers] == [False] * (len(heard.answers) - 1) + [True]
        assert heard.last.done_reason == choice["finish_reason"]
        assert (heard.last.prompt_eval_count, heard.last.eval_count) == (usage["prompt"], usage["completion"])
        assert entry["tokens_sent"] == usage["completion"]
        return entry


@pytest.fixture
async def sdk(fake: FakeProvider, api_key: str) -> AsyncIterator[Driver]:
    # Without TLS to verify: loading the certificates of the system takes 0.1 to 0.4 s a client.
    async with ollama.AsyncClient(fake.origin, headers={"authorization": f"Bearer {api_key}"}, verify=False) as client:
        yield Driver(fake, client, api_key)


async def sent(fake: FakeProvider, key: str, model: str, **body: Any) -> Arrived:
    """Chat on a bare socket."""
    async with connected(fake) as client:
        await client.send(post("/api/chat", {"model": model, "messages": ASKED, **body}, key))
        return await client.read_all()


@BOTH
async def test_text_is_the_function_of_the_last_user_message(sdk: Driver, *, stream: bool) -> None:
    heard = await sdk.ask("fake", stream=stream)

    entry = await sdk.agreed(heard)
    assert heard.text == entry["text_sent"] == expected_text(PROMPT)
    assert (heard.last.model, heard.last.done_reason) == ("fake", "stop")
    assert (heard.last.total_duration or 0) > (heard.last.eval_duration or 0) > 0


@BOTH
async def test_a_tool_loop(sdk: Driver, *, stream: bool) -> None:
    first = await sdk.ask("fake~tool=1;id=loop", stream=stream, tools=TOOLS)
    ((name, arguments),) = first.calls
    assert isinstance(arguments["days"], int)
    called = {"role": "assistant", "content": "", "tool_calls": [{"function": {"name": name, "arguments": arguments}}]}
    history = [*ASKED, called, {"role": "tool", "tool_name": name, "content": "20 degrees"}]
    second = await sdk.ask("fake~tool=1;id=loop", stream=stream, tools=TOOLS, messages=history)

    assert (first.text, first.last.done_reason) == ("", "stop")
    assert second.text == expected_text(PROMPT)
    assert [entry["status"] for entry in await sdk.entries(2)] == [200, 200]


@BOTH
async def test_parallel_calls(sdk: Driver, *, stream: bool) -> None:
    heard = await sdk.ask("fake~tool", stream=stream, tools=TOOLS)

    await sdk.agreed(heard)
    assert [name for name, _ in heard.calls] == ["get_weather", "get_time"]


async def test_only_newer_servers_give_calls_an_id(fake: FakeProvider, api_key: str) -> None:
    tools = {"tools": TOOLS, "stream": False}
    old = json.loads((await sent(fake, api_key, "fake~tool", **tools)).body)["message"]["tool_calls"]
    new = json.loads((await sent(fake, api_key, "fake~tool;tool_ids=given", **tools)).body)["message"]["tool_calls"]

    assert [(list(call), list(call["function"])) for call in old] == [(["function"], ["name", "arguments"])] * 2
    assert [call["function"]["index"] for call in new] == [0, 1]
    assert len({call["id"] for call in new}) == 2


@BOTH
@pytest.mark.parametrize("think", [True, "low"])
async def test_thinking_on_request(sdk: Driver, think: object, *, stream: bool) -> None:
    heard = await sdk.ask("fake~tokens=2", stream=stream, think=think)

    await sdk.agreed(heard)
    assert heard.thinking
    assert heard.last.eval_count == 6 + 2


async def test_thinking_can_be_switched_off(sdk: Driver) -> None:
    heard = await sdk.ask("fake~reasoning=4;tokens=2", stream=False, think=False)

    await sdk.agreed(heard)
    assert heard.thinking == ""


@pytest.mark.parametrize("wanted", ["json", Word.model_json_schema()], ids=["any", "schema"])
async def test_structured_output(sdk: Driver, wanted: Any) -> None:
    heard = await sdk.ask("fake", stream=False, format=wanted)

    value = json.loads(heard.text)
    assert value == ({"answer": value["answer"]} if wanted == "json" else Word(**value).model_dump())


@BOTH
async def test_options(sdk: Driver, *, stream: bool) -> None:
    limited = await sdk.ask("fake~text=one two three", stream=stream, options={"num_predict": 2, "temperature": 0.5, "seed": 1})
    stopped = await sdk.ask("fake~text=one two three", stream=stream, options={"stop": [" two"], "num_predict": -1})

    assert (limited.text, limited.last.done_reason) == ("one two", "length")
    assert (stopped.text, stopped.last.done_reason) == ("one", "stop")


@BOTH
async def test_logprobs_of_every_token(sdk: Driver, *, stream: bool) -> None:
    heard = await sdk.ask("fake~tokens=3", stream=stream, logprobs=True, top_logprobs=2)

    found = [one for answer in heard.answers for one in answer.logprobs or ()]
    assert "".join(one.token for one in found) == heard.text
    assert [len(one.top_logprobs or ()) for one in found] == [2, 2, 2]


async def test_images_are_taken(sdk: Driver) -> None:
    heard = await sdk.ask("fake", stream=False, messages=[{**ASKED[0], "images": [image(1)]}])

    (entry,) = await sdk.entries()
    assert entry["body"]["messages"][0]["images"] == [b64encode(image(1)).decode()]
    assert heard.text


@BOTH
async def test_no_messages_load_the_model(sdk: Driver, *, stream: bool) -> None:
    heard = await sdk.ask("fake", stream=stream, messages=[])

    assert (heard.text, heard.last.done, heard.last.done_reason) == ("", True, "load")


@pytest.mark.parametrize(
    ("usage", "counts"),
    [("none", (None, None)), ("null", (None, None)), ("zero", (0, 0)), ("negative", (-5, -7)), ("huge", (10**18, 10**18))],
)
async def test_counts_that_are_wrong(sdk: Driver, usage: str, counts: tuple[int | None, int | None]) -> None:
    heard = await sdk.ask(f"fake~usage={usage}", stream=True)

    assert (heard.last.prompt_eval_count, heard.last.eval_count) == counts


async def test_embeddings(sdk: Driver) -> None:
    many = await sdk.client.embed("fake-embedding", ["one two", "three"], dimensions=8)

    assert many.embeddings == [embedding("one two", 8), embedding("three", 8)]
    assert many.prompt_eval_count == 3


async def test_models_and_what_they_can_do(sdk: Driver) -> None:
    listed = await sdk.client.list()
    shown = await sdk.client.show("fake-mini:latest")
    loaded = await sdk.client.ps()

    assert [model.model for model in listed.models] == ["fake:latest", "fake-mini:latest", "fake-embedding:latest"]
    assert (shown.capabilities, (shown.modelinfo or {})["fake.context_length"]) == (["completion"], 8_192)
    assert [model.context_length for model in loaded.models] == [131_072]
    with pytest.raises(ollama.ResponseError, match="model 'unknown' not found"):
        await sdk.client.show("unknown")


@pytest.mark.parametrize(("path", "said"), [("/api/version", b'{"version":'), ("/", b"Ollama is running")])
async def test_no_key_is_needed(fake: FakeProvider, path: str, said: bytes) -> None:
    async with connected(fake) as client:
        await client.send(f"GET {path} HTTP/1.1\r\nConnection: close\r\n\r\n".encode())
        got = await client.read_all()

    assert got.status == 200
    assert got.body.startswith(said)


@BOTH
@pytest.mark.parametrize(
    ("status", "words"), [(400, "invalid"), (404, "model 'fake' not found"), (429, "limit"), (500, "model runner"), (503, "server busy")]
)
async def test_errors_as_the_client_knows_them(sdk: Driver, status: int, words: str, *, stream: bool) -> None:
    with pytest.raises(ollama.ResponseError, match=words) as caught:
        await sdk.ask(f"fake~status={status}", stream=stream)

    assert caught.value.status_code == status


async def test_an_error_within_a_stream_raises(sdk: Driver) -> None:
    answers = await sdk.client.chat("fake~error_event=2", ASKED, stream=True)
    heard = [await anext(answers), await anext(answers)]

    with pytest.raises(ollama.ResponseError, match=LATE):
        await anext(answers)
    assert [answer.done for answer in heard] == [False, False]


@BOTH
async def test_a_call_that_cannot_be_parsed_is_an_error(sdk: Driver, *, stream: bool) -> None:
    with pytest.raises(ollama.ResponseError, match="error parsing tool call"):
        await sdk.ask("fake~tool=1;tool_args=%7B%22city", stream=stream, tools=TOOLS)


async def test_a_stream_can_end_without_its_last_line(sdk: Driver) -> None:
    heard = await sdk.ask("fake~tokens=3;done=0", stream=True)

    assert [answer.done for answer in heard.answers] == [False] * 3


async def test_a_stream_is_lines_and_nothing_of_events(fake: FakeProvider, api_key: str) -> None:
    got = await sent(fake, api_key, "fake~tokens=2;pings=3;ping_between;bom;text=a<b &c;unknown")

    *lines, rest = got.body.split(b"\n")
    assert rest == b""
    assert [json.loads(line)["message"]["content"] for line in lines] == ["a<b", " &c", ""]
    assert b'"a\\u003cb"' in lines[0]
    assert got.headers["content-type"] == "application/x-ndjson"


async def test_a_line_that_is_no_json(fake: FakeProvider, api_key: str) -> None:
    got = await sent(fake, api_key, "fake~tokens=2;bad_json=1")

    lines = got.body.splitlines()
    assert len(lines) == 4
    with pytest.raises(json.JSONDecodeError):
        json.loads(lines[1])


REFUSED: list[tuple[str, dict[str, Any]]] = [
    ("model is required", {"model": ""}),
    ("unmarshal array", {"messages": [{"role": "user", "content": [{"type": "text", "text": "x"}]}]}),
    ("illegal base64", {"messages": [{"role": "user", "content": "x", "images": ["data:image/png;base64,AAAA"]}]}),
    ("unmarshal string", {"messages": [{"role": "assistant", "tool_calls": [{"function": {"name": "f", "arguments": "{}"}}]}]}),
    ("invalid think value", {"think": "much"}),
    ("invalid format", {"format": "yaml"}),
    ("top_logprobs", {"top_logprobs": 21}),
    ('option \\"num_predict\\" must be of type integer', {"options": {"num_predict": "3"}}),
    ('option \\"temperature\\" must be of type float32', {"options": {"temperature": "hot"}}),
    ('option \\"stop\\" must be of type array', {"options": {"stop": "x"}}),
    ("does not support tools", {"model": "fake-mini", "tools": TOOLS}),
    ("does not support thinking", {"model": "fake-mini", "think": True}),
    ("does not support chat", {"model": "fake-embedding"}),
]


@pytest.mark.parametrize(("words", "body"), REFUSED, ids=[words for words, _ in REFUSED])
async def test_what_the_server_refuses(fake: FakeProvider, api_key: str, words: str, body: dict[str, Any]) -> None:
    got = await sent(fake, api_key, **{"model": "fake", **body})

    assert got.status == 400
    assert words in got.body.decode()


@pytest.mark.parametrize(
    ("name", "stream"),
    [
        ("ollama_text_stream", True),
        ("ollama_tools_stream", True),
        ("ollama_thinking_stream", True),
        ("ollama_text_whole", False),
        ("ollama_tools_whole", False),
    ],
)
async def test_the_client_understands_the_recordings(sdk: Driver, name: str, *, stream: bool) -> None:
    heard = await sdk.ask(f"fake~play={name}", stream=stream)

    assert (heard.last.done, heard.last.done_reason) == (True, "stop")
    assert bool(heard.calls) is ("tools" in name)
    assert bool(heard.text) is ("tools" not in name)
    assert bool(heard.thinking) is ("thinking" in name)


async def test_the_recorded_error_raises(sdk: Driver) -> None:
    with pytest.raises(ollama.ResponseError, match=LATE):
        await sdk.ask("fake~play=ollama_error_mid_stream", stream=True)
