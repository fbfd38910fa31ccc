"""Findings: what a check found wrong with a chain, and where in the request it stands."""

from collections.abc import Iterable
from dataclasses import dataclass, replace
from enum import Enum

from promptwire import v1 as pb
from promptwire_server.chains.subset.fault import TemplateError
from promptwire_server.core.errors import Disabled, InvalidRequest, InvalidTemplate, PromptwireError, Violation

_MOST = 100  # a hostile chain can have thousands of faults, and nobody reads more


class Kind(Enum):
    """What sort of fault it is."""

    FIELD = "field"
    TEMPLATE = "template"
    UNAVAILABLE = "unavailable"


@dataclass(frozen=True, slots=True)
class Finding:
    """One fault."""

    kind: Kind
    violation: Violation


class Findings:
    """Collects faults in the order in which they are found."""

    def __init__(self) -> None:
        self._found: list[Finding] = []

    def __bool__(self) -> bool:
        return bool(self._found)

    @property
    def full(self) -> bool:
        """Whether any more would be dropped: time to stop looking."""
        return len(self._found) >= _MOST

    def field(self, path: str, message: str) -> None:
        """A field is wrong."""
        self._add(Kind.FIELD, Violation(path, message))

    def fields(self, violations: list[Violation]) -> None:
        """Several fields are wrong."""
        for violation in violations:
            self._add(Kind.FIELD, violation)

    def template(self, path: str, message: str, line: int = 0) -> None:
        """A template or expression is wrong."""
        self._add(Kind.TEMPLATE, Violation(path, message, line))

    def uncompiled(self, path: str, error: TemplateError) -> None:
        """A template or expression cannot be compiled; each of its faults counts."""
        for line, message in error.faults:
            self.template(path, message, line)

    def unavailable(self, path: str, what: str) -> None:
        """The contract has it, this server does not."""
        self._add(Kind.UNAVAILABLE, Violation(path, f"{what} not available in this server version"))

    def error(self, path: str = "") -> PromptwireError:
        """All faults as one error, their paths inside `path`. There must be one."""
        kinds = {finding.kind for finding in self._found}
        invalid = InvalidRequest.of(*inside(path, [finding.violation for finding in self._found]))
        if kinds == {Kind.UNAVAILABLE}:
            return Disabled(invalid.message, violations=invalid.violations)
        return InvalidTemplate(invalid.message, violations=invalid.violations) if kinds == {Kind.TEMPLATE} else invalid

    def faults(self) -> list[pb.ChainFault]:
        """All faults as messages."""
        return [_fault(finding) for finding in self._found]

    def _add(self, kind: Kind, violation: Violation) -> None:
        if not self.full:
            self._found.append(Finding(kind, violation))


def _fault(finding: Finding) -> pb.ChainFault:
    of_template = finding.kind is Kind.TEMPLATE
    return pb.ChainFault(
        field=finding.violation.field,
        message=finding.violation.message,
        reason=pb.ERROR_REASON_INVALID_TEMPLATE if of_template else pb.ERROR_REASON_INVALID_FIELD,
        line=finding.violation.line,
    )


def inside(path: str, violations: Iterable[Violation]) -> tuple[Violation, ...]:
    """The same violations, seen from a message that has theirs at `path`; empty for the message itself."""
    if not path:
        return tuple(violations)
    return tuple(replace(one, field=f"{path}.{one.field}" if one.field else path) for one in violations)


def at_runtime(path: str, error: TemplateError) -> InvalidTemplate:
    """The error for a template that compiled, and failed on the values of this run."""
    violation = Violation(path, error.message, error.line)
    where = f"{path}, line {error.line}" if error.line else path
    return InvalidTemplate(f"{where}: {error.message}", violations=[violation])
