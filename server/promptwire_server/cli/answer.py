"""Shows an answer while it arrives."""

import sys
from collections.abc import AsyncIterator

from promptwire import v1 as pb
from promptwire_server.cli.render import note, one_line, seconds_of, spent_text, time_text, tries_text, write

# What the user should know at once; the rest is told with the usage.
_TOLD = frozenset({pb.Notice.CODE_SETTING_DROPPED, pb.Notice.CODE_CONTENT_DROPPED, pb.Notice.CODE_FALLBACK_USED, pb.Notice.CODE_DEPRECATED})
_ENDINGS = {
    pb.FINISH_REASON_LENGTH: "the answer was cut at its greatest length; --max-tokens sets another",
    pb.FINISH_REASON_CONTENT_FILTER: "the vendor's filter cut the answer",
    pb.FINISH_REASON_REFUSAL: "the model refused",
    pb.FINISH_REASON_PAUSE: "the vendor paused a long turn",
}


async def show(events: AsyncIterator[pb.StreamChatResponse], *, reasoning: bool = False) -> None:
    """Write the text as it comes, flushed piece by piece, and a line break at its end; with `reasoning` that too, on standard error."""
    last = ""
    async for event in events:
        kind = event.WhichOneof("event")
        if kind == "part_delta" and event.part_delta.candidate_index == 0:
            if text := event.part_delta.text or event.part_delta.refusal:
                write(text)
                last = text
            elif reasoning and event.part_delta.reasoning:
                sys.stderr.write(event.part_delta.reasoning)
                sys.stderr.flush()
        elif kind == "attempt_failed" and event.attempt_failed.discard_partial_output and last:
            note("\nit broke off; what stands above is void, and it starts again:")
    if last and not last.endswith("\n"):
        write("\n")


async def show_events(events: AsyncIterator[pb.StreamChatResponse]) -> None:
    """Write each event as a line of JSON."""
    async for event in events:
        write(one_line(event) + "\n")


def tell(response: pb.ChatResponse, *, usage: bool) -> None:
    """Say on standard error what the text does not: how it ended, what was dropped, and when asked for what it took."""
    for candidate in response.candidates[:1]:
        if ending := _ENDINGS.get(candidate.finish_reason):
            note(f"note: {ending}")
        for part in candidate.message.parts:
            if part.HasField("tool_call"):
                note(f"note: it wants the tool {part.tool_call.name} called; --json shows how")
    for notice in response.notices:
        if usage or notice.code in _TOLD:
            note(f"note: {notice.message}")
    if usage:
        note(usage_text(response))


def usage_text(response: pb.ChatResponse) -> str:
    """What an answer took, in a line: "echo/echo, 3 in + 5 out tokens, $0, 12 ms (first token after 3 ms), request req-…"."""
    timing = response.timing
    time = time_text(seconds_of(timing.total))
    if timing.HasField("time_to_first_token"):
        time += f" (first token after {time_text(seconds_of(timing.time_to_first_token))})"
    served = {pb.SERVED_FROM_CACHE: " (from the cache)", pb.SERVED_FROM_DEDUP: " (shared)"}.get(response.served_from, "")
    tries = tries_text(response.attempts)
    spent = spent_text(response.usage, response.cost)
    return f"{response.provider}/{response.model}{served}, {spent}, {time}{tries}, request {response.request_id}"
