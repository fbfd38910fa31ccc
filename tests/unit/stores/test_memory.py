"""Answers in memory: bounded, expiring, apart by tenant."""

import pytest

from promptwire_server.core.clock import ManualClock
from promptwire_server.core.kept import Kept
from promptwire_server.stores.memory import Answers

KIB = 1024


def kept(answer: bytes) -> Kept:
    return Kept(answer, "echo/echo", "", 10)


@pytest.fixture
def clock() -> ManualClock:
    return ManualClock()


@pytest.fixture
def answers(clock: ManualClock) -> Answers:
    return Answers(clock=clock, max_bytes=KIB * KIB)


async def test_what_was_put_is_given_with_its_age(answers: Answers, clock: ManualClock) -> None:
    answers.put("shop", "k", kept(b"hi"))
    clock.advance(3)
    assert await answers.get("shop", "k") == (kept(b"hi"), 3)


async def test_another_tenant_finds_nothing(answers: Answers) -> None:
    answers.put("shop", "k", kept(b"hi"))
    assert await answers.get("bank", "k") is None


async def test_an_answer_lives_until_just_before_its_end(answers: Answers, clock: ManualClock) -> None:
    answers.put("shop", "k", kept(b"hi"))
    clock.advance(9.999)
    assert await answers.get("shop", "k") is not None
    clock.advance(0.001)
    assert await answers.get("shop", "k") is None


async def test_an_expired_answer_gives_its_room_back_when_it_is_looked_for(answers: Answers, clock: ManualClock) -> None:
    answers.put("shop", "k", kept(b"hi"))
    clock.advance(10)
    await answers.get("shop", "k")
    assert (len(answers), answers.size_bytes) == (0, 0)


async def test_putting_again_replaces_answer_age_and_end(answers: Answers, clock: ManualClock) -> None:
    answers.put("shop", "k", kept(b"old" * 100))
    clock.advance(9)
    answers.put("shop", "k", kept(b"new"))
    clock.advance(9)
    assert await answers.get("shop", "k") == (kept(b"new"), 9)
    assert len(answers) == 1


async def test_replacing_does_not_count_the_old_answer_any_more(answers: Answers) -> None:
    answers.put("shop", "k", kept(b"x"))
    once = answers.size_bytes
    for _ in range(3):
        answers.put("shop", "k", kept(b"x"))
    assert answers.size_bytes == once


async def test_the_longest_unused_goes_first(clock: ManualClock) -> None:
    answers = Answers(clock=clock, max_bytes=KIB * KIB, max_entries=2)
    answers.put("shop", "a", kept(b"a"))
    answers.put("shop", "b", kept(b"b"))
    await answers.get("shop", "a")
    answers.put("shop", "c", kept(b"c"))
    assert [await answers.get("shop", key) is not None for key in "abc"] == [True, False, True]


async def test_bytes_are_never_more_than_allowed(clock: ManualClock) -> None:
    answers = Answers(clock=clock, max_bytes=16 * KIB)
    for number in range(100):
        answers.put("shop", str(number), kept(bytes(number * 10)))
        assert answers.size_bytes <= 16 * KIB
    assert await answers.get("shop", "99") is not None


async def test_an_answer_that_would_push_out_all_others_is_not_kept(clock: ManualClock) -> None:
    answers = Answers(clock=clock, max_bytes=16 * KIB)
    answers.put("shop", "small", kept(b"hi"))
    answers.put("shop", "large", kept(bytes(15 * KIB)))
    assert await answers.get("shop", "large") is None
    assert await answers.get("shop", "small") is not None


async def test_what_could_not_be_kept_does_not_leave_the_older_answer(clock: ManualClock) -> None:
    answers = Answers(clock=clock, max_bytes=16 * KIB)
    answers.put("shop", "k", kept(b"old"))
    answers.put("shop", "k", kept(bytes(15 * KIB)))
    assert await answers.get("shop", "k") is None
    assert answers.size_bytes == 0


async def test_no_room_at_all_keeps_nothing(clock: ManualClock) -> None:
    answers = Answers(clock=clock, max_bytes=0)
    answers.put("shop", "k", kept(b"hi"))
    assert await answers.get("shop", "k") is None
