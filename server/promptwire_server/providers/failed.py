"""The failure of a provider that broke its own promises."""

from promptwire_server.core.errors import DeadlineExceeded, Origin, PromptwireError, UpstreamFailed, UpstreamMisdirected

_WAITED = frozenset({"deadline", "first_token", "idle", "total"})  # for an answer; "connect" is for a connection


def failed(provider: str, what: str, *, http_status: int | None = None) -> UpstreamFailed:
    """The error; `what` completes the sentence that begins with the provider's name, without words of the other side."""
    return UpstreamFailed(f"{provider}: {what}", origin=Origin(provider, http_status))


def misdirected(provider: str, what: str) -> UpstreamMisdirected:
    """The failure of one that would fail in the same way again, until the operator changes something; `what` as above."""
    return UpstreamMisdirected(f"{provider}: {what}", origin=Origin(provider))


def timed_out(provider: str, what: str, timeout: str) -> UpstreamFailed:
    """The failure of one that kept us waiting; `timeout` is the key of the timer that ran out, for metadata["timeout"]."""
    return UpstreamFailed(f"{provider}: {what}", origin=Origin(provider), metadata={"timeout": timeout})


def too_late(provider: str) -> DeadlineExceeded:
    """The failure of one that was asked, and had not answered when the caller's time was up."""
    message = f"the deadline passed while {provider} was answering; allow more time"
    return DeadlineExceeded(message, metadata={"phase": "upstream", "timeout": "deadline"})


def waited(error: PromptwireError) -> bool:
    """Whether it is that an answer was waited for in vain: the request was sent, and nobody said that it would not be worked at."""
    return error.metadata.get("timeout") in _WAITED


def too_long(provider: str, limit_bytes: int, what: str = "answer") -> UpstreamFailed:
    """The error for what goes over a bound, which the operator can raise."""
    return failed(provider, f"its {what} is longer than {limit_bytes} bytes; if that is as it should be, raise its `bounds`")
