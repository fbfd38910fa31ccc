"""Arguments of filters and tests: matched with parameters when compiled, evaluated when rendered."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass

from jinja2 import nodes

from promptwire_server.chains.subset.fault import Faults
from promptwire_server.chains.subset.frame import Evaluate, Frame
from promptwire_server.chains.subset.operation import REQUIRED, Arguments, Operation, Parameters
from promptwire_server.chains.subset.values import MISSING, kind

Bound = Callable[[Frame], Arguments]
Given = dict[str, nodes.Expr]
Use = nodes.Filter | nodes.Test


@dataclass(frozen=True, slots=True)
class Binder:
    """Binds the arguments of one use of an operation; `compile_node` is the compiler's way with an expression."""

    compile_node: Callable[[nodes.Expr], Evaluate]
    faults: Faults

    def bind(self, operation: Operation, title: str, node: Use, skip: int = 0) -> Bound:
        """`skip` positional arguments belong to somebody else, as the name of the test in select does."""
        parameters = operation.parameters
        given = self._given(parameters, title, node, skip)
        parts = self._compiled(parameters, given)
        values = [constant(given[name]) if name in given else default for name, default in parameters]
        if all(value is not MISSING or name not in given for value, (name, _) in zip(values, parameters, strict=True)):
            fixed = tuple(values)
            return lambda _: fixed
        return lambda frame: tuple([part(frame) for part in parts])

    def parts(self, parameters: Parameters, title: str, node: Use) -> tuple[Evaluate, ...]:
        """One closure for each parameter, for filters that do not need all arguments each time."""
        return self._compiled(parameters, self._given(parameters, title, node, 0))

    def _compiled(self, parameters: Parameters, given: Given) -> tuple[Evaluate, ...]:
        compiled = {name: self.compile_node(argument) for name, argument in given.items()}
        return tuple(compiled.get(name) or _always(default) for name, default in parameters)

    def _given(self, parameters: Parameters, title: str, node: Use, skip: int) -> Given:
        names = [name for name, _ in parameters]
        positional = node.args[skip:]
        if node.dyn_args is not None or node.dyn_kwargs is not None:
            self.faults.add("forbidden", node.lineno, f"* and ** are not allowed in {title}: write the arguments out")
        if len(positional) > len(names):
            allowed = f"at most {len(names)} arguments" if names else "no arguments"
            self.faults.add("syntax", node.lineno, f"{title} takes {allowed}: {title}{_usage(parameters)}")
        given = dict(zip(names, positional, strict=False))
        for keyword in keywords(node):
            self._keyword(given, keyword, names, title)
        self._check_required(parameters, given, title, node.lineno)
        self._check_attribute(given, title)
        return given

    def _check_required(self, parameters: Parameters, given: Given, title: str, line: int) -> None:
        for name, default in parameters:
            if default is REQUIRED and name not in given:
                self.faults.add("syntax", line, f"{title} needs '{name}': {title}{_usage(parameters)}")

    def _keyword(self, given: Given, keyword: nodes.Keyword, names: list[str], title: str) -> None:
        if keyword.key not in names:
            self.faults.unknown(keyword.lineno, f"argument of {title}", keyword.key, names)
        elif keyword.key in given:
            self.faults.add("syntax", keyword.lineno, f"{title} is given '{keyword.key}' twice")
        else:
            given[keyword.key] = keyword.value

    def _check_attribute(self, given: Given, title: str) -> None:
        argument = given.get("attribute")
        if argument is None:
            return
        attribute = constant(argument)
        if attribute is None:
            return
        if not isinstance(attribute, str):
            what = "an expression" if attribute is MISSING else kind(attribute)
            self.faults.add("forbidden", argument.lineno, f"the attribute of {title} is a name in quotes such as 'title', not {what}")
        elif any(part.startswith("_") for part in attribute.split(".")):
            self.faults.add("forbidden", argument.lineno, PRIVATE)


PRIVATE = "names that start with an underscore are not allowed as attributes: write item['_name'] for a key of that name"


def keywords(node: Use) -> list[nodes.Keyword]:
    """The named arguments; Jinja's own annotation of them is wrong."""
    return [child for child in node.iter_child_nodes() if isinstance(child, nodes.Keyword)]


def _usage(parameters: Parameters) -> str:
    return f"({', '.join(name if default is REQUIRED else f'{name}=...' for name, default in parameters)})"


def _always(value: object) -> Evaluate:
    return lambda _: value


def constant(node: nodes.Node) -> object:
    """The value of a literal, also of a negative number; MISSING for all else."""
    if isinstance(node, nodes.Const):
        value: object = node.value
        return value
    if isinstance(node, nodes.Neg) and isinstance(node.node, nodes.Const):
        number: object = node.node.value
        if isinstance(number, (int, float)) and not isinstance(number, bool):
            return -number
    return MISSING
