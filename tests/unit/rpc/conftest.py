"""Fixtures of the gRPC edge."""

from collections.abc import AsyncIterator
from contextlib import AsyncExitStack, asynccontextmanager

import hypothesis
import pytest

from promptwire_server.rpc.server import ServerSettings
from tests.unit.rpc import edge
from tests.unit.rpc.edge import Methods, Running, Serve
from tests.unit.rpc.station import Station

hypothesis.settings.register_profile("unit", deadline=None)  # the cores are shared: time says nothing
hypothesis.settings.load_profile("unit")


@pytest.fixture
async def serve() -> AsyncIterator[Serve]:
    """Starts servers; methods of the servicer are given by name, other options by keyword."""
    async with AsyncExitStack() as stack:

        async def start(*, options: ServerSettings | None = None, **given: object) -> Running:
            methods: dict[str, Methods] = {name: value for name, value in given.items() if name[0].isupper()}  # type: ignore[misc]
            others = {name: value for name, value in given.items() if not name[0].isupper()}
            return await stack.enter_async_context(asynccontextmanager(edge.running)(methods, options=options, **others))

        yield start


@pytest.fixture
def station() -> Station:
    """A servicer that waits until told."""
    return Station()
