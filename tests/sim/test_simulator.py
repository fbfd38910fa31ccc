"""The simulator notices faults: each is planted, and some history breaks. What cannot fail would prove nothing."""

from collections.abc import Callable
from typing import Any

import pytest

from promptwire_server.core.call import Call
from promptwire_server.core.reply import Reply
from promptwire_server.layers.admission.admit import Admit
from promptwire_server.layers.breaker import Breaker, Permit, State
from promptwire_server.layers.pulse import _Visit
from promptwire_server.layers.router import _Course
from promptwire_server.layers.share import Share
from promptwire_server.stores.memory_limits import Lease
from tests.sim.seeds import broken_seeds

MOST_SEEDS = 800
AT_ONCE = 40


async def forgetful_admit(layer: Admit, call: Call) -> Reply:
    lease = await layer._admission.enter(call)
    try:
        reply = await layer._inner(call)
    except BaseException:
        lease._held = False  # and the slot is not given back
        raise
    reply.on_done(lease.done)
    return reply


async def boundless_share(layer: Share, call: Call) -> Reply:
    return await layer._inner(call)


def open_door(breaker: Breaker, deadline_s: float, *, probing: bool = False) -> Permit:
    if breaker.state is State.OPEN and breaker.wait_s == 0:
        breaker._become(State.HALF_OPEN)
    return Permit(breaker, breaker._epoch)


FAULTS: dict[str, tuple[type, str, Callable[..., Any], str]] = {
    "a fourth attempt": (_Course, "_used_up", lambda course: course._made() > 3, "attempts"),
    "a slot that is not given back": (Admit, "__call__", forgetful_admit, "slots not given back"),
    "a call that is counted for ever": (_Visit, "cancelled", lambda _: None, "not given back"),
    "a breaker that lets everybody in": (Breaker, "enter", open_door, "through an open breaker"),
    "a closed target that is asked": (Lease, "close_for", lambda _, __: None, "asked too early"),
    "a target that may take all the time": (Share, "__call__", boundless_share, "somebody was well"),
}


@pytest.mark.parametrize("name", FAULTS)
def test_a_planted_fault_is_found(name: str, monkeypatch: pytest.MonkeyPatch) -> None:
    kind, method, fault, words = FAULTS[name]
    monkeypatch.setattr(kind, method, fault)  # the product has no such fault to be switched on
    batches = (broken_seeds(range(first, first + AT_ONCE)) for first in range(0, MOST_SEEDS, AT_ONCE))
    found = next((batch for batch in batches if batch), [])
    assert any(words in str(each) for each in found)
