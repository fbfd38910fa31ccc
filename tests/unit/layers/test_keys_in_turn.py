"""Keys in turn on the way of a call: how many attempts they make beside others, and what is left when the caller leaves."""

import asyncio
import random
from collections.abc import Coroutine, Mapping
from dataclasses import dataclass, field
from typing import Any

import pytest

from promptwire import v1 as pb
from promptwire_server.core.call import ANONYMOUS, Call, Target
from promptwire_server.core.clock import Chance
from promptwire_server.core.errors import Origin, PromptwireError, UpstreamAccount, UpstreamFailed, UpstreamKey, UpstreamRateLimited
from promptwire_server.core.reply import Ending, Reply
from promptwire_server.core.secret import Secret
from promptwire_server.layers.alias import Hedge
from promptwire_server.layers.retry import RetrySettings
from promptwire_server.layers.router import Router
from promptwire_server.providers.attempt import Try
from promptwire_server.providers.credentials import KeyRing
from promptwire_server.providers.key import Key
from promptwire_server.providers.keys import Keys
from tests.unit.layers.conftest import answer
from tests.unit.layers.test_router import A, B, Known, Planned
from tests.unit.layers.virtual import VirtualClock, run

LIMITED = UpstreamRateLimited("slow down", retry_after_s=3.0, origin=Origin("a", 429))
EMPTY = UpstreamAccount("no money", origin=Origin("a", 401))
DOWN = UpstreamFailed("down", origin=Origin("b", 500))


@dataclass
class World:
    """A provider of three keys, each of which ends after a second as it is told to, and another provider that takes as long."""

    keys: Mapping[int, PromptwireError] = field(default_factory=dict)
    other: PromptwireError | None = None
    planned: Planned = field(default_factory=lambda: Planned([A, B]))
    settings: RetrySettings = field(default_factory=RetrySettings)
    asked: list[str] = field(default_factory=list)
    ended: list[Ending] = field(default_factory=list)
    clock: VirtualClock = field(default_factory=VirtualClock)

    def __post_init__(self) -> None:
        self._ring = KeyRing("a", [Secret(f"k{number}") for number in (1, 2, 3)], lambda _: {}, Keys(self.clock))
        handlers = {"a": self._keyed, "b": self._plain}
        chance = Chance(random.Random(3))
        self._router = Router(self.planned, handlers, usual=Known(), settings=self.settings, clock=self.clock, chance=chance)
        self.call = Call(pb.ChatRequest(), ANONYMOUS, "req-1", "f" * 32, 20.0, 0.0)

    async def ask(self) -> str:
        """One call, and who was asked for it, in turn."""
        async with await self._router(self.call) as reply:
            await reply.read()
        return " ".join(self.asked)

    async def _keyed(self, call: Call) -> Reply:
        async def ask(key: Key, _: PromptwireError | None) -> Reply:
            return await self._attempt(call, A, f"a{key.number}", self.keys.get(key.number))

        return await self._ring.lend("m", call.trail, ask)

    async def _plain(self, call: Call) -> Reply:
        return await self._attempt(call, B, "b", self.other)

    async def _attempt(self, call: Call, target: Target, name: str, outcome: PromptwireError | None) -> Reply:
        self.asked.append(name)
        with Try(call, target.provider, target.model, self.clock) as attempt:
            await asyncio.sleep(1.0)
            if outcome is not None:
                raise outcome
            attempt.answered()
        reply = Reply.whole(answer())
        reply.on_done(self.ended.append)
        return reply


def asked(world: World) -> str:
    return run(world.ask())


def test_a_key_that_is_refused_leaves_its_turn_to_the_next() -> None:
    assert asked(World({1: LIMITED})) == "a1 a2"


def test_the_target_behind_has_its_attempt() -> None:
    assert asked(World({1: LIMITED, 2: EMPTY})) == "a1 a2 b"


def test_so_has_a_fallback() -> None:
    assert asked(World({1: EMPTY, 2: EMPTY}, planned=Planned([A], [B]))) == "a1 a2 b"


class Empty(Planned):
    """Its fallbacks have nobody to ask."""

    @property
    def goes_on(self) -> bool:
        return True


@pytest.mark.parametrize("refusal", [LIMITED, EMPTY], ids=["limited", "empty"])
def test_the_next_key_is_asked_after_all_when_a_fallback_has_nobody(refusal: PromptwireError) -> None:
    world = World({1: refusal, 2: refusal}, planned=Empty([A]))
    assert asked(world) == "a1 a2 a3"
    assert world.call.trail.attempts[-1].chosen_because.startswith("retry after UPSTREAM_")


def test_of_a_key_that_was_the_last_attempt_it_is_said_that_others_are_left() -> None:
    world = World({1: EMPTY, 2: EMPTY}, planned=Planned([A]), settings=RetrySettings(max_attempts=2))
    with pytest.raises(UpstreamKey, match="no money"):
        asked(world)
    assert world.asked == ["a1", "a2"]


def test_keys_beside_a_hedge_are_no_more_than_three_attempts() -> None:
    refused = dict.fromkeys((1, 2, 3), LIMITED)
    assert asked(World(refused, planned=Planned([A, B], hedge=Hedge(0.5)))) == "a1 b a2"


def test_whoever_is_behind_both_keeps_an_attempt() -> None:
    refused = dict.fromkeys((1, 2, 3), LIMITED)
    world = World(refused, other=DOWN, planned=Planned([A, B, A], hedge=Hedge(0.5)))
    with pytest.raises(PromptwireError):
        asked(world)
    assert world.asked == ["a1", "b", "a2"]
    assert world.call.trail.attempts[-1].chosen_because == "planned"


@pytest.mark.parametrize("hedge", [None, Hedge(0.5), Hedge(1.0), Hedge(1.5)], ids=["alone", "beside", "together", "behind"])
@pytest.mark.parametrize("after_s", [0.0, 0.25, 0.5, 1.0, 1.25, 1.5, 2.0, 2.25, 2.5])
@pytest.mark.parametrize("steps", range(12))
def test_a_caller_who_leaves_at_any_moment_leaves_nothing_behind(hedge: Hedge | None, after_s: float, steps: int) -> None:
    """At each await: before, at and behind the refusal of a key, the next key's turn, the second attempt's beginning."""
    world = World({1: LIMITED, 2: EMPTY}, planned=Planned([A, B], hedge=hedge))
    ended = run(_left(world, after_s, steps))
    assert len(world.asked) <= 3
    assert len(world.call.trail.attempts) == len(world.asked)
    answered = [attempt for attempt in world.call.trail.attempts if not attempt.HasField("failure")]
    assert len(answered) <= 1  # it may have come just when the caller left
    assert answered or not ended
    assert len(world.ended) == len(answered)
    assert run(_again(world))


async def _left(world: World, after_s: float, steps: int) -> bool:
    """Ask, and leave after so long and so many turns of the loop; whether it had ended before."""
    asking = asyncio.ensure_future(world.ask())
    await asyncio.sleep(after_s)
    for _ in range(steps):
        await asyncio.sleep(0)
    if not asking.cancel():
        return bool(asking.result())
    with pytest.raises(asyncio.CancelledError):
        await asking
    return False


def _again(world: World) -> Coroutine[Any, Any, str]:
    """The next call finds a key that works."""
    world.call = Call(pb.ChatRequest(), ANONYMOUS, "req-2", "f" * 32, 20.0, 0.0)
    return world.ask()
