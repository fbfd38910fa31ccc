"""Chat completions against a vendor that misbehaves in every way that was seen in the wild."""

import asyncio
import time
from dataclasses import dataclass, field

import pytest

from promptwire import v1 as pb
from promptwire_server.core.errors import (
    ContextTooLong,
    DeadlineExceeded,
    PromptwireError,
    StreamInterrupted,
    UpstreamAccount,
    UpstreamFailed,
    UpstreamInvalidRequest,
    UpstreamMisdirected,
    UpstreamModelUnknown,
    UpstreamPolicy,
    UpstreamRateLimited,
)
from promptwire_server.providers.upstream import Timeouts
from tests.faults.fake_provider.answer import expected_text
from tests.faults.fake_provider.ledger import secret
from tests.faults.fake_provider.process import FakeProvider
from tests.faults.upstreams import KIB, PATIENT, provider_at
from tests.unit.providers.support import ask, events_of, make_call

PROMPT = "Which words do you know?"
BOTH = pytest.mark.parametrize("stream", [False, True], ids=["whole", "streamed"])
TOOLS = pb.GenerationSettings(tools=[pb.Tool(function=pb.FunctionTool(name=name)) for name in ("f", "g")])


@dataclass(frozen=True)
class Fault:
    """A script, and what becomes of a whole answer and of a streamed one; None: the answer is right in spite of it."""

    script: str
    whole: type[PromptwireError] | None
    streamed: type[PromptwireError] | None
    says: str = ""


FAULTS = [
    # Bodies and events that never end, or unpack to more than there is room for.
    Fault("gzip_bomb=20m", UpstreamMisdirected, UpstreamMisdirected, "compresses"),
    Fault("gzip", UpstreamMisdirected, UpstreamMisdirected, "compresses"),
    Fault("huge_line=forever", UpstreamFailed, UpstreamFailed),
    Fault("huge_event=1m", UpstreamFailed, UpstreamFailed),
    Fault("huge_body=forever", UpstreamFailed, StreamInterrupted, "longer than"),
    Fault("header_bytes=100k", UpstreamFailed, UpstreamFailed, "head"),
    # Redirects, to a place that would answer.
    *(Fault(f"redirect={status}", UpstreamMisdirected, UpstreamMisdirected, "base_url") for status in (301, 302, 303, 307, 308)),
    Fault("redirect=302;location=http:%2F%2F127.0.0.1:1%2F", UpstreamMisdirected, UpstreamMisdirected, "base_url"),
    # Connections that end.
    *(Fault(f"{how}=start", UpstreamFailed, UpstreamFailed) for how in ("fin", "rst")),
    *(Fault(f"{how}=head", UpstreamFailed, UpstreamFailed) for how in ("fin", "rst")),
    *(Fault(f"{how}=30b", UpstreamFailed, UpstreamFailed) for how in ("fin", "rst")),
    *(Fault(f"{how}=4;delay_ms=5", None, StreamInterrupted) for how in ("fin",)),
    Fault("framing=close;done=0", None, StreamInterrupted, "before its end"),
    Fault("framing=close;fin=40b", UpstreamFailed, UpstreamFailed),
    # What is no HTTP, no JSON, no text.
    Fault("garbage=start", UpstreamFailed, UpstreamFailed, "not HTTP"),
    Fault("garbage=head", UpstreamFailed, UpstreamFailed),
    Fault("bad_chunk=head;framing=chunked", UpstreamFailed, UpstreamFailed),
    Fault("bad_json=0", UpstreamFailed, UpstreamFailed, "JSON"),
    Fault("bad_utf8=0", UpstreamFailed, UpstreamFailed),
    Fault("bad_utf8=4;delay_ms=5", UpstreamFailed, StreamInterrupted, ""),
    Fault("body=;content_type=text%2Fhtml", UpstreamFailed, UpstreamFailed),
    Fault("body=<html>;content_type=text%2Fhtml", UpstreamFailed, UpstreamFailed),
    Fault("body=null;content_type=application%2Fjson", UpstreamFailed, UpstreamFailed, "JSON object"),
    Fault("body={};content_type=application%2Fjson", UpstreamFailed, UpstreamFailed, "no choices"),
    # Failures in the dress of success.
    Fault("error_event=0", UpstreamFailed, UpstreamFailed),
    Fault("error_event=4;delay_ms=5", UpstreamFailed, StreamInterrupted),
    Fault('body={"error":{"code":"rate_limit_exceeded","message":"hunter%32"}}', UpstreamRateLimited, UpstreamFailed),
    Fault("done=0", None, StreamInterrupted, "before its end"),
    Fault("finish=none;delay_ms=5", None, StreamInterrupted, "finish reason"),
    # Oddities that are allowed.
    *(
        Fault(script, None, None)
        for script in ("eol=crlf", "eol=cr", "multiline", "space=0", "bom", "ids", "event=message", "ping_between")
    ),
    *(Fault(script, None, None) for script in ("split=1", "chunk=1", "framing=close", "framing=length", "connection=close", "interim=103")),
    Fault("pings=20;ping_ms=1", None, None),
    Fault("unknown;obfuscation=0", None, None),
    # Statuses.
    Fault("status=400;message=the prompt was hunter%32;error_type=hunter%32 again", UpstreamInvalidRequest, UpstreamInvalidRequest),
    Fault("status=400", UpstreamInvalidRequest, UpstreamInvalidRequest),
    Fault("status=400;code=context_length_exceeded", ContextTooLong, ContextTooLong),
    Fault("status=400;code=content_policy_violation", UpstreamPolicy, UpstreamPolicy),
    Fault("status=401", UpstreamAccount, UpstreamAccount),
    Fault("status=402", UpstreamAccount, UpstreamAccount),
    Fault("status=403", UpstreamAccount, UpstreamAccount),
    Fault("status=404", UpstreamModelUnknown, UpstreamModelUnknown),
    Fault("status=429", UpstreamRateLimited, UpstreamRateLimited),
    Fault("status=429;code=insufficient_quota", UpstreamAccount, UpstreamAccount),
    *(Fault(f"status={status}", UpstreamFailed, UpstreamFailed) for status in (408, 409, 500, 502, 503, 504, 520, 529)),
    Fault("status=500;body=;content_type=text%2Fplain", UpstreamFailed, UpstreamFailed),
    Fault("status=503;huge_body=forever", UpstreamFailed, UpstreamFailed),
]


@BOTH
@pytest.mark.parametrize("fault", FAULTS, ids=lambda fault: fault.script)
async def test_every_fault_has_its_error_or_does_no_harm(fake: FakeProvider, api_key: str, fault: Fault, *, stream: bool) -> None:
    wanted = fault.streamed if stream else fault.whole
    call = make_call(PROMPT, model=f"fake~{fault.script}", stream=stream, within_s=20)
    async with provider_at(fake.base_url, api_key) as provider:
        if wanted is None:
            answer = await ask(provider, call)
            assert answer.text == expected_text(PROMPT)
            return
        with pytest.raises(PromptwireError) as caught:
            await ask(provider, call)
    error = caught.value
    assert type(error) is wanted, error
    assert fault.says in error.message
    assert "hunter2" not in f"{error} {error.origin} {error.metadata} {call.trail}"  # said by the vendor
    (attempt,) = call.trail.attempts
    assert attempt.failure.reason == error.reason


@BOTH
async def test_a_redirect_is_never_followed(fake: FakeProvider, api_key: str, *, stream: bool) -> None:
    async with provider_at(fake.base_url, api_key) as provider:
        with pytest.raises(UpstreamFailed):
            await ask(provider, make_call(PROMPT, model="fake~redirect=307", stream=stream))
    (entry,) = await fake.aledger(key_sha256=secret(api_key), ended=1)
    assert entry["path"] == "/v1/chat/completions"


@pytest.mark.parametrize("script", ["gzip_bomb=20m", "huge_line=forever", "huge_body=forever", "huge_event=1g"])
@BOTH
async def test_no_more_is_read_than_there_is_room_for(fake: FakeProvider, api_key: str, script: str, *, stream: bool) -> None:
    async with provider_at(fake.base_url, api_key) as provider:
        with pytest.raises(PromptwireError):
            await ask(provider, make_call(PROMPT, model=f"fake~{script}", stream=stream))
        (entry,) = await fake.aledger(key_sha256=secret(api_key), ended=1)
    # What the bound allows, and what the buffers of two sockets and of the reader hold besides.
    assert entry["body_bytes_sent"] < 256 * KIB + 8192 * KIB


@BOTH
async def test_answers_may_not_be_compressed(fake: FakeProvider, api_key: str, *, stream: bool) -> None:
    async with provider_at(fake.base_url, api_key) as provider:
        await ask(provider, make_call(PROMPT, model="fake", stream=stream))
    (entry,) = await fake.aledger(key_sha256=secret(api_key), seen=1)
    assert entry["headers"]["accept-encoding"] == "identity"
    assert "cookie" not in entry["headers"]


QUICK = 0.15
AT_ONCE_S = 0.5  # a millisecond on a quiet machine; the cores of a test run are shared
TIMERS = {
    "first_token": Timeouts(connect_s=5, first_token_s=QUICK, idle_s=30, total_s=30),
    "idle": Timeouts(connect_s=5, first_token_s=30, idle_s=QUICK, total_s=30),
    "total": Timeouts(connect_s=5, first_token_s=30, idle_s=30, total_s=QUICK),
}


@dataclass(frozen=True)
class Silence:
    """Where a vendor falls silent, and which timer notices."""

    script: str
    timer: str
    stream: bool
    error: type[PromptwireError] = UpstreamFailed
    says: str = field(default="")


SILENCES = [
    Silence("hang=start", "total", stream=False, says="no end within 0.15 s"),
    Silence("hang=head", "total", stream=False, says="no end"),
    Silence("hang=30b", "idle", stream=False, says="nothing more within 0.15 s"),
    Silence("hang=30b", "total", stream=False, says="no end"),
    Silence("hang=start", "first_token", stream=True, says="no first token within 0.15 s"),
    Silence("hang=head", "first_token", stream=True, says="no first token"),
    Silence("hang=30b", "first_token", stream=True, says="no first token"),
    Silence("pings=forever;ping_ms=1", "first_token", stream=True, says="no first token"),
    Silence("hang=1", "first_token", stream=True, says="no first token"),
    Silence("hang=4", "idle", stream=True, error=StreamInterrupted, says="nothing more within 0.15 s"),
    Silence("hang=start", "total", stream=True, says="no end"),
    Silence("tokens=1000;delay_ms=10", "total", stream=True, error=StreamInterrupted, says="no end"),
    Silence("status=503;hang=10b", "first_token", stream=True, says="no first token"),
]


@pytest.mark.parametrize("silence", SILENCES, ids=lambda silence: f"{silence.script}-{silence.timer}")
async def test_silence_is_noticed_by_the_timer_that_is_for_it(fake: FakeProvider, api_key: str, silence: Silence) -> None:
    call = make_call(PROMPT, model=f"fake~{silence.script}", stream=silence.stream)
    begun_s = time.monotonic()
    async with provider_at(fake.base_url, api_key, timeouts=TIMERS[silence.timer]) as provider:
        with pytest.raises(silence.error, match=silence.says):
            await ask(provider, call)
        (entry,) = await fake.aledger(key_sha256=secret(api_key), ended=1, left=1)
    assert entry["ended"].startswith("client_")
    assert QUICK * 0.9 <= entry["ended_s"] - begun_s < 5


@pytest.mark.parametrize("script", ["hang=start", "hang=head", "hang=30b", "hang=4", "pings=forever;ping_ms=1", "tokens=1000;delay_ms=5"])
@BOTH
async def test_the_callers_deadline_beats_every_timer(fake: FakeProvider, api_key: str, script: str, *, stream: bool) -> None:
    if not stream and script in ("hang=4", "pings=forever;ping_ms=1", "tokens=1000;delay_ms=5"):
        pytest.skip("a whole answer has no events")
    async with provider_at(fake.base_url, api_key) as provider:
        with pytest.raises(DeadlineExceeded):
            await ask(provider, make_call(PROMPT, model=f"fake~{script}", stream=stream, within_s=QUICK))
        (entry,) = await fake.aledger(key_sha256=secret(api_key), ended=1, left=1)
    assert entry["ended"].startswith("client_")


async def test_a_reader_that_dawdles_is_not_the_vendors_silence(fake: FakeProvider, api_key: str) -> None:
    call = make_call(PROMPT, model="fake~tokens=5;delay_ms=5", stream=True)
    async with provider_at(fake.base_url, api_key, timeouts=TIMERS["idle"]) as provider, await provider(call) as reply:
        async for event in reply:
            if event.HasField("part_started"):
                await asyncio.sleep(QUICK * 2)
        assert (await reply.read()).text == expected_text(PROMPT, tokens=5)


async def test_pings_between_events_are_no_silence_while_events_come(fake: FakeProvider, api_key: str) -> None:
    call = make_call(PROMPT, model="fake~tokens=8;delay_ms=150;ping_between", stream=True)
    patient = Timeouts(connect_s=5, first_token_s=30, idle_s=0.9, total_s=30)  # less than the answer takes, much more than a gap
    async with provider_at(fake.base_url, api_key, timeouts=patient) as provider:
        assert (await ask(provider, call)).text == expected_text(PROMPT, tokens=8)


@pytest.mark.parametrize("script", ["hang=start", "hang=head", "hang=4", "tokens=1000;delay_ms=5"])
@pytest.mark.parametrize("after_s", [0.0, 0.02, 0.05])
async def test_cancelling_closes_the_upstream_at_once(fake: FakeProvider, api_key: str, script: str, after_s: float) -> None:
    call = make_call(PROMPT, model=f"fake~{script}", stream=True)
    async with provider_at(fake.base_url, api_key) as provider:
        task = asyncio.ensure_future(ask(provider, call))
        await fake.aledger(key_sha256=secret(api_key), seen=1)
        await asyncio.sleep(after_s)
        task.cancel()
        cancelled_s = time.monotonic()
        with pytest.raises(asyncio.CancelledError):
            await task
        (entry,) = await fake.aledger(key_sha256=secret(api_key), ended=1, left=1)
    assert entry["ended"].startswith("client_")
    assert entry["ended_s"] - cancelled_s < AT_ONCE_S
    assert call.trail.attempts[0].failure.reason == pb.ERROR_REASON_CANCELLED


async def test_leaving_the_reply_closes_the_upstream_at_once(fake: FakeProvider, api_key: str) -> None:
    call = make_call(PROMPT, model="fake~tokens=1000;delay_ms=5", stream=True)
    async with provider_at(fake.base_url, api_key) as provider:
        async with await provider(call) as reply:
            async for event in reply:
                if event.HasField("part_delta"):
                    break
        left_s = time.monotonic()
        (entry,) = await fake.aledger(key_sha256=secret(api_key), ended=1, left=1)
    assert entry["ended_s"] - left_s < AT_ONCE_S


@BOTH
async def test_connections_are_used_again(fake: FakeProvider, api_key: str, *, stream: bool) -> None:
    async with provider_at(fake.base_url, api_key) as provider:
        for count in range(1, 6):
            await ask(provider, make_call(PROMPT, stream=stream, model="fake"))
            entries = await fake.aledger(key_sha256=secret(api_key), ended=count)  # the end of HTTP follows that of the stream
    assert len({entry["connection"] for entry in entries}) == 1


async def test_a_connection_is_used_again_though_its_stream_ends_late(fake: FakeProvider, api_key: str) -> None:
    async with provider_at(fake.base_url, api_key) as provider:
        await ask(provider, make_call(PROMPT, stream=True, model="fake~last_ms=20"))
        await fake.aledger(key_sha256=secret(api_key), ended=1)
        await asyncio.sleep(0.02)  # the last chunk is on its way through the loop
        await ask(provider, make_call(PROMPT, stream=True, model="fake"))
        entries = await fake.aledger(key_sha256=secret(api_key), ended=2)
    assert len({entry["connection"] for entry in entries}) == 1


@BOTH
async def test_a_connection_is_not_used_again_after_a_failure(fake: FakeProvider, api_key: str, *, stream: bool) -> None:
    async with provider_at(fake.base_url, api_key) as provider:
        with pytest.raises(PromptwireError):
            await ask(provider, make_call(PROMPT, stream=stream, model="fake~huge_body=1m"))
        await ask(provider, make_call(PROMPT, stream=stream, model="fake"))
        entries = await fake.aledger(key_sha256=secret(api_key), seen=2)
    assert len({entry["connection"] for entry in entries}) == 2


@BOTH
async def test_a_stale_connection_costs_nobody_an_error(fake: FakeProvider, api_key: str, *, stream: bool) -> None:
    model = f"fake~idle_close=next;id={api_key}/ok;id={api_key}"  # the first answer is well, the second request meets the close
    async with provider_at(fake.base_url, api_key) as provider:
        await ask(provider, make_call(PROMPT, stream=stream, model=model))
        call = make_call(PROMPT, stream=stream, model=model)
        assert (await ask(provider, call)).text == expected_text(PROMPT)
    assert len(call.trail.attempts) == 1
    entries = await fake.aledger(key_sha256=secret(api_key), seen=3)
    assert [entry["ended"] for entry in entries] == ["complete", "cut_fin", "complete"]


@pytest.mark.parametrize("how", ["fin", "rst"])
@BOTH
async def test_a_fresh_connection_that_closes_is_not_tried_again(fake: FakeProvider, api_key: str, how: str, *, stream: bool) -> None:
    async with provider_at(fake.base_url, api_key) as provider:
        with pytest.raises(UpstreamFailed):
            await ask(provider, make_call(PROMPT, stream=stream, model=f"fake~{how}=start/ok"))
    assert len(await fake.aledger(key_sha256=secret(api_key), seen=1)) == 1


@pytest.mark.parametrize("how", ["fin", "rst"])
@BOTH
async def test_a_used_connection_that_had_begun_to_answer_is_not_tried_again(
    fake: FakeProvider, api_key: str, how: str, *, stream: bool
) -> None:
    async with provider_at(fake.base_url, api_key) as provider:
        await ask(provider, make_call(PROMPT, stream=stream, model="fake"))
        with pytest.raises(UpstreamFailed):
            await ask(provider, make_call(PROMPT, stream=stream, model=f"fake~{how}=head/ok"))
    assert len(await fake.aledger(key_sha256=secret(api_key), seen=2)) == 2


async def test_no_more_connections_are_opened_than_allowed(fake: FakeProvider, api_key: str) -> None:
    async with provider_at(fake.base_url, api_key, max_connections=3) as provider:
        calls = [make_call(f"{PROMPT} {n}", model="fake~head_ms=10") for n in range(12)]
        await asyncio.gather(*(ask(provider, call) for call in calls))
        entries = await fake.aledger(key_sha256=secret(api_key), ended=12)
    assert len({entry["connection"] for entry in entries}) <= 3


async def test_waiting_for_a_connection_is_bounded_by_the_deadline(fake: FakeProvider, api_key: str) -> None:
    async with provider_at(fake.base_url, api_key, max_connections=1) as provider:
        first = asyncio.ensure_future(ask(provider, make_call(PROMPT, model="fake~hang=head")))
        await fake.aledger(key_sha256=secret(api_key), seen=1)
        with pytest.raises(DeadlineExceeded):
            await ask(provider, make_call(PROMPT, model="fake", within_s=0.1))
        first.cancel()
        with pytest.raises(asyncio.CancelledError):
            await first


@BOTH
@pytest.mark.parametrize("usage", ["none", "null", "negative", "huge", "zero", "text"])
async def test_usage_is_never_absurd(fake: FakeProvider, api_key: str, usage: str, *, stream: bool) -> None:
    call = make_call(PROMPT, model=f"fake~usage={usage};tokens=9", stream=stream)
    async with provider_at(fake.base_url, api_key) as provider:
        answer = await ask(provider, call)
    assert 0 < answer.usage.output_tokens < 100
    assert 0 < answer.usage.input_tokens < 100
    assert answer.usage.estimated == (usage != "text")
    assert len(call.trail.notices) == (usage != "text")


@BOTH
@pytest.mark.parametrize(("ids", "made"), [("ok", 0), ("same", 1), ("blank", 2), ("missing", 2), ("null", 2)])
async def test_tool_calls_always_have_ids(fake: FakeProvider, api_key: str, ids: str, made: int, *, stream: bool) -> None:
    call = make_call(pb.ChatRequest(prompt=PROMPT, generation=TOOLS), model=f"fake~tool;tool_ids={ids}", stream=stream)
    async with provider_at(fake.base_url, api_key) as provider:
        parts = (await ask(provider, call)).candidates[0].message.parts
    assert [part.tool_call.name for part in parts] == ["f", "g"]
    assert len({part.tool_call.tool_call_id for part in parts} - {""}) == 2
    assert [notice.code for notice in call.trail.notices] == [pb.Notice.CODE_TOOL_CALL_ID_MADE] * made


@pytest.mark.parametrize("piece", [1, 3, 1000])
async def test_arguments_come_in_pieces_of_any_size(fake: FakeProvider, api_key: str, piece: int) -> None:
    arguments = '{"a": "é日", "n": 9007199254740993}'
    model = f"fake~tool=1;tool_args={arguments};tool_piece={piece};split=7".replace("/", "%2F")
    call = make_call(pb.ChatRequest(prompt=PROMPT, generation=TOOLS), model=model, stream=True)
    async with provider_at(fake.base_url, api_key) as provider:
        events = await events_of(provider, call)
    assert "".join(event.part_delta.arguments_json for event in events) == arguments


@BOTH
@pytest.mark.parametrize(
    ("script", "seconds"), [("retry_after=2", 2.0), ("retry_after_ms=250", 0.25), ("retry_after=date:30", 30.0), ("retry_after=soon", 20.0)]
)
async def test_vendors_say_when_to_come_back(fake: FakeProvider, api_key: str, script: str, seconds: float, *, stream: bool) -> None:
    async with provider_at(fake.base_url, api_key) as provider:
        with pytest.raises(UpstreamRateLimited) as caught:
            await ask(provider, make_call(PROMPT, model=f"fake~status=429;{script}", stream=stream))
    assert caught.value.retry_after_s == pytest.approx(seconds, abs=2)
    assert caught.value.origin.provider_request_id.startswith("req_")


async def test_nobody_there_is_a_failure_that_names_no_address(unused_tcp_port: int, api_key: str) -> None:
    async with provider_at(f"http://127.0.0.1:{unused_tcp_port}/v1", api_key) as provider:
        with pytest.raises(UpstreamFailed, match="does not take connections") as caught:
            await ask(provider, make_call(PROMPT))
    assert "127.0.0.1" not in caught.value.message


async def test_an_unknown_host_is_a_failure(api_key: str) -> None:
    async with provider_at("http://no-such-host.invalid/v1", api_key, timeouts=PATIENT) as provider:
        with pytest.raises(UpstreamFailed, match="host name"):
            await ask(provider, make_call(PROMPT))


async def test_a_closed_provider_says_so(fake: FakeProvider, api_key: str) -> None:
    async with provider_at(fake.base_url, api_key) as provider:
        await ask(provider, make_call(PROMPT, model="fake"))
    with pytest.raises(UpstreamFailed, match="stopping"):
        await ask(provider, make_call(PROMPT, model="fake"))


@BOTH
async def test_framing_that_breaks_behind_the_head_is_noticed_at_once(fake: FakeProvider, api_key: str, *, stream: bool) -> None:
    """Often, since it hung only when head and garbage came in two reads."""
    async with provider_at(fake.base_url, api_key) as provider:
        for _ in range(30):
            with pytest.raises(UpstreamFailed):
                await ask(provider, make_call(PROMPT, stream=stream, model="fake~bad_chunk=head;framing=chunked", within_s=5))
