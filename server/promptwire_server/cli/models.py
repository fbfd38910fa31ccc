"""`promptwire models`: what can be asked."""

import asyncio
from collections.abc import Sequence
from typing import Annotated

from cyclopts import Parameter

from promptwire import Promptwire
from promptwire import v1 as pb
from promptwire_server.cli.connection import HERE, Connection, Seconds
from promptwire_server.cli.exits import ExitCode
from promptwire_server.cli.render import note, one_line, print_table, write
from promptwire_server.core.money import dollars

_COLUMNS = ("name", "answers", "can", "context", "in/1M", "out/1M")
_PER_MILLION = 1000  # prices are for a thousand tokens
_THOUSAND = 1000
_TAKEN_FOR_GRANTED = frozenset({pb.CAPABILITY_CHAT, pb.CAPABILITY_STREAMING})
_LIST_TIMEOUT_S = 15.0


def models(
    *,
    provider: Annotated[str, Parameter(help="Only models of this provider.")] = "",
    json: Annotated[bool, Parameter(help="All of it as one line of JSON, as in the contract.")] = False,
    timeout: Seconds = _LIST_TIMEOUT_S,
    connection: Connection = HERE,
) -> int:
    """List the models and aliases that may be asked: what each can do, how much it holds, what it costs."""
    found = asyncio.run(_listed(connection.open(timeout), provider))
    if json:
        write(one_line(pb.ListModelsResponse(models=found)) + "\n")
        return ExitCode.OK
    print_table(_COLUMNS, [_row(model) for model in found])
    for name in _silent(found, provider):
        note(f"no models of {name}, which aliases name: it may be unreachable; the server's log says why")
    if not found:
        note("no models" + (f" of {provider}" if provider else ""))
    return ExitCode.OK


async def _listed(client: Promptwire, provider: str) -> list[pb.Model]:
    async with client:
        return await client.list_models(provider=provider)


def _silent(found: Sequence[pb.Model], provider: str) -> list[str]:
    """Providers that aliases name and that listed nothing; of one provider, when only that was asked for."""
    there = {model.provider for model in found if not model.targets}
    named = {target.partition("/")[0] for model in found for target in model.targets}
    return sorted(name for name in named - there if provider in ("", name))


def _row(model: pb.Model) -> tuple[str, ...]:
    name = f"{model.name} *" if model.is_default else model.name
    answers = ", ".join(model.targets) or f"{model.provider}/{model.provider_model}"
    price = model.price
    return (
        name,
        answers,
        ", ".join(_capability(one) for one in model.capabilities if one not in _TAKEN_FOR_GRANTED),
        _tokens(model.context_window_tokens),
        _price(price, "input_nano_usd_per_1k_tokens"),
        _price(price, "output_nano_usd_per_1k_tokens"),
    )


def _capability(capability: "pb.Capability") -> str:
    return pb.Capability.Name(capability).removeprefix("CAPABILITY_").lower() if capability in pb.Capability.values() else str(capability)


def _tokens(count: int) -> str:
    if not count:
        return ""
    return f"{count // _THOUSAND}k" if count >= _THOUSAND else str(count)


def _price(price: pb.Price, name: str) -> str:
    return dollars(getattr(price, name) * _PER_MILLION) if price.HasField(name) else ""
