"""Every fault before every dialect, whole and streamed, through the router: the ledger of the other side tells what was asked.

The first request of a call meets the fault, a second one would be answered. No case sleeps: where something waits, it is a timer of the
product's, set short.
"""

import asyncio
import time
from dataclasses import replace

import pytest

from promptwire_server.core.call import Call, Target
from promptwire_server.core.clock import Chance, SystemClock
from promptwire_server.core.errors import PromptwireError
from promptwire_server.core.secret import Secret
from promptwire_server.layers.retry import RetrySettings
from promptwire_server.layers.router import Router
from promptwire_server.layers.share import Share
from promptwire_server.providers.provider import Provider
from promptwire_server.providers.registry import build
from promptwire_server.providers.settings import HttpSettings
from tests.contract.subjects import WIRED
from tests.faults.fake_provider.ledger import secret
from tests.faults.fake_provider.process import Entry, FakeProvider
from tests.faults.matrix import FAULTS, MIDWAY, MIDWAY_AT, MIDWAY_ELSE, QUICK, Fault, Outcome, Timer
from tests.faults.upstreams import PATIENT, SMALL
from tests.unit.layers.test_router import Known, Planned
from tests.unit.providers.support import ask, make_call, make_ids

PROMPT = "Which words do you know?"
CLOCK = SystemClock()
RETRIES = RetrySettings(max_attempts=2, base_s=0.01)
WITHIN_S = 10.0
SLACK_S = 6.0  # of a machine that is busy with other tests
LATE_S = 0.01
TIMERS_S: dict[Timer, float] = {"first_token": QUICK.first_token_s, "idle": QUICK.idle_s, "total": QUICK.total_s}


class Case:
    """One dialect before one fault."""

    def __init__(self, fake: FakeProvider, dialect: str, fault: Fault, outcome: Outcome, key: str, *, stream: bool) -> None:
        self.fake, self.dialect, self.fault, self.key, self.stream = fake, dialect, fault, key, stream
        self.outcome = fault.differs.get(dialect, outcome) if stream else outcome

    async def problems(self) -> list[str]:
        """What is not as it should be."""
        provider = self._provider()
        try:
            return [f"{self.dialect}: {problem}" for problem in await self._problems(provider)]
        finally:
            await provider.aclose()

    def _provider(self) -> Provider:
        wired = WIRED[self.dialect]
        settings = HttpSettings(
            dialect=wired.dialect,
            vendor=wired.vendor or ("openai" if wired.dialect == "openai" else ""),
            base_url=f"{self.fake.origin}{wired.path}",
            api_key=Secret(self.key),
            options={"api": "responses"} if self.dialect == "responses" else {},
            timeouts=QUICK if _in_a_hurry(self.fault, self.outcome) else PATIENT,
            bounds=SMALL,
        )
        return build(wired.dialect, settings, clock=CLOCK, ids=make_ids())

    async def _problems(self, provider: Provider) -> list[str]:
        script = self.fault.scripts.get(self.dialect, self.fault.script)
        model = f"fake~{script}/ok".replace(MIDWAY, str(MIDWAY_AT.get(self.dialect, MIDWAY_ELSE)))
        call = replace(make_call(PROMPT, model=model, stream=self.stream, within_s=WITHIN_S), target=None)
        planned = Planned([Target("it", model)])
        router = Router(planned, {"it": Share(provider, clock=CLOCK)}, usual=Known(), settings=RETRIES, clock=CLOCK, chance=Chance())
        error = None
        try:
            answer = await ask(router, call)
            said = bool(answer.text)
        except PromptwireError as raised:
            error, said = raised, False
        entries = await self.fake.aledger(key_sha256=secret(self.key), ended=len(call.trail.attempts))
        kept = await self._kept(provider, entries)
        return [*self._told(call, error, said=said), *self._asked(entries, kept=kept)]

    @property
    def _requests(self) -> int:
        return 2 if self.outcome.again else 1

    async def _kept(self, provider: Provider, entries: list[Entry]) -> bool:
        """Whether the next request went over the connection of the first."""
        if len(entries) == 1:
            await ask(provider, make_call("Still there?", model="fake", stream=self.stream))
            entries = await self.fake.aledger(key_sha256=secret(self.key), ended=2)
        return len({entry["connection"] for entry in entries[:2]}) == 1

    def _told(self, call: Call, error: PromptwireError | None, *, said: bool) -> list[str]:
        """The caller's side: the answer or the right error, and a trail that is true."""
        expected = None if self.outcome.again else self.outcome.error
        found = [] if type(error) is (expected or type(None)) else [f"ended with {error!r}"]
        if expected is None and not said:
            found.append("said nothing")
        reasons = [attempt.failure.reason for attempt in call.trail.attempts]
        first = 0 if self.outcome.error is None else self.outcome.error.reason
        if reasons != [first, 0][: self._requests]:
            found.append(f"the trail tells of {call.trail.attempts}")
        return found

    def _asked(self, entries: list[Entry], *, kept: bool) -> list[str]:
        """The other side: as many requests as there should be, each ended when it should be."""
        outcome = self.outcome
        found = [] if len(entries) == self._requests else [f"{len(entries)} requests"]
        if outcome.connection != "either" and kept != (outcome.connection == "kept"):
            found.append(f"the connection was {'kept' if kept else 'closed'}")
        took_s = entries[0]["ended_s"] - entries[0]["arrived_s"]
        least_s = TIMERS_S[outcome.timer] if outcome.timer else 0.0
        if not least_s * 0.8 <= took_s <= least_s + SLACK_S:
            found.append(f"the first request took {took_s:.3f} s")
        if len(entries) > 1 and entries[1]["arrived_s"] - entries[0]["ended_s"] < self.fault.pause_s - LATE_S:
            found.append(f"the second came {entries[1]['arrived_s'] - entries[0]['ended_s']:.3f} s after the first")
        return found


def _in_a_hurry(fault: Fault, outcome: Outcome) -> bool:
    """Its product timeouts are so short that other tests beside it would make them lie."""
    return outcome.timer is not None or "hang" in fault.script


CASES = [
    pytest.param(
        fault, outcome, stream, id=f"{fault.name.replace(' ', '-')}-{how}", marks=[pytest.mark.slow] if _in_a_hurry(fault, outcome) else []
    )
    for fault in FAULTS
    for stream, how, outcome in ((False, "whole", fault.whole), (True, "streamed", fault.streamed))
    if outcome is not None
]


@pytest.mark.parametrize(("fault", "outcome", "stream"), CASES)
async def test_every_fault_ends_as_it_should_in_every_dialect(
    fake: FakeProvider, api_key: str, fault: Fault, outcome: Outcome, *, stream: bool
) -> None:
    dialects = [dialect for dialect in WIRED if dialect not in fault.without]
    cases = [Case(fake, dialect, fault, outcome, f"{api_key}-{dialect}", stream=stream) for dialect in dialects]
    begun_s = time.monotonic()
    found = [problem for problems in await asyncio.gather(*(case.problems() for case in cases)) for problem in problems]
    assert not found, "\n".join(found)
    assert time.monotonic() - begun_s < 2 * WITHIN_S  # the machine is busy with other tests
