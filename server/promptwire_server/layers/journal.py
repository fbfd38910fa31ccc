"""Journal: writes down questions that were answered without a provider, and what that saved. Attempts are written where they are made."""

from typing import Final

from promptwire import v1 as pb
from promptwire_server.core.clock import Clock
from promptwire_server.layers.recorder import Recorder
from promptwire_server.layers.rows import saved_row
from promptwire_server.layers.tally import Ended

_SAVED: Final = frozenset({pb.SERVED_FROM_CACHE, pb.SERVED_FROM_DEDUP, pb.SERVED_FROM_IDEMPOTENCY})


class Journal:
    """Hands a row to the recorder for every such question."""

    def __init__(self, recorder: Recorder, clock: Clock) -> None:
        self._recorder = recorder
        self._clock = clock

    def write(self, ended: Ended) -> None:
        """Write down one question, if it is such a one."""
        answer = ended.ending.response
        if answer is None or answer.served_from not in _SAVED:
            return
        at_us = int((self._clock.time() - self._clock.monotonic() + ended.at_s) * 1e6)
        self._recorder.add(lambda: [saved_row(ended.call, answer, at_us)])
