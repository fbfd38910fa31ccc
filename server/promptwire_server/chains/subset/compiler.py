"""The compiler of expressions: each node of the syntax tree becomes a closure, or a fault."""

from __future__ import annotations

import operator
from collections.abc import Callable
from typing import Final

from jinja2 import nodes

from promptwire_server.chains.subset import reference
from promptwire_server.chains.subset.binding import PRIVATE, Binder, constant, keywords
from promptwire_server.chains.subset.fault import Faults, Trouble
from promptwire_server.chains.subset.forbidden import advice, text_operand
from promptwire_server.chains.subset.frame import Evaluate, Frame
from promptwire_server.chains.subset.jsontext import to_text
from promptwire_server.chains.subset.list_filters import LIST_FILTERS
from promptwire_server.chains.subset.predicates import TESTS
from promptwire_server.chains.subset.reference import Lookup
from promptwire_server.chains.subset.scope import LOOP_NAME, Scope
from promptwire_server.chains.subset.selection import SELECTIONS, compile_selection
from promptwire_server.chains.subset.text_filters import TEXT_FILTERS
from promptwire_server.chains.subset.values import (
    MISSING,
    Number,
    bounded,
    calculate,
    contains,
    cut,
    equal,
    need_number,
    need_unicode,
    ordered,
)

FILTERS: Final = {**TEXT_FILTERS, **LIST_FILTERS}
_DEFAULT_NAMES: Final = ("default", "d")
_DEFAULT_PARAMETERS: Final = (("default_value", ""), ("boolean", False))
_PRESENCE_TESTS: Final = ("defined", "undefined")
FILTER_NAMES: Final = frozenset({*FILTERS, *SELECTIONS, *_DEFAULT_NAMES})
TEST_NAMES: Final = frozenset({*TESTS, *_PRESENCE_TESTS})

_ARITHMETIC: Final[dict[type[nodes.BinExpr], tuple[str, Callable[[Number, Number], Number]]]] = {
    nodes.Add: ("+", operator.add),
    nodes.Sub: ("-", operator.sub),
    nodes.Mul: ("*", operator.mul),
    nodes.Div: ("/", operator.truediv),
    nodes.FloorDiv: ("//", operator.floordiv),
    nodes.Mod: ("%", operator.mod),
}

_COMPARISONS: Final[dict[str, Callable[[Frame, object, object], bool]]] = {
    "eq": equal,
    "ne": lambda frame, left, right: not equal(frame, left, right),
    "lt": lambda frame, left, right: ordered(frame, "<", left, right),
    "lteq": lambda frame, left, right: ordered(frame, "<=", left, right),
    "gt": lambda frame, left, right: ordered(frame, ">", left, right),
    "gteq": lambda frame, left, right: ordered(frame, ">=", left, right),
    "in": lambda frame, left, right: contains(frame, right, left),
    "notin": lambda frame, left, right: not contains(frame, right, left),
}

# From the index, counted from 0, and the number of items.
_LOOP: Final[dict[str, Callable[[int, int], object]]] = {
    "index": lambda index, _: index + 1,
    "index0": lambda index, _: index,
    "first": lambda index, _: index == 0,
    "last": lambda index, length: index + 1 == length,
    "length": lambda _, length: length,
    "revindex": lambda index, length: length - index,
    "revindex0": lambda index, length: length - index - 1,
}


class Compiler:
    """Compiles the expressions of one template. Goes on after a fault, with a closure that is never run."""

    def __init__(self, faults: Faults, scope: Scope) -> None:
        self._faults = faults
        self._scope = scope
        self._binder = Binder(self.expression, faults)

    def expression(self, node: nodes.Node) -> Evaluate:  # noqa: C901, PLR0911 - a table: one line for each node type
        """The closure of the strict form: what is undefined raises."""
        match node:
            case nodes.Const():
                return self._constant(node)
            case nodes.Name() | nodes.Getattr() | nodes.Getitem() | nodes.Filter():
                return reference.required(self._lookup(node, guarded=False), node.lineno)
            case nodes.Test():
                return self._test(node)
            case nodes.Compare():
                return self._compare(node)
            case nodes.And() | nodes.Or():
                return self._logic(node)
            case nodes.Not():
                inner = self.expression(node.node)
                return lambda frame: not inner(frame)
            case nodes.Neg() | nodes.Pos():
                return self._sign(node)
            case nodes.CondExpr():
                return self._condition(node)
            case nodes.Concat():
                return self._concat(node)
            case nodes.List() | nodes.Tuple():
                parts = [self.expression(entry) for entry in node.items]
                return lambda frame: [part(frame) for part in parts]
            case nodes.Dict():
                return self._dict(node)
            case nodes.BinExpr() if type(node) in _ARITHMETIC:
                return self._arithmetic(node)
        return self._refuse(node)

    def _refuse(self, node: nodes.Node) -> Evaluate:
        self._faults.add("forbidden", node.lineno, advice(node))
        for child in node.iter_child_nodes():
            # The faults inside are worth knowing too.
            self.expression(child.value if isinstance(child, (nodes.Keyword, nodes.Pair)) else child)
        return _nothing

    def _constant(self, node: nodes.Const) -> Evaluate:
        value: object = node.value
        try:
            if isinstance(value, (int, float)):
                bounded(value)
            elif isinstance(value, str):
                need_unicode(value)
        except Trouble as trouble:
            self._faults.add(trouble.kind, node.lineno, trouble.message)
        return lambda _: value

    def _lookup(self, node: nodes.Expr, *, guarded: bool) -> Lookup:
        """The lenient form, which may give MISSING; only names, attributes, items and filters can."""
        root, keys = reference.split_path(node)
        self._check_attributes(node)
        if isinstance(root, nodes.Name):
            return self._named(root, keys, guarded=guarded)
        base = self._base(root, guarded=guarded)
        return reference.walk(base, keys, reference.describe(root)) if keys else base

    def _check_attributes(self, node: nodes.Node) -> None:
        while isinstance(node, (nodes.Getattr, nodes.Getitem)):
            if isinstance(node, nodes.Getattr) and node.attr.startswith("_"):
                self._faults.add("forbidden", node.lineno, PRIVATE)
            node = node.node

    def _named(self, root: nodes.Name, keys: tuple[reference.Key, ...], *, guarded: bool) -> Lookup:
        if root.name == LOOP_NAME:
            return self._loop(root, keys)
        number = self._scope.slot(root.name)
        if number is None:
            self._scope.use(root.name, keys, guarded=guarded)
        base = reference.free_name(root.name) if number is None else reference.slot(number)
        return reference.walk(base, keys, root.name) if keys else base

    def _loop(self, root: nodes.Name, keys: tuple[reference.Key, ...]) -> Lookup:
        depth = self._scope.depth
        if not depth:
            self._faults.add("forbidden", root.lineno, "'loop' is only known inside a for")
        elif len(keys) != 1 or keys[0] not in _LOOP:
            self._faults.add("forbidden", root.lineno, f"'loop' has only these members: {', '.join(_LOOP)}")
        else:
            compute, place = _LOOP[str(keys[0])], depth - 1
            return _present(lambda frame: compute(frame.indexes[place], frame.lengths[place]))
        return _ABSENT

    def _base(self, node: nodes.Expr, *, guarded: bool) -> Lookup:
        match node:
            case nodes.Getitem(arg=nodes.Slice() as bounds):
                return _present(self._slice(node, bounds))
            case nodes.Getitem(arg=nodes.Tuple()):
                self._faults.add("forbidden", node.lineno, "brackets after a name take one index, not several")
                return _ABSENT
            case nodes.Getitem():
                subject = self._lookup(node.node, guarded=guarded)
                return reference.dynamic(subject, self.expression(node.arg), reference.describe(node))
            case nodes.Filter():
                return self._filter(node, guarded=guarded)
        return _present(self.expression(node))

    def _slice(self, node: nodes.Getitem, bounds: nodes.Slice) -> Evaluate:
        if bounds.step is not None:
            self._faults.add("forbidden", node.lineno, "a slice takes no step: write list[start:stop]")
        subject = self.expression(node.node)
        start = self.expression(bounds.start or _NONE)
        stop = self.expression(bounds.stop or _NONE)
        return _guard(node.lineno, lambda frame: cut(frame, subject(frame), start(frame), stop(frame)))

    def _filter(self, node: nodes.Filter, *, guarded: bool) -> Lookup:
        if node.node is None:
            self._refuse(node)
            return _ABSENT
        if node.name in _DEFAULT_NAMES:
            return _present(self._default(node, node.node))
        subject = self._lookup(node.node, guarded=True).find if guarded else self.expression(node.node)
        run = _guard(node.lineno, self._applied(node, subject))
        text = reference.describe(node)
        return Lookup(run, lambda _: f"'{text}' is undefined: there is no such item")

    def _applied(self, node: nodes.Filter, subject: Evaluate) -> Evaluate:
        if node.name in SELECTIONS:
            return compile_selection(node, subject, self._binder)
        operation = FILTERS.get(node.name)
        if operation is None:
            self._faults.unknown(node.lineno, "filter", node.name, FILTER_NAMES)
            self._arguments(node)
            return _nothing
        if node.name == "map" and node.args:
            self._faults.add("forbidden", node.lineno, "map takes only the name of a key: map(attribute='title')")
        bound = self._binder.bind(operation, node.name, node)
        run = operation.run

        def apply(frame: Frame) -> object:
            value = subject(frame)
            return value if value is MISSING else run(frame, value, bound(frame))

        return apply

    def _arguments(self, node: nodes.Filter | nodes.Test) -> None:
        """Find the faults in arguments of what is refused itself."""
        for argument in [*node.args, *(keyword.value for keyword in keywords(node))]:
            self.expression(argument)

    def _default(self, node: nodes.Filter, inner: nodes.Expr) -> Evaluate:
        subject = self._lookup(inner, guarded=True).find
        bound = self._binder.parts(_DEFAULT_PARAMETERS, node.name, node)
        fallback, falsy = bound

        def run(frame: Frame) -> object:
            value = subject(frame)
            if value is MISSING or (not value and falsy(frame)):
                return fallback(frame)
            return value

        return run

    def _test(self, node: nodes.Test) -> Evaluate:
        if node.name in _PRESENCE_TESTS:
            return self._presence(node)
        operation = TESTS.get(node.name)
        subject = self.expression(node.node)
        if operation is None:
            self._faults.unknown(node.lineno, "test", node.name, TEST_NAMES)
            self._arguments(node)
            return _nothing
        bound = self._binder.bind(operation, node.name, node)
        run = operation.run
        return _guard(node.lineno, lambda frame: run(frame, subject(frame), bound(frame)))

    def _presence(self, node: nodes.Test) -> Evaluate:
        find = self._lookup(node.node, guarded=True).find
        wanted = node.name == "undefined"
        if node.args or node.kwargs:
            self._faults.add("syntax", node.lineno, f"{node.name} takes no arguments")
        return lambda frame: (find(frame) is MISSING) is wanted

    def _compare(self, node: nodes.Compare) -> Evaluate:
        first = self.expression(node.expr)
        links = [(_COMPARISONS[operand.op], self.expression(operand.expr)) for operand in node.ops]

        def run(frame: Frame) -> object:
            left = first(frame)
            for holds, operand in links:
                right = operand(frame)
                if not holds(frame, left, right):
                    return False
                left = right
            return True

        return _guard(node.lineno, run)

    def _logic(self, node: nodes.And | nodes.Or) -> Evaluate:
        left, right = self.expression(node.left), self.expression(node.right)
        if isinstance(node, nodes.And):
            return lambda frame: left(frame) and right(frame)
        return lambda frame: left(frame) or right(frame)

    def _sign(self, node: nodes.Neg | nodes.Pos) -> Evaluate:
        inner = self.expression(node.node)
        symbol, sign = ("-", operator.neg) if isinstance(node, nodes.Neg) else ("+", operator.pos)
        self._check_operand(symbol, node.node)
        return _guard(node.lineno, lambda frame: sign(need_number(inner(frame), symbol)))

    def _condition(self, node: nodes.CondExpr) -> Evaluate:
        test, first = self.expression(node.test), self.expression(node.expr1)
        second = self.expression(node.expr2 or _NONE)
        return lambda frame: first(frame) if test(frame) else second(frame)

    def _concat(self, node: nodes.Concat) -> Evaluate:
        parts = [self.expression(part) for part in node.nodes]

        def run(frame: Frame) -> object:
            texts = [to_text(frame, part(frame)) for part in parts]
            frame.fit(sum(map(len, texts)))
            return frame.keep("".join(texts))

        return _guard(node.lineno, run)

    def _dict(self, node: nodes.Dict) -> Evaluate:
        members = [(self._key(pair), self.expression(pair.value)) for pair in node.items]
        return lambda frame: {key: value(frame) for key, value in members}

    def _key(self, pair: nodes.Pair) -> str:
        key = constant(pair.key)
        if isinstance(key, str):
            return key
        self._faults.add("forbidden", pair.lineno, "a key of an object is text in quotes")
        self.expression(pair.key)
        return ""

    def _arithmetic(self, node: nodes.BinExpr) -> Evaluate:
        symbol, operation = _ARITHMETIC[type(node)]
        left, right = self.expression(node.left), self.expression(node.right)
        self._check_operand(symbol, node.left)
        self._check_operand(symbol, node.right)
        return _guard(node.lineno, lambda frame: calculate(symbol, operation, left(frame), right(frame)))

    def _check_operand(self, symbol: str, node: nodes.Expr) -> None:
        """Text by its very form is a fault already when compiled; other text is one when rendered."""
        written = isinstance(node, (nodes.List, nodes.Tuple, nodes.Dict, nodes.Concat))
        if written or isinstance(constant(node), str):
            self._faults.add("forbidden", node.lineno, text_operand(symbol))


_NONE: Final = nodes.Const(None, lineno=1)


def _nothing(_: Frame) -> object:
    return None


def _present(find: Evaluate) -> Lookup:
    return Lookup(find, lambda _: "this is undefined")


_ABSENT: Final = _present(_nothing)


def _guard(line: int, run: Evaluate) -> Evaluate:
    """Give the line to what goes wrong inside."""

    def guarded(frame: Frame) -> object:
        try:
            return run(frame)
        except Trouble as trouble:
            raise trouble.at(line) from None

    return guarded
