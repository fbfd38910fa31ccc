"""Expressions: conditions, transforms and outputs of a chain, in the language of templates."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field

from promptwire_server.chains.subset.compiler import Compiler
from promptwire_server.chains.subset.fault import Faults, TemplateError
from promptwire_server.chains.subset.frame import DEFAULT_LIMITS, Evaluate, Frame, Limits
from promptwire_server.chains.subset.scope import Scope
from promptwire_server.chains.subset.source import parse_expression, recording

__all__ = ["Expression", "Limits", "TemplateError", "compile_expression"]


@dataclass(frozen=True, slots=True)
class Expression:
    """A compiled expression; may be evaluated any number of times, also at the same time.

    `names` are the values it refers to and `paths` the same with the constant keys after them, up to the first index:
    ("steps", "classify", "text"). A path in `optional` is guarded by `default` or `is defined` in at least one place.
    """

    source: str
    names: frozenset[str]
    paths: frozenset[tuple[str, ...]]
    optional: frozenset[tuple[str, ...]]
    _limits: Limits = field(repr=False)
    _run: Evaluate = field(repr=False)

    def evaluate(self, values: Mapping[str, object]) -> object:
        """The value, of the types of JSON. Lists and objects may be those of `values`: they must not be changed.

        Raises TemplateError of kind undefined, limit or type.
        """
        return self._run(Frame(values, 0, self._limits))

    def truth(self, values: Mapping[str, object]) -> bool:
        """Whether the value counts as true: nothing, false, 0 and what is empty do not. Raises as `evaluate`."""
        return bool(self.evaluate(values))


def compile_expression(source: str, *, limits: Limits = DEFAULT_LIMITS) -> Expression:
    """Compile one expression, with or without braces around it; this takes up to some milliseconds.

    Raises TemplateError of kind syntax, forbidden or limit, with all faults that can be found at once.
    """
    faults, scope = Faults(), Scope()
    tree = parse_expression(_without_braces(source), limits, faults)
    run = None
    if tree is not None:
        with recording(faults):
            run = Compiler(faults, scope).expression(tree)
    if run is None or faults:
        raise faults.error()
    return Expression(source, frozenset(scope.names), frozenset(scope.paths), frozenset(scope.optional), limits, run)


def _without_braces(source: str) -> str:
    inner = source.strip()
    if not (inner.startswith("{{") and inner.endswith("}}") and len(inner) >= len("{{}}")):
        return source
    # Blanks keep the number of lines before the expression, so that faults name the right one.
    start = source.index("{{")
    return source[:start] + inner.removeprefix("{{").removesuffix("}}").removeprefix("-").removesuffix("-")
