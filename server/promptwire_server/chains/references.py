"""References: whether what templates and expressions name can be there when they are evaluated."""

import re
from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from typing import Final

from promptwire_server.chains.flow import Flow
from promptwire_server.chains.inputs import Input
from promptwire_server.chains.names import did_you_mean
from promptwire_server.chains.plan import FreeName, Step
from promptwire_server.chains.site import Site, Use

_MEMBERS: Final = ("text", "json", "state", "visit")
BUILT_IN: Final = ("inputs", "output", "steps")


@dataclass(frozen=True, slots=True)
class Known:
    """What the templates of a chain may name."""

    inputs: tuple[str, ...]
    open_inputs: bool  # none are declared: any name may be one
    steps: dict[str, int]
    keys: dict[str, list[int]]  # output_key -> the steps that set it

    @property
    def names(self) -> list[str]:
        """All that may stand at the beginning of a reference."""
        return [*self.inputs, *self.keys, *BUILT_IN]


def check_references(site: Site, inputs: Sequence[Input], steps: Sequence[Step], flow: Flow) -> tuple[FreeName, ...]:
    """Check all uses of the chain; gives the names that the caller must provide, where the chain declares no inputs."""
    keys: dict[str, list[int]] = {}
    for step in steps:
        if step.output_key:
            keys.setdefault(step.output_key, []).append(step.position)
    known = Known(tuple(one.name for one in inputs), not inputs, {step.id: step.position for step in steps}, keys)
    for name in set(known.inputs) & set(keys):
        site.findings.field(f"{site.path}.steps[{keys[name][0]}].output_key", f"'{name}' is an input already; choose another name")
    free: dict[str, FreeName] = {}
    for use in site.sources.uses:
        if site.findings.full:
            break
        for message, line in _faults(use, known, flow, free):
            site.findings.template(use.path, message, line)
    return tuple(free.values())


def _faults(use: Use, known: Known, flow: Flow, free: dict[str, FreeName]) -> Iterator[tuple[str, int]]:
    for path in sorted(use.code.paths):
        message = _fault(path, use, known, flow)
        if message:
            yield message, line_of(path[min(len(path), 2) - 1], use.code.source)
        elif known.open_inputs and not _is_known(path, known):
            name = path[1] if path[0] == "inputs" else path[0]
            if path not in use.code.optional:
                free.setdefault(name, FreeName(name, use.path, use.code.source))


def _is_known(path: tuple[str, ...], known: Known) -> bool:
    if path[0] == "inputs":
        return len(path) == 1
    return path[0] in known.keys or path[0] in BUILT_IN


def _fault(path: tuple[str, ...], use: Use, known: Known, flow: Flow) -> str:
    """What is wrong with one reference; empty when nothing is."""
    root = path[0]
    if root == "steps":
        return _step_fault(path, use, known, flow)
    if root == "inputs":
        unknown = len(path) > 1 and not known.open_inputs and path[1] not in known.inputs
        return f"the chain has no input '{path[1][:64]}'{did_you_mean(path[1], known.inputs)}" if unknown else ""
    if root in known.keys:
        late = path not in use.code.optional and not any(_ran(position, use, flow) for position in known.keys[root])
        return f"'{root}' is never there yet: no step with this output_key can have run before" if late else ""
    if root in known.inputs or root in BUILT_IN or known.open_inputs:
        return ""
    return f"'{root[:64]}' is not known{did_you_mean(root, known.names)}: declare it in inputs, or name an output_key"


def _step_fault(path: tuple[str, ...], use: Use, known: Known, flow: Flow) -> str:
    if len(path) == 1:
        return ""
    name = path[1]
    if name not in known.steps:
        return f"there is no step '{name[:64]}'{did_you_mean(name, list(known.steps))}"
    if len(path) > 2 and path[2] not in _MEMBERS:  # noqa: PLR2004 - steps, its id, the member
        return f"a step has {', '.join(_MEMBERS)}, and no '{path[2][:64]}'{did_you_mean(path[2], _MEMBERS)}"
    if not _ran(known.steps[name], use, flow) and not any(path[: len(guarded)] == guarded for guarded in use.code.optional):
        return f"step '{name}' can never have run before this; where that is meant, use default('...') or 'is defined'"
    return ""


def _ran(position: int, use: Use, flow: Flow) -> bool:
    """Whether the step can have run when this is evaluated. What no run gets to is not judged."""
    if use.step < 0:
        return flow.reachable(position)
    if use.after and position == use.step:
        return True
    return not flow.reachable(use.step) or flow.may_precede(position, use.step)


def line_of(name: str, source: str) -> int:
    """The first line with the name in it: where a person should look."""
    found = re.search(rf"\b{re.escape(name)}\b", source)
    return source.count("\n", 0, found.start()) + 1 if found else 0
