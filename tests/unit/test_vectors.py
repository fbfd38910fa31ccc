"""The way of a request for vectors, from the edge to a vendor that the test plays: what each attempt took, and that nothing is kept."""

import asyncio
import json
import random
from collections.abc import Awaitable, Sequence
from dataclasses import dataclass, field

import pytest

from promptwire import v1 as pb
from promptwire_server.core.call import ANONYMOUS, Call, Target
from promptwire_server.core.clock import Chance, ManualClock
from promptwire_server.core.embedding import in_common
from promptwire_server.core.errors import CapabilityMissing, ContextTooLong, PromptwireError, UpstreamFailed
from promptwire_server.core.handler import Handler, stack
from promptwire_server.core.ids import Ids
from promptwire_server.core.limits import TargetLimits
from promptwire_server.core.reply import Reply
from promptwire_server.core.secret import Secret
from promptwire_server.layers import names
from promptwire_server.layers.admission.admission import Admission
from promptwire_server.layers.admission.admit import Admit
from promptwire_server.layers.admission.settings import AdmissionSettings
from promptwire_server.layers.alias import Alias, Hedge, Shadow
from promptwire_server.layers.breaker import BreakerSettings, State
from promptwire_server.layers.breakers import Breakers, Shielded
from promptwire_server.layers.capable import refused
from promptwire_server.layers.limits import Limits, ProviderLimits
from promptwire_server.layers.metrics import Metrics
from promptwire_server.layers.observe import Observe
from promptwire_server.layers.pulse import Pulse
from promptwire_server.layers.question import question_of
from promptwire_server.layers.retry import RetrySettings
from promptwire_server.layers.roster import Roster
from promptwire_server.layers.router import Router
from promptwire_server.layers.shadow import Shadows
from promptwire_server.layers.share import Share
from promptwire_server.layers.tally import Line, Tally
from promptwire_server.providers.adapter import Adapter
from promptwire_server.providers.credentials import KeyRing
from promptwire_server.providers.keys import Keys
from promptwire_server.providers.openai.dialect import OpenAI
from promptwire_server.providers.openai.facts import ANY
from promptwire_server.providers.provider import answering
from promptwire_server.providers.upstream import Answer, Request, Stream
from promptwire_server.stores import memory_limits
from tests.unit.layers.outlooks import A, B, C, members, planner

NOW_S = 100.0
STEPS = 3  # of the loop, that a vendor takes for an answer


@dataclass
class Vendor:
    """An Upstream. Answers each request with the next status, after a few steps of the loop; 200 for ever behind the last."""

    statuses: list[int] = field(default_factory=list)
    asked: list[Request] = field(default_factory=list)
    under_way: int = 0

    async def fetch(self, request: Request) -> Answer:
        self.asked.append(request)
        self.under_way += 1
        try:
            for _ in range(STEPS):
                await asyncio.sleep(0)
        finally:
            self.under_way -= 1
        status = self.statuses.pop(0) if self.statuses else 200
        texts = json.loads(request.body)["input"]
        data = [{"index": index, "embedding": [1.0, 0.0]} for index in range(len(texts))]
        body = {"data": data, "usage": {"prompt_tokens": 10 * len(texts)}} if status == 200 else {"error": {"message": "no"}}
        return Answer(status, {}, json.dumps(body).encode())

    async def open(self, request: Request) -> Stream:
        raise AssertionError

    async def aclose(self) -> None:
        pass


class Gateway:
    """As Gateway of the server, with three providers of this test's."""

    def __init__(self, alias: Alias, vendors: Sequence[Vendor], **limits: int) -> None:
        self.clock = ManualClock(NOW_S)
        clock, chance = self.clock, Chance(random.Random(1))
        self.vendors = vendors
        self.admission = Admission(AdmissionSettings(), clock=clock, chance=chance)
        self.roster = Roster(clock, "abc", [A, B, C])
        self.breakers = Breakers(BreakerSettings(), clock, chance, [A, B, C])
        self.store = memory_limits.Limits(clock)
        self.metrics = Metrics([(target.provider, target.model) for target in (A, B, C)], "abc")
        self.lines: list[Line] = []
        self._limits = TargetLimits(**limits)
        self._ids = Ids(clock, chance)
        handlers = {name: self._before(name, vendor) for name, vendor in zip("abc", vendors, strict=False)}
        self._shadows = Shadows(handlers, chance)
        settings = RetrySettings(base_s=0.0)
        router = Router(
            planner({"all": alias}), handlers, usual=self.roster, shadows=self._shadows, settings=settings, clock=clock, chance=chance
        )
        self._handler = stack(
            [
                lambda inner: Observe(inner, tally=Tally(self.metrics, self.lines.extend), clock=clock, event=names.EMBED_FINISHED),
                lambda inner: Admit(inner, admission=self.admission),
            ],
            router,
        )

    def _before(self, name: str, vendor: Vendor) -> Handler:
        limits = ProviderLimits(self._limits, {"m": self._limits})
        provider = Adapter(name, vendor, OpenAI(name, ANY, self._ids), clock=self.clock)
        return stack(
            [
                lambda inner: Pulse(inner, roster=self.roster, clock=self.clock),
                lambda inner: Shielded(inner, breakers=self.breakers),
                lambda inner: Limits(inner, provider=name, limits=limits, store=self.store),
                lambda inner: Share(inner, clock=self.clock, usual=self.roster),
            ],
            answering(provider),
        )

    async def ask(self, *texts: str) -> tuple[pb.EmbedResponse, pb.ChatResponse]:
        """The vectors, and what is told beside them."""
        async with await self._handler(call_for(*texts)) as reply:
            answer = await reply.read()
        assert reply.vectors is not None
        return reply.vectors, answer

    def held(self) -> dict[str, int]:
        """Everything that is still held, by what it is; empty when all is given back."""
        held = {"slots": self.admission.inside, "gauge": self.metrics.in_flight}
        for target, vitals in self.roster.targets():
            held[f"vitals of {target}"] = vitals.in_flight
            held[f"limits of {target}"] = self.store.in_flight(str(target))
            held[f"limits of {target.provider}"] = self.store.in_flight(target.provider)
            held[f"breaker of {target}"] = int(self.breakers.of(target).state is State.HALF_OPEN)
            held[f"visits at {target.provider}"] = len(self.roster.post(target.provider).visits)
        for name, vendor in zip("abc", self.vendors, strict=False):
            held[f"requests at {name}"] = vendor.under_way
        return {what: count for what, count in held.items() if count}


def call_for(*texts: str, model: str = "all", target: Target | None = None) -> Call:
    request = pb.EmbedRequest(model=model, texts=texts or ["a cat"])
    call = Call(in_common(request), ANONYMOUS, "req-1", "f" * 32, NOW_S + 10.0, NOW_S, embed=request)
    return call if target is None else call.aimed_at(target)


async def test_vectors_come_with_what_every_answer_has() -> None:
    gateway = Gateway(Alias(members(A)), [Vendor()])
    vectors, answer = await gateway.ask("a", "b")
    assert [[*vector.values] for vector in vectors.embeddings] == [[1.0, 0.0], [1.0, 0.0]]
    assert (answer.request_id, answer.trace_id, answer.usage.input_tokens) == ("req-1", "f" * 32, 20)
    (attempt,) = answer.attempts
    assert (attempt.provider, attempt.usage.input_tokens, attempt.chosen_because) == ("a", 20, "first by priority")
    assert [line[1] for line in gateway.lines] == ["embed.finished"]
    assert gateway.held() == {}


async def test_a_failure_between_two_batches_is_billed_to_its_attempt_and_the_next_target_asked_for_all() -> None:
    first, second = Vendor([200, 500]), Vendor()
    gateway = Gateway(Alias(members(A, B)), [first, second])
    vectors, answer = await gateway.ask(*["x"] * 300)
    assert len(vectors.embeddings) == 300
    failed, answered = answer.attempts
    assert (failed.usage.input_tokens, answered.usage.input_tokens, answer.usage.input_tokens) == (2560, 3000, 3000)
    assert [len(json.loads(request.body)["input"]) for request in second.asked] == [256, 44]


async def test_another_key_goes_on_where_one_was_refused_and_each_is_billed_its_own() -> None:
    vendor, clock = Vendor([200, 401]), ManualClock(NOW_S)
    ring = KeyRing("a", [Secret("one"), Secret("two")], lambda key: {"authorization": key.reveal()}, Keys(clock))
    ids = Ids(clock, Chance(random.Random(1)))
    provider = answering(Adapter("a", vendor, OpenAI("a", ANY, ids), clock=clock, ring=ring))
    call = call_for(*["x"] * 300, target=A)
    reply = await provider(call)
    assert reply.vectors is not None
    assert len(reply.vectors.embeddings) == 300
    assert [attempt.usage.input_tokens for attempt in call.trail.attempts] == [2560, 0]  # the one that answered says so in its answer
    assert (await reply.read()).usage.input_tokens == 440


@pytest.mark.parametrize(
    ("after", "tokens"), [(1, 64), (STEPS + 1, 2560 + 11)], ids=["while the first batch is read", "while the second batch is read"]
)
async def test_whoever_leaves_is_billed_for_what_the_vendor_has_begun_to_read(after: int, tokens: int) -> None:
    clock = ManualClock(NOW_S)
    provider = answering(Adapter("a", Vendor(), OpenAI("a", ANY, Ids(clock, Chance(random.Random(1)))), clock=clock))
    call = call_for(*["x"] * 300, target=A)
    await _cancelled(provider(call), after)
    (attempt,) = call.trail.attempts
    assert (attempt.usage.input_tokens, attempt.usage.estimated) == (tokens, True)


async def _cancelled(asking: Awaitable[object], after: int) -> bool:
    """Ask, and leave after so many steps of the loop; whether the answer had come before."""
    task = asyncio.ensure_future(asking)
    for _ in range(after):
        await asyncio.sleep(0)
    answered = task.done()
    task.cancel()
    await asyncio.gather(task, return_exceptions=True)
    return answered


ALIASES = {
    "answered by the third": (Alias(members(A, B, C)), [[500], [429], []]),
    "with retries": (Alias(members(A)), [[503, 503]]),
    "hedged": (Alias(members(A, B), hedge=Hedge(0.0)), [[], []]),
    "failed by all": (Alias(members(A, B)), [[500] * 9, [401] * 9]),
}


@pytest.mark.parametrize(("alias", "statuses"), ALIASES.values(), ids=ALIASES)
async def test_whoever_leaves_at_whatever_moment_nothing_is_kept(alias: Alias, statuses: list[list[int]]) -> None:
    for after in range(1000):
        gateway = Gateway(alias, [Vendor(list(each)) for each in statuses], max_in_flight=1)
        ended = await _cancelled(gateway.ask("a cat"), after)
        assert gateway.held() == {}, f"left after {after} steps"
        if ended:
            break
    assert STEPS < after < 999


async def test_whoever_has_no_place_is_refused_and_the_place_comes_back() -> None:
    gateway = Gateway(Alias(members(A)), [Vendor()], max_in_flight=1)
    outcomes = await asyncio.gather(*(gateway.ask("a cat") for _ in range(3)), return_exceptions=True)
    assert sum(not isinstance(outcome, PromptwireError) for outcome in outcomes) == 1
    assert gateway.held() == {}
    await gateway.ask("a cat")


async def test_the_last_failure_is_told_when_all_fail() -> None:
    gateway = Gateway(Alias(members(A, B)), [Vendor([400]), Vendor()])
    with pytest.raises(PromptwireError):
        await gateway.ask("a cat")
    broken = Gateway(Alias(members(A, B)), [Vendor([500] * 9), Vendor([500] * 9)])
    with pytest.raises(UpstreamFailed):
        await broken.ask("a cat")
    assert broken.held() == {}


async def test_no_shadow_gets_a_copy() -> None:
    copied = Vendor()
    gateway = Gateway(Alias(members(A), shadow=Shadow(C, 100.0, 9)), [Vendor(), Vendor(), copied])
    await gateway.ask("a cat")
    for _ in range(STEPS * 3):
        await asyncio.sleep(0)
    assert not copied.asked


def test_a_target_that_is_known_to_have_no_embeddings_is_passed_over() -> None:
    asked = question_of(call_for("a"))
    error = refused(asked, A, (pb.CAPABILITY_CHAT,), 0)
    assert isinstance(error, CapabilityMissing)
    assert error.message == "model: no model that may answer here can be asked for embeddings; choose another model"
    assert refused(asked, A, (pb.CAPABILITY_EMBEDDINGS,), 0) is None
    assert refused(asked, A, (), 0) is None


def test_the_longest_text_has_to_fit_and_not_all_together() -> None:
    assert refused(question_of(call_for(*["x" * 400] * 20)), A, (), 100) is None
    error = refused(question_of(call_for("x", "x" * 800)), A, (), 100)
    assert isinstance(error, ContextTooLong)
    assert error.message.startswith("the longest text has about 200 tokens, and a/m takes 100")


def test_texts_are_reckoned_together_for_prices_limits_and_rules() -> None:
    asked = question_of(call_for("x" * 40, "x" * 40))
    assert (asked.prompt_tokens, asked.answer_tokens) == (20, 0)


async def test_a_chat_brings_no_vectors() -> None:
    assert Reply.whole(pb.ChatResponse()).vectors is None
