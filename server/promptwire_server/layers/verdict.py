"""Verdict: what the end of an attempt says of its target. Limits, money and wrong requests are no illness."""

from collections.abc import Mapping
from enum import Enum
from typing import Final

from promptwire_server.core.errors import PromptwireError, StreamInterrupted, UpstreamAccount, UpstreamFailed, UpstreamRateLimited
from promptwire_server.core.reply import Ending


class Verdict(Enum):
    """What an attempt has shown."""

    WELL = "it answered"
    BROKEN = "it failed, or was too slow for its share of the time"
    LIMITED = "it has a limit, which another layer keeps"
    ACCOUNT = "our credential or account is bad, not the target"
    ALIVE = "it answered that the request is wrong"
    NOTHING = "the caller left, its own deadline passed, or nothing was asked"


# A stream that broke off says in its metadata what broke it.
_BY_CAUSE: Final[Mapping[str, Verdict]] = {
    "UPSTREAM_RATE_LIMITED": Verdict.LIMITED,
    "UPSTREAM_ACCOUNT": Verdict.ACCOUNT,
    "NO_HEALTHY_UPSTREAM": Verdict.NOTHING,  # taken out of use by the operator
}


def verdict_on(error: BaseException | None) -> Verdict:
    """The verdict on an attempt that ended in this error; None: it was abandoned."""
    match error:
        case UpstreamFailed():
            return Verdict.BROKEN
        case StreamInterrupted():
            return _BY_CAUSE.get(error.metadata.get("cause", ""), Verdict.BROKEN)
        case UpstreamRateLimited():
            return Verdict.LIMITED
        case UpstreamAccount():
            return Verdict.ACCOUNT
        case PromptwireError() if error.origin.http_status is not None:
            return Verdict.ALIVE
        case _:
            return Verdict.NOTHING


def verdict_of(ending: Ending) -> Verdict:
    """The verdict on an attempt whose Reply ended so."""
    return Verdict.WELL if ending.response is not None else verdict_on(ending.error)
