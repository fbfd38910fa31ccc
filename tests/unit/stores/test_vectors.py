"""Which question is nearest: found as by looking at all of them, apart by tenant and group, within its room."""

import random
from array import array
from math import sqrt

import pytest

from promptwire_server.stores.vectors import Vectors

COUNT = 128  # numbers of a vector
MIB = 1 << 20


def some(source: random.Random, count: int = COUNT) -> "array[float]":
    return array("f", [source.gauss(0, 1) for _ in range(count)])


def moved(vector: "array[float]", source: random.Random, by: float) -> "array[float]":
    """A vector not far from it: by 1, it has gone as far as it is long."""
    length = sqrt(sum(number * number for number in vector))
    return array("f", [number + source.gauss(0, by * length / sqrt(len(vector))) for number in vector])


def cosine(one: "array[float]", other: "array[float]") -> float:
    product = sum(a * b for a, b in zip(one, other, strict=True))
    return product / sqrt(sum(a * a for a in one) * sum(b * b for b in other))


@pytest.fixture
def vectors() -> Vectors:
    return Vectors(16 * MIB)


@pytest.mark.parametrize("at_least", [0.8, 0.9, 0.95, 0.99])
def test_the_nearest_is_the_one_that_a_look_at_all_would_find(vectors: Vectors, at_least: float) -> None:
    source = random.Random(11)
    known = {str(number): some(source) for number in range(300)}
    for key, vector in known.items():
        vectors.add("shop", "g", key, vector)
    for _ in range(200):
        asked = moved(source.choice(list(known.values())), source, source.uniform(0, 0.7))
        best = max(known, key=lambda key: cosine(known[key], asked))
        expected = cosine(known[best], asked)
        found = vectors.nearest("shop", "g", asked, at_least)
        if expected < at_least - 1e-5:
            assert found is None
        elif expected > at_least + 1e-5:
            assert found is not None
            assert found[0] == best
            assert found[1] == pytest.approx(expected, abs=1e-5)


def test_the_very_same_is_at_1_and_never_beyond(vectors: Vectors) -> None:
    source = random.Random(3)
    for number in range(50):
        vector = some(source)
        vectors.add("shop", "g", str(number), vector)
        found = vectors.nearest("shop", "g", vector, 1 - 1e-6)
        assert found is not None
        assert found[0] == str(number)
        assert found[1] <= 1


@pytest.mark.parametrize(("tenant", "group"), [("bank", "g"), ("shop", "h"), ("", "")])
def test_other_tenants_and_groups_are_never_near(vectors: Vectors, tenant: str, group: str) -> None:
    vector = some(random.Random(1))
    vectors.add("shop", "g", "k", vector)
    assert vectors.nearest(tenant, group, vector, 0.5) is None


def test_what_is_forgotten_is_not_found_and_takes_no_room(vectors: Vectors) -> None:
    vector = some(random.Random(1))
    vectors.add("shop", "g", "k", vector)
    vectors.add("shop", "g", "k", vector)
    for _ in range(2):
        vectors.forget("shop", "g", "k")
    assert vectors.nearest("shop", "g", vector, 0.5) is None
    assert vectors.size_bytes == 0
    assert vars(vectors)["_points"] == vars(vectors)["_used"] == {}


def test_a_tenant_takes_a_quarter_and_loses_what_it_used_longest_ago() -> None:
    vectors, source = Vectors(64 * 1024), random.Random(1)
    mine, theirs = [some(source) for _ in range(100)], some(source)
    vectors.add("bank", "g", "k", theirs)
    for number, vector in enumerate(mine):
        vectors.add("shop", "g", str(number), vector)
        assert vectors.nearest("shop", "g", mine[0], 0.9) is not None  # which uses it
        assert vectors.size_bytes <= 32 * 1024
    assert vectors.nearest("bank", "g", theirs, 0.9) is not None
    assert vectors.nearest("shop", "g", mine[99], 0.9) is not None
    assert vectors.nearest("shop", "g", mine[1], 0.9) is None


def test_all_tenants_together_stay_within_the_room() -> None:
    vectors, source = Vectors(64 * 1024), random.Random(1)
    for number in range(300):
        vectors.add(f"tenant {number % 50}", f"g{number % 3}", str(number), some(source))
        assert vectors.size_bytes <= 64 * 1024


@pytest.mark.parametrize("numbers", [[], [0.0] * COUNT, [float("nan")] * COUNT, [float("inf")] * COUNT, [1e30] * COUNT], ids=str)
def test_vectors_without_a_direction_are_near_nothing(vectors: Vectors, numbers: list[float]) -> None:
    vectors.add("shop", "g", "k", array("f", numbers))
    found = vectors.nearest("shop", "g", array("f", numbers), 0.5)
    assert found is None or found[1] <= 1


def test_a_model_that_has_changed_its_length_finds_nothing(vectors: Vectors) -> None:
    source = random.Random(1)
    vectors.add("shop", "g", "k", some(source))
    assert vectors.nearest("shop", "g", some(source, COUNT * 2), 0.5) is None
