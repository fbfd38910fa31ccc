"""The longest times and the largest sizes that are taken are such that a server starts with them."""

import grpc
import pytest
import yaml

from promptwire_server.convert import server_settings
from promptwire_server.rpc.server import options
from tests.unit.config.conftest import Configured

_TIMES = ("max_call_duration", "max_connection_age", "max_connection_age_grace")


@pytest.mark.parametrize("keys", [_TIMES, _TIMES[:1], ()])
async def test_grpc_takes_the_longest_times_and_the_largest_messages(load: Configured, keys: tuple[str, ...]) -> None:
    keepalive = dict.fromkeys(("interval", "timeout", "min_client_interval"), "3650d")
    sizes = dict.fromkeys(("max_request_bytes", "max_response_bytes"), (1 << 31) - 1)
    settings = load(yaml.safe_dump({"server": {**dict.fromkeys(keys, "3650d"), **sizes, "keepalive": keepalive}}))
    await grpc.aio.server(options=options(server_settings(settings, worker=False))).stop(None)


@pytest.mark.parametrize(
    ("text", "fault"),
    [
        ("max_call_duration: 999999999999d", "server.max_call_duration: must be at most 3650d"),
        ("max_request_bytes: 4GiB", "server.max_request_bytes: must be at most 2147483647"),
    ],
)
def test_more_is_a_fault_with_its_place(load: Configured, text: str, fault: str) -> None:
    assert any(fault in found for found in load.faults(f"server: {{{text}}}"))
