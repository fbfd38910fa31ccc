"""Shows what a check of a chain found: its plan, or its faults."""

from collections.abc import Sequence

from promptwire import chainfile, errors
from promptwire import v1 as pb
from promptwire_server.cli.render import note, print_table, printable, write
from promptwire_server.core.money import dollars


def show_plan(checked: pb.ValidateChainResponse) -> None:
    """The steps in order, and the bounds of a run."""
    columns = ("step", "action", "models", "conditional", "next")
    print_table(columns, [_row(step) for step in checked.plan])
    cost = f", at most {dollars(checked.max_cost_nano_usd)}" if checked.HasField("max_cost_nano_usd") else ", of no known cost"
    note(f"valid: at most {checked.max_model_calls} model calls{cost}; hash {checked.chain_hash[:12]}")


def show_faults(checked: pb.ValidateChainResponse, lines: Sequence[int], source: str) -> None:
    """Every fault as `file:line  path  message`, in the order of the file; `lines` has one of the file for each."""
    for line, fault in sorted(zip(lines, checked.faults, strict=True), key=lambda found: found[0]):
        path = fault.field.removeprefix("run.").removeprefix("spec.") or "(chain)"
        inside = f" (line {fault.line} of the template)" if fault.line > 1 else ""
        write(f"{source}:{line}  {path}  {printable(fault.message)}{inside}\n")


def found_here(error: chainfile.ChainFileError) -> tuple[pb.ValidateChainResponse, list[int]]:
    """The faults of a file that could not be read as a chain, as a server would tell them, and their lines in the file."""
    faults = [pb.ChainFault(field=fault.path, message=fault.message, reason=pb.ERROR_REASON_INVALID_FIELD) for fault in error.faults]
    return pb.ValidateChainResponse(faults=faults), [fault.line for fault in error.faults]


def located(error: errors.InvalidRequest, file: chainfile.ChainFile, source: str) -> errors.InvalidRequest:
    """The same error, its violations told with their lines when all of them are in the file."""
    paths = [violation.field.removeprefix("run.") for violation in error.violations]
    if not paths or not all(path.startswith(("spec.", "prompts")) for path in paths):
        return error
    told = [
        f"{source}:{file.line_of(path)}: {path.removeprefix('spec.')}: {violation.message}"
        for path, violation in zip(paths, error.violations, strict=True)
    ]
    title = [f"{source} has {len(told)} faults:"] if len(told) > 1 else []
    return type(error)("\n".join([*title, *told]), code=error.code, request_id=error.request_id)


def _row(step: pb.PlannedStep) -> tuple[str, ...]:
    name = step.step_path or step.step_id
    return name, step.action, ", ".join(step.models), "yes" if step.conditional else "", ", ".join(step.next)
