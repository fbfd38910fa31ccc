"""The real provider in front of the fake one."""

from collections.abc import AsyncIterator
from contextlib import asynccontextmanager

from promptwire_server.core.clock import SystemClock
from promptwire_server.core.secret import Secret
from promptwire_server.providers.provider import Provider
from promptwire_server.providers.registry import build
from promptwire_server.providers.settings import HttpSettings
from promptwire_server.providers.upstream import Bounds, Timeouts
from tests.unit.providers.support import make_ids

KIB = 1 << 10
SMALL = Bounds(head_bytes=8 * KIB, line_bytes=64 * KIB, event_bytes=64 * KIB, body_bytes=256 * KIB, stream_bytes=256 * KIB)
PATIENT = Timeouts(connect_s=5, first_token_s=30, idle_s=30, total_s=30)


@asynccontextmanager
async def provider_at(
    base_url: str, api_key: str, *, timeouts: Timeouts = PATIENT, bounds: Bounds = SMALL, max_connections: int = 64
) -> AsyncIterator[Provider]:
    """A provider of chat completions at an address, closed afterwards."""
    settings = HttpSettings(
        dialect="openai", base_url=base_url, api_key=Secret(api_key), timeouts=timeouts, bounds=bounds, max_connections=max_connections
    )
    provider = build("openai", settings, clock=SystemClock(), ids=make_ids())
    try:
        yield provider
    finally:
        await provider.aclose()


@asynccontextmanager
async def vendor_at(vendor: str, base_url: str, api_key: str, *, dialect: str = "openai") -> AsyncIterator[Provider]:
    """A provider with the habits of a vendor, and its name, at an address; closed afterwards."""
    settings = HttpSettings(dialect=dialect, vendor=vendor, base_url=base_url, api_key=Secret(api_key))
    provider = build(vendor, settings, clock=SystemClock(), ids=make_ids())
    try:
        yield provider
    finally:
        await provider.aclose()
