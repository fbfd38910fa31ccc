"""A stream that is cut from outside while its reader waits for the vendor: the reader learns it at once."""

import asyncio

import pytest

from promptwire_server.core.clock import SystemClock
from promptwire_server.core.errors import NoHealthyUpstream, StreamInterrupted
from promptwire_server.core.secret import Secret
from promptwire_server.providers.json_value import JsonObject
from promptwire_server.providers.registry import build
from promptwire_server.providers.settings import HttpSettings
from tests.unit.providers.listener import listening
from tests.unit.providers.support import make_call, make_ids, sse_bytes

CHUNK: JsonObject = {"id": "a-1", "model": "m", "choices": [{"index": 0, "delta": {"role": "assistant", "content": "hel"}}]}
BEGUN = b"HTTP/1.1 200 OK\r\ncontent-type: text/event-stream\r\n\r\n" + sse_bytes(CHUNK)  # and nothing more, for ever


async def test_a_reader_who_waits_for_the_vendor_is_told_at_once() -> None:
    async with listening(lambda _: BEGUN) as listener:
        settings = HttpSettings("openai", base_url=listener.origin, api_key=Secret("sk-1"))
        provider = build("openai", settings, clock=SystemClock(), ids=make_ids())
        call = make_call(stream=True, within_s=60.0)
        try:
            async with await provider(call) as reply:
                batches = reply.batches()
                await anext(batches)
                waiting = asyncio.ensure_future(anext(batches))
                await asyncio.sleep(0)  # it waits for the vendor now
                reply.cut(NoHealthyUpstream("taken out of use"))
                async with asyncio.timeout(5):
                    with pytest.raises(StreamInterrupted, match="taken out of use"):
                        await waiting
        finally:
            await provider.aclose()
    assert [attempt.failure.message for attempt in call.trail.attempts] == ["the caller went away"]
