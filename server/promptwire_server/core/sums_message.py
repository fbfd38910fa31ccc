"""Sums and rows of the ledger as messages of the contract."""

from collections.abc import Mapping
from typing import Final

from promptwire import v1 as pb
from promptwire.admin import v1 as admin
from promptwire_server.core.ledger import Amounts, Entry, Tokens, entry_id
from promptwire_server.core.sums import Dimension, Question, Sum

_FIELDS: Final[Mapping[Dimension, str]] = {"chain": "chain_name"}  # where the contract has another name


def row_message(question: Question, total: Sum) -> admin.UsageRow:
    """A sum as a row; of the total, which has no group, with an empty one."""
    counts = total.counts
    row = admin.UsageRow(
        group=_group(question, total),
        entry_count=counts.entries,
        failed_count=counts.failed,
        cache_hit_count=counts.cache_hits,
        dedup_hit_count=counts.dedup_hits,
        unpriced_count=counts.unpriced,
        usage=_usage(total.tokens, total.units, estimated=total.estimated),
        cost=_cost(total.amounts, estimated=total.estimated),
    )
    row.start_time.FromMicroseconds(total.start_us)
    row.end_time.FromMicroseconds(total.end_us)
    return row


def entry_message(number: int, entry: Entry) -> admin.LedgerEntry:
    """A row of the ledger."""
    message = admin.LedgerEntry(
        entry_id=entry_id(number),
        kind=entry.kind,  # type: ignore[arg-type] # the enum's numbers
        tenant=entry.tenant,
        principal=entry.principal,
        api_key_id=entry.api_key_id,
        provider=entry.provider,
        model=entry.model,
        requested_model=entry.model_asked,
        rpc=entry.rpc,
        request_id=entry.request_id,
        attempt=entry.attempt,
        run_id=entry.run_id,
        chain_name=entry.chain,
        chain_version=entry.chain_version,
        step_id=entry.step_id,
        step_path=entry.step_path,
        batch_id=entry.batch_id,
        served_from=entry.served_from,  # type: ignore[arg-type] # the enum's numbers
        labels=dict(entry.labels),
        budget_ids=entry.budgets,
        corrected_entry_id=entry_id(entry.corrects) if entry.corrects else "",
        adjustment_nano_usd=entry.adjustment_nano_usd,
        provider_request_id=entry.provider_request_id,
        trace_id=entry.trace_id,
    )
    message.create_time.FromMicroseconds(entry.at_us)
    if entry.kind != admin.LEDGER_ENTRY_KIND_ADJUSTMENT:
        _add_use(message, entry)
    return message


def _add_use(message: admin.LedgerEntry, entry: Entry) -> None:
    """What it took, which an adjustment has not."""
    message.usage.CopyFrom(_usage(entry.tokens, entry.units, estimated=entry.estimated))
    message.cost.CopyFrom(_cost(entry.amounts, estimated=entry.estimated))
    message.cost.price_source = entry.price_source
    message.latency.FromMicroseconds(entry.latency_us)
    if entry.failure:
        message.failure.ParseFromString(entry.failure)


def _group(question: Question, total: Sum) -> admin.UsageGroup:
    group = admin.UsageGroup()
    for dimension, value in zip(question.by, total.group, strict=False):
        setattr(group, _FIELDS.get(dimension, dimension), value)
    for key, label in zip(question.labels, total.labels, strict=False):
        if label is not None:
            group.labels[key] = label
    return group


def _usage(tokens: Tokens, units: Mapping[str, int], *, estimated: bool) -> pb.Usage:
    usage = pb.Usage(estimated=estimated, provider_units=dict(units))
    for name, count in tokens._asdict().items():
        setattr(usage, f"{name}_tokens", count)
    return usage


def _cost(amounts: Amounts, *, estimated: bool) -> pb.Cost:
    cost = pb.Cost(estimated=estimated)
    for name, amount in amounts._asdict().items():
        if amount is not None:
            setattr(cost, f"{name}_nano_usd", amount)
    return cost
