"""The filters that keep some items of a list by a test: select, reject, selectattr, rejectattr."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Final

from jinja2 import nodes

from promptwire_server.chains.subset.binding import PRIVATE, Binder, Bound, constant
from promptwire_server.chains.subset.fault import Faults, Trouble
from promptwire_server.chains.subset.frame import Evaluate, Frame
from promptwire_server.chains.subset.operation import Operation, attribute_keys, follow
from promptwire_server.chains.subset.predicates import TESTS
from promptwire_server.chains.subset.reference import Key
from promptwire_server.chains.subset.values import MISSING, need_items


@dataclass(frozen=True, slots=True)
class Selection:
    """What sets the four apart."""

    by_attribute: bool
    keep: bool


SELECTIONS: Final = {
    "reject": Selection(by_attribute=False, keep=False),
    "rejectattr": Selection(by_attribute=True, keep=False),
    "select": Selection(by_attribute=False, keep=True),
    "selectattr": Selection(by_attribute=True, keep=True),
}

# Without a test, truth decides; an absent member counts as false.
_TRUTH: Final = Operation(lambda _frame, value, _: value is not MISSING and bool(value))
_DEFINED: Final = Operation(lambda _frame, value, _: value is not MISSING)
_UNDEFINED: Final = Operation(lambda _frame, value, _: value is MISSING)
_OPEN_TO_ABSENCE: Final = (_TRUTH, _DEFINED, _UNDEFINED)
_SELECTING: Final = {**TESTS, "defined": _DEFINED, "undefined": _UNDEFINED}


def compile_selection(node: nodes.Filter, subject: Evaluate, binder: Binder) -> Evaluate:
    """The filter over the list that `subject` gives; what raises Trouble is the caller's to guard."""
    selection = SELECTIONS[node.name]
    keys = _attribute(node, binder.faults) if selection.by_attribute else ()
    position = 1 if selection.by_attribute else 0
    test = _test(node, position, binder.faults)
    arguments = binder.bind(test, node.name, node, skip=position + 1)
    return _runner(node.name, selection, keys, test, subject, arguments)


def _attribute(node: nodes.Filter, faults: Faults) -> tuple[Key, ...]:
    attribute = constant(node.args[0]) if node.args else MISSING
    if not isinstance(attribute, str):
        faults.add("forbidden", node.lineno, f"{node.name} needs the name of a key in quotes: {node.name}('score', 'gt', 3)")
        return ()
    if any(part.startswith("_") for part in attribute.split(".")):
        faults.add("forbidden", node.lineno, PRIVATE)
        return ()
    try:
        return attribute_keys(attribute)
    except Trouble as trouble:
        faults.add(trouble.kind, node.lineno, trouble.message)
        return ()


def _test(node: nodes.Filter, position: int, faults: Faults) -> Operation:
    if len(node.args) <= position:
        return _TRUTH
    name = constant(node.args[position])
    if not isinstance(name, str):
        faults.add("forbidden", node.lineno, f"{node.name} needs the name of a test in quotes, such as 'gt'")
    elif name not in _SELECTING:
        faults.unknown(node.lineno, "test", name, _SELECTING)
    else:
        return _SELECTING[name]
    return _TRUTH


def _runner(title: str, selection: Selection, keys: tuple[Key, ...], test: Operation, subject: Evaluate, bound: Bound) -> Evaluate:
    demanding = test not in _OPEN_TO_ABSENCE

    def run(frame: Frame) -> object:
        entries = need_items(frame, subject(frame), title)
        arguments = bound(frame)
        frame.fit_items(len(entries))
        frame.spend(len(entries) * (8 + 2 * len(keys)))
        kept: list[object] = []
        for index, entry in enumerate(entries):
            value = follow(entry, keys)
            if demanding and value is MISSING:
                raise Trouble("undefined", f"item {index} of the list given to {title} has no such member")
            if bool(test.run(frame, value, arguments)) is selection.keep:
                kept.append(entry)
        return kept

    return run
