"""All secrets of one store, each name asked for once."""

import pytest

from promptwire_server.secrets.round import ask
from promptwire_server.secrets.store import Found, Unavailable, Unreadable
from tests.unit.secrets.conftest import Shelf, key


def test_a_name_is_asked_for_once_however_many_keys_share_it(shelf: Shelf) -> None:
    shelf.held["x"] = Found(fields={"a": "1", "b": "2"})
    shelf.held["y"] = Found("3")
    keys = [key("shelf:x#a", "1"), key("shelf:y", "2"), key("shelf:x#b", "3"), key("shelf:x#a", "4")]
    outcomes = ask(shelf, keys)
    assert sorted(shelf.asked) == ["x", "y"]
    assert {outcome.key.path: outcome.value for outcome in outcomes} == {("1",): "1", ("2",): "3", ("3",): "2", ("4",): "1"}


def test_each_key_that_cannot_be_had_is_told_and_the_others_come(shelf: Shelf) -> None:
    shelf.held |= {"x": Found(fields={"a": "1"}), "y": Unreadable("it is denied"), "z": Found("3")}
    outcomes = ask(shelf, [key("shelf:x#b"), key("shelf:y"), key("shelf:z")])
    assert [(outcome.value, outcome.problem) for outcome in outcomes] == [
        ("", "it has no field `b`; there are `a`"),
        ("", "it is denied"),
        ("3", ""),
    ]


def test_a_store_that_is_unavailable_is_not_asked_again(shelf: Shelf) -> None:
    shelf.held |= {"a": Found("1"), "b": Unavailable("it is sealed"), "c": Found("3")}
    outcomes = ask(shelf, [key("shelf:c"), key("shelf:b"), key("shelf:a")])
    assert shelf.asked == ["a", "b"]
    assert [(outcome.value, outcome.problem) for outcome in outcomes] == [("1", ""), ("", "it is sealed"), ("", "it is sealed")]


@pytest.mark.parametrize(
    ("text", "least", "words"),
    [
        ("", 1, "empty"),
        (" \n", 1, "empty"),
        ("two\nlines", 1, "line breaks"),
        ("schlüssel", 1, "beyond ASCII"),
        ("nul\0", 1, "line breaks"),
        ("short", 20, "too easy to guess with 5 characters; use at least 20"),
    ],
)
def test_what_no_header_can_carry_is_refused(shelf: Shelf, text: str, least: int, words: str) -> None:
    shelf.held["x"] = Found(text)
    (outcome,) = ask(shelf, [key("shelf:x", least=least)])
    assert words in outcome.problem
    assert not outcome.value


def test_white_space_around_a_secret_is_left_out(shelf: Shelf) -> None:
    shelf.held["x"] = Found(" sk-1\n")
    assert ask(shelf, [key("shelf:x")])[0].value == "sk-1"


def test_whatever_a_client_library_raises_becomes_a_problem_without_its_words(shelf: Shelf) -> None:
    shelf.held["x"] = RuntimeError("quotes sk-secret")
    (outcome,) = ask(shelf, [key("shelf:x")])
    assert outcome.problem == "it cannot be read (RuntimeError)"


def test_nothing_shows_what_was_found(shelf: Shelf) -> None:
    shelf.held["x"] = Found("sk-secret")
    (outcome,) = ask(shelf, [key("shelf:x", value="sk-before")])
    assert "sk-" not in repr(outcome) + repr(shelf.held["x"]) + repr(outcome.key) + str(outcome.key.credential)


def test_fields_that_are_many_are_not_all_listed() -> None:
    with pytest.raises(Unreadable, match=r"there are `f0`, .*`f7`, …$"):
        Found(fields={f"f{number}": "x" for number in range(9)}).pick("x")
