"""Targets that nobody calls are asked whether they are well, and only those."""

import asyncio
import random
from collections.abc import Awaitable, Callable
from typing import Literal

import pytest

from promptwire_server.core.call import Call, Target
from promptwire_server.core.clock import Chance, ManualClock
from promptwire_server.core.errors import NoHealthyUpstream, PromptwireError, UpstreamAccount, UpstreamFailed
from promptwire_server.core.handler import Handler
from promptwire_server.core.ids import Ids
from promptwire_server.core.reply import Reply
from promptwire_server.core.standing import Standing
from promptwire_server.layers.breaker import BreakerSettings, State
from promptwire_server.layers.breakers import Breakers, Shielded
from promptwire_server.layers.prober import ChatProbe, ListProbe, Prober, ProbeSettings
from promptwire_server.layers.pulse import Pulse
from promptwire_server.layers.roster import Roster
from promptwire_server.layers.share import Share
from promptwire_server.layers.vitals import Counts
from tests.unit.layers.conftest import MakeCall, answer

A, B, C = Target("p", "a"), Target("p", "b"), Target("q", "c")


class Quick:
    """Targets usually answer at once."""

    def usual_s(self, target: Target, *, stream: bool) -> float:
        return 0.001


class Vendors:
    """Both providers behind the layers of a target, and a prober."""

    def __init__(self, clock: ManualClock, settings: ProbeSettings) -> None:
        self.clock = clock
        self.roster = Roster(clock, ["p", "q"], [A, B, C])
        self.breakers = Breakers(BreakerSettings(consecutive_failures=2), clock, Chance(), [A, B, C])
        self.asked: list[str] = []
        self.calls: list[Call] = []
        self.errors: dict[str, Exception] = {}
        self.hangs = ""
        self.hanging = asyncio.Event()
        self.slept: list[float] = []
        self.bugs: list[tuple[str, ...]] = []
        handlers = {name: self._stack() for name in ("p", "q")}
        listings = {name: self._listing(name) for name in ("p", "q")}
        ids = Ids(clock, Chance(random.Random(2)))
        self.handlers = handlers
        breakers = self.breakers
        chats = settings.ask == "chat"
        probe = ChatProbe(handlers, settings, breakers, clock, ids) if chats else ListProbe(listings, settings, breakers, clock)
        chance = Chance(random.Random(1))
        report = self._report
        self.prober = Prober(
            settings, roster=self.roster, breakers=breakers, probe=probe, clock=clock, chance=chance, report=report, sleep=self._sleep
        )

    def _report(self, *bug: str) -> None:
        self.bugs.append(bug)

    def _stack(self) -> Handler:
        share = Share(self._chat, clock=self.clock, usual=Quick())
        return Pulse(Shielded(share, breakers=self.breakers), roster=self.roster, clock=self.clock)

    async def _chat(self, call: Call) -> Reply:
        self.calls.append(call)
        await self._answer(str(call.target))
        return Reply.whole(answer())

    def _listing(self, name: str) -> Callable[[], Awaitable[object]]:
        return lambda: self._answer(name)

    async def _answer(self, name: str) -> None:
        self.asked.append(name)
        if name == self.hangs:
            self.hanging.set()
            await asyncio.Event().wait()
        if name in self.errors:
            raise self.errors[name]

    async def _sleep(self, seconds: float) -> None:
        self.slept.append(seconds)
        if len(self.slept) > 3:
            raise asyncio.CancelledError

    def states(self) -> list[State]:
        return [self.breakers.of(target).state for target in (A, B, C)]


@pytest.fixture
def listing(clock: ManualClock) -> Vendors:
    return Vendors(clock, ProbeSettings(interval_s=30, ask="models", timeout_s=0.05))


@pytest.fixture
def chatting(clock: ManualClock) -> Vendors:
    return Vendors(clock, ProbeSettings(interval_s=30, ask="chat", timeout_s=0.05))


async def test_without_an_interval_nothing_is_ever_asked(clock: ManualClock) -> None:
    vendors = Vendors(clock, ProbeSettings())
    await vendors.prober.run()
    assert (vendors.slept, vendors.asked) == ([], [])


async def test_rounds_come_about_every_interval_until_it_is_cancelled(listing: Vendors) -> None:
    with pytest.raises(asyncio.CancelledError):
        await listing.prober.run()
    assert sorted(listing.asked) == ["p"] * 3 + ["q"] * 3
    assert all(24 <= slept <= 36 for slept in listing.slept)
    assert len(set(listing.slept)) == 4


async def test_only_idle_targets_in_use_are_asked(chatting: Vendors, clock: ManualClock) -> None:
    chatting.roster.of(A).answered(1.0, clock.now_s)
    chatting.roster.of(B).in_flight = 1
    chatting.roster.of(Target("q", "a caller's"))
    await chatting.prober.round()
    assert chatting.asked == ["q/c"]
    chatting.roster.post("q").set(Standing(enabled=False), 0.0, asyncio.get_running_loop().call_later)
    clock.advance(31)
    await chatting.prober.round()
    assert chatting.asked == ["q/c", "p/a"]


async def test_a_chat_is_small_nobodys_and_counts_for_its_target(chatting: Vendors) -> None:
    await chatting.prober.round()
    call = chatting.calls[0]
    assert (call.principal.tenant, call.request.generation.max_output_tokens, call.because) == ("", 16, "health probe")
    assert chatting.roster.of(A).counts() == Counts(1)


async def test_a_target_that_hangs_is_broken_after_some_rounds_and_the_others_are_asked_all_the_same(
    chatting: Vendors, clock: ManualClock
) -> None:
    chatting.hangs = "p/a"
    for _ in range(2):
        clock.advance(31)
        await chatting.prober.round()
    assert chatting.states() == [State.OPEN, State.CLOSED, State.CLOSED]
    assert sorted(chatting.asked) == ["p/a", "p/a", "p/b", "p/b", "q/c", "q/c"]


async def test_an_open_breaker_is_closed_by_a_chat_before_any_caller_comes(chatting: Vendors, clock: ManualClock) -> None:
    chatting.errors["p/a"] = UpstreamFailed("down")
    for _ in range(3):
        clock.advance(31)
        await chatting.prober.round()
    assert chatting.states()[0] is State.OPEN
    chatting.errors.clear()
    clock.advance(31)
    await chatting.prober.round()
    assert chatting.states()[0] is State.CLOSED


async def test_a_list_that_does_not_come_is_a_failure_of_all_its_providers_targets(listing: Vendors) -> None:
    listing.errors["p"] = UpstreamFailed("down")
    listing.hangs = "q"
    for _ in range(2):
        await listing.prober.round()
    assert listing.states() == [State.OPEN] * 3
    assert listing.roster.of(A).counts() == Counts()  # no call was made


@pytest.mark.parametrize("error", [None, UpstreamAccount("no money")])
async def test_a_list_says_nothing_good_of_a_model(listing: Vendors, clock: ManualClock, error: PromptwireError | None) -> None:
    listing.errors["p"] = UpstreamFailed("down")
    for _ in range(2):
        await listing.prober.round()
    listing.errors.clear()
    if error is not None:
        listing.errors["p"] = error
    clock.advance(31)
    await listing.prober.round()
    assert (listing.states()[0], listing.breakers.open(A)) == (State.OPEN, False)  # the next caller may try


async def test_a_bug_is_reported_and_the_next_round_comes(listing: Vendors) -> None:
    listing.errors["p"] = KeyError("secret words")
    await listing.prober.round()
    await listing.prober.round()
    assert listing.bugs == [("p", "KeyError")] * 2
    assert listing.asked.count("q") == 2


async def test_cancelled_it_leaves_nothing_under_way(chatting: Vendors) -> None:
    chatting.hangs = "p/a"
    probing = asyncio.ensure_future(chatting.prober.round())
    await chatting.hanging.wait()
    probing.cancel()
    with pytest.raises(asyncio.CancelledError):
        await probing
    assert (chatting.roster.of(A).in_flight, chatting.roster.post("p").visits) == (0, set())


@pytest.mark.parametrize("ask", ["models", "chat"])
async def test_while_probes_fail_no_caller_is_let_through_to_find_out(
    clock: ManualClock, make_call: MakeCall, ask: Literal["models", "chat"]
) -> None:
    vendors = Vendors(clock, ProbeSettings(interval_s=1, ask=ask, timeout_s=0.05))
    vendors.errors |= dict.fromkeys(("p", "p/a", "p/b"), UpstreamFailed("down"))
    for _ in range(30):
        await vendors.prober.round()
        clock.advance(1.2)
        if vendors.states()[0] is not State.CLOSED:
            assert vendors.breakers.open(A)
            with pytest.raises(NoHealthyUpstream):
                await vendors.handlers["p"](make_call().aimed_at(A, "asked for by name", clock.now_s + 5))
    assert vendors.states()[0] is State.OPEN
    assert {call.principal.name for call in vendors.calls} <= {"health-probe"}


@pytest.mark.parametrize("ask", ["models", "chat"])
async def test_once_probes_stop_the_breaker_probes_by_itself(clock: ManualClock, ask: Literal["models", "chat"]) -> None:
    vendors = Vendors(clock, ProbeSettings(interval_s=600, ask=ask, timeout_s=0.05))
    vendors.errors |= dict.fromkeys(("p", "p/a", "p/b"), UpstreamFailed("down"))
    for _ in range(3):
        clock.advance(601)
        await vendors.prober.round()
    assert vendors.breakers.open(A)
    clock.advance(8.01)
    assert not vendors.breakers.open(A)


async def test_once_the_list_comes_again_the_next_caller_may_try(clock: ManualClock) -> None:
    vendors = Vendors(clock, ProbeSettings(interval_s=1, ask="models", timeout_s=0.05))
    vendors.errors["p"] = UpstreamFailed("down")
    for _ in range(8):
        await vendors.prober.round()
        clock.advance(1)
    assert vendors.breakers.open(A)
    vendors.errors.clear()
    await vendors.prober.round()
    assert not vendors.breakers.open(A)


async def test_a_chat_waits_for_the_callers_probe_that_is_under_way(chatting: Vendors, clock: ManualClock) -> None:
    chatting.errors["p/a"] = UpstreamFailed("down")
    for _ in range(2):
        clock.advance(31)
        await chatting.prober.round()
    clock.advance(9)
    assert chatting.breakers.enter(A, clock.now_s + 100)
    clock.advance(31)
    asked = chatting.asked.count("p/a")
    await chatting.prober.round()
    assert chatting.asked.count("p/a") == asked
