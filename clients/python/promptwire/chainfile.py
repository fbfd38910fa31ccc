"""The loader of chain files: YAML that people write -> `ChainSpec`, the message that programs send.

A file is the message in protobuf's JSON mapping, written as YAML, and a few short forms:

- `prompt: "text"` is `prompt: {user: "text"}`; a message may be `{role: user, text: "hi"}`, a part a bare text;
- `inputs` is a list of inputs, of bare names, or a mapping `topic: {json_schema: {type: string}}`;
- a field that holds JSON text (`json`, `json_schema`, `…_json`) takes JSON text or plain YAML; in YAML, null, true, false and numbers are
  what JSON calls so, everything else is text; text that begins with `{`, `[` or `"` must be JSON;
- enums without their prefix in any case (`on_error: skip`), durations with units (`30s`, `250ms`, `1h30m`);
- a text field takes a scalar as it is written, so `user: no` is the text "no";
- a whole file may be `prompts: [text, text]`, with `model` if need be: the short form of `RunChainRequest`.

Unknown and repeated keys are refused. Tags and merge keys are not taken; aliases are, within the bounds of `_yamltree`.
"""

import os
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path

from promptwire import _mapping as mapping
from promptwire import _yamltree as tree
from promptwire import v1 as pb
from promptwire._mapping import Fault
from promptwire.errors import Details, InvalidRequest, Violation

__all__ = ["ChainFile", "ChainFileError", "Fault", "load", "open_file", "parse", "read"]

_MAX_FILE_BYTES = 4 * tree.MAX_TEXT_CHARS  # UTF-8 has at most four bytes a character


class ChainFileError(InvalidRequest):
    """A chain file is faulty. `faults` has every fault with its path and line; nothing was sent to a server."""

    def __init__(self, faults: Sequence[Fault], source: str = "chain") -> None:
        self.faults = tuple(faults)
        self.source = source
        lines = [f"{source}:{fault.line}: {fault.path + ': ' if fault.path else ''}{fault.message}" for fault in faults]
        violations = tuple(Violation(fault.path, fault.message, fault.line) for fault in faults)
        super().__init__("\n".join(lines), details=Details(violations=violations))

    def __str__(self) -> str:
        return self.message  # one line a fault, as compilers write: no hint behind them


@dataclass(frozen=True, slots=True)
class ChainFile:
    """What a file says, and where it says it."""

    request: pb.RunChainRequest  # with `spec`, or with `prompts` and perhaps `model`
    lines: Mapping[str, int]  # path of a field, e.g. "steps[3].prompt.user" -> its line, from 1

    @property
    def spec(self) -> pb.ChainSpec:
        """The chain as steps; the short form is spelled out."""
        if self.request.HasField("spec"):
            return self.request.spec
        steps = [pb.Step(prompt=pb.PromptAction(user=prompt)) for prompt in self.request.prompts]
        models = [self.request.model] if self.request.model else []
        return pb.ChainSpec(steps=steps, defaults=pb.ChainDefaults(models=models) if models else None)

    def line_of(self, path: str) -> int:
        """The line of a field, or of the nearest thing around it; 0 when there is none. Takes a server's paths (`spec.steps[3]`) too."""
        path = path.removeprefix("run.").removeprefix("spec.")
        while path and path not in self.lines:
            path = path[: max(path.rfind("."), path.rfind("["), 0)]
        return self.lines.get(path, 0)


def load(path: str | os.PathLike[str]) -> pb.ChainSpec:
    """The chain in a file. Raises ChainFileError, and OSError when the file cannot be read."""
    return open_file(path).spec


def parse(text: str, *, source: str = "chain") -> pb.ChainSpec:
    """The chain in a text; `source` names it in errors. Raises ChainFileError."""
    return read(text, source=source).spec


def open_file(path: str | os.PathLike[str]) -> ChainFile:
    """A file with its lines. Raises ChainFileError, and OSError when the file cannot be read."""
    source = os.fspath(path)
    with Path(path).open("rb") as file:
        data = file.read(_MAX_FILE_BYTES + 1)
    try:
        return read(data.decode("utf-8-sig"), source=source)
    except UnicodeDecodeError as error:
        line = data.count(b"\n", 0, error.start) + 1
        message = "the file is too large" if len(data) > _MAX_FILE_BYTES else "not UTF-8; save the file in that encoding"
        raise ChainFileError([Fault("", message, line)], source) from None


def read(text: str, *, source: str = "chain") -> ChainFile:
    """A text with its lines; `source` names it in errors. Raises ChainFileError."""
    try:
        node = tree.parse(text)
    except tree.YamlFault as fault:
        raise ChainFileError([Fault("", fault.message, fault.line)], source) from None
    reader = mapping.Reader(_REWRITES)
    request = pb.RunChainRequest()
    if _keys(node) & {"prompts"}:
        _refuse_more(reader, node)
        reader.fill(request, node)
    else:
        request.spec.SetInParent()
        reader.fill(request.spec, node)
    if reader.faults:
        raise ChainFileError(sorted(reader.faults, key=lambda fault: fault.line), source)
    return ChainFile(request, reader.lines)


def _keys(node: tree.Node) -> set[str]:
    return {key.text for key, _ in node.pairs if isinstance(key, tree.Scalar)} if isinstance(node, tree.Pairs) else set()


def _refuse_more(reader: mapping.Reader, node: tree.Node) -> None:
    for key in sorted(_keys(node) - {"prompts", "model"}):
        reader.fault(key, "does not go with `prompts`, which takes only `model` beside it; write `steps` instead", node.line)


def _long_prompt(node: tree.Node) -> tree.Node:
    return _pair("user", node) if isinstance(node, tree.Scalar) else node


def _long_part(node: tree.Node) -> tree.Node:
    return _pair("text", node) if isinstance(node, tree.Scalar) else node


def _long_message(node: tree.Node) -> tree.Node:
    """`text: x` as `parts: [{text: x}]`."""
    if not isinstance(node, tree.Pairs):
        return node
    return tree.Pairs(tuple(_long_text(key, value) for key, value in node.pairs), node.line)


def _long_text(key: tree.Node, value: tree.Node) -> tuple[tree.Node, tree.Node]:
    if isinstance(key, tree.Scalar) and key.text == "text":
        return tree.Scalar("parts", plain=True, line=key.line), tree.Items((_pair("text", value),), value.line)
    return key, value


def _long_input(node: tree.Node) -> tree.Node:
    return _pair("name", node) if isinstance(node, tree.Scalar) else node


def _long_chain(node: tree.Node) -> tree.Node:
    """`inputs` as a mapping -> as a list."""
    if not isinstance(node, tree.Pairs):
        return node
    return tree.Pairs(tuple((key, _long_inputs(value) if _is(key, "inputs") else value) for key, value in node.pairs), node.line)


def _long_inputs(node: tree.Node) -> tree.Node:
    if not isinstance(node, tree.Pairs):
        return node
    return tree.Items(tuple(_named_input(key, value) for key, value in node.pairs), node.line)


def _named_input(name: tree.Node, about: tree.Node) -> tree.Node:
    named = (tree.Scalar("name", plain=True, line=name.line), name)
    if isinstance(about, tree.Pairs):
        return tree.Pairs((named, *about.pairs), name.line)
    if isinstance(about, tree.Scalar) and about.is_null:
        return tree.Pairs((named,), name.line)
    return tree.Wrong("an input is a mapping such as {json_schema: {type: string}}, or nothing", about.line)


def _pair(key: str, value: tree.Node) -> tree.Pairs:
    return tree.Pairs(((tree.Scalar(key, plain=True, line=value.line), value),), value.line)


def _is(node: tree.Node, key: str) -> bool:
    return isinstance(node, tree.Scalar) and node.text == key


_REWRITES: Mapping[str, mapping.Rewrite] = {
    pb.ChainSpec.DESCRIPTOR.full_name: _long_chain,
    pb.ChainInput.DESCRIPTOR.full_name: _long_input,
    pb.ChatMessage.DESCRIPTOR.full_name: _long_message,
    pb.ContentPart.DESCRIPTOR.full_name: _long_part,
    pb.PromptAction.DESCRIPTOR.full_name: _long_prompt,
}
