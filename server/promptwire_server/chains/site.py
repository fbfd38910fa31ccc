"""Site: a place in the request where something is compiled."""

from collections.abc import Callable
from dataclasses import dataclass, field, replace
from typing import Final, TypeVar

from promptwire_server.chains.effort import MOST_CHARS, MOST_TOKENS, Effort
from promptwire_server.chains.expression import Expression, compile_expression
from promptwire_server.chains.findings import Findings
from promptwire_server.chains.subset.fault import TemplateError
from promptwire_server.chains.template import Template, compile_template

Code = TypeVar("Code", Template, Expression)

_TOO_MUCH: Final = (
    f"the templates and expressions of a chain have at most {MOST_TOKENS} tokens and {MOST_CHARS} characters together:"
    " pass long texts and lists as inputs"
)


@dataclass(frozen=True, slots=True)
class Use:
    """A template or expression with what it refers to, for the check of references."""

    path: str
    code: Template | Expression
    step: int  # position of the step that it belongs to; -1: the chain's outputs
    after: bool  # evaluated when the step has run


@dataclass(slots=True)
class Sources:
    """All templates and expressions of one chain."""

    uses: list[Use] = field(default_factory=list)
    effort: Effort = field(default_factory=Effort)


@dataclass(frozen=True, slots=True)
class Site:
    """Compiles what stands at one place, and records what is wrong there."""

    path: str
    findings: Findings
    sources: Sources
    step: int = -1
    after: bool = False
    flat: bool = False  # the short form: all of a step stands in one field

    def at(self, name: str) -> "Site":
        """The place of a field in this place."""
        return self if self.flat else replace(self, path=f"{self.path}.{name}" if self.path else name)

    def item(self, index: int) -> "Site":
        """The place of an item, in the place of its list."""
        return self if self.flat else replace(self, path=f"{self.path}[{index}]")

    def ending(self) -> "Site":
        """The same place, evaluated when the step has run."""
        return replace(self, after=True)

    def fault(self, message: str) -> None:
        """Record that what stands here is wrong."""
        self.findings.field(self.path, message)

    def template(self, source: str) -> Template | None:
        """The template that stands here; None when it is wrong."""
        return self._compiled(source, compile_template, expression=False)

    def expression(self, source: str) -> Expression | None:
        """The expression that stands here; None when it is wrong."""
        return self._compiled(source, compile_expression, expression=True)

    def _compiled(self, source: str, compiler: Callable[[str], Code], *, expression: bool) -> Code | None:
        if self.findings.full:
            return None
        if not self.sources.effort.allows(source, expression=expression):
            self.findings.template(self.path, _TOO_MUCH)
            return None
        try:
            code = compiler(source)
        except TemplateError as error:
            self.findings.uncompiled(self.path, error)
            return None
        self.sources.uses.append(Use(self.path, code, self.step, self.after))
        return code
