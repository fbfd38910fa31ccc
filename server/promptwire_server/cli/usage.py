"""`promptwire usage`: what was used and what it cost."""

import asyncio
import csv
import sys
from collections.abc import Iterator, Sequence
from contextlib import nullcontext
from pathlib import Path
from typing import Annotated, Final, Literal, TextIO

from cyclopts import Parameter

from promptwire import Promptwire
from promptwire.admin import v1 as admin
from promptwire_server.cli.amounts import moment, pairs, time_of, zone_of
from promptwire_server.cli.connection import HERE, Connection, Seconds
from promptwire_server.cli.exits import CommandError, ExitCode
from promptwire_server.cli.render import note, one_line, print_table, write
from promptwire_server.core.clock import SystemClock
from promptwire_server.core.money import dollars

_TIMEOUT_S: Final = 60.0
_EXPORT_TIMEOUT_S: Final = 3600.0
_DIMENSIONS: Final = {
    "tenant": admin.USAGE_DIMENSION_TENANT,
    "principal": admin.USAGE_DIMENSION_PRINCIPAL,
    "key": admin.USAGE_DIMENSION_API_KEY,
    "model": admin.USAGE_DIMENSION_MODEL,
    "provider": admin.USAGE_DIMENSION_PROVIDER,
    "chain": admin.USAGE_DIMENSION_CHAIN,
    "step": admin.USAGE_DIMENSION_STEP,
}
_FIELDS: Final = {"key": "api_key_id", "chain": "chain_name", "step": "step_id"}  # of UsageGroup, where its name is another
_COUNTS: Final = ("calls", "failed", "cached", "in", "out", "cost", "saved", "unpriced")
_EXPORTED: Final = (
    "entry_id", "kind", "create_time", "tenant", "principal", "api_key_id", "provider", "model", "requested_model", "rpc", "request_id",
    "attempt", "run_id", "chain_name", "step_id", "served_from", "failure", "input_tokens", "output_tokens", "cached_input_tokens",
    "cost_nano_usd", "cost_usd", "latency_ms", "labels", "budget_ids", "trace_id",
)  # fmt: skip

Since = Annotated[str, Parameter(help='From when on: how long ago ("7d", "12h"), or a date ("2026-11-01").')]
Until = Annotated[str, Parameter(help="Until when, written likewise. Default: now.")]
Zone = Annotated[str, Parameter(help="Whose midnight begins days, weeks and months, e.g. Europe/Berlin. Default: UTC.")]
Where = Annotated[
    list[str],
    Parameter(name="--where", help="Only these: tenant=shop, model=gpt-4o, label.team=search. Repeatable; of the same name, any."),
]


def show(  # noqa: PLR0913 - the options of a question
    *,
    by: Annotated[str, Parameter(help="A line each of these, with commas: tenant, principal, key, model, provider, chain, step.")] = "",
    label: Annotated[list[str], Parameter(help="Also a line each value of this label. Repeatable.")] = [],  # noqa: B006 - never changed
    bucket: Annotated[Literal["minute", "hour", "day", "week", "month"] | None, Parameter(help="Also a line each of these.")] = None,
    since: Since = "30d",
    until: Until = "",
    time_zone: Zone = "",
    where: Where = [],  # noqa: B006 - never changed
    order: Annotated[Literal["time", "cost", "tokens", "entries"], Parameter(help="Which lines come first. Default: by time.")] = "time",
    csv: Annotated[bool, Parameter(help="As CSV, money in nano-dollars too.")] = False,
    json: Annotated[bool, Parameter(help="All of it as one line of JSON, as in the contract.")] = False,
    timeout: Seconds = _TIMEOUT_S,
    connection: Connection = HERE,
) -> int:
    """Add up tokens and money."""
    names = _names(by)
    request = admin.QueryUsageRequest(
        bucket=f"USAGE_BUCKET_{(bucket or 'unspecified').upper()}",
        time_zone=zone_of(time_zone).key,
        group_by=[_DIMENSIONS[name] for name in names],
        group_by_label_keys=label,
        filter=_filter(where),
        order=f"USAGE_ORDER_{order.upper()}",
        page_size=1000,
    )
    _set_span(request, since, until, time_zone)
    answer = asyncio.run(_asked(connection.open(timeout), request))
    if json:
        write(one_line(answer) + "\n")
    elif csv:
        _write_csv(answer, names, label, request)
    else:
        _print(answer, names, label, request)
    return ExitCode.OK


def export(  # noqa: PLR0913 - the options of an export
    *,
    csv: Annotated[Path | None, Parameter(help="Where to write it. Default: standard output.")] = None,
    json: Annotated[bool, Parameter(help="A line of JSON each entry in place of CSV, whole, as in the contract.")] = False,
    since: Annotated[str, Parameter(help='From when on: "7d" ago, or a date. Default: the oldest entry.')] = "",
    until: Until = "",
    time_zone: Zone = "",
    where: Where = [],  # noqa: B006 - never changed
    after: Annotated[str, Parameter(help="Go on behind this entry: entry_id of the last one that is there already.")] = "",
    timeout: Seconds = _EXPORT_TIMEOUT_S,
    connection: Connection = HERE,
) -> int:
    """Write out the ledger: a line each attempt at a provider, each answer from the cache, each adjustment of a budget."""
    request = admin.ExportUsageRequest(filter=_filter(where), after_entry_id=after, page_size=1000)
    _set_span(request, since, until, time_zone)
    with csv.open("w", encoding="utf-8", newline="") if csv is not None else nullcontext(sys.stdout) as out:
        count = asyncio.run(_exported(connection.open(timeout), request, out, json=json))
    note(f"{count} entries{f' in {csv}' if csv is not None else ''}")
    return ExitCode.OK


async def _asked(client: Promptwire, request: admin.QueryUsageRequest) -> admin.QueryUsageResponse:
    async with client:
        return await client.admin.query_usage(request)


async def _exported(client: Promptwire, request: admin.ExportUsageRequest, out: TextIO, *, json: bool) -> int:
    """Write the entries; how many."""
    count, lines = 0, csv.writer(out, lineterminator="\n")
    if not json:
        lines.writerow(_EXPORTED)
    async with client:
        async for entry in client.admin.export_usage(request):
            count += 1
            if json:
                out.write(one_line(entry) + "\n")
            else:
                lines.writerow(_exported_row(entry))
    return count


def _names(by: str) -> list[str]:
    names = [name.strip() for name in by.split(",") if name.strip()]
    for name in names:
        if name not in _DIMENSIONS:
            raise CommandError(f"--by {name}: is no dimension", f"there are {', '.join(_DIMENSIONS)}; labels: --label KEY")
    return names


def _filter(where: Sequence[str]) -> admin.UsageFilter:
    wanted = admin.UsageFilter()
    for text in where:
        ((name, value),) = pairs([text], "--where").items()
        if name.startswith("label."):
            wanted.labels[name.removeprefix("label.")] = value
        elif name in _DIMENSIONS:
            getattr(wanted, f"{_FIELDS.get(name, name)}s").append(value)
        else:
            raise CommandError(f"--where {text}: {name} is none", f"there are {', '.join(_DIMENSIONS)} and label.KEY")
    return wanted


def _set_span(request: admin.QueryUsageRequest | admin.ExportUsageRequest, since: str, until: str, zone: str) -> None:
    now_s = SystemClock().time()
    if since:
        request.start_time.CopyFrom(moment(since, "--since", now_s, zone))
    if until:
        request.end_time.CopyFrom(moment(until, "--until", now_s, zone))


def _print(answer: admin.QueryUsageResponse, names: Sequence[str], labels: Sequence[str], request: admin.QueryUsageRequest) -> None:
    begin = [admin.UsageBucket.Name(request.bucket).removeprefix("USAGE_BUCKET_").lower()] if request.bucket else []
    rows = [(*_keys(row, names, labels, request), *_numbers(row)) for row in answer.rows]
    if len(rows) != 1 or names or labels or begin:
        spaces = len(begin) + len(names) + len(labels)
        rows.append((*["total", *[""] * spaces][:spaces], *_numbers(answer.total)) if spaces else _numbers(answer.total))
    print_table([*begin, *names, *labels, *_COUNTS], rows)
    if answer.total.unpriced_count:
        note(f"{answer.total.unpriced_count} calls have no known price: cost leaves them out; write it under model_facts")


def _keys(row: admin.UsageRow, names: Sequence[str], labels: Sequence[str], request: admin.QueryUsageRequest) -> Iterator[str]:
    """What a line is about."""
    if request.bucket:
        whole = request.bucket not in (admin.USAGE_BUCKET_MINUTE, admin.USAGE_BUCKET_HOUR)
        yield time_of(row.start_time, zone_of(request.time_zone), day=whole)
    for name in names:
        yield getattr(row.group, _FIELDS.get(name, name)) or "-"
    for key in labels:
        yield row.group.labels.get(key, "-")


def _numbers(row: admin.UsageRow) -> tuple[str, ...]:
    about = "~" if row.usage.estimated else ""
    return (
        str(row.entry_count),
        str(row.failed_count),
        str(row.cache_hit_count + row.dedup_hit_count),
        f"{about}{row.usage.input_tokens}",
        f"{about}{row.usage.output_tokens}",
        dollars(row.cost.total_nano_usd) if row.cost.HasField("total_nano_usd") else "unknown" if row.entry_count else dollars(0),
        dollars(row.cost.saved_nano_usd) if row.cost.HasField("saved_nano_usd") else "",
        str(row.unpriced_count),
    )


def _write_csv(answer: admin.QueryUsageResponse, names: Sequence[str], labels: Sequence[str], request: admin.QueryUsageRequest) -> None:
    lines = csv.writer(sys.stdout, lineterminator="\n")
    keys = [*(["bucket"] if request.bucket else []), *names, *(f"label.{key}" for key in labels)]
    counts = ("entries", "failed", "cache_hits", "dedup_hits", "unpriced", "input_tokens", "output_tokens", "cost_nano_usd", "cost_usd")
    lines.writerow(["start", "end", *keys, *counts])
    for row in answer.rows:
        known = row.cost.HasField("total_nano_usd")
        cost = (str(row.cost.total_nano_usd), dollars(row.cost.total_nano_usd).replace("$", "")) if known else ("", "")
        counted = (row.entry_count, row.failed_count, row.cache_hit_count, row.dedup_hit_count, row.unpriced_count)
        tokens = (row.usage.input_tokens, row.usage.output_tokens)
        span = (row.start_time.ToJsonString(), row.end_time.ToJsonString())
        lines.writerow([*span, *_keys(row, names, labels, request), *counted, *tokens, *cost])


def _exported_row(entry: admin.LedgerEntry) -> list[str]:
    known = entry.cost.HasField("total_nano_usd")
    special = {
        "kind": admin.LedgerEntryKind.Name(entry.kind).removeprefix("LEDGER_ENTRY_KIND_"),
        "create_time": entry.create_time.ToJsonString(),
        "served_from": str(entry.served_from),
        "failure": entry.failure.message if entry.HasField("failure") else "",
        "input_tokens": str(entry.usage.input_tokens),
        "output_tokens": str(entry.usage.output_tokens),
        "cached_input_tokens": str(entry.usage.cached_input_tokens),
        "cost_nano_usd": str(entry.cost.total_nano_usd) if known else "",
        "cost_usd": dollars(entry.cost.total_nano_usd).replace("$", "") if known else "",
        "latency_ms": str(entry.latency.ToMilliseconds()),
        "labels": ";".join(f"{key}={value}" for key, value in sorted(entry.labels.items())),
        "budget_ids": ";".join(entry.budget_ids),
    }
    return [special[name] if name in special else str(getattr(entry, name)) for name in _EXPORTED]
