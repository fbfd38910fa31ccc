"""Endings: calls that end in every way there is, and what they may leave behind: nothing."""

import asyncio
import contextlib
import random
from collections import Counter
from collections.abc import Callable, Sequence

import grpc

from promptwire import v1 as pb
from promptwire.v1.chat_service_pb2_grpc import ChatServiceStub
from tests.e2e import process
from tests.e2e.process import Server
from tests.faults.fake_provider.process import FakeProvider

CONNECTIONS = 4
NOTHING_LEFT_S = 2.0
_OPTIONS = [("grpc.enable_retries", 0), ("grpc.use_local_subchannel_pool", 1)]
# What the provider does, how likely; each whole or streamed.
_SCRIPTS: Sequence[tuple[str, int]] = (
    ("tokens=3", 8),
    ("tokens=8;delay_ms=10", 4),
    ("status=503", 2),
    ("status=400", 1),
    ("rst=start", 1),
    ("rst=2", 1),
    ("bad_json=1", 1),
    ("error_event=2", 1),
    ("fin=2", 1),
    ("hang=start", 2),
    ("hang=head", 2),
    ("hang=2", 2),
)
_PRIORITIES = (pb.PRIORITY_UNSPECIFIED, pb.PRIORITY_HIGH, pb.PRIORITY_LOW)
_TIMEOUTS_S = (0.1, 0.3, 1.0, 20.0)
_MOST_S = 1.5  # that the caller of a call without an end stays


class Crowd:
    """Callers whose calls end in every way: answered, failed, cancelled, out of time, cut off with their connection."""

    def __init__(self, server: Server, marker: str, seed: int) -> None:
        self.ends: Counter[str] = Counter()
        self._server = server
        self._marker = marker
        self._chance = random.Random(seed)
        self._channels = [self._channel() for _ in range(CONNECTIONS)]

    async def ask(self, calls: int, at_once: int) -> None:
        """So many calls."""
        room = asyncio.Semaphore(at_once)
        async with asyncio.TaskGroup() as tasks:
            for number in range(calls):
                await room.acquire()
                tasks.create_task(self._one(number, room.release))
                if number % (calls // 10) == calls // 20:
                    tasks.create_task(self._cut_off(number))
        for channel in self._channels:
            await channel.close()

    async def _one(self, number: int, done: Callable[[], None]) -> None:
        chance = self._chance
        channel = self._channels[number % CONNECTIONS]
        script = chance.choices([name for name, _ in _SCRIPTS], [weight for _, weight in _SCRIPTS])[0]
        chat = pb.ChatRequest(prompt=f"say {number}", model=f"fake/{self._marker}{number}~{script}", priority=chance.choice(_PRIORITIES))
        timeout_s = chance.choice(_TIMEOUTS_S)
        ask = _streamed if chance.random() < 0.5 else _whole
        try:
            async with asyncio.timeout(chance.uniform(0, _MOST_S) if chance.random() < 0.3 else _MOST_S):
                await ask(channel, chat, timeout_s)
            self.ends["OK"] += 1
        except TimeoutError:
            self.ends["cancelled"] += 1
        except grpc.aio.AioRpcError as error:
            self.ends[error.code().name] += 1
        except (asyncio.CancelledError, grpc.aio.UsageError):  # its connection was closed under it
            self.ends["cut off"] += 1
        finally:
            done()

    async def _cut_off(self, number: int) -> None:
        """A client goes away with all its calls."""
        position = number % CONNECTIONS
        gone, self._channels[position] = self._channels[position], self._channel()
        await gone.close()

    def _channel(self) -> grpc.aio.Channel:
        return grpc.aio.insecure_channel(self._server.target, options=_OPTIONS)


async def _whole(channel: grpc.aio.Channel, chat: pb.ChatRequest, timeout_s: float) -> None:
    await ChatServiceStub(channel).Chat(chat, timeout=timeout_s)


async def _streamed(channel: grpc.aio.Channel, chat: pb.ChatRequest, timeout_s: float) -> None:
    async for _ in ChatServiceStub(channel).StreamChat(pb.StreamChatRequest(chat=chat), timeout=timeout_s):
        pass


async def left_behind(server: Server, fake: FakeProvider, marker: str, tasks: float) -> dict[str, float]:
    """What is still held, once nothing is or the time for that is over."""
    found: dict[str, float] = {}

    def nothing() -> bool:
        metrics = server.metrics()
        found.update(
            {
                "slots": metrics.sum("promptwire_admission_in_use"),
                "waiting": metrics.sum("promptwire_queue_depth"),
                "chats": metrics.sum("promptwire_chats_in_flight"),
                "at targets": metrics.sum("promptwire_target_in_flight"),
                "tasks": metrics.sum("promptwire_event_loop_tasks") - tasks,
                "leases nobody ended": metrics.sum("promptwire_admission_leases_reclaimed_total"),
            }
        )
        return not any(found.values())

    with contextlib.suppress(process.ServerError):
        await asyncio.to_thread(process.until, nothing, NOTHING_LEFT_S, "nothing left")
    found["requests upstream"] = sum(entry["ended"] is None for entry in await fake.aledger() if str(entry["model"]).startswith(marker))
    return {what: count for what, count in found.items() if count}
