"""What is kept of targets, and that callers cannot make it grow."""

from promptwire_server.core.call import Target
from promptwire_server.layers.known import Known

A, B, C, D = (Target("p", name) for name in "abcd")


class Kept:
    def __init__(self, target: Target) -> None:
        self.target = target
        self.busy = False


def targets(known: Known[Kept]) -> list[Target]:
    return [target for target, _ in known.items()]


def test_of_the_learned_the_one_used_longest_ago_goes_and_the_named_stay() -> None:
    known = Known(Kept, [A], most=2)
    first = known.of(B)
    known.of(C)
    assert known.of(B) is first
    known.of(D)
    assert targets(known) == [A, B, D]


def test_the_busy_stay_even_beyond_the_bound() -> None:
    known = Known(Kept, busy=lambda kept: kept.busy, most=2)
    known.of(A).busy = True
    known.of(B)
    known.of(C)
    assert targets(known) == [A, C]
    known.of(C).busy = True
    known.of(D)
    assert targets(known) == [A, C, D]


def test_finding_makes_nothing() -> None:
    known = Known(Kept, [A])
    assert known.find(B) is None
    found = known.find(A)
    assert found is not None
    assert (found.target, targets(known)) == (A, [A])


def test_naming_others_forgets_nothing() -> None:
    known = Known(Kept, [A, B], most=2)
    a, c = known.of(A), known.of(C)
    known.name([B, C])
    assert (known.of(A), known.of(C)) == (a, c)
    assert [known.is_named(target) for target in (A, B, C)] == [False, True, True]
    assert targets(known) == [B, C, A]
