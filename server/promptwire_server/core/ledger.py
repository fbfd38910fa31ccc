"""Ledger: what every attempt took and cost, a row each. Rows are only added. Amounts in nano-USD, times in microseconds since 1970 UTC."""

import json
from collections.abc import Mapping
from types import MappingProxyType
from typing import Final, NamedTuple

ATTEMPT: Final = 1  # the values of admin.v1.LedgerEntryKind
SAVED: Final = 2
CORRECTION: Final = 3
ADJUSTMENT: Final = 4

_NO_LABELS: Final[Mapping[str, str]] = MappingProxyType({})
_NO_UNITS: Final[Mapping[str, int]] = MappingProxyType({})


class Tokens(NamedTuple):
    """What was used, as in pb.Usage."""

    input: int = 0
    output: int = 0
    cached_input: int = 0
    cache_write_5m: int = 0
    cache_write_1h: int = 0
    reasoning: int = 0
    input_audio: int = 0
    output_audio: int = 0
    input_image: int = 0
    output_image: int = 0


class Amounts(NamedTuple):
    """What it cost, as in pb.Cost. None: unknown, which is not zero."""

    total: int | None = None
    input: int | None = None
    cached_input: int | None = None
    cache_write: int | None = None
    output: int | None = None
    other: int | None = None
    saved: int | None = None


class Entry(NamedTuple):
    """One row. Plain values: whoever writes it down later keeps no message alive."""

    tenant: str
    kind: int = ATTEMPT
    at_us: int = 0  # when it ended
    principal: str = ""
    api_key_id: str = ""
    provider: str = ""  # that was tried; empty when none was
    model: str = ""  # that was asked of it, in the vendor's name
    model_asked: str = ""  # as the caller wrote it
    rpc: str = ""
    request_id: str = ""
    attempt: int = 0  # from 1; 0 when no provider was tried
    run_id: str = ""
    chain: str = ""
    chain_version: int | None = None
    step_id: str = ""
    step_path: str = ""
    batch_id: str = ""
    served_from: int = 0  # pb.ServedFrom
    failure: bytes = b""  # pb.Failure; empty: it did not fail
    tokens: Tokens = Tokens()
    estimated: bool = False
    units: Mapping[str, int] = _NO_UNITS  # that vendors charge apart
    amounts: Amounts = Amounts()
    price_source: str = ""
    latency_us: int = 0
    labels: Mapping[str, str] = _NO_LABELS
    budgets: tuple[str, ...] = ()  # that it counts against
    corrects: int = 0  # of a correction: the row that was wrong
    adjustment_nano_usd: int | None = None
    provider_request_id: str = ""
    trace_id: str = ""
    hold_id: str = ""  # by which it was paid; empty: nothing was held for it


def entry_id(number: int) -> str:
    """The name of a row: sorts as rows were written."""
    return f"{number:016d}"


def text_of(entry: Entry) -> str:
    """The row as JSON, without how it failed: for rows of attempts that have not ended."""
    plain = entry._replace(failure=b"", units=dict(entry.units), labels=dict(entry.labels))
    return json.dumps(plain._asdict() | {"failure": ""})


def entry_of(text: str) -> Entry:
    """The row that `text_of` has written; of an older server, with fewer fields."""
    fields = json.loads(text)
    return Entry(
        **fields
        | {
            "failure": b"",
            "tokens": Tokens(*fields["tokens"]),
            "amounts": Amounts(*fields["amounts"]),
            "budgets": tuple(fields["budgets"]),
        }
    )
