"""The async client and its sync twin behind one face, so that one test proves both."""

import asyncio
from typing import Any

from promptwire import Promptwire, SyncPromptwire

TIMEOUT_S = 20.0  # of a call in a test: a thread that waits for the client's own default would hold the run up for minutes


class AsyncCaller:
    """Uses the async client."""

    async def call(self, target: str, method: str, *args: Any, client: dict[str, Any] | None = None, **options: Any) -> Any:
        async with Promptwire(target, **{"timeout_s": TIMEOUT_S, **(client or {})}) as promptwire:
            return await getattr(promptwire, method)(*args, **options)

    async def collect(self, target: str, method: str, *args: Any, into: list[Any], events: bool = False, **options: Any) -> Any:
        """The stream after its end; what it gave is in `into`, also after an error."""
        async with Promptwire(target, timeout_s=TIMEOUT_S) as promptwire:
            stream = getattr(promptwire, method)(*args, **options)
            async for item in stream.events() if events else stream:
                into.append(item)  # noqa: PERF401 - what came before an error is wanted too
            return stream


class SyncCaller:
    """Uses the sync client, in a thread."""

    async def call(self, target: str, method: str, *args: Any, client: dict[str, Any] | None = None, **options: Any) -> Any:
        def run() -> Any:
            with SyncPromptwire(target, **{"timeout_s": TIMEOUT_S, **(client or {})}) as promptwire:
                return getattr(promptwire, method)(*args, **options)

        return await asyncio.to_thread(run)

    async def collect(self, target: str, method: str, *args: Any, into: list[Any], events: bool = False, **options: Any) -> Any:
        def run() -> Any:
            with SyncPromptwire(target, timeout_s=TIMEOUT_S) as promptwire:
                stream = getattr(promptwire, method)(*args, **options)
                into.extend(stream.events() if events else stream)
                return stream

        return await asyncio.to_thread(run)


Caller = AsyncCaller | SyncCaller
