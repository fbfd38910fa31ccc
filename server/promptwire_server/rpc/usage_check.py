"""Checks of questions for usage: every fault at once, each with its path; and what right ones mean."""

from collections.abc import Iterator, Mapping, Sequence
from typing import Final

from google.protobuf.timestamp_pb2 import Timestamp

from promptwire import v1 as pb
from promptwire.admin import v1 as admin
from promptwire_server.core.budget import Calendar, Period, known_zone
from promptwire_server.core.errors import Violation
from promptwire_server.core.fields import Found, labels
from promptwire_server.core.sums import Column, Dimension, Order, Selection

DIMENSIONS: Final[Mapping[int, Dimension]] = {
    admin.USAGE_DIMENSION_TENANT: "tenant",
    admin.USAGE_DIMENSION_PRINCIPAL: "principal",
    admin.USAGE_DIMENSION_API_KEY: "api_key_id",
    admin.USAGE_DIMENSION_MODEL: "model",
    admin.USAGE_DIMENSION_PROVIDER: "provider",
    admin.USAGE_DIMENSION_CHAIN: "chain",
    admin.USAGE_DIMENSION_STEP: "step_id",
}
PERIODS: Final[Mapping[int, Period | None]] = {
    admin.USAGE_BUCKET_UNSPECIFIED: None,
    admin.USAGE_BUCKET_MINUTE: "minute",
    admin.USAGE_BUCKET_HOUR: "hour",
    admin.USAGE_BUCKET_DAY: "day",
    admin.USAGE_BUCKET_WEEK: "week",
    admin.USAGE_BUCKET_MONTH: "month",
}
ORDERS: Final[Mapping[int, Order]] = {
    admin.USAGE_ORDER_UNSPECIFIED: "time",
    admin.USAGE_ORDER_TIME: "time",
    admin.USAGE_ORDER_COST: "cost",
    admin.USAGE_ORDER_TOKENS: "tokens",
    admin.USAGE_ORDER_ENTRIES: "entries",
}
_MEMBERS: Final[Mapping[str, Column]] = {
    "tenants": "tenant",
    "principals": "principal",
    "api_key_ids": "api_key_id",
    "models": "model",
    "providers": "provider",
    "chain_names": "chain",
    "step_ids": "step_id",
    "run_ids": "run_id",
    "request_ids": "request_id",
    "served_from": "served_from",
}
_MOST_LABEL_KEYS: Final = 4
_MOST_MEMBERS: Final = 1000
_MOST_CHARACTERS: Final = 64
_DAY_US: Final = 86_400_000_000
_DEFAULT_US: Final = 30 * _DAY_US
_LATEST_US: Final = 32_503_680_000_000_000  # the year 3000: beyond it nothing is asked for


def check_query(request: admin.QueryUsageRequest, now_us: int) -> Iterator[Violation]:
    """Everything wrong with a question."""
    if request.bucket not in PERIODS:
        yield Violation("bucket", f"is none of {', '.join(admin.UsageBucket.keys())}")
    if request.order not in ORDERS:
        yield Violation("order", f"is none of {', '.join(admin.UsageOrder.keys())}")
    if request.time_zone and not known_zone(request.time_zone):
        yield Violation("time_zone", 'is no name of the IANA time zone database; write one such as "Europe/Berlin", or nothing for UTC')
    for position, dimension in enumerate(request.group_by):
        if dimension not in DIMENSIONS:
            yield Violation(f"group_by[{position}]", f"is none of {', '.join(admin.UsageDimension.keys()[1:])}")
        elif dimension in request.group_by[:position]:
            yield Violation(f"group_by[{position}]", "is there already; remove one")
    yield from _label_keys(request.group_by_label_keys)
    yield from check_filter(request.filter)
    start_us, end_us = span(request.start_time, request.end_time, request, now_us)
    if start_us >= end_us:
        yield Violation("start_time", "must be before end_time")
    elif request.bucket == admin.USAGE_BUCKET_MINUTE and end_us - start_us > _DAY_US:
        yield Violation("start_time", "must be at most a day before end_time where a bucket is a minute")


def check_export(request: admin.ExportUsageRequest) -> Iterator[Violation]:
    """Everything wrong with an export."""
    yield from check_filter(request.filter)
    for position, kind in enumerate(request.kinds):
        if not kind or kind not in admin.LedgerEntryKind.values():
            yield Violation(f"kinds[{position}]", f"is none of {', '.join(admin.LedgerEntryKind.keys()[1:])}")
    after = request.after_entry_id
    if after and not (after.isascii() and after.isdigit() and len(after) <= 18):  # noqa: PLR2004 - digits that fit into 64 bits
        yield Violation("after_entry_id", "is no identifier of an entry; send entry_id as it came, or nothing")
    if request.HasField("start_time") and request.HasField("end_time") and _micros(request.start_time) >= _micros(request.end_time):
        yield Violation("start_time", "must be before end_time")


def check_filter(wanted: admin.UsageFilter) -> Iterator[Violation]:
    """Everything wrong with a filter."""
    for name in _MEMBERS:
        count = len(getattr(wanted, name))
        if count > _MOST_MEMBERS:
            yield Violation(f"filter.{name}", f"has {count} items; at most {_MOST_MEMBERS} are allowed")
    for position, served in enumerate(wanted.served_from):
        if not served or served not in pb.ServedFrom.values():
            yield Violation(f"filter.served_from[{position}]", f"is none of {', '.join(pb.ServedFrom.keys()[1:])}")
    found: Found = []
    labels(wanted.labels, "filter.labels", found)
    yield from found


def span(start: Timestamp, end: Timestamp, request: admin.QueryUsageRequest, now_us: int) -> tuple[int, int]:
    """From when to when is asked."""
    end_us = _micros(end) if request.HasField("end_time") else now_us
    return (_micros(start) if request.HasField("start_time") else max(0, end_us - _DEFAULT_US)), end_us


def widened(start_us: int, end_us: int, calendar: Calendar | None) -> tuple[int, int]:
    """The same, from the begin of a bucket to the end of one."""
    if calendar is None:
        return start_us, end_us
    begin_us = calendar.bucket_us(end_us)
    return calendar.bucket_us(start_us), end_us if begin_us == end_us else calendar.ends_us(end_us) or end_us


def selection(wanted: admin.UsageFilter, tenant: str | None, start_us: int, end_us: int, kinds: Sequence[int] = ()) -> Selection:
    """The rows that a filter means; `tenant` is the only one that may be seen, None: all may be."""
    among: dict[Column, tuple[str | int, ...]] = {
        column: tuple(members) for name, column in _MEMBERS.items() if (members := getattr(wanted, name))
    }
    return Selection(tenant, start_us, end_us, among, dict(wanted.labels), tuple(kinds))


def start_of(request: admin.ExportUsageRequest) -> int:
    """From when on entries are exported."""
    return _micros(request.start_time) if request.HasField("start_time") else 0


def end_of(request: admin.ExportUsageRequest, now_us: int) -> int:
    """Until when entries are exported."""
    return _micros(request.end_time) if request.HasField("end_time") else now_us


def _label_keys(keys: Sequence[str]) -> Iterator[Violation]:
    if len(keys) > _MOST_LABEL_KEYS:
        yield Violation("group_by_label_keys", f"has {len(keys)} items; at most {_MOST_LABEL_KEYS} are allowed")
        return
    for position, key in enumerate(keys):
        if not 1 <= len(key) <= _MOST_CHARACTERS:
            yield Violation(f"group_by_label_keys[{position}]", f"has {len(key)} characters; it must have 1 to {_MOST_CHARACTERS}")
        elif key in keys[:position]:
            yield Violation(f"group_by_label_keys[{position}]", "is there already; remove one")


def _micros(time: Timestamp) -> int:
    """Within what a ledger can have; rows are told apart by microseconds."""
    return min(max(0, time.seconds * 1_000_000 + -(-time.nanos // 1000)), _LATEST_US)
