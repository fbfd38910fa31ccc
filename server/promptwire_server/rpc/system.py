"""SystemService: the server itself."""

from promptwire import v1 as pb
from promptwire_server.rpc.exchange import Exchange


class SystemService:
    """promptwire.v1.SystemService. What it says is fixed when the server is composed."""

    def __init__(self, info: pb.GetServerInfoResponse) -> None:
        self._info = info

    async def GetServerInfo(self, request: pb.GetServerInfoRequest, exchange: Exchange) -> pb.GetServerInfoResponse:  # noqa: ARG002, N802 - the contract's name and shape
        """Version, what is switched on, limits."""
        return self._info
