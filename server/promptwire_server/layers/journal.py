"""Journal: writes down what every question used and how it ended, also those that failed or were cancelled."""

from collections.abc import Mapping
from types import MappingProxyType
from typing import Final, Protocol

from promptwire import v1 as pb
from promptwire_server.core.clock import Clock
from promptwire_server.core.entry import Entry
from promptwire_server.core.reply import Ending
from promptwire_server.layers.outcome import outcome_of, who
from promptwire_server.layers.spent import answer_of, lost, together
from promptwire_server.layers.tally import Ended

_SHOWN_NAME = 128  # characters of a name that the caller chose
_NO_LABELS: Final[Mapping[str, str]] = MappingProxyType({})
_NO_USAGE: Final = pb.Usage()  # never changed
_SERVED_FROM: Final = {value: name.removeprefix("SERVED_FROM_") for name, value in pb.ServedFrom.items() if value}


class Sink(Protocol):
    """Where entries go."""

    def append(self, tenant: str, entry: Entry) -> None:
        """Take an entry; writing it down comes later. Must neither wait nor raise."""
        ...


class Journal:
    """Hands an entry to the sink for every question that has ended."""

    def __init__(self, sink: Sink, clock: Clock) -> None:
        self._sink = sink
        self._clock = clock

    def write(self, ended: Ended) -> None:
        """Write down one question."""
        call = ended.call
        since_us = int((self._clock.monotonic() - ended.at_s) * 1e6)
        self._sink.append(call.principal.tenant, _entry(ended, int(self._clock.time() * 1e6) - since_us))


def _entry(ended: Ended, ended_us: int) -> Entry:
    call, ending = ended.call, ended.ending
    request = call.request
    answer = ending.response or ending.partial
    provider, model = who(call, answer)
    usage, (cost, saved) = _taken(ended)
    labels = request.labels
    row = (  # in the order of Entry's fields, whose constructor would take half a microsecond more
        ended_us,
        call.request_id,
        call.trace_id,
        call.principal.name,
        provider,
        model,
        request.model[:_SHOWN_NAME],
        outcome_of(ending, late=ended.at_s >= call.deadline_s),
        _served_from(ending),
        call.stream,
        usage.input_tokens,
        usage.output_tokens,
        usage.cached_input_tokens,
        usage.cache_write_5m_tokens,
        usage.cache_write_1h_tokens,
        usage.reasoning_tokens,
        usage.input_audio_tokens,
        usage.output_audio_tokens,
        usage.input_image_tokens,
        usage.output_image_tokens,
        usage.estimated,
        cost,
        saved,
        int((ended.at_s - call.arrival_s) * 1e6),
        call.run_id,
        call.step_id,
        dict(labels) if labels else _NO_LABELS,
    )
    return Entry._make(row)


def _taken(ended: Ended) -> tuple[pb.Usage, tuple[int | None, int | None]]:
    """Tokens, and what they cost."""
    attempts = lost(ended.call)
    answer = answer_of(ended.ending, attempts)
    if attempts:
        usage, cost = together(answer, attempts)
        return usage, _amounts(cost)
    return (_NO_USAGE, (None, None)) if answer is None else (answer.usage, _amounts(answer.cost))


def _amounts(cost: pb.Cost) -> tuple[int | None, int | None]:
    """Cost and saved cost in nano-USD, each None when unknown."""
    total = cost.total_nano_usd if cost.HasField("total_nano_usd") else None
    return total, cost.saved_nano_usd if cost.HasField("saved_nano_usd") else None


def _served_from(ending: Ending) -> str:
    if ending.response is None:
        return ""
    return _SERVED_FROM.get(ending.response.served_from, "PROVIDER")
