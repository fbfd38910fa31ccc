"""Restart: what happens to a stream that breaks midway, where its caller has asked for something else than an error."""

from collections.abc import AsyncIterator
from dataclasses import replace

from promptwire import v1 as pb
from promptwire_server.core.call import Call, Target
from promptwire_server.core.errors import PromptwireError, StreamInterrupted
from promptwire_server.core.handler import Handler
from promptwire_server.core.reply import Batch, Event, Reply
from promptwire_server.layers.said import Said

_DISCARD = pb.StreamChatRequest.RESTART_POLICY_RESTART_WITH_DISCARD
_CONTINUE = pb.StreamChatRequest.RESTART_POLICY_CONTINUE
_MOST_RESTARTS = 2  # three attempts in all, as everywhere


class Restart:
    """Opens another stream when one breaks, by the caller's policy. Without a policy it costs nothing."""

    def __init__(self, inner: Handler) -> None:
        self._inner = inner

    async def __call__(self, call: Call) -> Reply:
        """The inner answer; a stream with a policy goes on behind a failure, which an `attempt_failed` event tells of."""
        reply = await self._inner(call)
        if not call.stream or call.restart not in (_DISCARD, _CONTINUE):
            return reply
        stream = _Stream(self._inner, call, reply)
        return Reply(stream.batches(), release=stream.release)


class _Stream:
    """One answer made of one stream or several."""

    def __init__(self, inner: Handler, call: Call, reply: Reply) -> None:
        self._inner = inner
        self._call = call
        self._reply = reply
        self._said = Said()
        self._goes_on = call.restart == _CONTINUE
        self._failed: pb.AttemptFailed | None = None  # to be told where the next stream begins

    def release(self) -> None:
        """Let go of the stream that is open."""
        self._reply.close()

    async def batches(self) -> AsyncIterator[Batch]:
        """The events of all streams as those of one."""
        restarts = 0
        while True:
            try:
                async for batch in self._reply.batches():
                    yield [self._passed(event) for event in batch]
            except StreamInterrupted as error:
                restarts += 1
                ended = await self._again(error, restarts)
                if ended:
                    yield ended
            else:
                return

    def _passed(self, event: Event) -> Event:
        """The event; of a further stream's beginning, that the one before has failed."""
        if self._failed is not None and event.HasField("started"):
            told, self._failed = self._failed, None
            if not told.next_provider:
                told.next_provider, told.next_model = event.started.provider, event.started.model
            return Event(attempt_failed=told)
        self._said.take(event)
        return event

    async def _again(self, error: StreamInterrupted, restarts: int) -> list[Event]:
        """Open the next stream; what ends of the one before. Raises the error when there is none to be had."""
        if restarts > _MOST_RESTARTS or (self._goes_on and not self._said.only_text):
            raise error
        self._reply.close()
        broken = self._call.trail.attempts[-1] if self._call.trail.attempts else pb.Attempt()
        call = self._said.going_on(self._call) if self._goes_on else self._call
        avoided = Target(broken.provider, broken.model)
        made = len(self._call.trail.attempts)
        try:
            self._reply = await self._inner(replace(call, avoid=(*call.avoid, avoided)))
        except PromptwireError:
            raise error from None
        self._call.avoid = (*self._call.avoid, avoided)
        self._failed = pb.AttemptFailed(attempt=broken, discard_partial_output=not self._goes_on, next_action=self._next_action())
        for failed in self._call.trail.attempts[made : made + 1]:  # before the stream that is open now, which tells it itself
            self._failed.next_provider, self._failed.next_model = failed.provider, failed.model
        if self._goes_on:
            return self._said.ended()
        self._said = Said()
        return []

    def _next_action(self) -> "pb.AttemptFailed.NextAction":
        return pb.AttemptFailed.NEXT_ACTION_CONTINUE if self._goes_on else pb.AttemptFailed.NEXT_ACTION_FALLBACK
