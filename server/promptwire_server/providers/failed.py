"""The failure of a provider that broke its own promises."""

from promptwire_server.core.errors import Origin, UpstreamFailed


def failed(provider: str, what: str, *, http_status: int | None = None) -> UpstreamFailed:
    """The error; `what` completes the sentence that begins with the provider's name, without words of the other side."""
    return UpstreamFailed(f"{provider}: {what}", origin=Origin(provider, http_status))


def timed_out(provider: str, what: str, timeout: str) -> UpstreamFailed:
    """The failure of one that kept us waiting; `timeout` is the key of the timer that ran out, for metadata["timeout"]."""
    return UpstreamFailed(f"{provider}: {what}", origin=Origin(provider), metadata={"timeout": timeout})


def too_long(provider: str, limit_bytes: int, what: str = "answer") -> UpstreamFailed:
    """The error for what goes over a bound, which the operator can raise."""
    return failed(provider, f"its {what} is longer than {limit_bytes} bytes; if that is as it should be, raise its `bounds`")
