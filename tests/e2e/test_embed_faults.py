"""Faults on the way to vectors: they are met as those of chats are, and the ledger of the other side says how often it was asked."""

import asyncio
import time
from collections.abc import AsyncIterator, Iterator, Mapping, Sequence
from dataclasses import dataclass
from typing import Any, Self

import grpc
import pytest

from promptwire import Promptwire
from promptwire import v1 as pb
from promptwire.admin import v1 as admin
from promptwire.v1.embedding_service_pb2_grpc import EmbeddingServiceStub
from tests.e2e import process
from tests.e2e.conftest import SERVERS, Serve
from tests.e2e.process import Config, Server
from tests.faults.fake_provider.process import FakeProvider
from tests.unit.rpc.wire import Failed, failure

WITHIN_S = 10.0
TOO_LONG = "status=400;code=context_length_exceeded"
BROKEN_MIDWAY = "fake/midway~id=midway/status=500;id=midway"  # well for 256 texts, and then no more
PRICED = "fake/vectors"


@dataclass(frozen=True)
class Fault:
    """What the vendor does, and what becomes of a call to that one target."""

    script: str
    code: grpc.StatusCode
    reasons: tuple[str, ...]  # of the call, then of each attempt
    within_s: float = WITHIN_S
    retry_s: float | None = None  # when the answer says to come back


FAULTS = {
    "500": Fault("status=500", grpc.StatusCode.UNAVAILABLE, ("UPSTREAM_FAILED",) * 4),
    "429 with a Retry-After beyond the deadline": Fault(
        "status=429;retry_after=7", grpc.StatusCode.UNAVAILABLE, ("UPSTREAM_RATE_LIMITED",) * 2, 3.0, 7.0
    ),
    "429 with a Retry-After": Fault("status=429;retry_after_ms=20", grpc.StatusCode.UNAVAILABLE, ("UPSTREAM_RATE_LIMITED",) * 4),
    "a reset connection": Fault("rst=head", grpc.StatusCode.UNAVAILABLE, ("UPSTREAM_FAILED",) * 4),
    "half an answer": Fault("fin=40b", grpc.StatusCode.UNAVAILABLE, ("UPSTREAM_FAILED",) * 4),
    "a refused key": Fault("status=401", grpc.StatusCode.FAILED_PRECONDITION, ("UPSTREAM_ACCOUNT",) * 2),
    "an empty account": Fault("status=429;code=insufficient_quota", grpc.StatusCode.FAILED_PRECONDITION, ("UPSTREAM_ACCOUNT",) * 2),
    "too long": Fault(TOO_LONG, grpc.StatusCode.INVALID_ARGUMENT, ("CONTEXT_TOO_LONG",) * 2),
    "a wrong request": Fault("status=400", grpc.StatusCode.INVALID_ARGUMENT, ("UPSTREAM_INVALID_REQUEST",) * 2),
}


def _config(fake: FakeProvider, **more: object) -> Config:
    aliases: dict[str, Any] = {
        "limping": ["fake/limping~status=500", "fake/well"],
        "hanging": ["fake/hanging~hang=start", "fake/well"],
        "refusing": ["dead/any", "fake/well"],
        "emptied": ["fake/emptied~status=401", "fake/well"],
        "spare": ["off/any", "fake/well"],
        "dear": [BROKEN_MIDWAY, PRICED],
        "wordy": ["wordy/any", "fake/well"],
    }
    return {
        "providers": {
            "fake": process.openai(fake.base_url),
            "off": process.openai(fake.base_url),
            "wordy": {"kind": "anthropic", "base_url": fake.origin, "api_key": "sk-e2e"},
            "dead": process.openai(f"http://127.0.0.1:{process.free_port()}/v1"),
        },
        "models": {
            **{name: {"targets": targets} for name, targets in aliases.items()},
            "long": {"targets": [f"fake/short~{TOO_LONG}"], "fallbacks": {"context": ["fake/well"]}},
            "words": {
                "targets": [{"model": "fake/words", "capabilities": ["chat"]}, {"model": "fake/well", "capabilities": ["embeddings"]}]
            },
            "small": {"targets": [{"model": "fake/small", "context_window": 100}, "fake/well"]},
        },
        "model_facts": {BROKEN_MIDWAY: {"input_usd_per_1m": "0.02"}, PRICED: {"input_usd_per_1m": "0.13"}},
        # Enough for all tests of a process together; and nobody probes within one.
        "resilience": {"retries": {"budget_floor": 1000}, "breaker": {"probe_after": "60s", "probe_cap": "60s"}},
        **more,
    }


@pytest.fixture(scope="module")
def trying(fake: FakeProvider, tmp_path_factory: pytest.TempPathFactory, request: pytest.FixtureRequest) -> Iterator[Server]:
    """One server for all tests that do not stop it."""
    with process.running(tmp_path_factory.mktemp("embed"), _config(fake), started=request.config.stash[SERVERS].append) as running:
        yield running
    request.config.stash[SERVERS].remove(running)


@pytest.fixture
async def asked(trying: Server) -> AsyncIterator["Asked"]:
    async with Asked(trying) as asked:
        yield asked


class Asked:
    """A server that is asked for vectors, without a client's retries."""

    def __init__(self, server: Server) -> None:
        self._channel = grpc.aio.insecure_channel(server.target, options=[("grpc.enable_retries", 0)])
        self._stub = EmbeddingServiceStub(self._channel)

    async def __aenter__(self) -> Self:
        return self

    async def __aexit__(self, *_: object) -> None:
        await self._channel.close()

    async def vectors(self, model: str, *, texts: Sequence[str] = ("a cat",), within_s: float = WITHIN_S) -> pb.EmbedResponse:
        response = await self._stub.Embed(pb.EmbedRequest(model=model, texts=texts, dimensions=2), timeout=within_s)
        assert isinstance(response, pb.EmbedResponse)
        return response

    async def failure(self, model: str, *, within_s: float = WITHIN_S) -> Failed:
        return await failure(self.vectors(model, within_s=within_s), WITHIN_S)


def reasons(attempts: Sequence[pb.Attempt]) -> list[str]:
    """How each went."""
    return [
        pb.ErrorReason.Name(attempt.failure.reason).removeprefix("ERROR_REASON_") if attempt.HasField("failure") else "OK"
        for attempt in attempts
    ]


@pytest.mark.parametrize("fault", FAULTS.values(), ids=FAULTS)
async def test_a_fault_of_the_only_target_is_told_with_every_attempt(asked: Asked, fake: FakeProvider, marker: str, fault: Fault) -> None:
    model = f"{marker}~{fault.script}"
    failed = await asked.failure(f"fake/{model}", within_s=fault.within_s)
    reason, *tries = fault.reasons
    assert (failed.code, failed.reason, reasons(failed.details.trail.attempts)) == (fault.code, reason, tries)
    assert len(await fake.aledger(model=marker, ended=len(tries))) == len(tries)
    assert failed.details.info.metadata["attempts"] == str(len(tries))
    assert all((attempt.provider, attempt.model) == ("fake", model) for attempt in failed.details.trail.attempts)
    assert all(attempt.chosen_because and attempt.latency.ToNanoseconds() for attempt in failed.details.trail.attempts)
    if fault.retry_s is not None:
        assert fault.retry_s - 1 < failed.details.retry.retry_delay.ToTimedelta().total_seconds() <= fault.retry_s


async def test_a_refused_connection_is_tried_as_often_as_any_failure(asked: Asked, marker: str) -> None:
    failed = await asked.failure(f"dead/{marker}")
    assert (failed.reason, reasons(failed.details.trail.attempts)) == ("UPSTREAM_FAILED", ["UPSTREAM_FAILED"] * 3)


async def test_a_failure_that_passes_is_made_good(asked: Asked, fake: FakeProvider, marker: str) -> None:
    response = await asked.vectors(f"fake/{marker}~status=500/status=429;retry_after_ms=10/ok")
    assert reasons(response.attempts) == ["UPSTREAM_FAILED", "UPSTREAM_RATE_LIMITED", "OK"]
    assert len(await fake.aledger(model=marker, ended=3)) == 3


@pytest.mark.parametrize(
    ("alias", "tries"),
    [
        ("limping", ["UPSTREAM_FAILED", "OK"]),
        ("refusing", ["UPSTREAM_FAILED", "OK"]),
        ("emptied", ["UPSTREAM_ACCOUNT", "OK"]),
        ("long", ["CONTEXT_TOO_LONG", "OK"]),
        ("wordy", ["OK"]),  # what has no vectors is no attempt
        ("words", ["OK"]),
    ],
)
async def test_another_target_answers_in_place_of_one_that_cannot(asked: Asked, alias: str, tries: list[str]) -> None:
    response = await asked.vectors(alias)
    assert (response.provider, response.model) == ("fake", "well")
    assert reasons(response.attempts) == tries
    assert response.attempts[-1].usage == response.usage


async def test_a_target_that_hangs_leaves_time_for_the_next(asked: Asked, fake: FakeProvider) -> None:
    began_s = time.monotonic()
    response = await asked.vectors("hanging", within_s=3.0)
    assert time.monotonic() - began_s < 3.0
    assert response.model == "well"
    (cut, answered) = response.attempts
    assert "share of the time" in cut.failure.message
    assert (cut.usage.estimated, cut.usage.input_tokens) == (True, 2)  # it had begun to read
    assert not answered.usage.estimated
    await fake.aledger(model="hanging", left=1, ended=1)


async def test_the_deadline_closes_the_upstream_and_gives_everything_back(
    asked: Asked, fake: FakeProvider, trying: Server, marker: str
) -> None:
    failed = await asked.failure(f"fake/{marker}~hang=start", within_s=0.4)
    assert failed.code == grpc.StatusCode.DEADLINE_EXCEEDED
    await fake.aledger(model=marker, left=1, ended=1)
    await _idle(trying)


async def test_whoever_leaves_is_asked_for_no_longer(asked: Asked, fake: FakeProvider, trying: Server, marker: str) -> None:
    waiting = asyncio.ensure_future(asked.vectors(f"fake/{marker}~hang=start"))
    await fake.aledger(model=marker, seen=1)
    waiting.cancel()
    await asyncio.gather(waiting, return_exceptions=True)
    (entry,) = await fake.aledger(model=marker, left=1, ended=1)
    assert entry["ended"] in ("client_fin", "client_rst")
    await _idle(trying)


async def _idle(server: Server) -> None:
    """Wait until nothing is held of any call."""
    names = ("promptwire_chats_in_flight", "promptwire_admission_in_use", "promptwire_target_in_flight")
    async with asyncio.timeout(WITHIN_S):
        while any(map((await asyncio.to_thread(server.metrics)).sum, names)):  # noqa: ASYNC110 - another process's state
            await asyncio.sleep(0.02)


async def test_a_provider_out_of_use_is_not_asked_for_vectors_either(asked: Asked, fake: FakeProvider, trying: Server, marker: str) -> None:
    async with Promptwire(trying.target) as operator:
        await operator.admin.disable_provider("off", reason="a test")
        try:
            failed = await asked.failure(f"off/{marker}")
            spare = await asked.vectors("spare")
        finally:
            await operator.admin.enable_provider("off")
    assert (failed.code, failed.reason, len(failed.details.trail.attempts)) == (grpc.StatusCode.UNAVAILABLE, "NO_HEALTHY_UPSTREAM", 0)
    assert (spare.model, reasons(spare.attempts)) == ("well", ["OK"])
    assert await fake.aledger(model=marker) == []
    assert (await asked.vectors(f"off/{marker}")).provider == "off"


async def test_a_target_whose_breaker_is_open_is_not_asked_and_its_state_is_shown(
    asked: Asked, fake: FakeProvider, trying: Server, marker: str
) -> None:
    model = f"{marker}~status=500"
    while (failed := await asked.failure(f"fake/{model}")).reason != "NO_HEALTHY_UPSTREAM":
        assert failed.reason == "UPSTREAM_FAILED"
    reached = len(await fake.aledger(model=marker))
    assert (await asked.failure(f"fake/{model}")).details.trail.attempts == []
    assert failed.details.retry.retry_delay.ToNanoseconds() > 0
    assert len(await fake.aledger(model=marker)) == reached == 5  # as many failures in a row as open it
    async with Promptwire(trying.target) as operator:
        provider = await operator.admin.get_provider("fake")
    (target,) = (target for target in provider.targets if target.model == model)
    assert (target.breaker.state, target.stats.failure_count, target.in_flight_count) == (admin.BREAKER_STATE_OPEN, reached, 0)
    assert target.health == admin.PROVIDER_HEALTH_UNHEALTHY


async def test_without_a_budget_nothing_is_tried_again(serve: Serve, fake: FakeProvider, marker: str) -> None:
    server = serve(_config(fake, resilience={"retries": {"budget_floor": 0, "budget_percent": 0}}))
    async with Asked(server) as asked:
        failed = await asked.failure(f"fake/{marker}~status=500")
    assert reasons(failed.details.trail.attempts) == ["UPSTREAM_FAILED"]
    assert len(await fake.aledger(model=marker, ended=1)) == 1


async def test_texts_count_for_the_limits_of_a_target(serve: Serve, fake: FakeProvider, marker: str) -> None:
    model = {"model": f"fake/{marker}", "tokens_per_minute": 1000}
    server = serve(_config(fake, models={"limited": {"targets": [model]}}, model_facts={}))
    texts = ["abc " * 100] * 9  # 900 tokens, as both sides count
    async with Asked(server) as asked:
        assert (await asked.vectors("limited", texts=texts)).usage.input_tokens == 900
        failed = await failure(asked.vectors("limited", texts=texts, within_s=2.0), WITHIN_S)
        assert (await asked.vectors("limited", texts=["abc " * 10])).provider == "fake"
    assert (failed.reason, len(failed.details.trail.attempts)) == ("UPSTREAM_RATE_LIMITED", 0)
    assert len(await fake.aledger(model=marker)) == 2


async def test_each_text_has_to_fit_by_itself(asked: Asked) -> None:
    assert (await asked.vectors("small", texts=["x" * 390] * 9)).model == "small"
    assert (await asked.vectors("small", texts=["x", "x" * 600])).model == "well"


async def test_what_failed_is_billed_at_the_price_of_who_failed(asked: Asked, trying: Server) -> None:
    texts = [f"one two {number}" for number in range(300)]
    response = await asked.vectors("dear", texts=texts)
    failed, answered = response.attempts
    assert reasons(response.attempts) == ["UPSTREAM_FAILED", "OK"]
    assert (failed.usage.input_tokens, answered.usage.input_tokens) == _tokens(texts)
    assert failed.cost.total_nano_usd == failed.usage.input_tokens * 20  # $0.02 for a million is 20 nano-dollars each
    assert answered.cost.total_nano_usd == answered.usage.input_tokens * 130
    assert (response.usage, response.cost) == (answered.usage, answered.cost)
    (line,) = trying.log.wait("embed.finished", request_id=response.request_id)
    assert line["cost_nano_usd"] == failed.cost.total_nano_usd + answered.cost.total_nano_usd
    spent: Mapping[str, int] = {
        model: attempt.cost.total_nano_usd for model, attempt in zip((BROKEN_MIDWAY, PRICED), response.attempts, strict=True)
    }
    metrics = await asyncio.to_thread(trying.metrics)
    for name, nano_usd in spent.items():
        assert metrics.sum("promptwire_cost_nano_usd_total", provider="fake", model=name.removeprefix("fake/")) == nano_usd


def _tokens(texts: Sequence[str]) -> tuple[int, int]:
    """As the fake counts them: of the first request, and of all."""
    counts = [len(text.split()) for text in texts]
    return sum(counts[:256]), sum(counts)
