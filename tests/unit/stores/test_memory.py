"""Answers in memory: bounded, expiring, apart by tenant."""

import random
from collections import OrderedDict
from collections.abc import Callable

import pytest

from promptwire_server.core.clock import ManualClock
from promptwire_server.core.kept import Kept, Selector
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


async def test_of_what_was_asked_for_equally_often_the_longest_unused_goes_first(clock: ManualClock) -> None:
    answers = Answers(clock=clock, max_bytes=KIB * KIB, max_entries=20)
    for number in range(20):
        answers.put("shop", str(number), kept(b"x"))
    await answers.get("shop", "0")
    answers.put("shop", "another", kept(b"x"))
    assert len(answers) == 20
    assert await answers.get("shop", "0") is not None
    assert await answers.get("shop", "another") is not None


async def test_what_is_asked_for_often_outlives_any_number_of_answers_that_are_not(clock: ManualClock) -> None:
    answers = Answers(clock=clock, max_bytes=1024 * KIB)
    answers.put("shop", "often", kept(b"x" * KIB))
    for _ in range(5):
        await answers.get("shop", "often")
    for number in range(5000):
        if number % 100 == 0:
            await answers.get("shop", "often")
        await answers.get("shop", str(number))
        answers.put("shop", str(number), kept(b"x" * KIB))
    assert await answers.get("shop", "often") is not None


class Oldest:
    """Plain LRU, for comparison."""

    def __init__(self, room: int) -> None:
        self._room = room
        self._kept: OrderedDict[str, None] = OrderedDict()

    def ask(self, key: str) -> bool:
        if key in self._kept:
            self._kept.move_to_end(key)
            return True
        self._kept[key] = None
        if len(self._kept) > self._room:
            self._kept.popitem(last=False)
        return False


def zipf(source: random.Random, questions: int, asks: int, exponent: float = 0.9) -> list[str]:
    weights = [1 / rank**exponent for rank in range(1, questions + 1)]
    return [str(number) for number in source.choices(range(questions), weights, k=asks)]


def scanned(trace: list[str]) -> list[str]:
    """The trace, with ten questions that never come again behind each tenth."""
    return [key for place, asked in enumerate(trace) for key in (asked, *([f"{place} {n}" for n in range(10)] if place % 10 == 0 else ()))]


@pytest.mark.parametrize("trace", [lambda trace: trace, scanned], ids=["zipf", "scan"])
async def test_it_hits_more_often_than_plain_lru(clock: ManualClock, trace: Callable[[list[str]], list[str]]) -> None:
    room = 300
    asks = trace(zipf(random.Random(7), 5000, 10_000))
    answers = Answers(clock=clock, max_bytes=KIB * KIB * KIB, max_entries=room)
    oldest, hits, lru = Oldest(room), 0, 0
    for key in asks:
        lru += oldest.ask(key)
        if await answers.get("shop", key) is not None:
            hits += 1
        else:
            answers.put("shop", key, kept(b"x"))
    assert hits > lru * 1.1, f"{hits} against {lru} of {len(asks)}"


async def test_what_is_dropped_is_told_with_the_reason(clock: ManualClock) -> None:
    told: list[tuple[str, str, bool]] = []
    answers = Answers(clock=clock, max_bytes=KIB * KIB, max_entries=10, dropped=lambda *drop: told.append(drop))
    for number in range(11):
        answers.put("shop", str(number), kept(b"x"))
    assert told == [("shop", "echo/echo", False)]
    clock.advance(10)
    assert await answers.get("shop", "10") is None
    assert told[1:] == [("shop", "echo/echo", True)]


def of(model: str, namespace: str = "") -> Kept:
    return Kept(b"x", model, namespace, 10)


@pytest.fixture
def various(answers: Answers, clock: ManualClock) -> Answers:
    answers.put("shop", "a1", of("acme/fast"))
    answers.put("shop", "a2", of("acme/slow", "v1"))
    clock.advance(3)
    answers.put("shop", "b1", of("beta/fast"))
    answers.put("bank", "a1", of("acme/fast"))
    return answers


@pytest.mark.parametrize(
    ("selector", "count"),
    [
        (Selector(), 4),
        (Selector(tenant="shop"), 3),
        (Selector(tenant="nobody"), 0),
        (Selector(model="acme/fast"), 2),
        (Selector(model="acme/*"), 3),
        (Selector(tenant="shop", key_prefix="a"), 2),
        (Selector(min_age_s=3), 2),
        (Selector(namespace="v1"), 1),
        (Selector(namespace=""), 3),
        (Selector(tenant="shop", model="acme/*", key_prefix="a", min_age_s=1, namespace=""), 1),
    ],
    ids=str,
)
async def test_a_selector_means_those_for_which_all_of_it_holds(various: Answers, selector: Selector, count: int) -> None:
    assert sum(held.answers for held in await various.held(selector)) == count
    assert (await various.purge(selector, dry_run=True))[0] == count
    assert len(various) == 4
    assert (await various.purge(selector, dry_run=False))[0] == count
    assert len(various) == 4 - count
    assert await various.purge(selector, dry_run=False) == (0, 0)


async def test_what_is_held_is_added_up_by_model(various: Answers) -> None:
    held = {each.model: each for each in await various.held(Selector())}
    assert {model: each.answers for model, each in held.items()} == {"acme/fast": 2, "acme/slow": 1, "beta/fast": 1}
    assert (held["acme/fast"].oldest_s, held["beta/fast"].oldest_s) == (3, 0)
    assert sum(each.size_bytes for each in held.values()) == various.size_bytes


async def test_what_has_expired_is_neither_held_nor_purged(various: Answers, clock: ManualClock) -> None:
    clock.advance(7)
    assert sum(held.answers for held in await various.held(Selector())) == 2
    assert len(various) == 2


async def test_an_answer_may_have_an_age_already(answers: Answers, clock: ManualClock) -> None:
    answers.put("shop", "k", kept(b"x"), 4)
    found = await answers.get("shop", "k")
    assert found is not None
    assert found[1] == 4
    clock.advance(6)
    assert await answers.get("shop", "k") is None


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
