"""Templates: text, output, if and for, agreement with Jinja, and what is refused."""

from contextlib import suppress

import jinja2
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from promptwire_server.chains.template import Limits, TemplateError, compile_template

VALUES: dict[str, object] = {
    "topic": "cats",
    "count": 3,
    "yes": True,
    "nothing": None,
    "empty": [],
    "words": ["b", "A", "c"],
    "numbers": [3, 1, 2],
    "docs": [{"title": "One", "tags": ["x", "y"]}, {"title": "Two", "tags": []}],
    "by_name": {"a": 1, "b": 2},
    "text": "one\n\n  two <three>\n",
}


def render(source: str) -> str:
    return compile_template(source).render(VALUES)


def faults_of(source: str) -> TemplateError:
    with pytest.raises(TemplateError) as caught:
        compile_template(source)
    return caught.value


# Each of these means the same in Jinja.
SHARED = [
    "plain text with { braces } and 100 %\n",
    "{{ topic }} {{ count }}{# a comment #}{% raw %}{{ raw }}{% endraw %}",
    "a\n{%- if yes -%}\n b \n{%- endif %}\nc\r\nd",
    "{% if empty %}a{% elif count == 3 %}b{% else %}c{% endif %}",
    "{% if empty %}a{% elif nothing %}b{% else %}c{% endif %}{% if empty %}x{% endif %}",
    "{% for word in words %}{{ loop.index }}{{ loop.index0 }}{{ loop.revindex }}{{ loop.length }}{{ word }},{% endfor %}",
    "{% for word in words %}{% if loop.first %}<{% endif %}{{ word }}{% if loop.last %}>{% endif %}{% endfor %}",
    "{% for word in empty %}a{% else %}nobody{% endfor %}",
    "{% for doc in docs %}{{ doc.title }}{% for tag in doc.tags %}{{ tag }}{% else %}-{% endfor %}{{ loop.index }};{% endfor %}",
    "{% for n in numbers if n is odd %}{{ loop.index }}/{{ loop.length }}:{{ n }} {% endfor %}",
    "{% for n in numbers if n > 5 %}a{% else %}none{% endfor %}",
    "{% for key in by_name %}{{ key }}{% endfor %}{% for key, value in by_name|items %}{{ key }}={{ value }}{% endfor %}",
    "{% for topic in words %}{{ topic }}{% endfor %}{{ topic }}",
    "{% for a in words %}{% for a in numbers %}{{ a }}{% endfor %}{{ a }}{% endfor %}",
    "{{ text|trim|indent(3) }}{{ text|indent(2, true, true) }}{{ text|upper }}{{ text|title }}",
    "{{ words|sort|join }}{{ words|join('-') }}{{ numbers|sort(reverse=true)|first }}{{ words|last }}{{ words|length }}",
    "{{ text|replace('o', '0') }}{{ topic|capitalize }}{{ count|abs + numbers|sum + numbers|max - numbers|min }}",
    "{{ docs|map(attribute='title')|join(',') }}{{ docs|selectattr('tags')|map(attribute='title')|first }}",
    "{{ words|reject('equalto', 'A')|join }}{{ numbers|select('gt', 1)|join }}{{ words|unique|join }}{{ text|wordcount }}",
    "{{ absent|default('x') }}{{ ''|default('y', true) }}{{ 'in' if 'at' in topic else 'out' }}{{ 1 if absent is defined }}",
    "{{ 1 + 2 * 3 }}{{ 7 // 2 }}{{ 7 % 4 }}{{ -count }}{{ 'a' ~ 1 ~ 'b' }}{{ numbers[-1] }}{{ topic[1:] }}{{ topic[0] }}",
]


@pytest.mark.parametrize("source", SHARED)
def test_agrees_with_jinja(source: str) -> None:
    jinja = jinja2.Environment(keep_trailing_newline=True, autoescape=False)  # noqa: S701
    assert render(source) == jinja.from_string(source).render(VALUES)


@pytest.mark.parametrize(
    ("source", "expected"),
    [
        ("{{ nothing }}|{{ yes }}|{{ not yes }}|{{ count }}|{{ 2.0 }}|{{ 1e30 }}", "|true|false|3|2.0|1e+30"),
        ("{{ docs[0] }}", '{"title":"One","tags":["x","y"]}'),
        ("{{ 9007199254740993 }} {{ 18446744073709551617 }}", "9007199254740993 18446744073709551617"),
        ("{{ 'no' if empty }}", ""),
        ("{{ [] }}{{ {} }}", "[]{}"),
        ("", ""),
        ("last newline stays\n", "last newline stays\n"),
        ("{{ '{{ topic }}' }}", "{{ topic }}"),
    ],
)
def test_values_appear_as_json_or_as_they_are(source: str, expected: str) -> None:
    assert render(source) == expected


def test_a_value_is_never_read_as_a_template() -> None:
    assert compile_template("{{ a }}").render({"a": "{{ b }}{% if"}) == "{{ b }}{% if"


@pytest.mark.parametrize(
    ("source", "line", "kind", "message"),
    [
        ("\n{{ topc }}", 2, "undefined", "'topc' is undefined (did you mean 'topic'?)"),
        ("{% if yes %}\n\n{{ docs[0].titel }}{% endif %}", 3, "undefined", "'docs[0]' has no 'titel' (did you mean 'title'?)"),
        ("{% for d in docs %}\n{{ d.x }}{% endfor %}", 2, "undefined", "'d.x' is undefined: 'd' has no 'x'"),
        ("\n{% if absent %}{% endif %}", 2, "undefined", "'absent' is undefined"),
        ("\n{% for c in topic %}{% endfor %}", 2, "type", "for works on lists, not on text"),
        ("\n{% for c in count %}{% endfor %}", 2, "type", "for works on lists, not on a number"),
        ("\n{% for a, b in words %}{% endfor %}", 2, "type", "for with 2 names needs lists of 2 items"),
        ("\n{{ topic|int }}", 2, "type", "int cannot read text"),
    ],
)
def test_faults_of_rendering_name_the_line(source: str, line: int, kind: str, message: str) -> None:
    with pytest.raises(TemplateError) as caught:
        render(source)
    assert message in caught.value.message
    assert (caught.value.line, caught.value.kind) == (line, kind)


@pytest.mark.parametrize(
    ("source", "message"),
    [
        ("{% set x = 1 %}", "'set' is not allowed: compute values in a transform step"),
        ("{% set x %}{% endset %}", "'set' is not allowed"),
        ("{% with a = 1 %}{{ a }}{% endwith %}", "'with' is not allowed"),
        ("{% macro m() %}{% endmacro %}", "'macro' is not allowed"),
        ("{% call m() %}{% endcall %}", "'call' is not allowed"),
        ("{% include 'x' %}", "'include' is not allowed"),
        ("{% import 'x' as y %}", "'import' is not allowed"),
        ("{% from 'x' import y %}", "'from ... import' is not allowed"),
        ("{% extends 'x' %}", "'extends' is not allowed"),
        ("{% block b %}{% endblock %}", "'block' is not allowed"),
        ("{% filter upper %}{% endfilter %}", "'filter' blocks are not allowed"),
        ("{% autoescape true %}{% endautoescape %}", "'autoescape' is not allowed"),
        ("{% do x %}", "tag 'do' is not available"),
        ("{% esle %}", "tag 'esle' is not available (did you mean 'else'?); allowed: elif, else, "),
        ("{% for a in b recursive %}{% endfor %}", "'recursive' is not allowed"),
        ("{% for loop in b %}{% endfor %}", "'loop' is the name of the loop itself"),
        ("{% for (a, (b, c)) in d %}{% endfor %}", "for takes a name, or up to 8 names"),
        ("{% for a in b %}{% for c in d %}{% for e in f %}{% endfor %}{% endfor %}{% endfor %}", "for may be nested 2 deep"),
        ("{% for a in b %}{{ loop }}{% endfor %}", "'loop' has only these members: index, "),
        ("{% for a in b %}{{ loop.cycle(1, 2) }}{% endfor %}", "calls are not allowed"),
        ("{% for a in b %}{% endfor %}{{ loop.index }}", "'loop' is only known inside a for"),
        ("{{ self.x() }}", "calls are not allowed"),
        ("{{ ''.__class__.__mro__ }}", "start with an underscore"),
    ],
)
def test_refuses_when_compiling(source: str, message: str) -> None:
    error = faults_of("\n" + source)
    assert message in str(error)
    assert (error.kind, error.line) == ("forbidden", 2)


@pytest.mark.parametrize(
    ("source", "message"),
    [
        ("\n{{ a", "unexpected end of template"),
        ("\n{% if a %}", "The innermost block that needs to be closed is 'if'"),
        ("\n{% endif %}", "unknown tag 'endif'"),
        ("\n{% if %}{% endif %}", "Expected an expression"),
        ("\n{{ a b }}", "expected token 'end of print statement', got 'b'"),
        ("\n{{ (a] }}", "unexpected ']'"),
        ("\n{# open", "Missing end of comment"),
    ],
)
def test_syntax_errors_name_the_line(source: str, message: str) -> None:
    error = faults_of(source)
    assert message in error.message
    assert (error.kind, error.line) == ("syntax", 2)


def test_reports_all_faults_at_once() -> None:
    error = faults_of("{% set a = b|lowr %}\n{{ range(3) }}{{ 'a' * 9 }}\n{% include 'x' %}{% if x|foo %}{{ 2 ** 3 }}{% endif %}")
    assert [line for line, _ in error.faults] == [1, 1, 2, 2, 3, 3, 3]
    assert error.message.startswith("'set' is not allowed")


def test_reports_syntax_errors_beside_refused_tags() -> None:
    error = faults_of("{% include 'x' %}\n{{ a")
    assert [line for line, _ in error.faults] == [1, 2]


def test_knows_the_names_and_paths_it_uses() -> None:
    template = compile_template(
        "{{ topic }}{% for d in docs %}{{ d.title }}{{ loop.index }}{{ steps.a.text }}{% endfor %}{% if x.y is defined %}{{ d }}{% endif %}"
    )
    assert template.names == {"topic", "docs", "steps", "x", "d"}
    assert template.paths == {("topic",), ("docs",), ("steps", "a", "text"), ("x", "y"), ("d",)}
    assert template.optional == {("x", "y")}


def test_is_rendered_many_times_without_traces() -> None:
    template = compile_template("{% for a in list %}{{ a }}{% endfor %}")
    assert [template.render({"list": items}) for items in ([1, 2], [], [3])] == ["12", "", "3"]


def test_output_is_bounded() -> None:
    template = compile_template("{{ a }}{{ a }}", limits=Limits(output_chars=9))
    assert template.render({"a": "1234"}) == "12341234"
    with pytest.raises(TemplateError, match="the output is longer than 9 characters"):
        template.render({"a": "12345"})


def test_long_values_pass_by() -> None:
    long = "x" * 4_000_000
    template = compile_template("{% if 'y' in a %}{% endif %}{{ a|length }} {{ a|truncate(5) }} {{ a[:3] }} {{ a[-1] }} {{ a == a }}")
    assert template.render({"a": long}) == "4000000 xx... xxx x true"


def test_a_prompt_of_usual_size_is_far_from_the_limits() -> None:
    docs = [{"title": f"Document {n}", "text": "some words " * 50} for n in range(1000)]
    source = "{% for d in docs %}## {{ loop.index }}. {{ d.title|upper }}\n{{ d.text|trim|replace('some', 'few') }}\n{% endfor %}"
    assert len(compile_template(source).render({"docs": docs})) > 500_000


# The same examples each time, and no limit that a busy machine could miss.
REPEATABLE = settings(max_examples=150, derandomize=True, deadline=None)

PIECES = st.sampled_from(
    [
        *("{{", "}}", "{%", "%}", "(", ")", "[", "]", "{", "}", ".", ",", ":", "|", "~", "+", "-", "*", "/", "//", "%", "==", "<", "**"),
        *("if", "else", "elif", "endif", "for", "in", "endfor", "and", "or", "not", "is", "set", "macro", "defined", "odd"),
        *("a", "b", "text", "loop.index", "1", "-2", "'x'", "__class__", "default", "('y')", "join(',')", "items", "upper"),
        *("split", "tojson", "fromjson", "sort", "unique", "map(attribute='a')", "\n"),
    ]
)
SMALL = st.recursive(
    st.none() | st.booleans() | st.integers() | st.floats() | st.text(max_size=8),
    lambda inner: st.lists(inner, max_size=4) | st.dictionaries(st.sampled_from("abc"), inner, max_size=3),
    max_leaves=8,
)


@REPEATABLE
@given(st.lists(PIECES, max_size=25), SMALL, SMALL)
def test_any_source_gives_text_or_a_template_error(pieces: list[str], a: object, b: object) -> None:
    for source in (" ".join(pieces), "{{ a " + " ".join(pieces) + " }}"):
        with suppress(TemplateError):
            assert isinstance(compile_template(source).render({"a": a, "b": b, "text": "t"}), str)


@REPEATABLE
@given(st.text(max_size=60), st.text(max_size=60))
def test_text_passes_unchanged(before: str, value: str) -> None:
    literal = before.replace("{", "(").replace("\r", "")
    assert compile_template(literal + "{{ value }}").render({"value": value}) == literal + value
