"""Check: from a request to a job that can run, or to everything that is wrong with it. Pure, but for the plans kept."""

from dataclasses import dataclass
from hashlib import sha256

from promptwire import v1 as pb
from promptwire_server.chains.compiling import Source, bounds_of, check_limits, compile_chain
from promptwire_server.chains.findings import Findings
from promptwire_server.chains.flow import Flow
from promptwire_server.chains.inputs import Given, Values, declared_values, read_inputs
from promptwire_server.chains.names import did_you_mean, reserved
from promptwire_server.chains.plan import DEFAULT_MAX_STEPS, END, Bounds, Plan
from promptwire_server.chains.plans import Plans
from promptwire_server.chains.references import BUILT_IN, line_of
from promptwire_server.core.checks import ENVELOPE
from promptwire_server.core.errors import Violation
from promptwire_server.core.fields import check_fields, model_name


@dataclass(frozen=True, slots=True)
class Job:
    """A run to do: everything that the request decides."""

    plan: Plan
    inputs: Values
    model: str  # of the steps that name none; empty: the chain's
    bounds: Bounds
    base: pb.ChatRequest  # what every question of the run has: priority, labels, session
    path: str = ""  # where the request stands in the RPC's message, e.g. "run"


def check(request: pb.RunChainRequest, plans: Plans, path: str = "") -> Job:
    """The job. Raises InvalidRequest, InvalidTemplate or Disabled with all violations; `path` is put before theirs."""
    findings = Findings()
    plan = _plan(request, plans, findings)
    _check_request(request, findings)
    inputs = _inputs(request, plan, findings) if plan else {}
    if plan is None or findings:
        raise findings.error(path)
    return Job(
        plan=plan,
        inputs=inputs,
        model=request.model,
        bounds=plan.bounds.stricter(bounds_of(request.limits)),
        base=pb.ChatRequest(priority=request.priority, labels=request.labels, session_id=request.session_id),
        path=path,
    )


def validate(request: pb.RunChainRequest, plans: Plans) -> pb.ValidateChainResponse:
    """What a check finds, as an answer. Inputs are checked only when some are given."""
    findings = Findings()
    plan = _plan(request, plans, findings)
    _check_request(request, findings)
    if plan is not None and (request.inputs or request.inputs_json):
        _inputs(request, plan, findings)
    response = pb.ValidateChainResponse(valid=plan is not None and not findings, faults=findings.faults())
    if plan is not None:
        response.chain_hash = plan.hash
        response.plan.extend(_planned(plan, request.model))
        response.max_model_calls = max_model_calls(plan, plan.bounds.stricter(bounds_of(request.limits)))
    return response


def max_model_calls(plan: Plan, bounds: Bounds) -> int:
    """Most questions that a run can ask, attempts of the steps' policies counted; fallbacks inside a question are not."""
    weights = [step.policy.attempts if step.action.asks_model else 0 for step in plan.steps]
    by_steps = (bounds.max_steps or DEFAULT_MAX_STEPS) * max(weights)
    flow = Flow.of(plan.steps)
    return by_steps if flow.looping() else min(by_steps, flow.heaviest_path(weights))


def _plan(request: pb.RunChainRequest, plans: Plans, findings: Findings) -> Plan | None:
    source = _source(request, findings)
    if source is None:
        return None
    plan = plans.get(source.hash, prompts=source.prompts)
    if plan is None:
        plan = compile_chain(source, findings)
        if plan is not None:
            plans.put(plan, prompts=source.prompts)
    return plan


def _source(request: pb.RunChainRequest, findings: Findings) -> Source | None:
    given = [name for name, there in _forms(request) if there]
    if len(given) != 1:
        what = f"{' and '.join(given)} are given" if given else "there is no chain"
        findings.field(given[1] if given else "prompts", f"{what}; exactly one of prompts, spec and chain is set")
        return None
    if given == ["chain"]:
        findings.unavailable("chain", "registered chains are")
        return None
    spec = request.spec if given == ["spec"] else _spelled_out(request)
    packed = spec.SerializeToString(deterministic=True)
    return Source(spec, sha256(packed).hexdigest(), len(packed), prompts=given == ["prompts"])


def _forms(request: pb.RunChainRequest) -> tuple[tuple[str, bool], ...]:
    return ("prompts", bool(request.prompts)), ("spec", request.HasField("spec")), ("chain", request.HasField("chain"))


def _spelled_out(request: pb.RunChainRequest) -> pb.ChainSpec:
    """The chain that the short form means."""
    return pb.ChainSpec(steps=[pb.Step(prompt=pb.PromptAction(user=prompt)) for prompt in request.prompts])


def _check_request(request: pb.RunChainRequest, findings: Findings) -> None:
    found: list[Violation] = []
    check_fields(request, _ENVELOPE, "", found)
    findings.fields(found)
    findings.fields(check_limits(request.limits, "limits"))


def _inputs(request: pb.RunChainRequest, plan: Plan, findings: Findings) -> Values:
    given = read_inputs(request, findings)
    if plan.inputs:
        return declared_values(plan.inputs, given, findings)
    _check_free(plan, given, findings)
    return given.values


def _check_free(plan: Plan, given: Given, findings: Findings) -> None:
    """The inputs of a chain that declares none: what the templates name must be there."""
    for name, path in given.paths.items():
        if reserved(name) or name in plan.taken_names:
            findings.field(path, "templates use this name for something else; choose another")
    for free in plan.free_names:
        if free.name not in given.values and not findings.full:
            hint = did_you_mean(free.name, [*given.values, *BUILT_IN])
            findings.template(
                free.path, f"'{free.name}' is no input of this request{hint}: give it in inputs", line_of(free.name, free.source)
            )


def _planned(plan: Plan, override: str) -> list[pb.PlannedStep]:
    flow = Flow.of(plan.steps)
    return [
        pb.PlannedStep(
            step_id=step.id,
            step_path=step.id,
            action=step.kind,
            models=plan.models_of(step, override),
            conditional=step.when is not None or flow.avoidable(step.position),
            next=["end" if target == END else plan.steps[target].id for target in flow.following[step.position]],
        )
        for step in plan.steps
    ]


_ENVELOPE = {**ENVELOPE, "model": model_name}
