"""Sessions keep their target; a target that goes moves its own sessions only, and a busy one passes them on."""

from collections import Counter

import pytest

from promptwire_server.core.call import Target
from promptwire_server.layers.alias import Member
from promptwire_server.layers.pool import Pool
from tests.unit.layers.outlooks import A, B, C, Doing, members, question, targets, view

SESSIONS = [f"session-{number}" for number in range(3000)]


def placed(pool: Pool, *, tenant: str = "default") -> dict[str, Target]:
    return {session: pool.choices(question(prompt="hi", session_id=session, tenant=tenant))[0].target for session in SESSIONS}


def test_a_session_always_meets_the_same_target_also_in_another_process() -> None:
    one = placed(Pool("x", members(A, B, C), "affinity", view(seed=1)))
    assert placed(Pool("x", members(C, A, B), "affinity", view(seed=2))) == one


def test_sessions_are_spread_evenly_or_by_weight() -> None:
    even = Counter(placed(Pool("x", members(A, B, C), "affinity", view())).values())
    assert all(count == pytest.approx(1000, abs=100) for count in even.values())
    weighted = Counter(placed(Pool("x", [Member(A, 2), Member(B)], "affinity", view())).values())
    assert weighted[A] == pytest.approx(2000, abs=100)


def test_when_a_target_leaves_only_its_own_sessions_move_and_they_come_back() -> None:
    doing = Doing()
    pool = Pool("x", members(A, B, C), "affinity", view(doing))
    before = placed(pool)
    doing.off = {B}
    during = placed(pool)
    assert {session for session in SESSIONS if during[session] != before[session]} == {s for s in SESSIONS if before[s] == B}
    moved = Counter(during[session] for session in SESSIONS if before[session] == B)
    assert moved[A] == pytest.approx(moved[C], rel=0.3)
    doing.off = set()
    assert placed(pool) == before


def test_the_same_session_id_of_two_tenants_is_two_sessions() -> None:
    pool = Pool("x", members(A, B, C), "affinity", view())
    one, other = placed(pool, tenant="one"), placed(pool, tenant="other")
    assert sum(one[session] == other[session] for session in SESSIONS) == pytest.approx(1000, abs=120)


def test_a_target_with_more_than_its_share_passes_sessions_on() -> None:
    doing = Doing()
    pool = Pool("x", members(A, B, C), "affinity", view(doing))
    mine = next(session for session, target in placed(pool).items() if target == A)
    asked = question(prompt="hi", session_id=mine)
    _, second, _ = targets(pool.choices(asked))
    doing.busy = {A: 100, B: 100, C: 100}
    assert pool.choices(asked)[0].target == A
    doing.busy = {A: 200, B: 50, C: 50}
    assert pool.choices(asked)[0].target == second
    doing.busy = {A: 200, second: 200}
    assert pool.choices(asked)[0].target not in (A, second)


def test_few_calls_are_no_load_whatever_the_others_have() -> None:
    doing = Doing()
    pool = Pool("x", members(A, B), "affinity", view(doing))
    mine = next(session for session, target in placed(pool).items() if target == A)
    doing.busy = {A: 7}
    assert pool.choices(question(prompt="hi", session_id=mine))[0].target == A


def test_calls_without_a_session_are_drawn_by_weight() -> None:
    pool = Pool("x", [Member(A, 3), Member(B)], "affinity", view())
    counted = Counter(pool.choices(question(prompt="hi"))[0].target for _ in range(4000))
    assert counted[A] == pytest.approx(3000, abs=120)
