"""Compiling: from the message of a chain to its plan, with everything wrong in it found at once."""

from collections.abc import Callable, Sequence
from dataclasses import dataclass
from typing import Final

from promptwire import v1 as pb
from promptwire_server.chains.findings import Findings
from promptwire_server.chains.flow import Flow
from promptwire_server.chains.inputs import compile_inputs
from promptwire_server.chains.names import is_chain_name, is_name, reserved
from promptwire_server.chains.plan import END, MOST_STEPS_OF_RUN, Action, Bounds, Output, Plan, Policy, Step, Transition
from promptwire_server.chains.policies import Targets, compile_policy
from promptwire_server.chains.prompt import check_models, compile_prompt
from promptwire_server.chains.references import check_references
from promptwire_server.chains.rendering import Formula
from promptwire_server.chains.site import Site, Sources
from promptwire_server.chains.times import seconds_of
from promptwire_server.chains.transform import compile_transform
from promptwire_server.chains.turn import Outcome, Turn
from promptwire_server.core.errors import Violation
from promptwire_server.core.fields import at_least, between, check_fields, positive
from promptwire_server.core.generation import check_generation

_MOST_STEPS: Final = 256
_MOST_OUTPUTS: Final = 64
_MOST_TRANSITIONS: Final = 64  # of a step
_MOST_DEFAULT_BYTES: Final = 64 * 1024  # of generation settings that every step gets a copy of

Compiler = Callable[[pb.Step, Site, pb.ChainDefaults], Action | None]

# What a step can do. A kind of the contract that is not here is refused, never passed over.
COMPILERS: Final[dict[str, Compiler]] = {
    "prompt": lambda step, site, defaults: compile_prompt(step.prompt, site, defaults),
    "transform": lambda step, site, _: compile_transform(step.transform, site),
}

_LIMITS: Final = {
    "timeout": positive,
    "max_cost_nano_usd": at_least(0),
    "max_steps": between(1, MOST_STEPS_OF_RUN),
    "max_concurrency": at_least(1),
}


@dataclass(frozen=True, slots=True)
class Source:
    """A chain as it came: the message, its hash, and where it stands in the request."""

    spec: pb.ChainSpec
    hash: str
    size_bytes: int
    prompts: bool  # it came in the short form, as `prompts`

    def site(self, findings: Findings) -> Site:
        """The place of the chain."""
        return Site("prompts" if self.prompts else "spec", findings, Sources(), flat=self.prompts)

    def step_site(self, site: Site, position: int) -> Site:
        """The place of one of its steps."""
        path = f"prompts[{position}]" if self.prompts else f"spec.steps[{position}]"
        return Site(path, site.findings, site.sources, position, flat=self.prompts)


def compile_chain(source: Source, findings: Findings) -> Plan | None:
    """The plan; None when anything is wrong, and then `findings` has it."""
    spec, site = source.spec, source.site(findings)
    if not 1 <= len(spec.steps) <= _MOST_STEPS:
        site.at("steps").fault(f"has {len(spec.steps)} steps; a chain has 1 to {_MOST_STEPS}")
        return None
    if spec.defaults.generation.ByteSize() > _MOST_DEFAULT_BYTES:
        site.at("defaults.generation").fault(f"is larger than {_MOST_DEFAULT_BYTES} bytes; put what is long into the steps that need it")
        return None
    _check_chain(spec, site)
    inputs = compile_inputs(spec.inputs, site)
    steps = _steps(source, site)
    outputs = _outputs(spec, site)
    flow = Flow.of(steps)
    free_names = check_references(site, inputs, steps, flow)
    if findings:
        return None
    return Plan(
        name=spec.name,
        hash=source.hash,
        steps=steps,
        outputs=outputs,
        inputs=inputs,
        free_names=free_names,
        taken_names=frozenset(step.output_key for step in steps if step.output_key),
        default_models=tuple(spec.defaults.models),
        bounds=bounds_of(spec.limits),
        size_bytes=source.size_bytes,
    )


def bounds_of(limits: pb.ChainLimits) -> Bounds:
    """The bounds that a message sets."""
    return Bounds(
        timeout_s=seconds_of(limits.timeout) if limits.HasField("timeout") else None,
        max_cost_nano_usd=limits.max_cost_nano_usd if limits.HasField("max_cost_nano_usd") else None,
        max_steps=limits.max_steps if limits.HasField("max_steps") else None,
    )


def check_limits(limits: pb.ChainLimits, path: str) -> list[Violation]:
    """What is wrong with limits, of a chain or of a request."""
    found: list[Violation] = []
    check_fields(limits, _LIMITS, f"{path}.", found)
    return found


def _check_chain(spec: pb.ChainSpec, site: Site) -> None:
    if spec.name and not is_chain_name(spec.name):
        site.at("name").fault("a name has letters, digits, _ - and ., at most 128")
    site.findings.fields(check_limits(spec.limits, site.at("limits").path))
    defaults = site.at("defaults")
    check_models(spec.defaults.models, defaults.at("models"))
    if spec.defaults.HasField("generation"):
        site.findings.fields(check_generation(spec.defaults.generation, defaults.at("generation").path))


def _steps(source: Source, site: Site) -> tuple[Step, ...]:
    spec = source.spec
    targets = _targets(spec.steps, source, site)
    default_policy = compile_policy(spec.defaults.policy, targets, site.at("defaults").at("policy"))
    return tuple(
        _step(message, targets.names[position], source.step_site(site, position), spec.defaults, default_policy, targets)
        for position, message in enumerate(spec.steps)
    )


def _targets(messages: Sequence[pb.Step], source: Source, site: Site) -> Targets:
    """The ids of the steps, defaults filled in."""
    positions: dict[str, int] = {}
    names = []
    for position, message in enumerate(messages):
        name = message.id or f"step{position + 1}"
        place = source.step_site(site, position).at("id")
        if not is_name(name) or name == "end":
            place.fault("an id is a letter, then letters, digits and _; and not 'end'")
        elif name in positions:
            place.fault(f"step {positions[name] + 1} is named '{name}' too; ids are unique")
        positions.setdefault(name, position)
        names.append(name)
    return Targets(tuple(names), {**positions, "end": END})


def _step(message: pb.Step, name: str, site: Site, defaults: pb.ChainDefaults, default_policy: Policy, targets: Targets) -> Step:
    kind = message.WhichOneof("action") or ""
    return Step(
        position=site.step,
        id=name,
        kind=kind,
        action=_action(message, kind, site, defaults),
        when=_formula(message.when, site.at("when")) if message.when else None,
        policy=compile_policy(message.policy, targets, site.at("policy")) if message.HasField("policy") else default_policy,
        next=_transitions(message.next, targets, site.ending().at("next")),
        output_key=_output_key(message.output_key, site.at("output_key")),
    )


def _action(message: pb.Step, kind: str, site: Site, defaults: pb.ChainDefaults) -> Action:
    if not kind:
        site.fault(f"does nothing: set one of {', '.join(COMPILERS)}")
        return _REFUSED
    compiler = COMPILERS.get(kind)
    if compiler is None:
        site.findings.unavailable(site.at(kind).path, f"{kind} steps are")
        return _REFUSED
    return compiler(message, site.at(kind), defaults) or _REFUSED


class _Refused:
    """Stands in for an action that is wrong, so that the check can go on and find the rest. Never performed."""

    models: tuple[str, ...] = ()
    asks_model = False

    async def perform(self, turn: Turn) -> Outcome:
        raise NotImplementedError


_REFUSED: Final = _Refused()


def _transitions(messages: Sequence[pb.Transition], targets: Targets, site: Site) -> tuple[Transition, ...]:
    if len(messages) > _MOST_TRANSITIONS:
        site.fault(f"has {len(messages)} transitions; at most {_MOST_TRANSITIONS} are allowed")
        return ()
    return tuple(_transition(one, targets, site.item(index)) for index, one in enumerate(messages))


def _transition(message: pb.Transition, targets: Targets, site: Site) -> Transition:
    return Transition(
        when=_formula(message.when, site.at("when")) if message.when else None,
        to=targets.find(message.to, site.at("to")),
    )


def _output_key(key: str, site: Site) -> str:
    if key and not is_name(key):
        site.fault("a name is a letter, then letters, digits and _")
    elif key and reserved(key):
        site.fault(f"'{key}' has a meaning in templates already; choose another name")
    return key


def _formula(source: str, site: Site) -> Formula | None:
    expression = site.expression(source)
    return Formula(expression, site.path) if expression else None


def _outputs(spec: pb.ChainSpec, site: Site) -> tuple[Output, ...]:
    if len(spec.outputs) > _MOST_OUTPUTS:
        site.at("outputs").fault(f"has {len(spec.outputs)} outputs; at most {_MOST_OUTPUTS} are allowed")
        return ()
    found = [(name, _formula(spec.outputs[name], site.at(f"outputs.{name}"))) for name in sorted(spec.outputs)]
    return tuple(Output(name, formula) for name, formula in found if formula is not None)
