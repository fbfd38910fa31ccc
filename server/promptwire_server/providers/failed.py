"""The failure of a provider that broke its own promises."""

from promptwire_server.core.errors import Origin, UpstreamFailed


def failed(provider: str, what: str, *, http_status: int | None = None) -> UpstreamFailed:
    """The error; `what` completes the sentence that begins with the provider's name, without words of the other side."""
    return UpstreamFailed(f"{provider}: {what}", origin=Origin(provider, http_status))
