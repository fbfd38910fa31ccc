"""What the commands share in writing to a terminal or a pipe: consoles, tables, amounts."""

import sys
from collections.abc import Sequence

from google.protobuf.duration_pb2 import Duration
from google.protobuf.json_format import MessageToJson
from google.protobuf.message import Message
from rich.console import Console
from rich.table import Table

from promptwire import v1 as pb
from promptwire_server.core.money import dollars

# A model's text may hold escape sequences that would repaint, retitle or query the terminal it is shown on.
_CONTROLS = {code: None for code in (*range(0x20), *range(0x7F, 0xA0)) if chr(code) not in "\n\t"}
_THOUSAND = 1000


def console() -> Console:
    """Standard output."""
    return Console(highlight=False)


def error_console() -> Console:
    """Standard error: what is said beside the result."""
    return Console(stderr=True, highlight=False)


def printable(text: str) -> str:
    """The text without control characters, line breaks and tabs apart."""
    return text.translate(_CONTROLS)


def write(text: str) -> None:
    """Put text on standard output at once: as it is into a pipe or file, without control characters on a terminal."""
    sys.stdout.write(printable(text) if sys.stdout.isatty() else text)
    sys.stdout.flush()


def note(text: str) -> None:
    """Say something beside the result."""
    error_console().print(printable(text), style="dim", markup=False, soft_wrap=True)


def one_line(message: Message) -> str:
    """A message as protobuf's JSON in one line, names as in the contract."""
    return MessageToJson(message, preserving_proto_field_name=True, indent=None, ensure_ascii=False)


def print_table(columns: Sequence[str], rows: Sequence[Sequence[str]]) -> None:
    """Rows for people on a terminal; elsewhere tab-separated lines under a header, nothing cut, for `cut` and `awk`."""
    if not sys.stdout.isatty():
        for row in (columns, *rows):
            write("\t".join(cell.replace("\t", " ").replace("\n", " ") for cell in row) + "\n")
        return
    table = Table(box=None, pad_edge=False, header_style="bold", padding=(0, 2, 0, 0))
    for position, column in enumerate(columns):
        table.add_column(column, overflow="fold", no_wrap=position == 0)
    for row in rows:
        table.add_row(*(printable(cell) for cell in row))
    console().print(table, markup=False)


def seconds_of(duration: Duration) -> float:
    """A duration in seconds."""
    return duration.seconds + duration.nanos / 1e9


def time_text(seconds: float) -> str:
    """A time for people: 0.012 -> "12 ms", 1.26 -> "1.3 s"."""
    return f"{seconds * _THOUSAND:.0f} ms" if seconds < 1 else f"{seconds:.1f} s"


def tries_text(attempts: Sequence[pb.Attempt]) -> str:
    """That it took more than one attempt: ", 2 attempts"; empty where one did."""
    return f", {len(attempts)} attempts" if len(attempts) > 1 else ""


def spent_text(usage: pb.Usage, cost: pb.Cost) -> str:
    """Tokens and money for people: "12 in + 40 out tokens, $0.000013"."""
    about = "~" if usage.estimated else ""
    text = f"{about}{usage.input_tokens} in + {usage.output_tokens} out tokens"
    if usage.cached_input_tokens:
        text += f" ({usage.cached_input_tokens} from the cache)"
    if cost.HasField("total_nano_usd"):
        text += f", {'~' if cost.estimated else ''}{dollars(cost.total_nano_usd)}"
    return text
