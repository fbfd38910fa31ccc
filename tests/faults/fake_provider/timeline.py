"""From a reply and a script to the list of steps that plays it: pure, nothing sent."""

from dataclasses import dataclass

from tests.faults.fake_provider import head, sse
from tests.faults.fake_provider.http1 import head_bytes
from tests.faults.fake_provider.reply import Event, Headers, Reply
from tests.faults.fake_provider.script import (
    FOREVER,
    Play,
    Point,
    PointKind,
    Script,
)
from tests.faults.fake_provider.steps import (
    Body,
    Fin,
    Finish,
    Hang,
    Raw,
    Repeat,
    Rst,
    Step,
    Wait,
    body_bytes,
    bomb,
    cut,
    filler,
    insert,
    zipped,
)

# Neither text nor UTF-8 nor an HTTP line, and the same every time.
GARBAGE = bytes((37 * n + 129) % 256 for n in range(64))
BAD_CHUNK = b"zz\r\n"
BAD_UTF8 = b"ok \xff\xfe\xc3("
BAD_JSON = '{"choices":[{"delta":{"content":'


@dataclass(frozen=True, slots=True)
class Timeline:
    """Steps to play; `chunked` is their framing, `closes` what follows them."""

    steps: list[Step]
    chunked: bool
    closes: bool


def compiled(reply: Reply, script: Script, *, now_s: float, keeps_alive: bool) -> Timeline:
    """Return the timeline of a reply; `now_s` is wall time, for dates in the head."""
    reply = head.changed(reply, script.head, now_s)
    body = _body(reply, script)
    framing = script.wire.framing or ("chunked" if reply.streamed else "length")
    size = body_bytes(body)
    if framing == "length" and size is None:
        framing = "chunked"
    closes = not keeps_alive or framing == "close" or script.wire.connection == "close"
    headers = _framing_headers(framing, size, script, closes=closes)
    steps = _interim(script)
    steps.append(Raw(head.written(reply, headers, now_s), head=True))
    steps += [*body, Finish()]
    return Timeline(_broken(steps, script), framing == "chunked", closes)


def playback(recording: bytes, play: Play) -> Timeline:
    """Return the bytes of a recording, cut where the script says."""
    if play.loop:
        return Timeline([Raw(recording[: -play.loop]), Repeat(recording[-play.loop :], FOREVER)], chunked=False, closes=True)
    if play.cut is None:
        closes = not _delimited(recording)
        return Timeline([Raw(recording)], chunked=False, closes=closes)
    end: dict[str, Step] = {"fin": Fin(), "rst": Rst(), "hang": Hang()}
    steps: list[Step] = [Raw(recording[: play.cut])] if play.cut else []
    return Timeline([*steps, end[play.cut_how]], chunked=False, closes=True)


def _delimited(recording: bytes) -> bool:
    first = recording.partition(b"\r\n\r\n")[0].lower()
    if b"\r\nconnection: close" in first:
        return False
    return b"\r\ncontent-length:" in first or b"\r\ntransfer-encoding:" in first


def _framing_headers(framing: str, size: int | None, script: Script, *, closes: bool) -> Headers:
    found = [("connection", "close" if closes else "keep-alive")]
    if framing == "chunked":
        found.append(("transfer-encoding", "chunked"))
    elif framing == "length":
        found.append(("content-length", str(size)))
    if script.wire.gzip or script.wire.gzip_bomb:
        found.append(("content-encoding", "gzip"))
    return tuple(found)


def _interim(script: Script) -> list[Step]:
    steps: list[Step] = [Wait(script.timing.head_ms)]
    if script.head.interim is not None:
        steps.append(Raw(head_bytes(script.head.interim, [("x-fake-interim", "1")])))
    return steps


def _body(reply: Reply, script: Script) -> list[Step]:
    if script.wire.gzip_bomb:
        return list(bomb(script.wire.gzip_bomb))
    steps = _streamed(reply, script) if reply.streamed else _whole(reply, script)
    garbage = script.breaks.garbage
    if garbage is not None and garbage.kind is not PointKind.START:
        steps = insert(steps, garbage, [Body(GARBAGE)])
    return zipped(steps) if script.wire.gzip else steps


def _whole(reply: Reply, script: Script) -> list[Step]:
    """Return a body in one event; a broken event takes its place."""
    breaks = script.breaks
    before, after = reply.around_text
    steps: list[Step] = [Wait(script.timing.first_event_ms), *_sent(reply.events)]
    if breaks.huge_line:
        steps = [Body(b'{"id":"'), *filler(breaks.huge_line)]
    if breaks.huge_event:
        steps = [Body(before), *filler(breaks.huge_event), Body(after, event=True)]
    if breaks.huge_body:
        steps = [*filler(breaks.huge_body, b" "), *steps]
    if breaks.bad_utf8 is not None:
        steps = [Body(before + BAD_UTF8 + after, event=True)]
    if breaks.bad_json is not None:
        steps = [Body(BAD_JSON.encode(), event=True)]
    if breaks.error_event is not None:
        steps = [Body(reply.error_event, event=True)]
    return [*steps, Wait(script.timing.last_ms)]


def _streamed(reply: Reply, script: Script) -> list[Step]:
    if script.breaks.huge_line:
        return [Body(b"data: " if reply.sse else b""), *filler(script.breaks.huge_line)]
    steps, pings = _paced(reply, script), _pings(reply, script)
    if pings and script.sse.pings == FOREVER:
        return cut(steps, Point(PointKind.EVENT, reply.ping_from), pings)
    steps = insert(steps, Point(PointKind.EVENT, reply.ping_from), pings)
    steps = _with_broken_events(steps, reply, script)
    steps.append(Wait(script.timing.last_ms))
    if reply.trailer and script.breaks.error_event is None:
        steps.append(Body(reply.trailer))
    return [Body(sse.BOM), *steps] if script.sse.bom and reply.sse else steps


def _sent(events: tuple[Event, ...]) -> list[Step]:
    return [Body(e.data, e.tokens, e.text, event=True) for e in events]


def _paced(reply: Reply, script: Script) -> list[Step]:
    """Return the events with the delays between them."""
    timing = script.timing
    steps: list[Step] = []
    for at, step in enumerate(_sent(reply.events)):
        wait_ms = timing.delay_ms if at else timing.first_event_ms
        steps += [Wait(wait_ms), step] if wait_ms else [step]
        if script.sse.ping_between and reply.sse:
            steps.append(Body(_ping(reply, script)))
    return steps


def _pings(reply: Reply, script: Script) -> list[Step]:
    if not (script.sse.pings and reply.sse):
        return []
    return [Repeat(_ping(reply, script), script.sse.pings, script.sse.ping_ms)]


def _ping(reply: Reply, script: Script) -> bytes:
    return reply.ping or sse.comment("ping", script.sse)


def _with_broken_events(steps: list[Step], reply: Reply, script: Script) -> list[Step]:
    breaks = script.breaks
    before, after = reply.around_text
    first = Point(PointKind.EVENT, reply.text_from)
    if breaks.huge_event:
        huge = [Body(before), *filler(breaks.huge_event), Body(after, event=True)]
        steps = insert(steps, first, huge)
    if breaks.huge_body:
        small = before + b"x " + after
        steps = insert(steps, first, filler_events(breaks.huge_body, small))
    if breaks.bad_utf8 is not None:
        bad = Body(before + BAD_UTF8 + after, event=True)
        steps = insert(steps, breaks.bad_utf8, [bad])
    if breaks.bad_json is not None:
        bad = Body(reply.bad_json or sse.event(BAD_JSON, script.sse, 0), event=True)
        steps = insert(steps, breaks.bad_json, [bad])
    if breaks.error_event is not None:
        steps = cut(steps, breaks.error_event, [Body(reply.error_event, event=True)])
    return steps


def filler_events(size: int, event: bytes) -> list[Step]:
    """Return whole events of at least so many bytes together."""
    count = FOREVER if size == FOREVER else -(-size // len(event))
    return [Repeat(event, count)]


def _broken(steps: list[Step], script: Script) -> list[Step]:
    """Return the steps with what breaks the framing or ends the connection."""
    breaks = script.breaks
    if breaks.garbage is not None and breaks.garbage.kind is PointKind.START:
        steps = insert(steps, breaks.garbage, [Raw(GARBAGE)])
    if breaks.bad_chunk is not None:
        steps = insert(steps, breaks.bad_chunk, [Raw(BAD_CHUNK)])
    ends: tuple[tuple[Point | None, Step], ...] = (
        (breaks.hang, Hang()),
        (breaks.fin, Fin()),
        (breaks.rst, Rst()),
    )
    for point, end in ends:
        if point is not None:
            steps = cut(steps, point, [end])
    return steps
