"""What a benchmark found: rows with a ratio and a bar, as a table and as JSON."""

import json
import pathlib
from dataclasses import asdict, dataclass

import grpc

FOLDER = pathlib.Path(".bench")


@dataclass(frozen=True, slots=True)
class Row:
    """One comparison."""

    name: str
    bare: float | None
    ours: float
    unit: str
    ratio: float | None = None
    bar: str = ""
    met: bool | None = None
    note: str = ""


def compared(name: str, bare: float, ours: float, unit: str, *, at_least: float | None = None, note: str = "") -> Row:
    """A row whose ratio is ours over bare, and must be at least so much."""
    ratio = ours / bare if bare else 0.0
    bar = "" if at_least is None else f">= {at_least:g}"
    return Row(name, bare, ours, unit, ratio, bar, None if at_least is None else ratio >= at_least, note)


def limited(name: str, ours: float, unit: str, *, at_most: float, note: str = "") -> Row:
    """A row whose value must be at most so much."""
    return Row(name, None, ours, unit, None, f"<= {at_most:g} {unit}", ours <= at_most, note)


def table(rows: list[Row]) -> str:
    """For people."""
    lines = [f"{'':46} {'bare':>10} {'ours':>10} {'unit':<10} {'ratio':>6}  bar"]
    for row in rows:
        bare = "" if row.bare is None else f"{row.bare:,.2f}"
        ratio = "" if row.ratio is None else f"{row.ratio:.2f}"
        verdict = "" if row.met is None else ("met" if row.met else "MISSED")
        lines.append(f"{row.name:46} {bare:>10} {row.ours:>10,.2f} {row.unit:<10} {ratio:>6}  {row.bar:<12} {verdict} {row.note}")
    return "\n".join(lines)


def save(rows: list[Row], name: str = "results.json") -> pathlib.Path:
    """For programs."""
    FOLDER.mkdir(exist_ok=True)
    path = FOLDER / name
    path.write_text(json.dumps({"grpcio": grpc.__version__, "rows": [asdict(row) for row in rows]}, indent=2) + "\n")
    return path
