"""`promptwire version`: which versions are here, and at the server."""

import asyncio
import platform
from importlib import metadata

from promptwire import Promptwire, errors
from promptwire import v1 as pb
from promptwire_server.cli.connection import HERE, Connection
from promptwire_server.cli.exits import ExitCode
from promptwire_server.cli.render import print_table, printable

_TIMEOUT_S = 3.0


def version(*, connection: Connection = HERE) -> int:
    """Say which versions are here and at the server, if there is one."""
    client = connection.open(_TIMEOUT_S)
    try:
        server = _text(asyncio.run(_asked(client)))
    except errors.PromptwireError as error:
        server = f"not known: {printable(error.message)}"
    rows = [
        ("promptwire", f"{metadata.version('promptwire-server')} (Python {platform.python_version()})"),
        ("client", f"{metadata.version('promptwire')} (grpcio {metadata.version('grpcio')})"),
        (f"server at {client.target}", server),
    ]
    print_table(("what", "version"), rows)
    return ExitCode.OK


async def _asked(client: Promptwire) -> pb.GetServerInfoResponse:
    async with client:
        return await client.server_info()


def _text(info: pb.GetServerInfoResponse) -> str:
    names = [field.name for field, value in info.capabilities.ListFields() if value]
    return f"{info.version} (contract {info.contract_version}); offers {', '.join(names)}"
