"""The way of a request for vectors: admission, targets in turn, counting."""

import asyncio
from collections.abc import Sequence
from random import Random

import pytest

from promptwire import v1 as pb
from promptwire_server.core.call import Target
from promptwire_server.core.clock import Chance, ManualClock
from promptwire_server.core.embedding import EmbedCall
from promptwire_server.core.errors import CapabilityMissing, Draining, PromptwireError, UpstreamFailed, UpstreamInvalidRequest, failure_of
from promptwire_server.core.facts import Facts
from promptwire_server.core.price import PUBLISHED, Price, Rates
from promptwire_server.layers.admission.admission import Admission
from promptwire_server.layers.admission.settings import AdmissionSettings
from promptwire_server.layers.book import Account, Book
from promptwire_server.layers.embed import Embedder
from promptwire_server.layers.metrics import Metrics
from promptwire_server.layers.route import Routes
from promptwire_server.layers.tally import Line, Tally
from tests.unit.layers.conftest import MakeCall
from tests.unit.layers.vendors import Published


class Model:
    """Answers with one number a text, or raises."""

    def __init__(self, error: PromptwireError | None = None) -> None:
        self.error = error
        self.asked: list[str] = []

    async def embed(self, call: EmbedCall) -> pb.EmbedResponse:
        self.asked.append(call.model)
        call.usage.input_tokens += 3
        attempt = pb.Attempt(provider=call.call.target.provider if call.call.target else "", model=call.model)
        call.call.trail.attempts.append(attempt)
        if self.error is not None:
            attempt.failure.CopyFrom(failure_of(self.error))
            attempt.usage.input_tokens = 3
            raise self.error
        return pb.EmbedResponse(provider="p", model=call.model, embeddings=[pb.Embedding(values=[1.0])], usage=call.usage)


class Gateway:
    """An embedder before two models, and what it has counted."""

    def __init__(self, clock: ManualClock, first: Model, second: Model) -> None:
        self.admission = Admission(AdmissionSettings(ceiling_calls=8), clock=clock, chance=Chance(Random(1)))
        self.lines: list[Line] = []
        self.metrics = Metrics([("p", "one"), ("q", "two")], ["p", "q"])
        routes = Routes({"both": (Target("p", "one"), Target("q", "two"))}, ["p", "q"], "both")
        tally = Tally(self.metrics, self._log)
        book = Book({"p": Account("https://p")}, Published({"one": Facts(Price(Rates(input=1000), PUBLISHED))}), clock)
        self.embed = Embedder(routes, {"p": first, "q": second}, admission=self.admission, tally=tally, book=book, clock=clock)

    def _log(self, lines: Sequence[Line]) -> None:
        self.lines.extend(lines)


def embed_call(make_call: MakeCall, model: str = "both") -> EmbedCall:
    request = pb.EmbedRequest(model=model, texts=["a"])
    return EmbedCall(request, make_call(model=model))


async def test_the_first_target_answers(clock: ManualClock, make_call: MakeCall) -> None:
    first, second = Model(), Model()
    gateway = Gateway(clock, first, second)
    response = await gateway.embed(embed_call(make_call))
    assert (first.asked, second.asked) == (["one"], [])
    assert (response.model, response.usage.input_tokens, response.cost.total_nano_usd) == ("one", 3, 3)
    assert gateway.lines[0][2]["cost_nano_usd"] == 3
    assert response.request_id
    assert gateway.lines[0][:2] == ("info", "embed.finished")
    assert gateway.admission.inside == 0


async def test_the_next_target_is_asked_when_it_may_help_and_both_are_counted(clock: ManualClock, make_call: MakeCall) -> None:
    gateway = Gateway(clock, Model(UpstreamFailed("gone")), Model())
    response = await gateway.embed(embed_call(make_call))
    assert response.model == "two"
    assert response.usage.input_tokens == 6
    assert [notice.code for notice in response.notices] == [pb.Notice.CODE_FALLBACK_USED]
    failed, answered = response.attempts
    assert (failed.usage.input_tokens, failed.cost.total_nano_usd) == (3, 3)
    assert (answered.usage.input_tokens, answered.HasField("cost")) == (3, False)


async def test_no_other_target_is_asked_when_the_request_is_wrong(clock: ManualClock, make_call: MakeCall) -> None:
    second = Model()
    gateway = Gateway(clock, Model(UpstreamInvalidRequest("bad")), second)
    with pytest.raises(UpstreamInvalidRequest):
        await gateway.embed(embed_call(make_call))
    assert not second.asked


async def test_what_a_failed_request_spent_is_counted(clock: ManualClock, make_call: MakeCall) -> None:
    gateway = Gateway(clock, Model(CapabilityMissing("none")), Model(UpstreamFailed("gone")))
    with pytest.raises(UpstreamFailed):
        await gateway.embed(embed_call(make_call))
    (_, _, fields), *_ = gateway.lines
    assert fields["input_tokens"] == 6
    assert fields["outcome"] == "UPSTREAM_FAILED"
    assert gateway.admission.inside == 0


async def test_nobody_comes_in_while_the_server_drains(clock: ManualClock, make_call: MakeCall) -> None:
    first = Model()
    gateway = Gateway(clock, first, Model())
    gateway.admission.drain()
    with pytest.raises(Draining):
        await gateway.embed(embed_call(make_call))
    assert not first.asked


async def test_a_request_leaves_when_it_is_cancelled(clock: ManualClock, make_call: MakeCall) -> None:
    waiting = asyncio.Event()

    class Slow(Model):
        async def embed(self, call: EmbedCall) -> pb.EmbedResponse:
            waiting.set()
            await asyncio.Event().wait()
            raise AssertionError

    gateway = Gateway(clock, Slow(), Model())
    task = asyncio.ensure_future(gateway.embed(embed_call(make_call)))
    await waiting.wait()
    task.cancel()
    with pytest.raises(asyncio.CancelledError):
        await task
    assert gateway.admission.inside == 0
    assert gateway.lines[0][2]["outcome"] == "CANCELLED"
