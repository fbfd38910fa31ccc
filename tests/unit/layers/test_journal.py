"""What is written down of questions that were answered without a provider."""

import pytest

from promptwire import v1 as pb
from promptwire_server.core.call import Call, Principal
from promptwire_server.core.clock import ManualClock
from promptwire_server.core.errors import UpstreamFailed
from promptwire_server.core.handler import Handler
from promptwire_server.core.ledger import SAVED
from promptwire_server.core.reply import Reply
from promptwire_server.layers.journal import Journal
from promptwire_server.layers.metrics import Metrics
from promptwire_server.layers.observe import Observe
from promptwire_server.layers.tally import Tally
from tests.unit.layers.conftest import MakeCall, answer
from tests.unit.layers.purses import Till


async def ask(clock: ManualClock, call: Call, inner: Handler) -> Till:
    till = Till(clock)
    async with await Observe(inner, tally=Tally(Metrics(), write=Journal(till.recorder, clock).write), clock=clock)(call) as reply:
        await reply.read()
    return till


def handing(response: pb.ChatResponse) -> Handler:
    async def inner(_: Call) -> Reply:
        return Reply.whole(response)

    return inner


@pytest.mark.parametrize("served_from", [pb.SERVED_FROM_CACHE, pb.SERVED_FROM_DEDUP, pb.SERVED_FROM_IDEMPOTENCY])
async def test_what_was_saved_is_written_down(clock: ManualClock, make_call: MakeCall, served_from: "pb.ServedFrom") -> None:
    kept = answer(served_from=served_from, cost=pb.Cost(total_nano_usd=0, saved_nano_usd=12))
    call = make_call(principal=Principal("shop", "till"), request=pb.ChatRequest(model="fast", labels={"team": "search"}))
    (row,) = (await ask(clock, call, handing(kept))).rows
    assert (row.kind, row.tenant, row.principal, row.model_asked, row.attempt) == (SAVED, "shop", "till", "fast", 0)
    assert (row.served_from, row.amounts.total, row.amounts.saved, row.tokens.input) == (served_from, 0, 12, 3)
    assert row.labels == {"team": "search"}


async def test_what_a_provider_answered_is_written_where_it_was_asked(clock: ManualClock, make_call: MakeCall) -> None:
    assert (await ask(clock, make_call(), handing(answer()))).rows == []


async def test_a_failure_saved_nothing(clock: ManualClock, make_call: MakeCall) -> None:
    async def failing(_: Call) -> Reply:
        raise UpstreamFailed("gone")

    with pytest.raises(UpstreamFailed):
        await ask(clock, make_call(), failing)


async def test_a_name_of_the_caller_s_choice_is_cut(clock: ManualClock, make_call: MakeCall) -> None:
    till = await ask(clock, make_call(model="x" * 1000), handing(answer(served_from=pb.SERVED_FROM_CACHE)))
    assert len(till.rows[0].model_asked) == 128
