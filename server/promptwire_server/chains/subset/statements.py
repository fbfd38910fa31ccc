"""The compiler of statements: text, output, if and for, each a closure that writes to the frame."""

from __future__ import annotations

from collections.abc import Callable, Iterator, Sequence
from dataclasses import dataclass
from typing import Final

from jinja2 import nodes

from promptwire_server.chains.subset.compiler import Compiler
from promptwire_server.chains.subset.fault import Faults, TemplateError, Trouble
from promptwire_server.chains.subset.frame import LOOP_DEPTH, Evaluate, Execute, Frame
from promptwire_server.chains.subset.jsontext import to_text
from promptwire_server.chains.subset.scope import LOOP_NAME, Scope
from promptwire_server.chains.subset.values import need_items

_TARGETS_MOST: Final = 8

# What a node costs in a loop, in units of fuel, as measured; work that grows with the values is paid for by the operations.
_CHEAP: Final = 2
_DEAR: Final = 8
_DEAR_NODES: Final = (nodes.Filter, nodes.Test, nodes.BinExpr, nodes.Concat, nodes.Compare, nodes.List, nodes.Tuple, nodes.Dict, nodes.For)


class Statements:
    """Compiles the statements of one template. Goes on after a fault, with a closure that is never run."""

    def __init__(self, faults: Faults, scope: Scope) -> None:
        self._faults = faults
        self._scope = scope
        self._compiler = Compiler(faults, scope)

    def block(self, body: Sequence[nodes.Node]) -> Execute:
        """The closure that runs the statements one after the other."""
        steps = [step for node in body for step in self._statement(node)]
        if len(steps) == 1:
            return steps[0]

        def run(frame: Frame) -> None:
            for step in steps:
                step(frame)

        return run

    def _statement(self, node: nodes.Node) -> Iterator[Execute]:
        match node:
            case nodes.Output():
                for part in node.nodes:
                    yield self._output(part)
            case nodes.If():
                yield self._if(node)
            case nodes.For():
                yield self._for(node)
            case _:
                self._refuse(node)

    def _refuse(self, node: nodes.Node) -> None:
        """Find the faults inside; the tag itself was reported when the source was scanned, unless Jinja has a new one."""
        if not self._faults:
            self._faults.add("forbidden", node.lineno, f"{type(node).__name__} is not allowed in this language")
        for child in node.iter_child_nodes():
            if isinstance(child, nodes.Stmt):
                self.block([child])
            elif isinstance(child, nodes.Expr) and not isinstance(child, nodes.Name):
                self._compiler.expression(child)

    def _output(self, node: nodes.Node) -> Execute:
        if isinstance(node, nodes.TemplateData):
            return _writer_of_text(node.data, node.lineno)
        return _writer(self._compiler.expression(node), node.lineno)

    def _if(self, node: nodes.If) -> Execute:
        branches = [(self._compiler.expression(each.test), self.block(each.body)) for each in [node, *node.elif_]]
        otherwise = self.block(node.else_)

        def run(frame: Frame) -> None:
            for holds, body in branches:
                if holds(frame):
                    return body(frame)
            return otherwise(frame)

        return run

    def _for(self, node: nodes.For) -> Execute:
        self._check_loop(node)
        names = self._targets(node.target)
        first = self._scope.take_slots(len(names))
        items = self._compiler.expression(node.iter)
        with self._scope.inside({name: first + offset for offset, name in enumerate(names)}):
            # As in Jinja, `loop` means the outer loop here: how many items there are is not known yet.
            chosen = None if node.test is None else self._compiler.expression(node.test)
            self._scope.depth += 1
            body = self.block(node.body)
            self._scope.depth -= 1
        return _Loop(
            items=items,
            chosen=chosen,
            assign=_assigner(first, len(names), node.lineno),
            body=body,
            otherwise=self.block(node.else_),
            place=min(self._scope.depth, LOOP_DEPTH - 1),
            cost=_CHEAP + _cost(node.body) + (0 if node.test is None else _cost([node.test])),
            line=node.lineno,
        ).run

    def _check_loop(self, node: nodes.For) -> None:
        if self._scope.depth >= LOOP_DEPTH:
            self._faults.add("forbidden", node.lineno, f"for may be nested {LOOP_DEPTH} deep: prepare the list in a transform step")
        if node.recursive:
            self._faults.add("forbidden", node.lineno, "'recursive' is not allowed: write out the levels")

    def _targets(self, target: nodes.Node) -> list[str]:
        parts = target.items if isinstance(target, nodes.Tuple) else [target]
        names = [part.name for part in parts if isinstance(part, nodes.Name)]
        if len(names) != len(parts) or len(names) > _TARGETS_MOST:
            self._faults.add("forbidden", target.lineno, f"for takes a name, or up to {_TARGETS_MOST} names with commas between")
        if LOOP_NAME in names:
            self._faults.add("forbidden", target.lineno, "'loop' is the name of the loop itself: choose another")
        return names


def _cost(body: Sequence[nodes.Node]) -> int:
    """What one turn of a loop can cost. Loops inside pay for their own turns."""
    waiting, count = list(body), 0
    while waiting:
        node = waiting.pop()
        count += _DEAR if isinstance(node, _DEAR_NODES) else _CHEAP
        waiting.extend([node.iter] if isinstance(node, nodes.For) else node.iter_child_nodes())
    return count


@dataclass(frozen=True, slots=True, kw_only=True)
class _Loop:
    items: Evaluate
    chosen: Evaluate | None
    assign: Callable[[Frame, object], None]
    body: Execute
    otherwise: Execute
    place: int
    cost: int
    line: int

    def run(self, frame: Frame) -> None:
        entries = self._entries(frame)
        if not entries:
            return self.otherwise(frame)
        frame.lengths[self.place] = len(entries)
        assign, body, place, indexes = self.assign, self.body, self.place, frame.indexes
        for index, entry in enumerate(entries):
            indexes[place] = index
            assign(frame, entry)
            body(frame)
        return None

    def _entries(self, frame: Frame) -> Sequence[object]:
        value = self.items(frame)
        try:
            entries = need_items(frame, value, "for")
            # All turns are paid for beforehand: too long a list fails at once.
            frame.spend(len(entries) * self.cost)
            return entries if self.chosen is None else self._chosen(frame, entries, self.chosen)
        except Trouble as trouble:
            raise trouble.at(self.line) from None

    def _chosen(self, frame: Frame, entries: Sequence[object], chosen: Evaluate) -> list[object]:
        frame.fit_items(len(entries))
        kept: list[object] = []
        for entry in entries:
            self.assign(frame, entry)
            if chosen(frame):
                kept.append(entry)
        return kept


def _assigner(first: int, count: int, line: int) -> Callable[[Frame, object], None]:
    def assign_one(frame: Frame, entry: object) -> None:
        frame.slots[first] = entry

    def assign_all(frame: Frame, entry: object) -> None:
        if not isinstance(entry, (list, tuple)) or len(entry) != count:
            raise TemplateError("type", line, f"for with {count} names needs lists of {count} items; for an object, write object|items")
        frame.slots[first : first + count] = entry

    return assign_one if count == 1 else assign_all


def _writer_of_text(text: str, line: int) -> Execute:
    def write(frame: Frame) -> None:
        try:
            frame.write(text)
        except Trouble as trouble:
            raise trouble.at(line) from None

    return write


def _writer(expression: Evaluate, line: int) -> Execute:
    def write(frame: Frame) -> None:
        value = expression(frame)
        try:
            frame.write(value if type(value) is str else to_text(frame, value))
        except Trouble as trouble:
            raise trouble.at(line) from None

    return write
