"""History: one seed's vendors, configuration and callers, played in virtual time and judged."""

import asyncio
from collections.abc import Sequence
from dataclasses import dataclass, field

from promptwire_server.core.standing import Standing
from tests.sim.caller import Outcome, Wish, ask
from tests.sim.gateway import Gateway, Setup
from tests.sim.invariants import broken
from tests.sim.sky import Sky
from tests.unit.layers.virtual import VirtualClock, run

_LINGER_S = 0.01  # what ends with a call ends within that
_PATIENCE_S = 3600.0  # of virtual time: a history that takes longer hangs
_TRICKLE_S = 1.5  # between two calls while breakers find out that all is well
_CALLS_WHEN_WELL = 5
_PATIENT_S = 10.0  # enough for three attempts of which two hang


class Violation(AssertionError):
    """Something that always holds did not."""


@dataclass(frozen=True, slots=True)
class Steer:
    """The operator takes a provider out of use, or back in."""

    at_s: float
    provider: str
    enabled: bool
    drain_s: float | None = None  # None: what is under way goes on


@dataclass(frozen=True, slots=True)
class History:
    """What is to happen."""

    seed: int
    setup: Setup
    wishes: Sequence[Wish]
    steers: Sequence[Steer] = ()
    havens: frozenset[str] = frozenset()  # aliases that always have somebody well, so that every patient call must end well
    recovery_s: float | None = None  # after all vendors are well, until every call must go well; None: not looked at


@dataclass
class Played:
    """What happened."""

    gateway: Gateway
    outcomes: list[Outcome] = field(default_factory=list)

    def story(self) -> str:
        """All of it, for whoever looks for a fault."""
        visits = "\n".join(f"  {visit}" for visit in self.gateway.ledger.visits)
        outcomes = "\n".join(f"  {outcome}" for outcome in self.outcomes)
        return f"vendors saw:\n{visits}\ncallers saw:\n{outcomes}"


def play(history: History) -> Played:
    """Play it. Raises Violation, saying everything that broke, and whatever broke out of the gateway."""
    return run(_play(history))


async def _play(history: History) -> Played:
    clock = VirtualClock()
    played = Played(Gateway(history.setup, clock, history.seed))
    async with asyncio.timeout(_PATIENCE_S):
        async with asyncio.TaskGroup() as group:
            group.create_task(_all(played, history.wishes))
            group.create_task(_steered(played.gateway, history.steers))
        await _settled(played)
        problems = list(broken(played.gateway, played.outcomes))
        problems += _unanswered(history, played.outcomes)
        if history.recovery_s is not None and not problems:
            problems += await _liveness(history, played)
    if problems:
        raise Violation("\n".join([*problems, "", played.story()]))
    return played


async def _all(played: Played, wishes: Sequence[Wish]) -> None:
    gateway = played.gateway
    async with asyncio.TaskGroup() as group:
        tasks = [group.create_task(ask(gateway.handler, wish, gateway.clock)) for wish in wishes]
    played.outcomes += [task.result() for task in tasks]


async def _steered(gateway: Gateway, steers: Sequence[Steer]) -> None:
    for steer in sorted(steers, key=lambda steer: steer.at_s):
        await asyncio.sleep(max(0.0, steer.at_s - gateway.clock.monotonic()))
        _steer(gateway, steer)


def _steer(gateway: Gateway, steer: Steer) -> None:
    """As the operator's desk."""
    now_s = gateway.clock.time()
    clear_by_s = None if steer.drain_s is None else now_s + steer.drain_s
    post = gateway.roster.posts[steer.provider]
    post.set(Standing(steer.enabled, "", now_s, clear_by_s), now_s, asyncio.get_running_loop().call_later)


async def _settled(played: Played) -> None:
    """What goes on behind calls has ended too."""
    played.gateway.shadows.close()
    await asyncio.sleep(_LINGER_S)


async def _liveness(history: History, played: Played) -> list[str]:
    """All vendors are well again: soon every call is answered at once, and nothing keeps state that says otherwise."""
    gateway = played.gateway
    for name, vendor in gateway.vendors.items():
        vendor.sky = Sky()
        _steer(gateway, Steer(0.0, name, enabled=True))
    assert history.recovery_s is not None
    recovery_s = history.recovery_s
    now_s = gateway.clock.monotonic()
    calls = int(recovery_s / _TRICKLE_S) + 1 + _CALLS_WHEN_WELL
    model = gateway.setup.default
    wishes = [Wish(1_000_000 + number, now_s + number * _TRICKLE_S, model, within_s=30.0) for number in range(calls)]
    before = len(played.outcomes)
    await _all(played, wishes)
    await _settled(played)
    problems = list(broken(gateway, played.outcomes[before:]))
    patient = (outcome for outcome in played.outcomes[before:] if outcome.wish.at_s >= now_s + recovery_s)
    return [*problems, *(f"all is well since {now_s:.3f}, but {outcome}" for outcome in patient if outcome.end != "answer")]


def _unanswered(history: History, outcomes: Sequence[Outcome]) -> list[str]:
    """A patient call ends well while any target that it may go to is well. Only a stream that has begun may break."""
    return [
        f"somebody was well, but {outcome}"
        for outcome in outcomes
        if outcome.wish.model in history.havens and outcome.wish.within_s >= _PATIENT_S and outcome.end == "error" and not outcome.events
    ]
