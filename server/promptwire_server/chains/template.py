"""Templates: the text of a prompt with values in it, in a checked subset of Jinja."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field

from promptwire_server.chains.subset.fault import Faults, TemplateError
from promptwire_server.chains.subset.frame import DEFAULT_LIMITS, Execute, Frame, Limits
from promptwire_server.chains.subset.scope import Scope
from promptwire_server.chains.subset.source import parse_template, recording
from promptwire_server.chains.subset.statements import Statements

__all__ = ["Limits", "Template", "TemplateError", "compile_template"]


@dataclass(frozen=True, slots=True)
class Template:
    """A compiled template; may be rendered any number of times, also at the same time.

    `names`, `paths` and `optional` are those of Expression.
    """

    source: str
    names: frozenset[str]
    paths: frozenset[tuple[str, ...]]
    optional: frozenset[tuple[str, ...]]
    _slots: int = field(repr=False)
    _limits: Limits = field(repr=False)
    _run: Execute = field(repr=False)

    def render(self, values: Mapping[str, object]) -> str:
        """The text. Raises TemplateError of kind undefined, limit or type; takes tens of milliseconds at the very most."""
        frame = Frame(values, self._slots, self._limits)
        self._run(frame)
        return "".join(frame.parts)


def compile_template(source: str, *, limits: Limits = DEFAULT_LIMITS) -> Template:
    """Compile a template; this takes up to some milliseconds, or tens for one of many thousand tokens.

    Raises TemplateError of kind syntax, forbidden or limit, with all faults that can be found at once.
    """
    faults, scope = Faults(), Scope()
    tree = parse_template(source, limits, faults)
    run = None
    if tree is not None:
        with recording(faults):
            run = Statements(faults, scope).block(tree.body)
    if run is None or faults:
        raise faults.error()
    paths, optional = frozenset(scope.paths), frozenset(scope.optional)
    return Template(source, frozenset(scope.names), paths, optional, scope.slots, limits, run)
