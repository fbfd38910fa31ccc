"""Events on their way out: joined, with heartbeats, under load."""

import asyncio
import itertools

from hypothesis import given
from hypothesis import strategies as st

from promptwire import v1 as pb
from promptwire_server.core.errors import CallCancelled
from promptwire_server.rpc.events import EventWriter, Load, StreamSettings, joined
from tests.unit.rpc.exchanges import FakeExchange
from tests.unit.rpc.skipping import run

TEXTS = ("text", "reasoning", "arguments_json", "refusal", "transcript")
Event = pb.StreamChatResponse
where = st.fixed_dictionaries({"candidate_index": st.integers(0, 1), "part_index": st.integers(0, 1)})
text_deltas = st.builds(
    lambda place, kind, text, logprobs: Event(
        part_delta=pb.PartDelta(**place, **{kind: text}, logprobs=[pb.TokenLogprob(token=token) for token in logprobs])
    ),
    where,
    st.sampled_from(TEXTS),
    st.text(max_size=3),
    st.lists(st.text(max_size=2), max_size=2),
)
data_deltas = st.builds(lambda place, data: Event(part_delta=pb.PartDelta(**place, data=data)), where, st.binary(max_size=3))
others = st.sampled_from(
    [
        Event(started=pb.ChatStarted(model="m")),
        Event(part_started=pb.PartStarted(part_index=1)),
        Event(part_finished=pb.PartFinished(part_index=1)),
        Event(part_delta=pb.PartDelta()),
        Event(notice=pb.Notice(message="n")),
    ]
)
streams = st.lists(text_deltas | data_deltas | others, max_size=30)


def run_key(event: Event) -> tuple[int, int, str] | None:
    """What deltas must share to be joined; None for what is never joined."""
    kind = event.part_delta.WhichOneof("delta")
    return (event.part_delta.candidate_index, event.part_delta.part_index, kind) if kind in TEXTS else None


def letters(events: list[Event]) -> list[object]:
    """The stream letter by letter: what the reader ends up with, however it was cut."""
    found: list[object] = []
    for event in events:
        key = run_key(event)
        if key is None:
            found.append(event.SerializeToString())
        else:
            found += [(key, letter) for letter in getattr(event.part_delta, key[2])]
    return found


def tokens(events: list[Event]) -> list[tuple[int, str]]:
    return [(event.part_delta.candidate_index, logprob.token) for event in events for logprob in event.part_delta.logprobs]


@given(streams)
def test_joining_changes_neither_text_nor_order(events: list[Event]) -> None:
    before = [event.SerializeToString() for event in events]
    after = list(joined(events))
    assert letters(after) == letters(events)
    assert tokens(after) == tokens(events)
    assert [event.SerializeToString() for event in events] == before


@given(streams)
def test_no_neighbours_are_left_unjoined(events: list[Event]) -> None:
    after = list(joined(events))
    keys = [run_key(event) for event in after]
    assert all(one is None or one != other for one, other in itertools.pairwise(keys))


def test_deltas_are_joined_only_above_the_bound() -> None:
    load = Load(StreamSettings(join_window_s=0.02, join_above_streams=2))
    windows = []
    for load.streams in range(4):
        windows.append(load.window_s())
    assert windows == [0.0, 0.0, 0.0, 0.02]


class Timed(FakeExchange):
    """Knows when each message went."""

    def __init__(self, delay_s: float = 0.0) -> None:
        super().__init__()
        self.delay_s = delay_s
        self.times: list[tuple[str, float]] = []
        self.busy = False

    async def send(self, message: object) -> None:
        assert not self.busy, "two messages at once"
        self.busy = True
        await asyncio.sleep(self.delay_s)
        self.busy = False
        kind = message.WhichOneof("event")  # type: ignore[attr-defined]  # our messages only
        self.times.append((kind, asyncio.get_running_loop().time()))


def heartbeat() -> Event:
    return Event(heartbeat=pb.Heartbeat())


NOTICE = Event(notice=pb.Notice())


def times(interval_s: float, *pauses_s: float, first: bool = True, delay_s: float = 0.0) -> list[tuple[str, float]]:
    """What went when, with a message after each pause."""
    exchange = Timed(delay_s)

    async def written() -> None:
        writer = EventWriter(exchange, heartbeat, interval_s)
        if first:
            await writer.send(NOTICE)
        for pause_s in pauses_s:
            await asyncio.sleep(pause_s)
            if first:
                await writer.send(NOTICE)
        writer.close()
        await asyncio.sleep(100)

    run(written())
    return [(kind, round(at_s, 6)) for kind, at_s in exchange.times]


def test_silence_is_broken_once_an_interval() -> None:
    assert times(2.0, 5.0) == [("notice", 0), ("heartbeat", 2), ("heartbeat", 4), ("notice", 5)]


def test_a_message_begins_the_interval_anew() -> None:
    assert times(2.0, 1.5, 1.5, 2.5) == [("notice", 0), ("notice", 1.5), ("notice", 3), ("heartbeat", 5), ("notice", 5.5)]


def test_nothing_beats_before_the_first_message() -> None:
    assert times(2.0, 50.0, first=False) == []


def test_nothing_beats_unasked() -> None:
    assert times(0.0, 50.0) == [("notice", 0), ("notice", 50)]


def test_an_interval_is_at_least_a_second() -> None:
    assert times(0.001, 1.5) == [("notice", 0), ("heartbeat", 1), ("notice", 1.5)]


def test_a_slow_reader_gets_no_beat_on_top_of_a_message() -> None:
    """The notice begins at 5 and takes until 6.5; a beat that was due meanwhile is left out, the next is a second after."""
    beats = [("notice", 1.5), ("heartbeat", 4), ("notice", 6.5), ("heartbeat", 9), ("notice", 11.5)]
    assert times(1.0, 3.5, 3.5, delay_s=1.5) == beats


def test_a_beat_to_a_reader_who_is_gone_ends_the_beating_quietly() -> None:
    class Gone(FakeExchange):
        async def send(self, message: object) -> None:
            self.messages.append(message)  # type: ignore[arg-type]  # ours
            if len(self.messages) > 1:
                raise CallCancelled("gone")

    gone = Gone()

    async def written() -> None:
        writer = EventWriter(gone, heartbeat, 1.0)
        await writer.send(NOTICE)
        await asyncio.sleep(10)
        writer.close()

    run(written())
    assert len(gone.messages) == 2


def test_closing_without_a_message_is_harmless() -> None:
    async def closed() -> None:
        EventWriter(FakeExchange(), heartbeat, 1.0).close()

    run(closed())
