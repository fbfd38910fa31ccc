"""From text to a syntax tree, with everything refused that would strain the parser or that no later check could bound."""

from __future__ import annotations

import re
from collections.abc import Iterator
from contextlib import contextmanager
from typing import Final, TypeVar

from jinja2 import Environment, TemplateSyntaxError, nodes
from jinja2.parser import Parser

from promptwire_server.chains.subset.fault import Faults, Trouble
from promptwire_server.chains.subset.frame import Limits
from promptwire_server.chains.subset.values import need_unicode

# Read only by the lexer and the parser: no template is ever run by it. What is written is what is sent, so the last
# newline stays.
_ENVIRONMENT: Final = Environment(keep_trailing_newline=True, autoescape=False)  # noqa: S701 - prompts are no HTML

TAGS: Final = frozenset({"if", "elif", "else", "endif", "for", "endfor", "raw", "endraw"})
_ELSEWHERE: Final = "compute values in a transform step and use its output here"
_REFUSED_TAGS: Final = {
    "set": f"'set' is not allowed: {_ELSEWHERE}",
    "with": f"'with' is not allowed: {_ELSEWHERE}",
    "macro": "'macro' is not allowed: write the text where it is used, or make it a step of its own",
    "call": "'call' is not allowed: write the text where it is used",
    "include": "'include' is not allowed: a template is complete in itself; pass other texts as inputs",
    "import": "'import' is not allowed: a template is complete in itself",
    "from": "'from ... import' is not allowed: a template is complete in itself",
    "extends": "'extends' is not allowed: a template is complete in itself",
    "block": "'block' is not allowed: write the text where it is used",
    "filter": "'filter' blocks are not allowed: use a filter in an output, such as {{ topic|upper }}",
    "autoescape": "'autoescape' is not allowed: use the filter 'escape' where markup is wanted",
}
_OPENING_TAGS: Final = frozenset({"if", "for", "set", "with", "macro", "call", "block", "filter", "autoescape"})
_REFUSED_ENDS: Final = frozenset(f"end{tag}" for tag in _REFUSED_TAGS)

# Each of these in a row makes the parser call itself once: not not not x, - - - 1, a if b else c if d else e.
_RECURSIVE: Final = frozenset({"-", "+", "not", "else"})
_BRACKETS: Final = {"(": 1, "[": 1, "{": 1, ")": -1, "]": -1, "}": -1}
_NUMBERS: Final = frozenset({"integer", "float"})
# The parser would give up on longer ones without a line, and later checks allow no larger numbers anyway.
_NUMBER_CHARS: Final = 400
# Python only warns about escapes it does not know, and will refuse them one day; here they are wrong from the start.
_ESCAPE: Final = re.compile(r"\\(.)", re.DOTALL)
_KNOWN_ESCAPES: Final = frozenset("\\'\"abfnrtvxuUN01234567\n")
_END_TWICE: Final = "unexpected 'end of template'"  # the parser's words for an expression that stops in the middle
_INSTEAD: Final = {
    "'&'": "write `and`",
    "'!'": "write `not`, or != to compare",
    "'?'": "write `a if condition else b`",
    '"\'"': "the text that begins there has no closing quote",
    "'\"'": "the text that begins there has no closing quote",
}
_ADVICE: Final = re.compile(rf"unexpected char ({'|'.join(map(re.escape, _INSTEAD))}) at \d+")

_Tree = TypeVar("_Tree", bound=nodes.Node)


def parse_template(source: str, limits: Limits, faults: Faults) -> nodes.Template | None:
    """The syntax tree, or None when a fault was recorded that leaves none. A tree may come together with faults."""
    with recording(faults):
        if _Scan(limits, faults).passes(source, None):
            return _shallow(Parser(_ENVIRONMENT, source).parse(), limits, faults)
    return None


def parse_expression(source: str, limits: Limits, faults: Faults) -> nodes.Expr | None:
    """As `parse_template`, for one expression without its braces."""
    with recording(faults):
        if _Scan(limits, faults).passes(source, "variable"):
            return _shallow(_whole_expression(source), limits, faults)
    return None


def _whole_expression(source: str) -> nodes.Expr:
    if not source.strip():
        raise TemplateSyntaxError("an expression is missing here", 1)
    parser = Parser(_ENVIRONMENT, source, state="variable")
    expression = parser.parse_expression()
    if not parser.stream.eos:
        rest = parser.stream.current
        advice = "; to compare, write ==" if rest.value == "=" else ""
        raise TemplateSyntaxError(f"one expression is expected here, and it ends before '{rest.value}'{advice}", rest.lineno)
    return expression


class _Scan:
    """Reads the tokens once, in linear time and without recursion, before the parser is trusted with them."""

    def __init__(self, limits: Limits, faults: Faults) -> None:
        self._limits = limits
        self._faults = faults
        self._nesting = 0
        self._recursive = 0
        self._tag_expected = False

    def passes(self, source: str, state: str | None) -> bool:
        """Whether the parser can take the source; faults that it survives are recorded on the way."""
        if len(source) > self._limits.source_chars:
            self._faults.add("limit", 1, f"the text is longer than {self._limits.source_chars} characters: pass long texts as values")
            return False
        need_unicode(source)
        tokens = 0
        for line, kind, text in _ENVIRONMENT.lexer.tokeniter(source, None, None, state):
            tokens += kind != "whitespace"
            if tokens > self._limits.tokens:
                self._faults.add("limit", line, f"this has more than {self._limits.tokens} tokens: pass long lists as values")
                return False
            if kind in _NUMBERS and len(text) > _NUMBER_CHARS:
                self._faults.add("limit", line, "a number here has too many digits")
                return False
            self._see(line, kind, text)
            if self._too_deep():
                if not self._faults:
                    self._faults.add("limit", line, "this is nested too deeply: use fewer brackets, blocks or operators in a row")
                return False
        return True

    def _too_deep(self) -> bool:
        return self._nesting > self._limits.nesting or self._recursive > self._limits.tree_depth

    def _see(self, line: int, kind: str, text: str) -> None:
        if kind.endswith("_begin"):
            self._recursive = 0
            self._tag_expected = kind == "block_begin"
        elif kind == "name" and self._tag_expected:
            self._tag_expected = False
            self._tag(line, text)
        elif kind == "string":
            self._string(line, text)
        elif kind in {"operator", "name"}:
            self._recursive += text in _RECURSIVE
            self._nesting += _BRACKETS.get(text, 0)

    def _tag(self, line: int, tag: str) -> None:
        if tag in _OPENING_TAGS:
            self._nesting += 1
        elif tag.startswith("end"):
            self._nesting = max(0, self._nesting - 1)
        if tag in _REFUSED_TAGS:
            self._faults.add("forbidden", line, _REFUSED_TAGS[tag])
        elif tag not in TAGS and tag not in _REFUSED_ENDS:
            self._faults.unknown(line, "tag", tag, TAGS)

    def _string(self, line: int, text: str) -> None:
        for escape in _ESCAPE.findall(text):
            if escape not in _KNOWN_ESCAPES:
                self._faults.add("syntax", line, rf"'\{escape}' is no escape: write '\\{escape}' for a backslash")
                return


@contextmanager
def recording(faults: Faults) -> Iterator[None]:
    """Turn what the lexer and the parser raise into faults."""
    try:
        yield
    except TemplateSyntaxError as error:
        _record_syntax(error, faults)
    except Trouble as trouble:
        faults.add(trouble.kind, 1, trouble.message)
    except RecursionError:
        # The scan makes this impossible on a stack of normal depth; the caller's may be deep already.
        faults.add("limit", 1, "this is nested too deeply: use fewer brackets, blocks or operators in a row")


def _record_syntax(error: TemplateSyntaxError, faults: Faults) -> None:
    message = error.message or "this cannot be read"
    if faults and message.startswith("Encountered unknown tag"):
        return  # the scan has said so already, with advice
    faults.add("syntax", error.lineno, _ADVICE.sub(_advised, message.replace(_END_TWICE, "it ends too early: something is missing here")))


def _advised(unexpected: re.Match[str]) -> str:
    """What the lexer says of a character, and what to write in its place."""
    return f"{unexpected[0]}: {_INSTEAD[unexpected[1]]}"


def _shallow(tree: _Tree, limits: Limits, faults: Faults) -> _Tree | None:
    """The tree, unless the recursive compiler would go too deep in it: a|x|x|x and a + b + c lean to the left."""
    level: list[nodes.Node] = [tree]
    # Each block adds two levels, its statement and its output.
    for _ in range(limits.tree_depth + 2 * limits.nesting):
        level = [child for node in level for child in node.iter_child_nodes()]
        if not level:
            return tree
    faults.add("limit", level[0].lineno, "this is nested too deeply: use fewer operators, filters or attributes in a row")
    return None
