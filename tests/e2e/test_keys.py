"""A server with several keys of one provider, and with limits: what callers see of an account that is empty, or used up."""

import asyncio
import os
import signal
import time

import pytest

from promptwire import Promptwire, errors
from promptwire import v1 as pb
from tests.e2e import process
from tests.e2e.conftest import Serve
from tests.faults.fake_provider.ledger import secret
from tests.faults.fake_provider.process import FakeProvider


@pytest.mark.parametrize("stream", [False, True], ids=["whole", "streamed"])
async def test_with_one_empty_account_of_two_calls_succeed(serve: Serve, fake: FakeProvider, marker: str, *, stream: bool) -> None:
    empty, good = f"sk-{marker}-empty~status=429;code=insufficient_quota", f"sk-{marker}-good"
    server = serve({"providers": {"fake": process.openai(fake.base_url, empty, api_keys=[good])}})
    async with Promptwire(server.target) as client:
        answers = [
            await (
                client.stream_chat(f"Say {number}.", model="fake/fake").read()
                if stream
                else client.chat(f"Say {number}.", model="fake/fake")
            )
            for number in range(5)
        ]
    assert [len(answer.attempts) for answer in answers] == [2, 1, 1, 1, 1]
    assert answers[0].attempts[0].failure.reason == pb.ERROR_REASON_UPSTREAM_ACCOUNT
    assert len(await fake.aledger(key_sha256=secret(empty))) == 1
    assert len(await fake.aledger(key_sha256=secret(good), ended=5)) == 5
    assert marker not in server.log.text


async def test_a_key_that_died_is_told_of_counted_and_still_dead_in_the_next_configuration(
    serve: Serve, fake: FakeProvider, marker: str
) -> None:
    empty, good = f"sk-{marker}-empty~status=429;code=insufficient_quota", f"sk-{marker}-good"
    config = {"providers": {"fake": process.openai(fake.base_url, empty, api_keys=[good]), "echo": {"kind": "echo"}}}
    server = serve(config)
    async with Promptwire(server.target) as client:
        await client.chat("Say one.", model="fake/fake")
        (told,) = await asyncio.to_thread(server.log.wait, "key.changed")
        assert (told["provider"], told["number"], told["state"], told["for_s"], told["level"]) == ("fake", 1, "dead", 30.0, "warning")
        assert "account" in told["error"]
        server.rewrite({**config, "models": {"fast": "fake/fake"}})
        os.kill(server.pid, signal.SIGHUP)
        await asyncio.to_thread(server.log.wait, "config.reloaded")
        assert len((await client.chat("Say two.", model="fast")).attempts) == 1
        metrics = server.metrics()
        await client.admin.reset_breaker("fake", reason="it was paid")
        assert [line["state"] for line in await asyncio.to_thread(server.log.wait, "key.changed", count=2)] == ["dead", "working"]
    assert len(await fake.aledger(key_sha256=secret(empty))) == 1
    states = {state: metrics.sum("promptwire_provider_keys", provider="fake", state=state) for state in ("working", "resting", "dead")}
    assert states == {"working": 1, "resting": 0, "dead": 1}
    assert marker not in server.log.text


async def test_retry_after_beyond_the_deadline_is_told_at_once(serve: Serve, fake: FakeProvider, marker: str) -> None:
    key = f"sk-{marker}~status=429;retry_after=7"
    server = serve({"providers": {"fake": process.openai(fake.base_url, key)}})
    async with Promptwire(server.target) as client:
        for _ in range(2):
            began_s = time.monotonic()
            with pytest.raises(errors.UpstreamRateLimited) as caught:
                await client.chat("x", model="fake/fake", timeout_s=3.0)
            took_s = time.monotonic() - began_s
            assert 6.0 < (caught.value.retry_after_s or 0.0) <= 7.0
    assert took_s < 0.1
    assert len(await fake.aledger(key_sha256=secret(key))) == 1


async def test_what_the_operator_allows_of_a_target_is_all_that_it_is_asked(serve: Serve, fake: FakeProvider, marker: str) -> None:
    key = f"sk-{marker}"
    server = serve(
        {
            "providers": {"fake": process.openai(fake.base_url, key, requests_per_minute=3), "echo": {"kind": "echo"}},
            "models": {"fast": {"targets": [{"model": "fake/fake", "requests_per_minute": 2}], "fallbacks": {"default": ["echo/echo"]}}},
        }
    )
    async with Promptwire(server.target) as client:
        providers = [(await client.chat(f"Say {number}.", model="fast")).provider for number in range(4)]
        other = (await client.chat("Say more.", model="fake/other")).provider
    assert providers == ["fake", "fake", "echo", "echo"]
    assert other == "fake"
    assert len(await fake.aledger(key_sha256=secret(key), ended=3)) == 3
