"""Usage added up by hand, slowly and plainly: what QueryUsage is held against."""

from collections.abc import Iterator, Sequence
from datetime import UTC, date, datetime, timedelta
from zoneinfo import ZoneInfo

from promptwire.admin import v1 as admin
from promptwire_server.core.ledger import Entry

DIMENSIONS = {
    admin.USAGE_DIMENSION_TENANT: ("tenant", "tenant"),
    admin.USAGE_DIMENSION_PRINCIPAL: ("principal", "principal"),
    admin.USAGE_DIMENSION_API_KEY: ("api_key_id", "api_key_id"),
    admin.USAGE_DIMENSION_MODEL: ("model", "model"),
    admin.USAGE_DIMENSION_PROVIDER: ("provider", "provider"),
    admin.USAGE_DIMENSION_CHAIN: ("chain", "chain_name"),
    admin.USAGE_DIMENSION_STEP: ("step_id", "step_id"),
}
FILTERS = {
    "tenants": "tenant", "principals": "principal", "api_key_ids": "api_key_id", "models": "model", "providers": "provider",
    "chain_names": "chain", "step_ids": "step_id", "run_ids": "run_id", "request_ids": "request_id", "served_from": "served_from",
}  # fmt: skip
AMOUNTS = ("total", "input", "cached_input", "cache_write", "output", "other", "saved")


def midnight(day: date, zone: ZoneInfo) -> int:
    """The first moment of a day, by looking for it minute by minute: clocks may be changed just then."""
    moment = datetime(day.year, day.month, day.day, tzinfo=UTC) - timedelta(hours=16)
    while moment.astimezone(zone).date() < day:
        moment += timedelta(minutes=15)
    return int(moment.timestamp()) * 1_000_000


def bucket(at_us: int, kind: int, zone: ZoneInfo) -> tuple[int, int]:
    """Begin and end of the bucket of a moment."""
    if kind in (admin.USAGE_BUCKET_MINUTE, admin.USAGE_BUCKET_HOUR):
        width = 60_000_000 if kind == admin.USAGE_BUCKET_MINUTE else 3_600_000_000
        return at_us // width * width, at_us // width * width + width
    day = datetime.fromtimestamp(at_us // 1_000_000, zone).date()
    if kind == admin.USAGE_BUCKET_WEEK:
        day -= timedelta(days=day.weekday())
        return midnight(day, zone), midnight(day + timedelta(days=7), zone)
    if kind == admin.USAGE_BUCKET_MONTH:
        day = day.replace(day=1)
        return midnight(day, zone), midnight((day + timedelta(days=31)).replace(day=1), zone)
    return midnight(day, zone), midnight(day + timedelta(days=1), zone)


def counts(entry: Entry, request: admin.QueryUsageRequest, tenant: str | None, start_us: int, end_us: int) -> bool:
    """Whether a row counts."""
    wanted = request.filter
    return (
        entry.kind != admin.LEDGER_ENTRY_KIND_ADJUSTMENT
        and tenant in (None, entry.tenant)
        and start_us <= entry.at_us < end_us
        and all(not getattr(wanted, name) or getattr(entry, field) in getattr(wanted, name) for name, field in FILTERS.items())
        and all(entry.labels.get(key) == value for key, value in wanted.labels.items())
    )


def expected(ledger: Sequence[Entry], request: admin.QueryUsageRequest, tenant: str | None) -> tuple[list[admin.UsageRow], admin.UsageRow]:
    """All rows, and the total."""
    zone = ZoneInfo(request.time_zone or "UTC")
    start_us, end_us = request.start_time.ToMicroseconds(), request.end_time.ToMicroseconds()
    if request.bucket:
        start_us = bucket(start_us, request.bucket, zone)[0]
        begin, end = bucket(end_us, request.bucket, zone)
        end_us = end_us if begin == end_us else end
    rows: dict[tuple[object, ...], admin.UsageRow] = {}
    total = _row(start_us, end_us)
    for entry in ledger:
        if counts(entry, request, tenant, start_us, end_us):
            span = bucket(entry.at_us, request.bucket, zone) if request.bucket else (start_us, end_us)
            values = [getattr(entry, DIMENSIONS[dimension][0]) for dimension in request.group_by]
            tags = [entry.labels.get(key) for key in request.group_by_label_keys]
            row = rows.setdefault((*span, *values, *tags), _row(*span))
            for dimension, value in zip(request.group_by, values, strict=True):
                setattr(row.group, DIMENSIONS[dimension][1], value)
            row.group.labels.update({key: tag for key, tag in zip(request.group_by_label_keys, tags, strict=True) if tag is not None})
            _add(row, entry)
            _add(total, entry)
    return list(rows.values()), total


def _row(start_us: int, end_us: int) -> admin.UsageRow:
    row = admin.UsageRow(group={}, usage={}, cost={})
    row.start_time.FromMicroseconds(start_us)
    row.end_time.FromMicroseconds(end_us)
    return row


def _add(row: admin.UsageRow, entry: Entry) -> None:
    counted = entry.kind in (admin.LEDGER_ENTRY_KIND_ATTEMPT, admin.LEDGER_ENTRY_KIND_SAVED)
    row.entry_count += counted
    row.failed_count += entry.kind == admin.LEDGER_ENTRY_KIND_ATTEMPT and bool(entry.failure)
    row.cache_hit_count += counted and entry.served_from == 2
    row.dedup_hit_count += counted and entry.served_from == 3
    row.unpriced_count += counted and entry.amounts.total is None
    for name, count in entry.tokens._asdict().items():
        setattr(row.usage, f"{name}_tokens", getattr(row.usage, f"{name}_tokens") + count)
    for unit, count in entry.units.items():
        row.usage.provider_units[unit] += count
    row.usage.estimated = row.cost.estimated = row.usage.estimated or entry.estimated
    for name, amount in _known(entry):
        setattr(row.cost, name, getattr(row.cost, name) + amount)


def _known(entry: Entry) -> Iterator[tuple[str, int]]:
    for name in AMOUNTS:
        amount = getattr(entry.amounts, name)
        if amount is not None:
            yield f"{name}_nano_usd", amount
