"""What attempts took that gave no answer is counted and logged, and what a broken stream took is so once."""

from collections.abc import AsyncIterator

import pytest

from promptwire import v1 as pb
from promptwire_server.core.answer import events_of
from promptwire_server.core.call import Call
from promptwire_server.core.clock import ManualClock
from promptwire_server.core.errors import PromptwireError, UpstreamFailed, failure_of
from promptwire_server.core.handler import Handler
from promptwire_server.core.reply import Batch, Reply
from promptwire_server.layers.metrics import Metrics
from promptwire_server.layers.observe import Observe
from promptwire_server.layers.tally import Line, Tally
from tests.unit.layers.conftest import MakeCall, answer

LOST_TOKENS, LOST_NANO_USD = 30, 900
ANSWER_TOKENS, ANSWER_NANO_USD = 3, 70  # as in `answer`


class Books:
    """Everything that knows of a question after its end."""

    def __init__(self) -> None:
        self.lines: list[Line] = []
        self.metrics = Metrics([("slow", "m"), ("echo", "echo")], ["slow", "echo"])
        self.tally = Tally(self.metrics, self.lines.extend)

    def taken(self) -> list[tuple[int, int | None]]:
        """Input tokens and cost: as the line has them, and in the metrics of both models together."""
        ((_, _, line),) = self.lines
        return [
            (int(line["input_tokens"]), int(line["cost_nano_usd"])),
            (self._sum("promptwire_tokens_total", direction="input"), self._sum("promptwire_cost_nano_usd_total")),
        ]

    def _sum(self, name: str, **more: str) -> int:
        return sum(self.of(name, provider, model, **more) for provider, model in (("slow", "m"), ("echo", "echo")))

    def of(self, name: str, provider: str, model: str, **more: str) -> int:
        return int(self.metrics.registry.get_sample_value(name, {"provider": provider, "model": model, **more}) or 0)


def lost() -> pb.Attempt:
    return pb.Attempt(
        provider="slow",
        model="m",
        failure=failure_of(UpstreamFailed("it broke off")),
        usage=pb.Usage(input_tokens=LOST_TOKENS, estimated=True),
        cost=pb.Cost(total_nano_usd=LOST_NANO_USD),
    )


async def ask(inner: Handler, clock: ManualClock, call: Call) -> Books:
    books = Books()
    async with await Observe(inner, tally=books.tally, clock=clock)(call) as reply:
        await reply.read()
    return books


async def test_the_loser_of_a_hedge_is_paid_for(clock: ManualClock, make_call: MakeCall) -> None:
    async def inner(call: Call) -> Reply:
        call.trail.attempts.extend([lost(), pb.Attempt(provider="echo", model="echo")])
        return Reply.whole(answer(cost=pb.Cost(total_nano_usd=ANSWER_NANO_USD)))

    books = await ask(inner, clock, make_call())
    assert books.taken() == [(LOST_TOKENS + ANSWER_TOKENS, LOST_NANO_USD + ANSWER_NANO_USD)] * 2
    assert books.of("promptwire_cost_nano_usd_total", "slow", "m") == LOST_NANO_USD


async def test_an_answer_without_a_price_leaves_what_is_known(clock: ManualClock, make_call: MakeCall) -> None:
    async def inner(call: Call) -> Reply:
        call.trail.attempts.append(lost())
        return Reply.whole(answer())

    assert (await ask(inner, clock, make_call())).taken() == [(LOST_TOKENS + ANSWER_TOKENS, LOST_NANO_USD)] * 2


async def test_a_stream_that_broke_off_is_paid_for_once(clock: ManualClock, make_call: MakeCall) -> None:
    call = make_call(stream=True)

    async def source() -> AsyncIterator[Batch]:
        yield list(events_of(answer()))[:3]
        call.trail.attempts.append(lost())
        raise UpstreamFailed("it broke off")

    async def inner(_: Call) -> Reply:
        return Reply(source(), partial=answer)

    books = Books()
    with pytest.raises(PromptwireError):
        async with await Observe(inner, tally=books.tally, clock=clock)(call) as reply:
            await reply.read()
    assert books.taken() == [(LOST_TOKENS, LOST_NANO_USD)] * 2


async def test_calls_without_number_are_settled_before_more_come_in(clock: ManualClock, make_call: MakeCall) -> None:
    lines: list[Line] = []
    tally = Tally(Metrics(), lines.extend, lambda _: None)

    async def inner(_: Call) -> Reply:
        return Reply.whole(answer())

    observe = Observe(inner, tally=tally, clock=clock)
    for _ in range(1001):
        async with await observe(make_call()) as reply:
            await reply.read()
    assert len(lines) == 1000
