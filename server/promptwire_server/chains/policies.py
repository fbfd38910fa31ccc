"""Policies and targets: what follows a step, well or badly ended."""

from collections.abc import Mapping
from dataclasses import dataclass

from promptwire import v1 as pb
from promptwire_server.chains.names import did_you_mean
from promptwire_server.chains.plan import END, Policy
from promptwire_server.chains.rendering import outcome_of
from promptwire_server.chains.site import Site
from promptwire_server.chains.subset.fault import TemplateError
from promptwire_server.chains.times import seconds_of
from promptwire_server.chains.turn import Outcome
from promptwire_server.core import json_text
from promptwire_server.core.errors import Violation
from promptwire_server.core.fields import between, check_fields, known, positive

_CHECKS = {
    "timeout": positive,
    "attempts": between(1, 10),
    "on_error": known(pb.StepPolicy.OnError.values()),
}


@dataclass(frozen=True, slots=True)
class Targets:
    """Where a chain can go: its steps, and "end"."""

    names: tuple[str, ...]  # the ids, by position
    positions: Mapping[str, int]

    def find(self, name: str, site: Site) -> int:
        """The position of a target."""
        if name not in self.positions:
            known_names = [*self.names, "end"]
            what = f"there is no step '{name[:64]}'{did_you_mean(name, known_names)}" if name else "is missing"
            site.fault(f"{what}; name a step, or end")
        return self.positions.get(name, END)


def compile_policy(message: pb.StepPolicy, targets: Targets, site: Site) -> Policy:
    """The policy that a message describes."""
    found: list[Violation] = []
    check_fields(message, _CHECKS, f"{site.path}.", found)
    site.findings.fields(found)
    return Policy(
        timeout_s=seconds_of(message.timeout) if message.HasField("timeout") else None,
        attempts=message.attempts if message.HasField("attempts") else 1,
        on_error=message.on_error or pb.StepPolicy.ON_ERROR_FAIL,
        fallback=_fallback(message, site.at("default_json")),
        goto=_goto(message, targets, site.at("goto_step")),
    )


def _fallback(message: pb.StepPolicy, site: Site) -> Outcome | None:
    wanted = message.on_error == pb.StepPolicy.ON_ERROR_USE_DEFAULT
    if wanted != message.HasField("default_json"):
        site.fault("is required with ON_ERROR_USE_DEFAULT" if wanted else "has no effect without on_error ON_ERROR_USE_DEFAULT")
        return None
    if not wanted:
        return None
    try:
        return outcome_of(json_text.parse(message.default_json))
    except json_text.NotJson as error:
        site.fault(f'{error}; text needs quotes, e.g. "\\"none\\""')
    except TemplateError as error:
        site.fault(error.message)
    return None


def _goto(message: pb.StepPolicy, targets: Targets, site: Site) -> int:
    wanted = message.on_error == pb.StepPolicy.ON_ERROR_GOTO
    if wanted:
        return targets.find(message.goto_step, site)
    if message.goto_step:
        site.fault("has no effect without on_error ON_ERROR_GOTO")
    return END
