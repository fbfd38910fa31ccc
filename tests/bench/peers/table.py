"""What the comparison found: a column a gateway, and ratios to ours."""

import json
import pathlib
from collections.abc import Mapping, Sequence
from dataclasses import asdict, dataclass

from tests.bench.report import FOLDER

NOTE = (
    "Promptwire takes gRPC in and speaks HTTP out; the peers speak HTTP/1.1 with JSON in and out. Each has one process on one core,"
    " the upstream and the load share the other; nobody authenticates. Ratios are ours over theirs: of rates more is better, of"
    " times and memory less."
)
_WIDTH = 13


@dataclass(frozen=True, slots=True)
class Gateway:
    """What was measured, or why it was not."""

    name: str
    version: str
    setup: str
    skipped: str = ""


@dataclass(frozen=True, slots=True)
class Row:
    """One figure of each gateway."""

    name: str
    unit: str
    values: Mapping[str, float]

    def ratios(self, ours: str) -> dict[str, float]:
        """Ours over theirs."""
        return {name: self.values[ours] / value for name, value in self.values.items() if name != ours and value > 0}


def written(gateways: Sequence[Gateway], rows: Sequence[Row]) -> str:
    """For people; ours is the first gateway."""
    measured = [gateway.name for gateway in gateways if not gateway.skipped]
    ours, peers = measured[0], measured[1:]
    titles = [*measured, *(f"/{name}" for name in peers)]
    lines = [f"{each.name} {each.version}: {f'SKIPPED, {each.skipped}' if each.skipped else each.setup}" for each in gateways]
    lines += ["", f"{'':32}{''.join(f'{title:>{_WIDTH}}' for title in titles)}  unit"]
    for row in rows:
        values = "".join(f"{row.values[name]:>{_WIDTH},.2f}" for name in measured)
        ratios = "".join(f"{_ratio(row.ratios(ours).get(name)):>{_WIDTH}}" for name in peers)
        lines.append(f"{row.name:32}{values}{ratios}  {row.unit}")
    return "\n".join([*lines, "", NOTE])


def _ratio(value: float | None) -> str:
    return "" if value is None else f"{value:.2f}x"


def save(gateways: Sequence[Gateway], rows: Sequence[Row], load_average: tuple[float, float]) -> pathlib.Path:
    """For programs; the load averages are those of the last minute, before and after."""
    ours = gateways[0].name
    path = FOLDER / "peers.json"
    path.parent.mkdir(exist_ok=True)
    found = [{**asdict(row), "ours_over_theirs": row.ratios(ours)} for row in rows]
    value = {"note": NOTE, "load_average": load_average, "gateways": [asdict(each) for each in gateways], "rows": found}
    path.write_text(json.dumps(value, indent=2) + "\n")
    return path
