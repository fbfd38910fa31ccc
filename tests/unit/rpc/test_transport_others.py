"""RPCs that this server does not know."""

import grpc
import pytest

from tests.unit.rpc.edge import Serve
from tests.unit.rpc.wire import failure


@pytest.mark.parametrize(
    "method",
    ["promptwire.v1.ChatService/Zork", "promptwire.admin.v1.BudgetService/CreateBudget", "promptwire.v2.ChatService/Chat"],
)
async def test_a_method_of_ours_that_is_unknown_is_disabled(serve: Serve, method: str) -> None:
    edge = await serve()

    async def call() -> object:
        return await edge.channel.unary_unary(f"/{method}", bytes, bytes)(b"anything")

    failed = await failure(call())
    assert (failed.code, failed.reason) == (grpc.StatusCode.UNIMPLEMENTED, "DISABLED")
    assert method.replace("/", ".") in failed.message


async def test_a_stream_of_ours_that_is_unknown_is_disabled(serve: Serve) -> None:
    edge = await serve()
    call = edge.channel.unary_stream("/promptwire.v1.RunService/WatchWhatever", bytes, bytes)(b"")
    failed = await failure(call.read())
    assert (failed.code, failed.reason) == (grpc.StatusCode.UNIMPLEMENTED, "DISABLED")
