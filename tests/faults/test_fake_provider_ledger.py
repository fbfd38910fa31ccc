"""The ledger, the launcher, the fast mode, and the README that describes them."""

import asyncio
import json
import time
from pathlib import Path
from typing import Literal

import pytest
from openai import AsyncOpenAI, DefaultAsyncHttpxClient

from tests.faults.fake_provider import process
from tests.faults.fake_provider.answer import expected_text
from tests.faults.fake_provider.fast import PROMPT as FAST_PROMPT
from tests.faults.fake_provider.ledger import secret
from tests.faults.fake_provider.process import Entry, FakeProvider
from tests.faults.fake_provider.script import KEYS
from tests.faults.raw import Arrived, RawClient, asked, chat, connected, streamed

NOTICE_S = 0.05
# Noticing takes microseconds; only a busy machine makes it longer, and not three times.
TRIES = 3
README = Path(__file__).with_name("README.md")


async def abandoned(fake: FakeProvider, key: str, script: str, how: Literal["fin", "rst"], *, hangs: bool) -> tuple[Entry, float]:
    """Leave an answer under way; return its entry and the moment of leaving."""
    client = await RawClient.connect(fake)
    await client.send(chat(f"fake~{script}", key, stream=True))
    wanted = {"hung": "True"} if hangs else {}
    await fake.aledger(key_sha256=secret(key), seen=1, **wanted)
    left_s = time.monotonic()
    client.leave(how)
    (entry,) = await fake.aledger(key_sha256=secret(key), ended=1)
    return entry, left_s


@pytest.mark.parametrize("how", ["fin", "rst"])
@pytest.mark.parametrize(
    "script",
    ["hang=start", "hang=head", "hang=2", "head_ms=60000", "play=text_stream;cut=900;cut_how=hang"],
)
async def test_a_close_is_noticed_within_50_ms(fake: FakeProvider, api_key: str, script: str, how: Literal["fin", "rst"]) -> None:
    delays = []
    for number in range(TRIES):
        entry, left_s = await abandoned(fake, f"{api_key}-{number}", script, how, hangs="hang" in script)
        # Closing with unread bytes resets: only silence so far allows a FIN.
        assert entry["ended"] == f"client_{how}" or entry["bytes_sent"] > 0
        assert entry["close_noticed_ms"] >= 0
        delays.append(entry["ended_s"] - left_s)
    assert min(delays) < NOTICE_S


@pytest.mark.parametrize("how", ["fin", "rst"])
async def test_a_close_between_events_is_noticed(fake: FakeProvider, api_key: str, how: Literal["fin", "rst"]) -> None:
    client = await RawClient.connect(fake)
    await client.send(chat("fake~delay_ms=60000", api_key, stream=True))
    await client.read_until(b"data: ")
    await client.read_until(b"\n\n\r\n")
    client.leave(how)

    (entry,) = await fake.aledger(key_sha256=secret(api_key), ended=1)
    assert entry["ended"] == f"client_{how}"
    assert (entry["events_sent"], entry["tokens_sent"]) == (1, 0)


async def test_a_close_is_noticed_while_the_client_does_not_read(fake: FakeProvider, api_key: str) -> None:
    client = await RawClient.connect(fake, receive_bytes=4096)
    await client.send(chat("fake~huge_body=forever", api_key, stream=True))
    await client.read_until(b"data: ")
    client.leave("rst")

    (entry,) = await fake.aledger(key_sha256=secret(api_key), ended=1)
    assert entry["ended"] == "client_rst"


async def test_entry_tells_all_of_a_request(fake: FakeProvider, api_key: str) -> None:
    got = await streamed(fake, "fake~tokens=4", api_key)

    (entry,) = await fake.aledger(key_sha256=secret(api_key), ended=1, left=1)
    assert (entry["method"], entry["path"], entry["attempt"], entry["status"]) == ("POST", "/v1/chat/completions", 1, 200)
    assert entry["body"]["messages"][0]["role"] == "user"
    assert (entry["bytes_sent"], entry["body_bytes_sent"]) == (len(got.data), len(got.body))
    assert (entry["events_sent"], entry["tokens_sent"], entry["text_sent"]) == (6, 4, got.text)
    assert entry["started_s"] <= entry["arrived_s"] <= entry["last_write_s"] <= entry["ended_s"]
    assert (entry["ended"], entry["connection_ended"]) == ("complete", "us")


async def test_the_key_is_never_kept(fake: FakeProvider, api_key: str) -> None:
    await asked(fake, "fake", api_key)

    entries = await fake.aledger(key_sha256=secret(api_key), ended=1)
    assert api_key not in json.dumps(entries)


async def test_cuts_are_told_from_departures(fake: FakeProvider, api_key: str) -> None:
    await streamed(fake, "fake~fin=3", api_key)
    await streamed(fake, "fake~rst=1", api_key)

    entries = await fake.aledger(key_sha256=secret(api_key), ended=2)
    assert [(e["ended"], e["events_sent"], e["text_sent"] != "") for e in entries] == [("cut_fin", 3, True), ("cut_rst", 1, False)]


async def test_filter_by_model_name_and_base(fake: FakeProvider, api_key: str) -> None:
    await asked(fake, f"m-{api_key}~tokens=1", api_key)

    assert len(await fake.aledger(model=f"m-{api_key}", ended=1)) == 1
    assert len(await fake.aledger(model=f"m-{api_key}~tokens=1", ended=1)) == 1
    assert await fake.aledger(model="no such") == []


async def test_waiting_in_vain_raises(fake: FakeProvider) -> None:
    with pytest.raises(process.NotReadyError):
        await fake.aledger(model="never asked", seen=1, timeout_s=0.01)


async def test_ledger_file_and_reset(tmp_path: Path) -> None:
    file = tmp_path / "ledger.jsonl"
    with process.running(ledger_file=file) as fake:
        first = await asked(fake, "fake~status=503/ok", "k")
        await asyncio.to_thread(fake.reset)
        second = await asked(fake, "fake~status=503/ok", "k")
        entries = await fake.aledger(ended=1)

    lines = [json.loads(line) for line in file.read_text().splitlines()]
    assert (first.status, second.status) == (503, 503)
    assert [line["number"] for line in lines] == [1, 2]
    assert [entry["number"] for entry in entries] == [2]


async def test_process_ends_when_its_starter_does() -> None:
    fake = process.start()
    assert fake.process.stdin
    fake.process.stdin.close()

    assert await asyncio.to_thread(fake.process.wait, 10) == 0
    fake.stop()


async def test_fast_mode_speaks_the_same_dialect() -> None:
    with process.running(fast=True) as fake:
        plain = DefaultAsyncHttpxClient(verify=False)
        async with AsyncOpenAI(base_url=fake.base_url, api_key="k", http_client=plain) as client:
            whole = await client.chat.completions.create(model="fake~tokens=5", messages=[{"role": "user", "content": "x"}])
            stream = await client.chat.completions.create(
                model="fake~tokens=5;delay_ms=1", messages=[{"role": "user", "content": "x"}], stream=True
            )
            chunks = [chunk async for chunk in stream]

    text = "".join(chunk.choices[0].delta.content or "" for chunk in chunks)
    assert whole.choices[0].message.content == text == expected_text(FAST_PROMPT, tokens=5)


async def test_fast_mode_answers_pipelined_and_split_requests() -> None:
    request = chat("fake", "k", close=False)
    with process.running(fast=True) as fake:
        async with connected(fake) as client:
            await client.send(request + request[:50])
            first = Arrived(await client.read_answer(), "fin")
            await client.send(request[50:])
            second = Arrived(await client.read_answer(), "fin")
        counted = json.loads(await asyncio.to_thread(fake.control, "GET", "/_ledger"))

    assert first == second
    assert first.status == 200
    assert counted == {"requests": 2}


def test_readme_names_every_key() -> None:
    text = README.read_text()

    assert [key for key in KEYS if f"`{key}`" not in text] == []
