"""Every kind of misbehaviour as it arrives on a bare socket."""

import json
import time
from collections.abc import Callable
from email.utils import parsedate_to_datetime
from typing import Any

import pytest

from tests.faults.fake_provider.answer import expected_text
from tests.faults.fake_provider.ledger import secret
from tests.faults.fake_provider.process import FakeProvider
from tests.faults.fake_provider.recordings import Recordings
from tests.faults.fake_provider.timeline import BAD_CHUNK, BAD_UTF8, GARBAGE
from tests.faults.raw import PROMPT, Arrived, asked, chat, connected, deltas, post, streamed

TEXT = expected_text(PROMPT)
TOOL = {"type": "function", "function": {"name": "look", "parameters": {"type": "object", "properties": {"at": {"type": "string"}}}}}
HUGE = 300_000
Check = Callable[[Arrived], Any]


def ids_of(got: Arrived) -> list[Any]:
    calls = [call for delta in deltas(got.events) for call in delta.get("tool_calls", ())]
    return [call.get("id", "missing") for call in calls if "name" in call["function"]]


def usage_of(got: Arrived) -> Any:
    return json.loads(got.body).get("usage", "missing")


def finishes(got: Arrived) -> list[Any]:
    return [c["finish_reason"] for e in got.events[:-1] for c in e["choices"] if c["finish_reason"]]


STREAMED: list[tuple[str, Check]] = [
    ("", lambda got: got.text == TEXT and got.events[-1] == "[DONE]" and got.ended == "fin"),
    ("done=0", lambda got: got.text == TEXT and got.events[-1] != "[DONE]"),
    ("finish=none", lambda got: got.text == TEXT and finishes(got) == []),
    ("finish=content_filter", lambda got: finishes(got) == ["content_filter"]),
    ("tokens=50", lambda got: len(got.text.split()) == 50),
    ("text=a%3Bb%2Fc", lambda got: got.text == "a;b/c"),
    ("split=1", lambda got: got.text == TEXT),
    ("split=7;chunk=3", lambda got: got.text == TEXT and max(map(len, got.chunks)) == 3),
    ("chunk=1", lambda got: got.text == TEXT and {len(c) for c in got.chunks} == {1}),
    ("framing=close", lambda got: got.text == TEXT and "transfer-encoding" not in got.headers and "content-length" not in got.headers),
    ("framing=length", lambda got: len(got.framed) == int(got.headers["content-length"])),
    ("fin=head", lambda got: got.body == b"" and got.ended == "fin"),
    ("fin=start", lambda got: got.data == b"" and got.ended == "fin"),
    ("fin=3", lambda got: len(got.events) == 3 and got.ended == "fin" and not got.framed.endswith(b"0\r\n\r\n")),
    ("fin=40b", lambda got: len(got.body) == 40 and got.ended == "fin"),
    ("fin=end", lambda got: got.events[-1] == "[DONE]" and not got.framed.endswith(b"0\r\n\r\n")),
    ("rst=start", lambda got: got.data == b"" and got.ended == "rst"),
    ("rst=head", lambda got: got.status == 200 and got.body == b"" and got.ended == "rst"),
    ("rst=2", lambda got: len(got.events) == 2 and got.ended == "rst"),
    ("rst=1000b", lambda got: len(got.body) == 1000 and got.ended == "rst"),
    ("garbage=start", lambda got: got.data.startswith(GARBAGE)),
    ("garbage=head", lambda got: got.body.startswith(GARBAGE)),
    ("garbage=2", lambda got: GARBAGE in got.body and got.body.index(GARBAGE) > 100),
    ("bad_chunk=2", lambda got: b"\r\n" + BAD_CHUNK in got.framed),
    ("bad_utf8=1", lambda got: BAD_UTF8 in got.body),
    ("bad_json=1", lambda got: b'data: {"choices":[{"delta":{"content":\n\n' in got.body),
    ("error_event=0", lambda got: list(got.events[0]) == ["error"] and len(got.events) == 1),
    ("error_event=2;code=boom", lambda got: got.events[2]["error"]["code"] == "boom" and len(got.events) == 3),
    ("error_event=1;status=200;message=no", lambda got: got.events[1]["error"]["message"] == "no"),
    (f"huge_line={HUGE}", lambda got: got.body == b"data: " + b"a" * HUGE),
    ("huge_event=1m", lambda got: len(got.events[0]["choices"][0]["delta"]["content"]) == 1 << 20 and got.events[-1] == "[DONE]"),
    (f"huge_body={HUGE}", lambda got: len(got.body) > HUGE and got.events[-1] == "[DONE]"),
    ("gzip", lambda got: got.headers["content-encoding"] == "gzip" and got.text == TEXT),
    ("gzip_bomb=20m", lambda got: len(got.framed) < HUGE and len(got.body) == 20 << 20),
    ("pings=3;ping_ms=1", lambda got: got.body.startswith(b": ping\n\n" * 3 + b"data: ")),
    ("ping_between", lambda got: got.body.count(b"\n\n: ping\n\ndata: ") == len(got.events) - 1),
    ("eol=crlf", lambda got: got.body.endswith(b"\r\n\r\ndata: [DONE]\r\n\r\n") and b"\n\n" not in got.body),
    ("eol=cr", lambda got: got.body.endswith(b"\r\rdata: [DONE]\r\r") and b"\n" not in got.body),
    ("multiline", lambda got: b'data: {\ndata:  "id"' in got.body),
    ("event=message", lambda got: got.body.startswith(b"event: message\ndata: {")),
    ("ids", lambda got: got.body.startswith(b"id: 0\nretry: 3000\ndata: {")),
    ("space=0", lambda got: got.body.startswith(b"data:{")),
    ("bom", lambda got: got.body.startswith(b"\xef\xbb\xbfdata: ")),
    ("unknown", lambda got: all("x_fake_unknown" in e and "x_fake_unknown" in e["choices"][0]["delta"] for e in got.events[:-1])),
    ("obfuscation=0", lambda got: not any("obfuscation" in e for e in got.events)),
    ("reasoning=2;reasoning_field=both", lambda got: all(deltas(got.events)[1][k] for k in ("reasoning", "reasoning_content"))),
    ("reasoning=2;reasoning_field=reasoning", lambda got: list(deltas(got.events)[1]) == ["reasoning"]),
    ("logprobs", lambda got: got.events[1]["choices"][0]["logprobs"]["content"][0]["token"] == TEXT.split()[0]),
    ("usage=always", lambda got: got.events[-2]["choices"] == [] and got.events[-2]["usage"]["total_tokens"] > 0),
    ("tool=2", lambda got: len(set(ids_of(got))) == 2 and finishes(got) == ["tool_calls"]),
    ("tool=2;tool_ids=same", lambda got: len(ids_of(got)) == 2 and len(set(ids_of(got))) == 1),
    ("tool=2;tool_ids=blank", lambda got: ids_of(got) == ["", ""]),
    ("tool=2;tool_ids=null", lambda got: ids_of(got) == [None, None]),
    ("tool=1;tool_ids=missing", lambda got: ids_of(got) == ["missing"]),
    ("tool=1;tool_args=%7Bbroken;tool_piece=1", lambda got: b'{"arguments":"{"}' in got.body),
    ("body=<html>;content_type=text%2Fhtml", lambda got: got.body == b"<html>" and got.headers["content-type"] == "text/html"),
    ("interim=103", lambda got: got.status == 103 and b"HTTP/1.1 200 OK" in got.data),
    ("connection=close", lambda got: got.headers["connection"] == "close"),
    ("status=429", lambda got: got.status == 429 and got.headers["x-ratelimit-remaining-requests"] == "0"),
]

WHOLE: list[tuple[str, Check]] = [
    ("", lambda got: json.loads(got.body)["choices"][0]["message"]["content"] == TEXT),
    ("framing=chunked;chunk=5;split=2", lambda got: json.loads(got.body)["object"] == "chat.completion"),
    ("framing=close", lambda got: "content-length" not in got.headers and usage_of(got)),
    ("fin=10b", lambda got: len(got.body) == 10 < int(got.headers["content-length"])),
    ("rst=10b", lambda got: len(got.body) == 10 and got.ended == "rst"),
    ("gzip", lambda got: usage_of(got)["total_tokens"]),
    ("usage=none", lambda got: usage_of(got) == "missing"),
    ("usage=null", lambda got: usage_of(got) is None),
    ("usage=negative", lambda got: usage_of(got)["completion_tokens"] < 0),
    ("usage=huge", lambda got: usage_of(got)["completion_tokens"] == 10**18),
    ("usage=zero", lambda got: usage_of(got)["total_tokens"] == 0),
    ("usage=text", lambda got: isinstance(usage_of(got)["total_tokens"], str)),
    ("error_event=0", lambda got: got.status == 200 and list(json.loads(got.body)) == ["error"]),
    ("bad_utf8=0", lambda got: BAD_UTF8 in got.body),
    ("bad_json=0", lambda got: got.body == b'{"choices":[{"delta":{"content":'),
    (f"huge_event={HUGE}", lambda got: len(json.loads(got.body)["choices"][0]["message"]["content"]) == HUGE),
    (f"huge_body={HUGE}", lambda got: len(got.body) > HUGE and usage_of(got)),
    (f"huge_line={HUGE}", lambda got: len(got.body) > HUGE),
    ("garbage=end", lambda got: got.body.endswith(GARBAGE)),
    ("header=X-One:1;header=x-two:2", lambda got: got.headers["x-one"] == "1" and got.headers["x-two"] == "2"),
    ("header_bytes=9000", lambda got: len(got.headers["x-fake-padding"]) == 9000),
    ("status=201", lambda got: got.status == 201 and usage_of(got)),
    ("status=418", lambda got: json.loads(got.body)["error"].keys() == {"message", "type", "param", "code"}),
    ("status=429;code=insufficient_quota", lambda got: json.loads(got.body)["error"]["code"] == "insufficient_quota"),
    ("status=503;retry_after=2", lambda got: got.headers["retry-after"] == "2"),
    ("status=503;retry_after=-1", lambda got: got.headers["retry-after"] == "-1"),
    ("status=503;retry_after=soon", lambda got: got.headers["retry-after"] == "soon"),
    ("status=503;retry_after_ms=1500", lambda got: got.headers["retry-after-ms"] == "1500"),
    ("status=502", lambda got: got.headers["content-type"].startswith("text/html")),
    ("no_such_key", lambda got: got.status == 400 and json.loads(got.body)["error"]["code"] == "fake_script"),
    ("tokens=many", lambda got: got.status == 400),
    ("play=nothing", lambda got: got.status == 400),
]


@pytest.mark.parametrize(("script", "check"), STREAMED, ids=[script or "good" for script, _ in STREAMED])
async def test_streamed(fake: FakeProvider, api_key: str, script: str, check: Check) -> None:
    tools = {"tools": [TOOL]} if "tool" in script else {}
    assert check(await streamed(fake, f"fake~{script}", api_key, **tools))


@pytest.mark.parametrize(("script", "check"), WHOLE, ids=[script or "good" for script, _ in WHOLE])
async def test_whole(fake: FakeProvider, api_key: str, script: str, check: Check) -> None:
    assert check(await asked(fake, f"fake~{script}", api_key))


async def test_script_in_the_key_and_the_model_wins(fake: FakeProvider, api_key: str) -> None:
    by_key = await asked(fake, "fake", f"{api_key}~status=401;message=key")
    both = await asked(fake, "fake~status=429", f"{api_key}~status=401;message=key")

    assert by_key.status == 401
    assert (both.status, json.loads(both.body)["error"]["message"]) == (429, "key")


async def test_attempts_are_counted_by_body(fake: FakeProvider, api_key: str) -> None:
    model = "fake~status=503/status=429/ok"
    statuses = [(await asked(fake, model, api_key)).status for _ in range(4)]
    other = await asked(fake, model, api_key, max_tokens=3)

    assert statuses == [503, 429, 200, 200]
    assert other.status == 503


async def test_attempts_are_counted_by_id(fake: FakeProvider, api_key: str) -> None:
    model = f"fake~id={api_key};status=503/id={api_key};ok"
    statuses = [(await asked(fake, model, api_key, max_tokens=n)).status for n in (1, 2)]

    assert statuses == [503, 200]


async def test_retry_after_as_a_date(fake: FakeProvider, api_key: str) -> None:
    got = await asked(fake, "fake~status=503;retry_after=date:60", api_key)

    ahead_s = parsedate_to_datetime(got.headers["retry-after"]).timestamp() - time.time()
    assert 50 < ahead_s < 61


@pytest.mark.parametrize("status", [302, 307])
async def test_redirect_and_the_arrival_in_the_ledger(fake: FakeProvider, api_key: str, status: int) -> None:
    model = f"fake~redirect={status}"
    got = await asked(fake, model, api_key)
    async with connected(fake) as client:
        body = {"model": model, "messages": [{"role": "user", "content": PROMPT}]}
        await client.send(post(got.headers["location"], body, api_key))
        followed = await client.read_all()

    entries = await fake.aledger(key_sha256=secret(api_key), ended=2)
    assert got.status == status
    assert followed.status == 200
    assert entries[1]["path"] == got.headers["location"] == "/redirected/v1/chat/completions"
    assert entries[1]["headers"]["authorization"].startswith("sha256:")


@pytest.mark.parametrize(
    ("script", "least_s"),
    [("head_ms=60", 0.06), ("first_event_ms=60", 0.06), ("delay_ms=10;tokens=5", 0.06), ("last_ms=60", 0.06)],
)
async def test_delays(fake: FakeProvider, api_key: str, script: str, least_s: float) -> None:
    began_s = time.monotonic()
    got = await streamed(fake, f"fake~{script}", api_key)

    assert time.monotonic() - began_s >= least_s
    assert got.events[-1] == "[DONE]"


async def test_pings_only(fake: FakeProvider, api_key: str) -> None:
    async with connected(fake) as client:
        await client.send(chat("fake~pings=forever;ping_ms=1;framing=close", api_key, stream=True))
        await client.read_until(b"\r\n\r\n")
        assert await client.read(8 * 5) == b": ping\n\n" * 5


@pytest.mark.parametrize("script", ["huge_line=forever", "huge_body=forever", "huge_event=forever"])
async def test_endless_bodies(fake: FakeProvider, api_key: str, script: str) -> None:
    async with connected(fake) as client:
        await client.send(chat(f"fake~{script};framing=close", api_key, stream=True))
        assert len(await client.read(4 << 20)) == 4 << 20


async def test_keep_alive_serves_many_requests(fake: FakeProvider, api_key: str) -> None:
    async with connected(fake) as client:
        for _ in range(3):
            await client.send(chat("fake", api_key, close=False))
            assert Arrived(await client.read_answer(), "fin").status == 200

    entries = await fake.aledger(key_sha256=secret(api_key), ended=3)
    assert len({entry["connection"] for entry in entries}) == 1


async def test_pipelined_requests_are_answered_in_order(fake: FakeProvider, api_key: str) -> None:
    async with connected(fake) as client:
        await client.send(b"".join(chat(f"fake~text={n}", api_key, close=False) for n in "123"))
        answers = [Arrived(await client.read_answer(), "fin") for _ in range(3)]

    assert [json.loads(a.body)["choices"][0]["message"]["content"] for a in answers] == ["1", "2", "3"]


async def test_idle_connection_closes_early(fake: FakeProvider, api_key: str) -> None:
    async with connected(fake) as client:
        await client.send(chat("fake~idle_close=0", api_key, close=False))
        got = await client.read_all()

    assert got.headers["connection"] == "keep-alive"
    assert (got.status, got.ended) == (200, "fin")


async def test_idle_connection_closes_on_the_next_request(fake: FakeProvider, api_key: str) -> None:
    async with connected(fake) as client:
        await client.send(chat("fake~idle_close=next", api_key, close=False))
        await client.read_answer()
        await client.send(chat("fake", api_key, close=False))
        assert (await client.read_all()).data == b""

    entries = await fake.aledger(key_sha256=secret(api_key), ended=2)
    assert [(e["ended"], e["bytes_sent"] > 0) for e in entries] == [("complete", True), ("cut_fin", False)]


async def test_continue_before_the_body(fake: FakeProvider, api_key: str) -> None:
    request = post(
        "/v1/chat/completions",
        {"model": "fake", "messages": [{"role": "user", "content": "x"}]},
        api_key,
        headers="Expect: 100-continue\r\n",
    )
    head, _, body = request.partition(b"\r\n\r\n")
    async with connected(fake) as client:
        await client.send(head + b"\r\n\r\n")
        assert await client.read_until(b"\r\n\r\n") == b"HTTP/1.1 100 Continue\r\n\r\n"
        await client.send(body)
        assert (await client.read_all()).status == 200


async def test_chunked_request_body(fake: FakeProvider, api_key: str) -> None:
    body = json.dumps({"model": "fake", "messages": [{"role": "user", "content": PROMPT}]}).encode()
    head = (
        f"POST /v1/chat/completions HTTP/1.1\r\nAuthorization: Bearer {api_key}\r\nTransfer-Encoding: chunked\r\nConnection: close\r\n\r\n"
    )
    async with connected(fake) as client:
        await client.send(head.encode() + b"%x\r\n%b\r\n" % (9, body[:9]))
        await client.send(b"%x\r\n%b\r\n0\r\n\r\n" % (len(body) - 9, body[9:]))
        got = await client.read_all()

    assert json.loads(got.body)["choices"][0]["message"]["content"] == TEXT


@pytest.mark.parametrize(
    ("path", "body", "status"),
    [
        ("/v1/nothing", {"model": "fake"}, 404),
        ("/v1/models", {"model": "fake"}, 405),
        ("/v1/chat/completions", {"messages": []}, 400),
        ("/v1/chat/completions", {"model": "fake"}, 400),
        ("/v1/chat/completions", [1], 400),
    ],
)
async def test_bad_requests(fake: FakeProvider, api_key: str, path: str, body: Any, status: int) -> None:
    async with connected(fake) as client:
        await client.send(post(path, body, api_key))
        got = await client.read_all()

    assert got.status == status
    assert json.loads(got.body)["error"]["type"] == "invalid_request_error"


async def test_no_key_is_refused(fake: FakeProvider) -> None:
    async with connected(fake) as client:
        await client.send(b"GET /v1/models HTTP/1.1\r\nConnection: close\r\n\r\n")
        assert (await client.read_all()).status == 401


async def test_what_is_no_http_is_refused(fake: FakeProvider) -> None:
    async with connected(fake) as client:
        await client.send(b"\x16\x03\x01 hello\r\n\r\n")
        assert (await client.read_all()).status == 400


async def test_recording_cut_at_every_byte(fake: FakeProvider, api_key: str) -> None:
    recording = Recordings().read("error_mid_stream")[:700]
    for at in range(len(recording) + 1):
        got = await streamed(fake, f"fake~play=error_mid_stream;cut={at}", api_key)
        assert got == Arrived(recording[:at], "fin")


@pytest.mark.parametrize("name", sorted(Recordings().names()))
async def test_recordings_are_played_byte_for_byte(fake: FakeProvider, api_key: str, name: str) -> None:
    got = await streamed(fake, f"fake~play={name};split=100;cut=1000000", api_key)

    assert got.data == Recordings().read(name)


async def test_registered_recording_and_cut_by_reset(fake: FakeProvider, api_key: str) -> None:
    fake.register(f"mine {api_key}", b"HTTP/1.1 200 OK\r\n\r\nbytes \xff")
    whole = await asked(fake, f"fake~play=mine {api_key}", api_key)
    cut = await asked(fake, f"fake~play=mine {api_key};cut=21;cut_how=rst", api_key)

    assert whole == Arrived(b"HTTP/1.1 200 OK\r\n\r\nbytes \xff", "fin")
    assert cut == Arrived(b"HTTP/1.1 200 OK\r\n\r\nby", "rst")
