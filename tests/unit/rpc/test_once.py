"""A request with an id of the client's is answered once: while it runs, after, across processes, whoever is cancelled."""

import asyncio
import random

import pytest
from google.protobuf.message import Message

from promptwire import v1 as pb
from promptwire_server.core.call import Principal
from promptwire_server.core.clock import Chance, SystemClock
from promptwire_server.core.error_text import to_text
from promptwire_server.core.errors import (
    DeadlineExceeded,
    InvalidRequest,
    Overloaded,
    RequestIdReused,
    RequestInProgress,
    TooLarge,
    UpstreamFailed,
    UpstreamInvalidRequest,
)
from promptwire_server.core.ids import Ids
from promptwire_server.core.repeat import Claim, RequestKey
from promptwire_server.core.store import StoreDown
from promptwire_server.rpc import kept
from promptwire_server.rpc.exchange import Exchange
from promptwire_server.rpc.once import REPLAYED, Once, OnceSettings
from promptwire_server.stores.memory_requests import Requests
from tests.unit.rpc.exchanges import FakeExchange

CHAT = pb.ChatRequest(prompt="hi", request_id="mine")
STREAM = pb.StreamChatRequest(chat=CHAT)


class Servicer:
    """Answers with a number, when told to; counts."""

    def __init__(self) -> None:
        self.calls = 0
        self.open = 0
        self.failures: list[Exception] = []
        self.tried: list[pb.Attempt] = []
        self.gate = asyncio.Event()
        self.gate.set()

    async def chat(self, request: Message, exchange: Exchange) -> Message:
        self.calls += 1
        self.open += 1
        number = self.calls
        try:
            await asyncio.sleep(0)
            await self.gate.wait()
            exchange.trail.attempts.extend(self.tried)
            if self.failures:
                raise self.failures.pop(0)
            response = pb.ChatResponse(text=f"answer {number}", request_id=exchange.request_id)
            for unit in range(20):
                response.usage.provider_units[f"unit {unit}"] = unit
            return response
        finally:
            self.open -= 1

    async def stream(self, request: Message, exchange: Exchange) -> None:
        whole = await self.chat(request, exchange)
        assert isinstance(whole, pb.ChatResponse)
        for number, letter in enumerate(whole.text, start=1):
            await asyncio.sleep(0)
            await exchange.send(pb.StreamChatResponse(sequence=number, part_delta=pb.PartDelta(text=letter)))
            await exchange.send(pb.StreamChatResponse(sequence=number, heartbeat=pb.Heartbeat()))
        await exchange.send(pb.StreamChatResponse(sequence=99, finished=pb.ChatFinished(response=whole)))


class DownStore(Requests):
    """A store that can be out of reach."""

    def __init__(self) -> None:
        super().__init__(SystemClock())
        self.down = False
        self.renews = True

    async def renew(self, key: RequestKey, owner: str, lease_s: float) -> bool:
        return self.renews and await super().renew(key, owner, lease_s)

    async def claim(self, key: RequestKey, owner: str, lease_s: float) -> Claim:
        self._check()
        return await super().claim(key, owner, lease_s)

    async def keep(self, key: RequestKey, owner: str, outcome: bytes, ttl_s: float) -> bool:
        self._check()
        return await super().keep(key, owner, outcome, ttl_s)

    def _check(self) -> None:
        if self.down:
            raise StoreDown("down")


class Process:
    """One server over a store."""

    def __init__(self, store: Requests, servicer: Servicer, settings: OnceSettings | None = None) -> None:
        clock = SystemClock()
        self.once = Once(store, Requests(clock), clock=clock, ids=Ids(clock, Chance()), settings=settings)
        self.chat = self.once.wrap("Chat", servicer.chat)
        self.stream = self.once.wrap("StreamChat", servicer.stream)
        self.run_chain = self.once.wrap("RunChain", servicer.chat)

    async def ask(self, request: Message = CHAT, **exchange: object) -> tuple[bytes, FakeExchange]:
        """The answer as bytes, or the messages of a stream."""
        own = FakeExchange(**{"deadline_s": SystemClock().monotonic() + 10, **exchange})  # type: ignore[arg-type]  # fields by name
        if isinstance(request, pb.StreamChatRequest):
            await self.stream(request, own)
            said = [message.SerializeToString(deterministic=True) for message in own.messages if not _beat(message)]
            return b"|".join(said), own
        answer = await self.chat(request, own)
        return answer if isinstance(answer, bytes) else answer.SerializeToString() if answer else b"", own


def _beat(message: Message) -> bool:
    return isinstance(message, pb.StreamChatResponse) and message.HasField("heartbeat")


@pytest.fixture
def servicer() -> Servicer:
    return Servicer()


@pytest.fixture
def store() -> DownStore:
    return DownStore()


@pytest.fixture
def process(store: DownStore, servicer: Servicer) -> Process:
    return Process(store, servicer)


BOTH = pytest.mark.parametrize("request_", [CHAT, STREAM], ids=["whole", "streamed"])


@BOTH
async def test_100_repetitions_at_once_and_later_are_one_answer_byte_by_byte(
    process: Process, servicer: Servicer, store: DownStore, request_: Message
) -> None:
    during = await asyncio.gather(*[process.ask(request_) for _ in range(50)])
    after = [await process.ask(request_) for _ in range(25)]
    elsewhere = Process(store, servicer)
    after += [await elsewhere.ask(request_) for _ in range(25)]
    assert servicer.calls == 1
    assert len({answer for answer, _ in [*during, *after]}) == 1
    marked = [exchange.marks.get(REPLAYED) for _, exchange in [*during, *after]]
    assert marked == [None] + ["true"] * 99


async def test_without_an_id_each_request_is_a_new_one(process: Process, servicer: Servicer) -> None:
    await asyncio.gather(*[process.ask(pb.ChatRequest(prompt="hi")) for _ in range(3)])
    assert servicer.calls == 3


@BOTH
async def test_another_body_is_refused_while_it_runs_and_after(process: Process, servicer: Servicer, request_: Message) -> None:
    other = type(request_).FromString(request_.SerializeToString())
    (other.chat if isinstance(other, pb.StreamChatRequest) else other).prompt = "other"  # type: ignore[attr-defined]  # one of two
    servicer.gate.clear()
    first = asyncio.create_task(process.ask(request_))
    await asyncio.sleep(0.01)
    with pytest.raises(RequestIdReused):
        await process.ask(other)
    servicer.gate.set()
    await first
    with pytest.raises(RequestIdReused):
        await process.ask(other)


async def test_tenants_principals_and_methods_have_ids_of_their_own(process: Process, servicer: Servicer) -> None:
    await process.ask(principal=Principal("a", "me"))
    await process.ask(principal=Principal("b", "me"))
    await process.ask(principal=Principal("a", "you"))
    await process.ask(STREAM, principal=Principal("a", "me"))
    assert servicer.calls == 4


@BOTH
async def test_a_failure_that_may_pass_is_tried_again_and_a_final_one_is_not(
    process: Process, servicer: Servicer, request_: Message
) -> None:
    servicer.failures = [UpstreamFailed("broken"), InvalidRequest.at("prompt", "is wrong")]
    with pytest.raises(UpstreamFailed):
        await process.ask(request_)
    for _ in range(3):
        with pytest.raises(InvalidRequest) as caught:
            await process.ask(request_)
        assert caught.value.violations[0].field == "prompt"
    assert servicer.calls == 2


@BOTH
async def test_a_final_failure_tells_each_repetition_what_was_tried(store: DownStore, servicer: Servicer, request_: Message) -> None:
    tried = [pb.Attempt(provider="a", model="m"), pb.Attempt(provider="b", model="m", failure=pb.Failure(http_status=400))]
    servicer.tried, servicer.failures = tried, [UpstreamInvalidRequest("wrong")]
    process = Process(store, servicer)
    asked = [FakeExchange(deadline_s=SystemClock().monotonic() + 10) for _ in range(4)]
    method = process.stream if request_ is STREAM else process.chat
    during = await asyncio.gather(*[method(request_, own) for own in asked[:2]], return_exceptions=True)
    after = await asyncio.gather(method(request_, asked[2]), return_exceptions=True)
    elsewhere = Process(store, servicer)
    method = elsewhere.stream if request_ is STREAM else elsewhere.chat
    last = await asyncio.gather(method(request_, asked[3]), return_exceptions=True)
    assert [type(error) for error in (*during, *after, *last)] == [UpstreamInvalidRequest] * 4
    assert [own.trail.attempts for own in asked] == [tried] * 4
    assert servicer.calls == 1


async def test_a_failure_that_an_older_version_kept_has_no_attempts() -> None:
    outcome = b"E" + to_text(UpstreamInvalidRequest("wrong"))
    assert not kept.attempts(outcome)
    with pytest.raises(UpstreamInvalidRequest, match="wrong"):
        kept.messages(outcome)


async def test_repetitions_at_once_share_a_failure(process: Process, servicer: Servicer) -> None:
    servicer.failures = [UpstreamFailed("broken")]
    results = await asyncio.gather(*[process.ask() for _ in range(5)], return_exceptions=True)
    assert [type(result) for result in results] == [UpstreamFailed] * 5
    assert servicer.calls == 1


@BOTH
async def test_the_deadline_of_the_first_is_not_that_of_the_others(process: Process, servicer: Servicer, request_: Message) -> None:
    servicer.failures = [DeadlineExceeded.during("upstream")]
    results = await asyncio.gather(*[process.ask(request_) for _ in range(3)], return_exceptions=True)
    assert isinstance(results[0], DeadlineExceeded)
    assert not any(isinstance(result, BaseException) for result in results[1:])
    assert servicer.calls == 2


@BOTH
async def test_whoever_is_cancelled_at_whatever_moment_the_rest_gets_the_one_answer(request_: Message) -> None:
    chance = random.Random(3)
    for phase in range(60):
        servicer, store = Servicer(), DownStore()
        process = Process(store, servicer)
        tasks = [asyncio.create_task(process.ask(request_)) for _ in range(5)]
        doomed = chance.sample(tasks, chance.randrange(1, 5))
        for _ in range(phase // 2):
            await asyncio.sleep(0)
        for task in doomed:
            task.cancel()
        results = await asyncio.gather(*tasks, return_exceptions=True)
        answers = {result[0] for result in results if isinstance(result, tuple)}
        assert len(answers) == 1
        assert servicer.calls == 1
        assert all(isinstance(result, tuple) for task, result in zip(tasks, results, strict=True) if task not in doomed)
        assert (await process.ask(request_))[0] in answers
        await process.once.aclose()
        assert servicer.open == 0


@BOTH
async def test_when_all_have_left_the_work_ends_and_the_next_asks_anew(process: Process, servicer: Servicer, request_: Message) -> None:
    for phase in range(30):
        request = type(request_).FromString(request_.SerializeToString())
        (request.chat if isinstance(request, pb.StreamChatRequest) else request).request_id = f"{phase}"  # type: ignore[attr-defined]
        task = asyncio.create_task(process.ask(request))
        for _ in range(phase):
            await asyncio.sleep(0)
        task.cancel()
        await asyncio.gather(task, return_exceptions=True)
        answer, _ = await process.ask(request)
        assert answer
    await process.once.aclose()
    assert servicer.open == 0


@BOTH
async def test_the_last_of_an_answer_is_sent_only_when_it_is_kept(process: Process, store: DownStore, request_: Message) -> None:
    held = asyncio.Event()
    keep = store.keep

    async def slowly(*args: object) -> bool:
        await held.wait()
        return await keep(*args)  # type: ignore[arg-type]  # as it came

    store.keep = slowly  # type: ignore[method-assign,assignment]  # to hold it
    own = FakeExchange(deadline_s=SystemClock().monotonic() + 10)
    method = process.stream if isinstance(request_, pb.StreamChatRequest) else process.chat
    task = asyncio.create_task(method(request_, own))  # type: ignore[arg-type,var-annotated]  # a coroutine
    await asyncio.sleep(0.05)
    assert not task.done()
    assert not any(isinstance(message, pb.StreamChatResponse) and message.HasField("finished") for message in own.messages)
    held.set()
    await task


async def test_an_answer_elsewhere_is_waited_for(store: DownStore, servicer: Servicer) -> None:
    here, there = Process(store, servicer), Process(store, servicer)
    servicer.gate.clear()
    first = asyncio.create_task(here.ask())
    await asyncio.sleep(0.01)
    second = asyncio.create_task(there.ask())
    await asyncio.sleep(0.05)
    servicer.gate.set()
    assert (await first)[0] == (await second)[0]
    assert servicer.calls == 1


async def test_one_that_does_not_come_in_time_is_in_progress_and_a_dead_one_is_answered_by_another(store: DownStore) -> None:
    dead, alive = Servicer(), Servicer()
    dead.gate.clear()
    settings = OnceSettings(lease_s=0.3, wait_s=0.1)
    first = Process(store, dead, settings)
    task = asyncio.create_task(first.ask())
    await asyncio.sleep(0.01)
    second = Process(store, alive, settings)
    with pytest.raises(RequestInProgress) as caught:
        await second.ask()
    assert caught.value.retry_after_s
    store.renews = False  # the first is dead
    await asyncio.sleep(0.4)
    assert (await second.ask())[0]
    assert alive.calls == 1
    dead.gate.set()
    assert (await task)[0]  # too late to be kept
    assert (await second.ask())[0] == (await Process(store, alive).ask())[0]


async def test_an_answer_too_large_to_be_kept_is_not_asked_for_twice(store: DownStore, servicer: Servicer) -> None:
    process = Process(store, servicer, OnceSettings(max_answer_bytes=100))
    assert (await process.ask())[0]
    with pytest.raises(TooLarge):
        await process.ask()
    assert servicer.calls == 1


async def test_while_the_store_is_down_chats_are_kept_by_the_process_and_runs_are_refused(
    process: Process, store: DownStore, servicer: Servicer
) -> None:
    store.down = True
    answers = {(await process.ask())[0] for _ in range(3)}
    with pytest.raises(Overloaded):
        await process.run_chain(pb.RunChainRequest(request_id="mine"), FakeExchange(deadline_s=SystemClock().monotonic() + 10))
    store.down = False
    answers |= {(await process.ask())[0] for _ in range(3)}
    assert len(answers) == 1
    assert servicer.calls == 1


async def test_a_store_that_goes_down_meanwhile_costs_nobody_the_answer(process: Process, store: DownStore, servicer: Servicer) -> None:
    servicer.gate.clear()
    task = asyncio.create_task(process.ask())
    await asyncio.sleep(0.01)
    store.down = True
    servicer.gate.set()
    first, _ = await task
    assert (await process.ask())[0] == first
    assert servicer.calls == 1


async def test_an_id_that_is_too_long_is_left_to_whoever_checks_requests(process: Process, servicer: Servicer) -> None:
    for _ in range(2):
        await process.ask(pb.ChatRequest(prompt="hi", request_id="x" * 65))
    assert servicer.calls == 2
