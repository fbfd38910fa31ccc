"""Attacks on templates: whatever the source and the values, compiling and rendering stay within bounds of time and memory."""

import time
import tracemalloc
from collections.abc import Callable
from functools import cache

import pytest

from promptwire_server.chains.template import TemplateError, compile_template

MEBI = 1024 * 1024
CPU_S_MOST = 0.25
PEAK_BYTES_MOST = 32 * MEBI


def _timed(action: Callable[[], object]) -> tuple[TemplateError | None, float]:
    began_s = time.thread_time()
    error = _error_of(action)
    return error, time.thread_time() - began_s


def bounded(action: Callable[[], object]) -> TemplateError | None:
    """Run within the bounds, once for the time and once for the memory; give the error, if that is how it ended."""
    error, used_s = _timed(action)
    if used_s >= CPU_S_MOST:  # once more: the collector may have gone over the whole test run's objects just then
        error, used_s = _timed(action)
    assert used_s < CPU_S_MOST
    tracemalloc.start()
    try:
        _error_of(action)
        assert tracemalloc.get_traced_memory()[1] < PEAK_BYTES_MOST
    finally:
        tracemalloc.stop()
    return error


def _error_of(action: Callable[[], object]) -> TemplateError | None:
    try:
        action()
    except TemplateError as error:
        return error
    return None


MANY = 10_000


@pytest.mark.parametrize(
    ("source", "kind"),
    [
        ("{{ " + "(" * MANY + "1" + ")" * MANY + " }}", "limit"),
        ("{{ " + "[" * MANY, "limit"),
        ("{{ " + "{" * MANY, "limit"),
        ("{% if a %}" * MANY + "{% endif %}" * MANY, "limit"),
        ("{% for a in b %}" * 8000, "limit"),
        ("{% set a %}" * MANY, "forbidden"),
        ("{{ " + "not " * MANY + "a }}", "limit"),
        ("{{ " + "-" * MANY + "1 }}", "limit"),
        ("{{ a" + ".b" * 1500 + " }}", "limit"),
        ("{{ a" + "|upper" * 1500 + " }}", "limit"),
        ("{{ " + "a * " * 1500 + "a }}", "limit"),
        ("{{ " + "a if b else " * 1000 + "a }}", "limit"),
        ("{{ [" + "1," * MANY + "] }}", "limit"),
        ("{{ a }}" * MANY, "limit"),
        ("x" * MEBI, "limit"),
        ("{{ " + "9" * 100_000 + " }}", "limit"),
        ("{{ 1" + "_1" * 60_000 + " }}", "limit"),
        ("{{ '" + "\\\\" * 60_000, "syntax"),
        ("{% raw %}" + "{% endraw " * 12_000, "syntax"),
        ("{#" * 60_000, "syntax"),
        ("{{ a" + " " * 120_000 + "?", "syntax"),
        ("{{ a|" + "b" * 100_000 + " }}", "forbidden"),
        ("{% foo %}" * 1000, "forbidden"),
        ("".join(f"{{{{ a|uper{n} }}}}" for n in range(600)), "forbidden"),
    ],
    ids=lambda value: value[:24],
)
def test_hostile_sources_are_refused_in_time(source: str, kind: str) -> None:
    error = bounded(lambda: compile_template(source))
    assert error is not None
    assert error.kind == kind
    assert len(str(error)) < 10_000


@pytest.mark.parametrize(
    "source",
    [
        "{{ " + "[" * 19 + "-" * 30 + "1" + "]" * 19 + " }}",
        "{{ a" + "|upper" * 60 + " }}",
        "{% if yes %}" * 19 + "{{ a" + "|default('x')" * 50 + " }}" + "{% endif %}" * 19,
        "{{ " + "a|default(" * 19 + "1" + ")" * 19 + " }}",
        "{{ " + "a ~ " * 900 + "a }}",
        "{% if a %}" + "{% elif a %}b" * 700 + "{% endif %}",
    ],
    ids=lambda value: value[:24],
)
def test_deep_sources_below_the_limit_are_rendered(source: str) -> None:
    assert bounded(lambda: compile_template(source).render({"a": "", "yes": True})) is None


def test_a_stack_that_is_nearly_full_is_no_crash() -> None:
    def at_depth(depth: int) -> TemplateError | None:
        return at_depth(depth - 1) if depth else _error_of(lambda: compile_template("{{ " + "[" * 19 + "1" + "]" * 19 + " }}"))

    error = at_depth(700)
    assert error is not None
    assert error.kind == "limit"


@cache
def hostile_values() -> dict[str, object]:
    """Values as large and awkward as a caller can send them, and some that are worse."""
    deep: list[object] = []
    for _ in range(2000):
        deep = [deep]
    cycle: list[object] = []
    cycle += [cycle, cycle]
    return {
        "long": "a" * 4 * MEBI,
        "mebi": "a" * MEBI,
        "wide": "ß" * MEBI,
        "faces": "\U0001f600" * MEBI,
        "newlines": "\n" * MEBI,
        "quotes": '"' * MEBI,
        "zeros": "\x00" * MEBI,
        "commas": "," * MEBI,
        "half": "ß" * 500_000,
        "digits": "1" * 4000,
        "numbers": list(range(2 * MEBI)),
        "some": list(range(50_000)),
        "thousand": list(range(1000)),
        "floats": [n / 7 for n in range(50_000)],
        "texts": ["a" * 1000 + str(n) for n in range(5000)],
        "same": ["a" * MEBI] * 1000,
        "colliding": [n * (2**61 - 1) for n in range(50_000)],
        "table": [[0] * 200] * 200,
        "objects": [{"a": {"b": n}} for n in range(30_000)],
        "mapping": {str(n): n for n in range(100_000)},
        "deep": deep,
        "cycle": cycle,
        "large": 10**300,
        "json": "[" + ",".join(['{"":0}'] * 60_000) + "]",
        "brackets": "[" * 100_000,
    }


TEXTS = ["long", "mebi", "wide", "faces", "newlines", "quotes", "zeros", "commas", "half"]
LISTS = ["numbers", "floats", "same", "colliding", "objects", "mapping", "deep", "cycle"]
ON_TEXTS = [
    *("|lower", "|upper", "|title", "|capitalize", "|trim", "|trim('ab,ß')", "|replace('a','aaaa')", "|replace('ß','')"),
    *("|replace(',',mebi)", "|indent(100)", "|indent(1)", "|indent(2,true,true)", "|tojson", "|tojson|tojson|tojson"),
    *("|escape", "|escape|escape", "|split(',')|length", "|split|length", "|wordcount", "|lines|length", "|lines|join('ab')"),
    *("|reverse", "|fromjson", "|int(0)", "|float(0)", "[1:]", "[:1000000]", "~mebi", "~long", "==long", "<mebi"),
]
ON_LISTS = [
    *("|tojson|length", "|tojson(8)|length", "|join|length", "|join(mebi)", "|sort|length", "|unique|length", "|sum", "|max"),
    *("|reverse|length", "|list|length", "|items|length", "|map(attribute='a.b')|length"),
    *("|map(attribute='a.b',default=0)|join", "|select('odd')|length", "|select('in',some)|length", "|selectattr('a')|length"),
    *("==table", "[1:]|length"),
]
BODIES = [
    "",
    "{{ i }}",
    "{{ mebi|length }}{{ i ~ loop.index }}",
    "{{ absent.a|default('x') }}",
    "{{ digits|int(0) }}",
    "{{ 'ab' in mebi }}",
    "{{ mebi|upper }}",
    "{% if i in some %}{% endif %}",
    "{{ i|string|upper|replace('1', '22')|trim }}",
    "{{ {'a': [i, i]}|tojson }}",
    "{% for k in thousand %}{% endfor %}",
    "{% for k in thousand %}{{ i ~ k }}{% endfor %}",
]


def attack(source: str) -> TemplateError | None:
    template, values = compile_template(source), hostile_values()
    return bounded(lambda: template.render(values))


@pytest.mark.parametrize("operation", ON_TEXTS)
def test_work_on_hostile_texts_is_bounded(operation: str) -> None:
    for name in TEXTS:
        attack("{{ " + name + operation + " }}")


@pytest.mark.parametrize("operation", ON_LISTS)
def test_work_on_hostile_lists_is_bounded(operation: str) -> None:
    for name in LISTS:
        attack("{{ " + name + operation + " }}")


@pytest.mark.parametrize("body", BODIES)
def test_loops_over_hostile_lists_are_bounded(body: str) -> None:
    for name in ("numbers", "some", "thousand", "cycle"):
        attack("{% for i in " + name + " %}" + body + "{% endfor %}")


@pytest.mark.parametrize(
    "source",
    [
        "{{ mebi|replace('a', mebi) }}",
        "{{ [mebi, mebi]|join(mebi) }}",
        "{{ ['a', 'a', 'a']|join(mebi) }}",
        "{{ " + " ~ ".join(["mebi"] * 30) + " }}",
        "{{ [" + ",".join(["half|upper"] * 300) + "]|length }}",
        "{{ [" + ",".join(["half[1:]"] * 300) + "]|length }}",
        "{{ [" + ",".join(["some|sort"] * 300) + "]|length }}",
        "{{ [" + ",".join(["some|list"] * 300) + "]|length }}",
        "{{ [" + ",".join(["table == table"] * 300) + "] }}",
        "{{ [" + ",".join(["table|tojson"] * 300) + "]|length }}",
        "{{ [" + ",".join(["('aaaaaaaaab' in long)"] * 300) + "] }}",
        "{{ json|fromjson|length }}{{ json|fromjson|tojson|fromjson|length }}",
        "{{ brackets|fromjson }}",
        "{{ " + " * ".join(["large"] * 60) + " }}",
        "{{ " + " * ".join(["99999999999999999999"] * 60) + " }}",
    ],
    ids=lambda value: value[:32],
)
def test_growth_is_refused(source: str) -> None:
    error = attack(source)
    assert error is not None
    assert error.kind == ("type" if "brackets" in source else "limit")


def test_too_long_loops_fail_before_they_start() -> None:
    error = attack("{% for i in numbers %}{{ i }}{% endfor %}")
    assert error is not None
    assert "too much work" in error.message
