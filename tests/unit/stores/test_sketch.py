"""How often keys were asked for: never too low, seldom too high, forgotten in time."""

import random

from promptwire_server.stores.sketch import Sketch

MOST = 15


def test_a_count_is_never_too_low_and_seldom_too_high() -> None:
    source = random.Random(5)
    sketch = Sketch(1000)
    asked = {source.getrandbits(64) - (1 << 63): source.randrange(1, 6) for _ in range(1000)}
    for hashed, times in asked.items():
        for _ in range(times):
            sketch.add(hashed)
    counts = {hashed: sketch.count(hashed) for hashed in asked}
    assert all(counts[hashed] >= times for hashed, times in asked.items())
    assert sum(counts[hashed] > times for hashed, times in asked.items()) < 200


def test_a_count_has_an_end() -> None:
    sketch = Sketch(1000)
    for _ in range(100):
        sketch.add(7)
    assert sketch.count(7) == MOST


def test_what_is_not_asked_for_any_more_is_forgotten() -> None:
    sketch, source = Sketch(1000), random.Random(5)
    for _ in range(MOST):
        sketch.add(7)
    for _ in range(200_000):
        sketch.add(source.getrandbits(64))
    assert sketch.count(7) < MOST
