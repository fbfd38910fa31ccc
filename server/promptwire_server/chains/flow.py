"""Flow: which step may follow which, as a graph, and what follows from that."""

from collections.abc import Sequence
from dataclasses import dataclass

from promptwire import v1 as pb
from promptwire_server.chains.plan import END, Step


@dataclass(frozen=True, slots=True)
class Flow:
    """The graph of a chain. Sets of steps are bits of a whole number."""

    following: tuple[tuple[int, ...], ...]  # by position: where a run may go next, END included
    onward: tuple[int, ...]  # the same as bits, END left out
    reach: tuple[int, ...]  # by position: the steps that may run later

    @classmethod
    def of(cls, steps: Sequence[Step]) -> "Flow":
        """The graph of these steps."""
        following = tuple(_following(step, len(steps)) for step in steps)
        onward = tuple(sum(1 << target for target in targets if target != END) for targets in following)
        return cls(following, onward, _closure(onward))

    def may_precede(self, earlier: int, later: int) -> bool:
        """Whether one step can have run before the other; of a step and itself, whether it is in a loop."""
        return bool(self.reach[earlier] >> later & 1)

    def reachable(self, position: int) -> bool:
        """Whether a run can get there at all."""
        return position == 0 or self.may_precede(0, position)

    def looping(self) -> bool:
        """Whether a run can come to a step twice."""
        return any(self.may_precede(position, position) and self.reachable(position) for position in range(len(self.following)))

    def avoidable(self, position: int) -> bool:
        """Whether a run can end without this step, if every `when` of a step held."""
        seen, waiting = 1 << position, 1
        while waiting & ~seen:
            current = waiting & ~seen
            here = (current & -current).bit_length() - 1
            if END in self.following[here]:
                return True
            seen |= 1 << here
            waiting |= self.onward[here]
        return False

    def heaviest_path(self, weights: Sequence[int]) -> int:
        """The greatest sum of weights of a way through the chain, which must have no loop."""
        best: dict[int, int] = {END: 0}

        def weigh(position: int) -> int:
            if position not in best:
                best[position] = weights[position] + max(map(weigh, self.following[position]))
            return best[position]

        return weigh(0)


def _following(step: Step, count: int) -> tuple[int, ...]:
    onward = step.position + 1 if step.position + 1 < count else END
    targets = []
    for transition in step.next:
        targets.append(transition.to)
        if transition.when is None:
            break
    else:
        targets.append(onward)
    if step.when is not None or step.policy.on_error == pb.StepPolicy.ON_ERROR_SKIP:
        targets.append(onward)
    if step.policy.on_error == pb.StepPolicy.ON_ERROR_GOTO:
        targets.append(step.policy.goto)
    return tuple(dict.fromkeys(targets))


def _closure(onward: Sequence[int]) -> tuple[int, ...]:
    """Warshall's algorithm; a row is a whole number, so that 256 steps take milliseconds."""
    reach = list(onward)
    for through in range(len(reach)):
        bit, beyond = 1 << through, reach[through]
        reach = [row | beyond if row & bit else row for row in reach]
    return tuple(reach)
