"""The Prometheus text format, written and merged. Written here since prometheus_client takes twice as long, on the event loop."""

import math
from collections.abc import Iterable, Sequence

from prometheus_client.metrics_core import Metric
from prometheus_client.parser import text_string_to_metric_families

from promptwire_server.layers import names

CONTENT_TYPE = "text/plain; version=0.0.4; charset=utf-8"
# Of several processes these are not added up: they tell of the program or the machine, of the worst process, or of the oldest.
_LARGEST = frozenset({"python_info", "process_max_fds", names.BREAKER_STATE, names.BUDGET_LIMIT, names.BUDGET_SPENT, names.BUDGET_HELD})
_SMALLEST = frozenset({"process_start_time_seconds", names.STORE_UP})
_TYPES = {"unknown": "untyped", "info": "gauge", "stateset": "gauge", "gaugehistogram": "histogram"}
_LabelSet = tuple[tuple[str, str], ...]


def render(families: Iterable[Metric]) -> str:
    """The text of these families. Exemplars, timestamps and creation times are left out."""
    lines: list[str] = []
    for family in families:
        name = f"{family.name}_total" if family.type == "counter" else family.name
        lines.append(f"# HELP {name} {_escaped_help(family.documentation)}\n# TYPE {name} {_TYPES.get(family.type, family.type)}")
        lines += [
            f"{sample.name}{_labels(sample.labels)} {_number(sample.value)}"
            for sample in family.samples
            if not sample.name.endswith("_created")
        ]
    return "\n".join(lines) + "\n" if lines else ""


def merge(texts: Sequence[str]) -> str:
    """One text for several processes: samples of the same name and labels added up. Raises ValueError when one is no such text."""
    families: dict[str, Metric] = {}
    values: dict[str, dict[tuple[str, _LabelSet], float]] = {}
    for text in texts:
        for family in text_string_to_metric_families(text):
            families.setdefault(family.name, Metric(family.name, family.documentation, family.type))
            merged = values.setdefault(family.name, {})
            for sample in family.samples:
                key = (sample.name, tuple(sample.labels.items()))
                merged[key] = _together(sample.name, merged[key], sample.value) if key in merged else sample.value
    for name, merged in values.items():
        for (sample_name, labels), value in merged.items():
            families[name].add_sample(sample_name, dict(labels), value)
    return render(families.values())


def _together(name: str, one: float, other: float) -> float:
    if name in _LARGEST:
        return max(one, other)
    return min(one, other) if name in _SMALLEST else one + other


def _labels(labels: dict[str, str]) -> str:
    if not labels:
        return ""
    return "{" + ",".join([f'{name}="{_escaped(value)}"' for name, value in labels.items()]) + "}"


def _escaped(value: str) -> str:
    if '"' in value or "\\" in value or "\n" in value:
        return value.replace("\\", r"\\").replace("\n", r"\n").replace('"', r"\"")
    return value


def _escaped_help(text: str) -> str:
    return text.replace("\\", r"\\").replace("\n", r"\n")


def _number(value: float) -> str:
    if isinstance(value, int):
        return str(value)
    if math.isfinite(value):
        return repr(value)
    return "NaN" if math.isnan(value) else "+Inf" if value > 0 else "-Inf"
