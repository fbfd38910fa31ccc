"""Answers made strange at random, for a while, a dialect at a time: no crash, no hang, no lie. A failure names the seed that replays it."""

import asyncio
import os
import time
from random import Random, SystemRandom

import pytest

from promptwire import v1 as pb
from promptwire_server.core.answer import Assembly
from promptwire_server.core.errors import PromptwireError
from promptwire_server.providers.adapter import Adapter
from promptwire_server.providers.dialect import Refusal
from tests.faults.mutation import mutated, reads_of
from tests.faults.wires import WIRES, Wire, body_of, recorded
from tests.unit.providers.support import make_call

FUZZ_S = float(os.environ.get("PROMPTWIRE_FUZZ_S", "30"))
STATUSES = (300, 400, 401, 402, 403, 404, 408, 409, 413, 418, 429, 500, 502, 503, 504, 529, 599)
PATIENCE_S = 10.0
EVERY = pytest.mark.parametrize("wire", WIRES, ids=lambda wire: wire.name)
GENERATION = pb.GenerationSettings(tools=[pb.Tool(function=pb.FunctionTool(name="look_up"))])


async def told(provider: Adapter) -> None:
    """Read a stream to its end, and hold it to what a stream promises."""
    assembly, ends = Assembly(), 0
    try:
        async with await provider(make_call(pb.ChatRequest(prompt="hi", generation=GENERATION), stream=True)) as reply:
            async for event in reply:
                assert not ends, "something came after the end"
                assembly.add(event)
                ends += event.HasField("finished")
    except PromptwireError:
        assert not ends, "an error came after the end"
        return
    assert ends == 1
    assert assembly.response is not None
    check(assembly.response)


def check(response: pb.ChatResponse) -> None:
    """What holds for every answer, however strange what it was made of."""
    usage = response.usage
    assert 0 <= usage.cached_input_tokens + usage.cache_write_5m_tokens + usage.cache_write_1h_tokens <= usage.input_tokens
    assert 0 <= usage.reasoning_tokens <= usage.output_tokens
    for candidate in response.candidates:
        calls = [part.tool_call.tool_call_id for part in candidate.message.parts if part.HasField("tool_call")]
        assert all(calls)
        assert len(set(calls)) == len(calls)
    assert response.SerializeToString()


async def one(wire: Wire, seed: int) -> None:
    random = Random(seed)
    name = random.choice([*wire.recordings("_stream"), *wire.recordings("_mid_stream")])
    await told(wire.provider(reads_of(mutated(body_of(recorded(name)), random), random)))
    whole = mutated(body_of(recorded(random.choice(wire.recordings("_whole")))), random)
    try:
        async with await wire.provider([whole])(make_call()) as reply:
            check(await reply.read())
    except PromptwireError:
        pass
    headers = {"retry-after": random.choice(("1", "x", "-1", "Wed, 21 Oct 2026 07:28:00 GMT", "9" * 40)), "content-type": "text/html"}
    refusal = Refusal(random.choice(STATUSES), headers, whole, "m", 0.0)
    assert isinstance(wire.decoder().refused(refusal), PromptwireError)


@EVERY
@pytest.mark.timeout(FUZZ_S * 4 + 60)
async def test_no_answer_crashes_hangs_or_lies(wire: Wire) -> None:
    first = SystemRandom().getrandbits(32)
    until_s = time.monotonic() + FUZZ_S
    seed = first
    while time.monotonic() < until_s:
        seed += 1
        try:
            async with asyncio.timeout(PATIENCE_S):
                await one(wire, seed)
        except BaseException as error:
            raise AssertionError(f"{wire.name}: seed {seed} ({seed - first} answers on): {error!r}") from error
    assert seed - first > FUZZ_S, "hardly an answer a second: something is slow"
