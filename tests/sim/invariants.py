"""Invariants: what holds after every history, whatever the weather was. Each yields what broke, in words."""

from collections.abc import Iterable, Iterator, Sequence
from itertools import pairwise
from math import inf

from promptwire import v1 as pb
from promptwire_server.core.errors import StreamInterrupted
from promptwire_server.layers.breaker import State
from tests.sim.caller import Outcome, text_read
from tests.sim.gateway import Gateway
from tests.sim.ledger import Visit

_TICK_S = 0.003  # timers of vendors are allowed to be early or late by 2 ms
SHADOWS = "shadow"  # the provider that only shadows are cast on
_CLOSING = ("429", "503", "529")  # come with Retry-After, if the weather has any


def broken(gateway: Gateway, outcomes: Sequence[Outcome]) -> Iterator[str]:
    """Everything that does not hold."""
    yield from (f"{count} {what} not given back" for what, count in gateway.held().items())
    yield from _probes(gateway.ledger.visits)
    yield from _closures(gateway.ledger.visits)
    visits: dict[int, list[Visit]] = {}
    for visit in gateway.ledger.visits:
        if visit.target.provider != SHADOWS:
            visits.setdefault(visit.call, []).append(visit)
    hedging = {name for name, alias in gateway.setup.aliases.items() if alias.hedge is not None}
    most = gateway.setup.retries.max_attempts
    for outcome in outcomes:
        own = visits.get(outcome.wish.number, [])
        hedged = bool(hedging) and not outcome.wish.stream
        for problem in (
            *_end(outcome),
            *_attempts(outcome, own, most, hedged=hedged),
            *_times(outcome, own),
            *(() if hedged else _turns(own)),
        ):
            yield f"{outcome}: {problem}"


def _end(outcome: Outcome) -> Iterator[str]:
    """Exactly one end, which is what it says it is."""
    if outcome.endings > 1:
        yield f"callbacks were told of {outcome.endings} ends"
    if outcome.end == "answer" and outcome.wish.stream:
        yield from _grammar(outcome.events)
    if outcome.end == "answer" and outcome.answer is not None and not outcome.answer.text:
        yield "an answer without a text"
    if outcome.end != "answer" and any(event.HasField("finished") for event in outcome.events) and outcome.error is not None:
        yield "an error behind the end"
    if isinstance(outcome.error, StreamInterrupted) and not outcome.events:
        yield "a stream that broke off before its caller saw any of it"


def _grammar(events: Sequence[pb.StreamChatResponse]) -> Iterator[str]:
    kinds = [event.WhichOneof("event") for event in events]
    if kinds[0] != "started" or kinds[-1] != "finished" or kinds.count("started") + kinds.count("finished") != 2:
        yield f"a stream of {kinds}"
    ends = [event.part_finished.part.text for event in events if event.HasField("part_finished")]
    discards = [at for at, event in enumerate(events) if event.attempt_failed.discard_partial_output]
    if not discards and text_read(events) != "".join(ends):
        yield f"parts {ends} of deltas {text_read(events)!r}"


def _attempts(outcome: Outcome, visits: Sequence[Visit], most: int, *, hedged: bool) -> Iterator[str]:
    """No more than allowed, all of which are told of, in a trail that is true."""
    attempts = outcome.call.trail.attempts
    if len(attempts) > most or len(visits) > most:
        yield f"{len(attempts)} attempts, {len(visits)} requests"
    told = sorted(f"{one.provider}/{one.model}" for one in attempts)
    made = sorted(str(visit.target) for visit in visits)
    if len(told) < len(made) or any(told.count(target) < made.count(target) for target in made):
        yield f"told of {told}, made {made}"
    well = [one for one in attempts if not one.HasField("failure")]
    live = [event.attempt_failed.attempt.failure.reason for event in outcome.events if event.HasField("attempt_failed")]
    if outcome.end == "answer" and outcome.wish.stream and live != [one.failure.reason for one in attempts if one.HasField("failure")]:
        yield f"told of {live} while it went on"
    if outcome.end == "answer" and len(well) != 1 and not (hedged and len(well) == 2):  # both answered at the same moment
        yield f"an answer of {len(well)} attempts that went well"


def _times(outcome: Outcome, visits: Iterable[Visit]) -> Iterator[str]:
    """It ends in time, and nothing is asked or left open behind its end."""
    if outcome.ended_s > outcome.call.deadline_s + _TICK_S and not outcome.wish.reads_slowly_s:
        yield f"ended {outcome.ended_s - outcome.call.deadline_s:.3f} s late"
    for visit in visits:
        if visit.begun_s > min(outcome.ended_s, outcome.call.deadline_s):
            yield f"asked after its end: {visit}"
        if visit.ended_s is None or visit.ended_s > outcome.ended_s + _TICK_S:
            yield f"left open after its end: {visit}"


def _turns(visits: Sequence[Visit]) -> Iterator[str]:
    """One attempt after the other, and the same vendor not before it said."""
    for before, after in pairwise(visits):
        if before.ended_s is None or before.ended_s > after.begun_s:
            yield f"two at once: {before}, {after}"
        same = (before.target, before.key) == (after.target, after.key)
        if same and before.how in _CLOSING and after.begun_s < before.closed_until_s - _TICK_S:
            yield f"not before {before.closed_until_s:.3f}, said {before}, but {after}"


def _closures(visits: Sequence[Visit]) -> Iterator[str]:
    """While a vendor has said "not before", none of its answers being under way, nobody asks that target."""
    closed: dict[object, Visit] = {}
    for visit in visits:
        last = closed.get((visit.target, visit.key))
        if last is not None and last.ended_s is not None and last.ended_s < visit.begun_s < last.closed_until_s - _TICK_S:
            yield f"asked too early: {visit}, after {last}, which said not before {last.closed_until_s:.3f}"
        if visit.closed_until_s and visit.how == "429" and (last is None or visit.closed_until_s > last.closed_until_s):
            closed[visit.target, visit.key] = visit


def _probes(visits: Sequence[Visit]) -> Iterator[str]:
    """An open breaker lets nobody through; a half-open one lets one at a time."""
    probing: dict[object, Visit] = {}
    for visit in visits:
        if visit.key and visit.turn > 1:
            continue  # the next key of a call that was let through
        if not visit.in_use:
            yield f"out of use: {visit}"
        if visit.circuit is State.OPEN:
            yield f"through an open breaker: {visit}"
        if visit.circuit is State.HALF_OPEN:
            other = probing.get(visit.target)
            if other is not None and min(_or_never(other.ended_s), _or_never(other.told_s)) > visit.begun_s:
                yield f"two probes: {other}, {visit}"
            probing[visit.target] = visit


def _or_never(at_s: float | None) -> float:
    return inf if at_s is None else at_s
