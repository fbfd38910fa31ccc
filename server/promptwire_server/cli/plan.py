"""Shows what a check of a chain found: its plan, or its faults."""

from promptwire import chainfile
from promptwire import v1 as pb
from promptwire_server.cli.render import note, print_table, printable, write
from promptwire_server.core.money import dollars


def show_plan(checked: pb.ValidateChainResponse) -> None:
    """The steps in order, and the bounds of a run."""
    columns = ("step", "action", "models", "conditional", "next")
    print_table(columns, [_row(step) for step in checked.plan])
    cost = f", at most {dollars(checked.max_cost_nano_usd)}" if checked.HasField("max_cost_nano_usd") else ", of no known cost"
    note(f"valid: at most {checked.max_model_calls} model calls{cost}; hash {checked.chain_hash[:12]}")


def show_faults(checked: pb.ValidateChainResponse, file: chainfile.ChainFile, source: str) -> None:
    """Every fault as `file:line  path  message`, in the order of the file."""
    faults = [(file.line_of(fault.field), fault) for fault in checked.faults]
    for line, fault in sorted(faults, key=lambda found: found[0]):
        inside = f" (line {fault.line} of the template)" if fault.line > 1 else ""
        path = fault.field.removeprefix("run.").removeprefix("spec.") or "(chain)"
        write(f"{source}:{line}  {path}  {printable(fault.message)}{inside}\n")


def _row(step: pb.PlannedStep) -> tuple[str, ...]:
    name = step.step_path or step.step_id
    return name, step.action, ", ".join(step.models), "yes" if step.conditional else "", ", ".join(step.next)
