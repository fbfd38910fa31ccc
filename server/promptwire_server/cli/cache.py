"""`promptwire cache`: what the server's cache of answers holds and was good for, and how answers are dropped."""

import asyncio
from collections.abc import Awaitable, Callable, Iterator
from typing import Annotated, Final, TypeVar

from cyclopts import Parameter

from promptwire import Promptwire
from promptwire.admin import v1 as admin
from promptwire_server.cli.connection import HERE, Connection, Seconds
from promptwire_server.cli.exits import CommandError, ExitCode
from promptwire_server.cli.render import note, one_line, print_table, write
from promptwire_server.config.units import seconds, size_text
from promptwire_server.core.money import dollars

_TIMEOUT_S: Final = 30.0
_COLUMNS: Final = ("model", "answers", "bytes", "hits", "stale", "similar", "misses", "kept", "dropped", "tokens saved", "saved")
_ALL: Final = "all"

T = TypeVar("T")
Tenant = Annotated[str, Parameter(help="Only answers of this tenant. Default: all that the key may reach.")]
Model = Annotated[str, Parameter(help='Only answers of this model: "provider/model", or "provider/*".')]


def stats(
    *,
    tenant: Tenant = "",
    model: Model = "",
    json: Annotated[bool, Parameter(help="All of it as one line of JSON, as in the contract.")] = False,
    timeout: Seconds = _TIMEOUT_S,
    connection: Connection = HERE,
) -> int:
    """Show what the cache holds and was good for, a line each model and one for all of them."""
    told = asyncio.run(_asked(connection.open(timeout), lambda client: client.admin.cache_stats(tenant=tenant, model=model)))
    if json:
        write(one_line(told) + "\n")
        return ExitCode.OK
    print_table(_COLUMNS, list(_rows(told)))
    where = f"the {told.store} of {told.instance_id}" if told.instance_id else told.store
    room = f", which has room for {size_text(told.stats.max_size_bytes)}" if told.stats.HasField("max_size_bytes") else ""
    note(f"kept in {where}{room}")
    return ExitCode.OK


def purge(  # noqa: PLR0913 - the fields of a selector
    *,
    all: Annotated[bool, Parameter(help="Everything that the key may reach.")] = False,  # noqa: A002 - the option's name
    tenant: Tenant = "",
    model: Model = "",
    key: Annotated[str, Parameter(help="Answers whose cache_key begins so.")] = "",
    namespace: Annotated[str, Parameter(help="Answers of this namespace.")] = "",
    older_than: Annotated[str, Parameter(help='Answers kept at least so long: "90s", "12h", "7d".')] = "",
    dry_run: Annotated[bool, Parameter(help="Only count them.")] = False,
    reason: Annotated[str, Parameter(help="Why, for people and the log.")] = "",
    timeout: Seconds = _TIMEOUT_S,
    connection: Connection = HERE,
) -> int:
    """Drop answers: those for which all that is said holds."""
    selector = admin.CacheSelector(tenant=tenant, model=model, key_prefix=key, namespace=namespace)
    if older_than:
        selector.min_age.FromNanoseconds(_nanoseconds(older_than))
    if all == bool(selector.ListFields()):
        raise CommandError("which answers is not clear", "say --all, or some of --tenant, --model, --key, --namespace, --older-than")
    chosen = None if all else selector
    client = connection.open(timeout)
    purged = asyncio.run(_asked(client, lambda client: client.admin.purge_cache(chosen, dry_run=dry_run, reason=reason)))
    told = f"{purged.purged_count} answers, {size_text(purged.purged_bytes)}"
    write(f"{told} would be dropped\n" if dry_run else f"dropped {told}\n")
    return ExitCode.OK


async def _asked(client: Promptwire, do: Callable[[Promptwire], Awaitable[T]]) -> T:
    async with client:
        return await do(client)


def _rows(told: admin.GetCacheStatsResponse) -> Iterator[tuple[str, ...]]:
    for each in told.models:
        yield _row(each.model, each.stats)
    yield _row(_ALL, told.stats)


def _row(model: str, stats: admin.CacheStats) -> tuple[str, ...]:
    saved = dollars(stats.saved_nano_usd) if stats.HasField("saved_nano_usd") else ""
    counts = (stats.hit_count, stats.stale_hit_count, stats.similar_hit_count, stats.miss_count, stats.write_count, stats.eviction_count)
    tokens = stats.saved_usage.input_tokens + stats.saved_usage.output_tokens
    return (model, str(stats.entry_count), size_text(stats.size_bytes), *map(str, counts), str(tokens), saved)


def _nanoseconds(text: str) -> int:
    try:
        return int(seconds(text) * 1e9)
    except ValueError as error:
        raise CommandError(f"--older-than {text}: {error}", 'write a time, e.g. "12h"') from None
