"""What the server writes about itself: lines that are JSON, calls that can be found again, and no prompt or key anywhere."""

import asyncio
import subprocess
from pathlib import Path
from urllib.parse import quote

import grpc
import pytest

from promptwire import Promptwire, errors
from promptwire import v1 as pb
from promptwire.v1.chat_service_pb2_grpc import ChatServiceStub
from tests.e2e import hostile, process
from tests.e2e.conftest import Serve
from tests.e2e.process import Server
from tests.faults.fake_provider.answer import expected_text
from tests.faults.fake_provider.process import FakeProvider

API_KEY = "plain-caller-key-MARKEDKEY-0001"
UPSTREAM_KEY = "plain-upstream-key-MARKEDKEY-0002"
HEADER = "header-MARKEDKEY-0003"
PROMPT = "MARKEDPROMPT my pin is 4711"
MARKS = ("MARKED", "4711")


@pytest.fixture
def marked(serve: Serve, fake: FakeProvider) -> Server:
    """A server that is told secrets everywhere, at the level that says most."""
    provider = process.openai(fake.base_url, UPSTREAM_KEY, headers={"x-team": HEADER})
    auth = {"api_keys": [{"name": "one", "key": API_KEY}]}
    return serve({"auth": auth, "providers": {"fake": provider}, "logs": {"level": "debug"}})


async def _do_everything(server: Server) -> None:
    """Calls that go well and calls that go wrong in every place, each with marked secrets."""
    async with Promptwire(server.target, api_key=API_KEY, timeout_s=5) as client:
        await client.chat(PROMPT, model="fake/marked")
        await client.stream_chat(PROMPT, system=PROMPT, model="fake/marked").read()
        await client.run_chain([PROMPT, "{{ output[-1] }}" + PROMPT], model="fake/marked")
        await client.count_tokens(PROMPT)
        await client.validate_chain(["{{ " + PROMPT])
        wrong = [
            client.chat(PROMPT, model="nobody/none"),
            client.chat(PROMPT, model=f"fake/marked~status=400;message={quote(PROMPT).replace('M', '%4D').replace('4711', '47%31%31')}"),
            client.chat(PROMPT, model="fake/marked~status=401;message=bad%20key%20%4DARKEDKEY"),
            client.chat(PROMPT, model="fake/marked~bad_json=0"),
            client.stream_chat(PROMPT, model="fake/marked~garbage=2").read(),
            client.stream_chat(PROMPT, model="fake/marked~error_event=2;message=%4DARKED").read(),
            client.chat(PROMPT, model="fake/marked~hang=start", timeout_s=0.2),
            client.chat(PROMPT, response_format={"MARKED": PROMPT}, model="fake/marked~status=422"),
            client.run_chain([PROMPT + "{{ nothing.MARKED }}"], nothing="x"),
            client.run_chain([PROMPT], model="echo/echo?error=500"),
        ]
        results = await asyncio.gather(*wrong, return_exceptions=True)
        assert all(isinstance(result, errors.PromptwireError | pb.ChatResponse) for result in results), results
    async with grpc.aio.insecure_channel(server.target) as channel:
        for data in (b"\x12\xff" + PROMPT.encode(), b"\xff" + PROMPT.encode()):
            assert (await hostile.send(channel, "promptwire.v1.ChatService/Chat", data)).code is grpc.StatusCode.INVALID_ARGUMENT
        metadata = (("authorization", f"Bearer {API_KEY}-WRONG"),)
        with pytest.raises(grpc.aio.AioRpcError):
            await ChatServiceStub(channel).Chat(pb.ChatRequest(prompt=PROMPT), timeout=5, metadata=metadata)


async def test_no_prompt_and_no_key_is_ever_written(marked: Server) -> None:
    await _do_everything(marked)
    marked.signal(15)
    assert await asyncio.to_thread(marked.wait) == 0
    out = marked.process.stdout.read() if marked.process.stdout else ""
    answer = expected_text(PROMPT)
    assert len(marked.log.events("chat.finished")) > 10
    for mark in (*MARKS, answer, API_KEY, UPSTREAM_KEY, HEADER):
        assert mark not in marked.log.text
        assert mark not in out


async def test_every_line_is_json_and_names_its_call(marked: Server) -> None:
    await _do_everything(marked)
    marked.signal(15)
    await asyncio.to_thread(marked.wait)
    events = marked.log.events()
    assert len(events) == len(marked.log.lines), [line for line in marked.log.lines if not line.startswith("{")]
    assert all({"time", "level", "event"} <= line.keys() for line in events)
    calls = [line for line in events if str(line["event"]).startswith(("chat.", "run.", "rpc."))]
    assert calls
    assert all(line["request_id"] and len(line["trace_id"]) == 32 for line in calls)


async def test_a_call_is_found_by_its_request_id_and_its_trace(server: Server, client: Promptwire, marker: str) -> None:
    response = await client.chat("x", request_id=marker)
    (line,) = await asyncio.to_thread(server.log.wait, "chat.finished", request_id=marker)
    assert line["trace_id"] == response.trace_id
    assert (line["provider"], line["outcome"], line["output_tokens"]) == ("echo", "OK", 1)
    run = await client.run_chain(["a", "b"], request_id=f"{marker}_run")
    lines = await asyncio.to_thread(server.log.wait, "chat.finished", count=2, request_id=f"{marker}_run")
    assert [line["step_id"] for line in lines] == ["step1", "step2"]
    assert {line["run_id"] for line in lines} == {run.run_id}
    assert {line["trace_id"] for line in lines} == {run.trace_id}


async def test_an_error_names_the_request_that_the_log_names(server: Server, client: Promptwire) -> None:
    with pytest.raises(errors.NotFound) as caught:
        await client.chat("x", model="nobody/none")
    (line,) = await asyncio.to_thread(server.log.wait, "chat.finished", request_id=caught.value.request_id)
    assert line["outcome"] == "NOT_FOUND"


def test_the_state_directory_holds_no_prompt(marked: Server, tmp_path: Path) -> None:
    asyncio.run(_do_everything(marked))
    assert marked.stop() == 0
    found = subprocess.run(["grep", "-rlaE", "MARKED|4711", str(tmp_path)], capture_output=True, text=True, check=False).stdout.split()
    assert [name for name in found if not name.endswith("promptwire.yaml")] == []
