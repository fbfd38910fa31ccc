"""The head of an answer: what the script changes in it, and its bytes."""

from dataclasses import replace
from email.utils import formatdate

from tests.faults.fake_provider.http1 import head_bytes
from tests.faults.fake_provider.reply import Event, Headers, Reply
from tests.faults.fake_provider.script import Head

DATE_PREFIX = "date:"


def changed(reply: Reply, head: Head, now_s: float) -> Reply:
    """Return the reply with the script's status, headers and body; `now_s` is wall."""
    added = [*head.header, *_retry_headers(head, now_s)]
    if head.header_bytes:
        added.append(("x-fake-padding", "p" * head.header_bytes))
    if head.redirect is not None:
        added.append(("location", head.location))
        reply = replace(reply, status=head.redirect, streamed=False, events=(Event(b""),))
    if head.body is not None:
        reply = replace(reply, streamed=False, events=(Event(head.body.encode()),))
    return replace(
        reply,
        headers=(*reply.headers, *added),
        content_type=head.content_type or reply.content_type,
    )


def written(reply: Reply, framing: Headers, now_s: float) -> bytes:
    """Return the head's bytes, the framing headers in the place the API has them."""
    headers = [
        ("date", formatdate(now_s, usegmt=True)),
        ("content-type", reply.content_type),
        *framing,
        *reply.headers,
    ]
    return head_bytes(reply.status, headers)


def _retry_headers(head: Head, now_s: float) -> Headers:
    found: list[tuple[str, str]] = []
    if head.retry_after is not None:
        found.append(("retry-after", _retry_after(head.retry_after, now_s)))
    if head.retry_after_ms is not None:
        found.append(("retry-after-ms", head.retry_after_ms))
    return tuple(found)


def _retry_after(text: str, now_s: float) -> str:
    if not text.startswith(DATE_PREFIX):
        return text
    return formatdate(now_s + float(text.removeprefix(DATE_PREFIX)), usegmt=True)
