"""`promptwire admin`: how a server's providers do, and what their operator may change."""

import asyncio
from collections.abc import Awaitable, Callable, Iterator
from typing import Annotated, TypeVar

from cyclopts import Parameter, validators
from google.protobuf.internal.enum_type_wrapper import EnumTypeWrapper

from promptwire import Promptwire
from promptwire.admin import v1 as admin
from promptwire_server.cli.connection import HERE, Connection, Seconds
from promptwire_server.cli.exits import ExitCode
from promptwire_server.cli.render import note, one_line, print_table, seconds_of, time_text, write

_COLUMNS = ("provider", "model", "mode", "health", "breaker", "now", "calls", "failed", "p50", "p99")
_TIMEOUT_S = 15.0

T = TypeVar("T")
Name = Annotated[str, Parameter(help="Name of the provider, as configured.")]
Reason = Annotated[str, Parameter(help="Why, for people and the log.")]


def providers(
    *,
    json: Annotated[bool, Parameter(help="All of it as one line of JSON, as in the contract.")] = False,
    timeout: Seconds = _TIMEOUT_S,
    connection: Connection = HERE,
) -> int:
    """List the models of each provider: in use or not, breaker, calls of the last minutes, failures, times."""
    found = asyncio.run(_asked(connection.open(timeout), lambda client: client.admin.list_providers()))
    if json:
        write(one_line(admin.ListProvidersResponse(providers=found)) + "\n")
        return ExitCode.OK
    print_table(_COLUMNS, [row for provider in found for row in _rows(provider)])
    return ExitCode.OK


def reset(
    name: Name,
    model: Annotated[str, Parameter(help="The vendor's name of the model. Default: all of the provider.")] = "",
    /,
    *,
    reason: Reason = "",
    timeout: Seconds = _TIMEOUT_S,
    connection: Connection = HERE,
) -> int:
    """Close the breaker of a provider's model, or all of the provider's."""
    return _done(connection.open(timeout), lambda client: client.admin.reset_breaker(name, model, reason=reason))


def enable(name: Name, /, *, reason: Reason = "", timeout: Seconds = _TIMEOUT_S, connection: Connection = HERE) -> int:
    """Use a provider again."""
    return _done(connection.open(timeout), lambda client: client.admin.enable_provider(name, reason=reason))


def disable(
    name: Name,
    /,
    *,
    drain: Annotated[
        float | None,
        Parameter(
            help="Seconds that calls under way may go on before they are ended; 0: not at all. Default: until they end by themselves.",
            validator=validators.Number(gte=0),
        ),
    ] = None,
    reason: Reason = "",
    timeout: Seconds = _TIMEOUT_S,
    connection: Connection = HERE,
) -> int:
    """Send a provider no more calls, on every worker within about a second. Those under way go on, unless a drain is given."""
    return _done(connection.open(timeout), lambda client: client.admin.disable_provider(name, reason=reason, drain_timeout_s=drain))


def _done(client: Promptwire, do: Callable[[Promptwire], Awaitable[admin.Provider]]) -> int:
    provider = asyncio.run(_asked(client, do))
    print_table(_COLUMNS, list(_rows(provider)))
    if provider.mode == admin.PROVIDER_MODE_DRAINING:
        note(f"{provider.in_flight_count} calls are under way")
    return ExitCode.OK


async def _asked(client: Promptwire, do: Callable[[Promptwire], Awaitable[T]]) -> T:
    async with client:
        return await do(client)


def _rows(provider: admin.Provider) -> Iterator[tuple[str, ...]]:
    """One for each model; of a provider that nobody called, one all the same."""
    mode = _word(admin.ProviderMode, provider.mode, "PROVIDER_MODE_")
    if not provider.targets:
        yield (provider.name, "", mode, "", "", str(provider.in_flight_count), "0", "0", "", "")
    for target in provider.targets:
        yield (
            provider.name,
            target.model,
            mode,
            _word(admin.ProviderHealth, target.health, "PROVIDER_HEALTH_"),
            _word(admin.BreakerState, target.breaker.state, "BREAKER_STATE_"),
            str(target.in_flight_count),
            *_measured(target.stats),
        )


def _measured(stats: admin.ProviderCallStats) -> tuple[str, str, str, str]:
    latency = stats.latency
    times = (time_text(seconds_of(latency.p50)), time_text(seconds_of(latency.p99))) if stats.HasField("latency") else ("", "")
    return (str(stats.call_count), str(stats.failure_count), *times)


def _word(kind: EnumTypeWrapper, value: int, prefix: str) -> str:
    """The enum's value as a word; nothing for an unspecified one, the number for one that is newer than this."""
    if not value:
        return ""
    return kind.Name(value).removeprefix(prefix).lower() if value in kind.values() else str(value)
