"""Expressions: what each construct gives, what is refused and why, and how much of anything is allowed."""

import json
import math

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from promptwire_server.chains.expression import Limits, TemplateError, compile_expression

VALUES: dict[str, object] = {
    "topic": "cats",
    "count": 3,
    "price": 2.5,
    "yes": True,
    "nothing": None,
    "big": 2**70,
    "words": ["b", "A", "c"],
    "empty": [],
    "docs": [{"title": "One", "score": 2, "by": {"name": "x"}}, {"title": "Two", "score": 5}],
    "steps": {"classify": {"text": "a refund, please", "usage": {"tokens": 12}}},
    "output": ["first answer", "second answer"],
    "__class__": "a key like any other",
}


def value_of(source: str) -> object:
    return compile_expression(source).evaluate(VALUES)


def fault_of(source: str) -> TemplateError:
    with pytest.raises(TemplateError) as caught:
        value_of(source)
    return caught.value


@pytest.mark.parametrize(
    ("source", "expected"),
    [
        ("topic", "cats"),
        ("{{ topic }}", "cats"),
        ("{{- topic -}}", "cats"),
        ("'text'", "text"),
        ("12", 12),
        ("-1.5", -1.5),
        ("true", True),
        ("none", None),
        ("docs[0].title", "One"),
        ("docs.0.title", "One"),
        ("docs[count - 2].title", "Two"),
        ("docs[-1].title", "Two"),
        ("(docs|first).by.name", "x"),
        ("output[-1]", "second answer"),
        ("output[1:]", ["second answer"]),
        ("topic[:2]", "ca"),
        ("topic[0]", "c"),
        ("this_is['absent']|default('no')", "no"),
        ("[1, 'a', [topic]]", [1, "a", ["cats"]]),
        ("(1, 2)", [1, 2]),
        ("{'a': count, 'b': {}}", {"a": 3, "b": {}}),
        ("count + 2 * 3 - 1", 8),
        ("7 / 2", 3.5),
        ("7 // 2", 3),
        ("7 % 4", 3),
        ("-count", -3),
        ("big + 1", 2**70 + 1),
        ("9007199254740993 + 0", 9007199254740993),
        ("topic ~ ' and ' ~ count ~ yes ~ nothing ~ words", 'cats and 3true["b","A","c"]'),
        ("'refund' in steps.classify.text", True),
        ("'x' not in steps.classify.text", True),
        ("'A' in words", True),
        ("3 in [1, 2, 3.0]", True),
        ("[1] in [[1.0]]", True),
        ("'title' in docs[0]", True),
        ("count == 3.0", True),
        ("yes == 1", False),
        ("topic == count", False),
        ("docs == docs", True),
        ("docs[0] == docs[1]", False),
        ("docs[0] != 'One'", True),
        ("1 < count <= 3 < 4", True),
        ("topic >= 'cat'", True),
        ("topic == 'cats' and count > 2", True),
        ("empty or topic", "cats"),
        ("empty and absent", []),
        ("'few' if count < 5 else 'many'", "few"),
        ("absent is defined", False),
        ("absent.at.all is undefined", True),
        ("docs[9].title is defined", False),
        ("steps['classify'].text is defined", True),
        ("topic is string and count is number and words is list and docs[0] is mapping", True),
        ("count is integer and price is float and yes is boolean and yes is true and nothing is none", True),
        ("yes is false or yes is number or words is string", False),
        ("count is odd and 4 is even and 9 is divisibleby 3", True),
        ("topic is startswith 'ca' and topic is endswith('ts') and not topic is startswith 'x'", True),
        ("topic is lower and 'A' is upper", True),
        ("count is eq 3 and count is ne 4 and count is equalto 3 and count is not in [4]", True),
        ("count is lt 4 and count is le 3 and count is gt 2 and count is ge 3", True),
    ],
)
def test_gives_the_value(source: str, expected: object) -> None:
    value = value_of(source)
    assert value == expected
    assert type(value) is type(expected)


@pytest.mark.parametrize(
    ("source", "expected"),
    [
        ("'  x '|trim", "x"),
        ("'--x-'|trim('-')", "x"),
        ("'AbC'|lower ~ 'x'|upper ~ 'ab C'|capitalize", "abcXAb c"),
        ('"it\'s a dog-show"|title', "It's A Dog-Show"),
        ("topic|length + words|count + docs[0]|length", 10),
        ("topic|replace('c', 'bb')", "bbats"),
        ("'one two three'|truncate(9)", "one..."),
        ("'one two three'|truncate(9, true)", "one tw..."),
        ("'one two three'|truncate(7, end='')", "one"),
        ("'short'|truncate(5)", "short"),
        ("'a\n\nb'|indent(2)", "a\n\n  b"),
        ("'a\n\nb'|indent('> ', first=true, blank=true)", "> a\n> \n> b"),
        ("'a,b'|split(',')", ["a", "b"]),
        ("' a  b '|split", ["a", "b"]),
        ("'a\r\nb\n'|lines", ["a", "b"]),
        ("'a b c'|wordcount", 3),
        ("'<a href=\"x\">&'|escape", "&lt;a href=&#34;x&#34;&gt;&amp;"),
        ("count|string", "3"),
        ("'12'|int + ' 3 '|int + 4.9|int", 19),
        ("'x'|int(7)", 7),
        ("'2.5'|float", 2.5),
        ("nothing|float(default=0.0) + 'nan'|float(0) + '1e999'|float(0)", 0.0),
        ("2.5|round + 3.5|round", 6),
        ("3.14159|round(2)", 3.14),
        ("-3|abs", 3),
        ("words|first ~ words|last ~ topic|first", "bcc"),
        ("docs[0]|list", ["title", "score", "by"]),
        ("{'a': 1}|items", [["a", 1]]),
        ("words|reverse", ["c", "A", "b"]),
        ("topic|reverse", "stac"),
        ("words|join(', ')", "b, A, c"),
        ("[1, 2.5, none, true]|join('-')", "1-2.5--true"),
        ("docs|join('/', attribute='title')", "One/Two"),
        ("docs|map(attribute='by.name', default='?')", ["x", "?"]),
        ("docs|map(attribute='score')", [2, 5]),
        ("words|sort", ["A", "b", "c"]),
        ("words|sort(case_sensitive=true, reverse=true)", ["c", "b", "A"]),
        ("docs|sort(true, attribute='score')|map(attribute='title')", ["Two", "One"]),
        ("[3, 1.5, 2]|sort", [1.5, 2, 3]),
        ("[3, 1]|min + [3, 1]|max", 4),
        ("(docs|max(attribute='score')).title", "Two"),
        ("['a', 'A', 1, 1.0, true, [1], [1]]|unique", ["a", 1, True, [1]]),
        ("['a', 'A']|unique(true)", ["a", "A"]),
        ("[1, 2.5]|sum + docs|sum('score')", 10.5),
        ("[1, 2, 3, 4]|select('even')", [2, 4]),
        ("[1, 2, 3]|reject('gt', 1)", [1]),
        ("['', 'x', none]|select", ["x"]),
        ("docs|selectattr('score', 'ge', 3)|map(attribute='title')", ["Two"]),
        ("docs|selectattr('by')|length + docs|rejectattr('by', 'defined')|length", 2),
        ("docs[0]|tojson", '{"title":"One","score":2,"by":{"name":"x"}}'),
        ("[1]|tojson(2)", "[\n  1\n]"),
        ("'é\"\\n'|tojson", '"é\\"\\n"'),
        ("'{\"a\": [1, null, 36893488147419103233]}'|fromjson", {"a": [1, None, 2**65 + 1]}),
        ("absent|default('x') ~ absent|d ~ absent.deep[0]|trim|default('y')", "xy"),
        ("empty|first|default('none there')", "none there"),
        ("empty|default('kept') ~ empty|default('x', true) ~ ''|default('y', boolean=true)", "[]xy"),
        ("topic|default(absent)", "cats"),
    ],
)
def test_filters(source: str, expected: object) -> None:
    assert value_of(source) == expected


@pytest.mark.parametrize(
    ("source", "message"),
    [
        ("topc", "'topc' is undefined (did you mean 'topic'?); where it may be absent"),
        ("steps.classify.txt", "'steps.classify.txt' is undefined: 'steps.classify' has no 'txt' (did you mean 'text'?)"),
        ("steps.clasify.text", "'steps.clasify.text' is undefined: 'steps' has no 'clasify' (did you mean 'classify'?)"),
        ("output[2]", "'output[2]' is undefined: 'output' has 2 items"),
        ("output[count]", "'output[...]' is undefined: a list has no such item"),
        ("topic.title", "'topic.title' is undefined: 'topic' is text"),
        ("nothing.x", "'nothing.x' is undefined: 'nothing' is nothing"),
        ("empty|last", "'empty|last' is undefined"),
        ("topic.__len__", "not allowed"),
        ("docs|map(attribute='by')", "item 1 of the list given to map has no 'by'"),
        ("docs|selectattr('by', 'eq', 1)", "item 1 of the list given to selectattr"),
        ("absent|default(missing)", "'missing' is undefined"),
    ],
)
def test_names_what_is_undefined(source: str, message: str) -> None:
    fault = fault_of(source)
    assert message in fault.message
    assert fault.kind == ("forbidden" if "__" in source else "undefined")


@pytest.mark.parametrize(
    ("source", "message"),
    [
        ("topic + 1", "+ works on numbers, not on text: join texts with ~"),
        ("topic * 3", "* works on numbers, not on text"),
        ("topic % count", "% works on numbers"),
        ("yes + 1", "not on a boolean"),
        ("-topic", "- works on numbers"),
        ("1 / 0", "/ by zero"),
        ("topic < 3", "< compares two numbers or two texts, not text with a number"),
        ("words < words", "not a list with a list"),
        ("3 in topic", "in looks for text in text, not for a number"),
        ("3 in count", "in works on lists, not on a number"),
        ("topic[count:'x']", "the bounds of a slice are whole numbers, not text"),
        ("count[1:]", "a slice works on text and lists, not on a number"),
        ("count|upper", "upper works on text, not on a number"),
        ("[1, 'a']|sort", "the list mixes them"),
        ("docs|sort", "name a key with attribute='...'"),
        ("[none]|max", "not nothing"),
        ("'x'|int", "give a default, as in int(0)"),
        ("'x'|list", "split text with lines"),
        ("count|length", "length works on"),
        ("words|items", "items works on objects, not on a list"),
        ("topic|indent(-1)", "the width of indent is a whole number from 0 to 100"),
        ("topic|replace('', 'x')", "that is not empty"),
        ("topic|split('')", "the separator of split is empty"),
        ("'[1'|fromjson", "not valid JSON"),
        ("'NaN'|fromjson", "not valid JSON"),
        ("'\"\\\\ud800\"'|fromjson", "not valid JSON"),
        ("words|sum", "sum works on numbers"),
    ],
)
def test_wrong_types(source: str, message: str) -> None:
    fault = fault_of(source)
    assert message in fault.message
    assert fault.kind == "type"


@pytest.mark.parametrize(
    ("source", "message"),
    [
        ("2 ** 8", "** is not allowed"),
        ("9**9**9", "** is not allowed"),
        ("'a' * 10", "text and lists cannot be multiplied"),
        ("[0] * count", "text and lists cannot be multiplied"),
        ("'%s' % topic", "% with text is not allowed: join texts with ~"),
        ("'a' + topic", "+ works on numbers: join texts with ~"),
        ("''.__class__", "start with an underscore"),
        ("docs[0].by._secret", "start with an underscore"),
        ("docs|map(attribute='__class__')", "start with an underscore"),
        ("docs|selectattr('by.__class__')", "start with an underscore"),
        ("docs|sort(attribute=topic)", "the attribute of sort is a name in quotes such as 'title', not an expression"),
        ("docs|map('upper')", "map takes only the name of a key: map(attribute='title')"),
        ("docs|select(topic)", "the name of a test in quotes"),
        ("docs|selectattr(topic)", "selectattr needs the name of a key in quotes"),
        ("docs|select('awful')", "test 'awful' is not available"),
        ("topic|attr('x')", "filter 'attr' is not available"),
        ("topic|format(1)", "filter 'format' is not available"),
        ("topic|center(1000000000)", "filter 'center' is not available"),
        ("topic|lowr", "filter 'lowr' is not available (did you mean 'lower'?); allowed: abs, "),
        ("topic is strng", "test 'strng' is not available (did you mean 'string'?)"),
        ("topic|truncate(len=3)", "argument of truncate 'len' is not available (did you mean 'length'?)"),
        ("topic|upper(*words)", "* and ** are not allowed in upper"),
        ("range(10)", "calls are not allowed: use 'for item in list'"),
        ("topic.upper()", "calls are not allowed: use text|upper"),
        ("'{0.__class__}'.format(topic)", "calls are not allowed: use '...' ~ value"),
        ("lipsum()", "calls are not allowed: use a filter"),
        ("topic[::2]", "a slice takes no step"),
        ("topic[1, 2]", "one index"),
        ("{topic: 1}", "a key of an object is text in quotes"),
        ("loop.index", "'loop' is only known inside a for"),
    ],
)
def test_refuses_when_compiling(source: str, message: str) -> None:
    with pytest.raises(TemplateError) as caught:
        compile_expression("\n\n" + source)
    assert message in str(caught.value)
    assert caught.value.kind == "forbidden"
    assert caught.value.line == 3


@pytest.mark.parametrize(
    ("source", "message"),
    [
        ("", "an expression is missing"),
        ("{{ }}", "an expression is missing"),
        ("a b", "it ends before 'b'"),
        ("1, 2", "it ends before ','"),
        ("{{ a }} ~ {{ b }}", "it ends before '}}'"),
        ("(a", "unexpected end of template"),
        ("a ?", "unexpected char '?' at 2: write `a if condition else b`"),
        ("a == 'b", "the text that begins there has no closing quote"),
        ("a and", "it ends too early: something is missing here"),
        ("a = b", "it ends before '='; to compare, write =="),
        (r"'\d'", r"'\d' is no escape: write '\\d' for a backslash"),
        ("a|replace('x')", "replace needs 'new': replace(old, new)"),
        ("a|upper(1)", "upper takes no arguments"),
        ("a|indent(1, width=2)", "indent is given 'width' twice"),
        ("a is defined(1)", "defined takes no arguments"),
    ],
)
def test_syntax_errors(source: str, message: str) -> None:
    with pytest.raises(TemplateError) as caught:
        compile_expression(source)
    assert message in caught.value.message
    assert caught.value.kind == "syntax"


def test_reports_all_faults_in_the_order_of_lines() -> None:
    with pytest.raises(TemplateError) as caught:
        compile_expression("a|lowr ~\nb.c() ~\n''._x ~ a|lowr")
    assert [line for line, _ in caught.value.faults] == [1, 2, 3, 3]
    assert str(caught.value).count("line 3:") == 2


def test_knows_the_names_and_paths_it_uses() -> None:
    expression = compile_expression("steps.a.text ~ steps['b'].text ~ output[-1].x ~ docs[count].title ~ extra.x|default('')")
    assert expression.names == {"steps", "output", "docs", "count", "extra"}
    assert expression.paths == {
        ("steps", "a", "text"),
        ("steps", "b", "text"),
        ("output",),
        ("docs",),
        ("count",),
        ("extra", "x"),
    }
    assert expression.optional == {("extra", "x")}


def test_truth_is_that_of_python() -> None:
    assert compile_expression("words").truth(VALUES)
    assert not compile_expression("empty").truth(VALUES)


def test_literal_lists_are_new_each_time() -> None:
    expression = compile_expression("[1]")
    assert expression.evaluate({}) is not expression.evaluate({})


def test_attributes_are_keys_never_attributes() -> None:
    class Trap:
        secret = "s"

    expression = compile_expression("trap.secret")
    with pytest.raises(TemplateError, match="'trap' is a value of an unknown type"):
        expression.evaluate({"trap": Trap()})
    with pytest.raises(TemplateError, match="cannot be written as text"):
        compile_expression("trap ~ ''").evaluate({"trap": Trap()})


@pytest.mark.parametrize(("number", "kind"), [(10**400, "limit"), (math.inf, "limit"), (math.nan, "limit")])
def test_numbers_without_bound_are_refused(number: float, kind: str) -> None:
    for source in ("n + 1", "n ~ ''", "[n]|join", "[[n]] ~ ''", "n < 1", "[n]|sort"):
        with pytest.raises(TemplateError) as caught:
            compile_expression(source).evaluate({"n": number})
        assert caught.value.kind == kind


@pytest.mark.parametrize("source", ["1" * 401, "0x" + "f" * 300, "1e999"])
def test_literals_without_bound_are_refused(source: str) -> None:
    with pytest.raises(TemplateError) as caught:
        compile_expression("\n" + source)
    assert (caught.value.kind, caught.value.line) == ("limit", 2)


def test_lone_surrogates_are_refused() -> None:
    for source in (r"'\ud800'", "'\ud800'"):
        with pytest.raises(TemplateError, match="surrogate"):
            compile_expression(source)
    assert compile_expression(r"""'"\\ud83d\\ude00"'|fromjson""").evaluate({}) == "\U0001f600"


def test_limits_can_be_set() -> None:
    expression = compile_expression("text ~ text", limits=Limits(text_chars=9))
    assert expression.evaluate({"text": "1234"}) == "12341234"
    with pytest.raises(TemplateError, match="a text of 10 characters is too long here \\(at most 9\\)"):
        expression.evaluate({"text": "12345"})


REPEATABLE = settings(derandomize=True, deadline=None)  # a busy machine misses deadlines

JSON = st.recursive(
    st.none() | st.booleans() | st.integers(-(2**80), 2**80) | st.floats(allow_nan=False, allow_infinity=False) | st.text(),
    lambda inner: st.lists(inner, max_size=4) | st.dictionaries(st.text(), inner, max_size=4),
    max_leaves=12,
)
TO_JSON = compile_expression("value|tojson")
THERE_AND_BACK = compile_expression("value|tojson|fromjson")
EQUAL = compile_expression("a == b")


@REPEATABLE
@given(JSON)
def test_json_is_exact(value: object) -> None:
    assert TO_JSON.evaluate({"value": value}) == json.dumps(value, ensure_ascii=False, separators=(",", ":"))
    assert THERE_AND_BACK.evaluate({"value": value}) == value
    assert EQUAL.truth({"a": value, "b": value})


@REPEATABLE
@given(JSON, JSON)
def test_equality_is_that_of_json_text(first: object, second: object) -> None:
    if json.dumps(first, sort_keys=True) == json.dumps(second, sort_keys=True):
        assert EQUAL.truth({"a": first, "b": second})
    elif first != second:
        assert not EQUAL.truth({"a": first, "b": second})
