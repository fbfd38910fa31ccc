"""Stream probe: holds a stream back until its provider has shown real progress, so that one that dies before can be replaced unseen."""

from dataclasses import dataclass

from promptwire_server.core.call import Call
from promptwire_server.core.clock import Clock
from promptwire_server.core.errors import PromptwireError, StreamInterrupted
from promptwire_server.core.handler import Handler
from promptwire_server.core.reply import Batch, Event, Reply

_MOST_EVENTS = 1024  # held back at most
_MOST_CHARACTERS = 1 << 18  # of what is held back: arguments of a call, mostly


@dataclass(frozen=True, slots=True)
class StreamProbeSettings:
    """When a stream has shown enough."""

    characters: int = 0  # of text, refusal and reasoning together; a whole tool call or other part counts as well. 0: streams flow at once
    within_s: float = 2.0  # from its first event on, after which it flows whatever it has shown


class StreamProbe:
    """Holds streams back. Stands within breakers and limits, for which a stream that dies while it is held back is a failed attempt."""

    def __init__(self, inner: Handler, *, settings: StreamProbeSettings, clock: Clock) -> None:
        self._inner = inner
        self._settings = settings
        self._clock = clock

    async def __call__(self, call: Call) -> Reply:
        """The inner answer; a stream flows once it has shown enough or its time is over. Raises what broke it before that."""
        reply = await self._inner(call)
        within_s = min(self._settings.within_s, (call.first_by_s or call.deadline_s) - self._clock.monotonic())
        if not call.stream or not reply.flowing or within_s <= 0:
            return reply
        try:
            await reply.hold(_Progress(self._settings.characters).shown, within_s)
        except StreamInterrupted as error:
            reply.close(error)
            raise _unseen(error) from error
        except BaseException as error:
            reply.close(error)
            raise
        return reply


class _Progress:
    """What a stream has shown so far."""

    __slots__ = ("_events", "_held", "_missing")

    def __init__(self, characters: int) -> None:
        self._missing = characters
        self._held = 0
        self._events = 0

    def shown(self, batch: Batch) -> bool:
        """Whether that is enough; also when it would be too much to hold back."""
        self._events += len(batch)
        for event in batch:
            kind = event.WhichOneof("event")
            if kind == "part_delta":
                self._grown(event)
            elif kind in ("part_finished", "finished"):
                self._missing = 0
        return self._missing <= 0 or self._held > _MOST_CHARACTERS or self._events > _MOST_EVENTS

    def _grown(self, event: Event) -> None:
        delta = event.part_delta
        said = len(delta.text) + len(delta.reasoning) + len(delta.refusal) + len(delta.data)
        self._missing -= said
        self._held += said + len(delta.arguments_json)


def _unseen(error: StreamInterrupted) -> PromptwireError:
    """What broke a stream of which nothing was delivered: that alone says whether another try is of use."""
    cause = error.__cause__
    return cause if isinstance(cause, PromptwireError) else error
