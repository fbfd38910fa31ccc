"""Voice: a worker's line to its supervisor. It tells when it is ready, and learns when the supervisor is gone."""

import asyncio
import contextlib
import json
import socket


class Voice:
    """A worker's end of the line to its supervisor."""

    def __init__(self, fd: int) -> None:
        self._socket = socket.socket(fileno=fd)

    def say(self, state: str, **facts: int) -> None:
        """Tell the supervisor; a supervisor that is gone hears nothing."""
        with contextlib.suppress(OSError):
            self._socket.sendall(json.dumps({"state": state, **facts}).encode() + b"\n")

    async def orphaned(self) -> None:
        """Return when the supervisor is gone: its end of the line closes with it, however it died."""
        self._socket.setblocking(False)  # noqa: FBT003 - the standard library's signature
        while await asyncio.get_running_loop().sock_recv(self._socket, 1):
            pass
