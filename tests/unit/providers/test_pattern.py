"""Patterns that take time in proportion to the text."""

import re
import time

import pytest
from hypothesis import given
from hypothesis import strategies as st

from promptwire_server.providers.pattern import BadPattern, Pattern


@pytest.mark.parametrize(
    ("expression", "text", "found"),
    [
        ("", "", True),
        ("a", "bab", True),
        ("^a", "ba", False),
        ("a$", "ab", False),
        ("^a$", "a", True),
        ("a.c", "a\nc", True),
        ("(ab)+c", "ababc", True),
        ("a|b|c", "xcx", True),
        ("^(a|bc)*$", "abcbca", True),
        ("^(a|bc)*$", "abcb", False),
        ("[a-c]+[^0-9]", "abc1", True),
        ("^[^a]$", "a", False),
        ("[]a]", "]", True),
        (r"[\]]", "]", True),
        (r"\d+\s\w", "12 x", True),
        (r"\.", "a", False),
        ("colou?r", "color", True),
        ("(a*)*b", "aaab", True),
        ("日.é", "日本é", True),
        ("()", "x", True),
        ("(^a|b$)", "xb", True),
    ],
)
def test_what_is_found(expression: str, text: str, found: bool) -> None:  # noqa: FBT001 - a table
    assert Pattern(expression).found_in(text) is found


@pytest.mark.parametrize(
    "expression", ["(", ")", "a)", "(a", "*", "a|*", "+a", "[a", "[", "a\\", "a{2}", "(?:a)", r"\1", r"\b", "[z-a]", "a" * 3000]
)
def test_what_is_not_known_is_refused(expression: str) -> None:
    with pytest.raises(BadPattern):
        Pattern(expression)


def test_nothing_backtracks() -> None:
    began_s = time.process_time()
    assert not Pattern("^(a+)+$").found_in("a" * 2000 + "b")
    assert not Pattern("(a|aa)+(a|aa)+(a|aa)+c").found_in("a" * 2000)
    assert time.process_time() - began_s < 10


_EXPRESSIONS = st.recursive(
    st.sampled_from(["a", "b", ".", "[ab]", "[^a]", "^", "$", r"\d"]),
    lambda inner: st.one_of(
        st.builds("{}{}".format, inner, inner),
        st.builds("({}|{})".format, inner, inner),
        st.builds("({}){}".format, inner, st.sampled_from("*+?")),
    ),
    max_leaves=6,
)


@given(_EXPRESSIONS, st.text("ab1", max_size=6))
def test_it_agrees_with_the_standard_library(expression: str, text: str) -> None:
    # \Z, since the library's $ also matches before a line feed at the end.
    assert Pattern(expression).found_in(text) == bool(re.search(expression.replace("$", r"\Z"), text, re.DOTALL))
