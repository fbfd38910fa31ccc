"""Columns: a row of the ledger as tables have it."""

import json
from collections.abc import Mapping, Sequence
from typing import Final, cast

from promptwire_server.core.ledger import Amounts, Entry, Tokens

COLUMNS: Final = (
    "tenant", "kind", "at_us", "principal", "api_key_id", "provider", "model", "model_asked", "rpc", "request_id", "attempt", "run_id",
    "chain", "chain_version", "step_id", "step_path", "batch_id", "served_from", "failure",
    "input_tokens", "output_tokens", "cached_input_tokens", "cache_write_5m_tokens", "cache_write_1h_tokens", "reasoning_tokens",
    "input_audio_tokens", "output_audio_tokens", "input_image_tokens", "output_image_tokens", "estimated", "units",
    "total_nano_usd", "input_nano_usd", "cached_input_nano_usd", "cache_write_nano_usd", "output_nano_usd", "other_nano_usd",
    "saved_nano_usd", "price_source", "latency_us", "labels", "budgets", "corrects", "adjustment_nano_usd", "provider_request_id",
    "trace_id", "hold_id",
)  # fmt: skip

_FAILURE: Final = Entry._fields.index("failure") + 1  # before it, and behind the budgets, fields and columns are the same
_BUDGETS: Final = Entry._fields.index("budgets") + 1

Value = str | int | bytes | None


def values_of(entry: Entry, now_us: int) -> tuple[Value, ...]:
    """When it was written, and the row, as the columns want it."""
    plain = cast("tuple[Value, ...]", entry)  # where the fields are those of the table
    return (
        now_us,
        *plain[:_FAILURE],
        *entry.tokens,
        entry.estimated,
        _json(entry.units),
        *entry.amounts,
        entry.price_source,
        entry.latency_us,
        _json(entry.labels),
        _list(entry.budgets),
        *plain[_BUDGETS:],
    )


def entry_of(values: Sequence[Value]) -> Entry:
    """The row that stands in the columns: `values_of` the other way round, without when it was written."""
    fields = list(values)
    tokens = Tokens(*cast("Sequence[int]", fields[_FAILURE : _FAILURE + len(Tokens._fields)]))
    estimated, units, *rest = fields[_FAILURE + len(tokens) :]
    amounts = Amounts(*cast("Sequence[int | None]", rest[: len(Amounts._fields)]))
    source, latency, labels, budgets, *others = rest[len(amounts) :]
    return Entry._make(
        [
            *fields[:_FAILURE], tokens, bool(estimated), json.loads(cast("str", units)), amounts, source, latency,
            json.loads(cast("str", labels)), tuple(json.loads(cast("str", budgets))), *others,
        ]
    )  # fmt: skip


def _json(value: Mapping[str, str] | Mapping[str, int]) -> str:
    # The default options, for which the encoder is made already: others would take half the time of a row.
    return json.dumps(dict(value)) if value else "{}"


def _list(value: Sequence[str]) -> str:
    return json.dumps(value) if value else "[]"
