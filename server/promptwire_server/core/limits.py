"""Limits: how much a provider takes, as its operator says and as the vendor says, and what one call takes of it."""

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Literal, NamedTuple

from promptwire import v1 as pb
from promptwire_server.core.estimate import about_tokens

Counted = Literal["requests", "tokens", "input_tokens", "output_tokens"]  # "tokens" are of prompts and answers together


@dataclass(frozen=True, slots=True)
class TargetLimits:
    """What the operator allows of one target, or of a provider as a whole; None: any number."""

    max_in_flight: int | None = None  # calls at the same time, each until its answer has ended
    requests_per_minute: int | None = None  # attempts, also those that fail
    tokens_per_minute: int | None = None  # of prompts and answers together

    @property
    def any(self) -> bool:
        """Something is limited."""
        return not (self.max_in_flight is None and self.requests_per_minute is None and self.tokens_per_minute is None)


NO_LIMITS = TargetLimits()


class Scope(NamedTuple):
    """What limits are kept of: a target, or a provider as a whole."""

    name: str  # "provider/model", or the provider's name
    limits: TargetLimits = NO_LIMITS


class Cost:
    """What one call takes. Its tokens are estimated when they are first asked for: most targets have no limit of them."""

    __slots__ = ("_prompt", "_request")

    def __init__(self, request: pb.ChatRequest) -> None:
        self._request = request
        self._prompt = -1

    @property
    def prompt_tokens(self) -> int:
        """Those that are certain to be read."""
        if self._prompt < 0:
            self._prompt = about_tokens(self._request)
        return self._prompt

    @property
    def most_tokens(self) -> int:
        """With those that the caller allows the answer to have."""
        return self.prompt_tokens + self._request.generation.max_output_tokens

    def of(self, counted: Counted) -> int:
        """What the call takes for certain of a limit of the vendor's; each vendor reckons answers in its own way."""
        return 1 if counted == "requests" or counted == "output_tokens" else self.prompt_tokens  # noqa: PLR1714 - a tuple takes longer


Cause = Literal["closed", "max_in_flight", "requests_per_minute", "tokens_per_minute", "vendor"]


@dataclass(frozen=True, slots=True)
class Refusal:
    """Why a call may not go out now."""

    scope: str
    cause: Cause  # "closed": the vendor said when to come back; "vendor": a limit of its own is used up
    retry_after_s: float


@dataclass(frozen=True, slots=True)
class Allowance:
    """What a vendor says is left of one of its limits, at the moment of its answer."""

    name: str  # of the limit, e.g. "requests" or "tokens-minute"
    counted: Counted
    remaining: float
    limit: float | None  # None: not said
    whole_in_s: float  # until everything is there again
    per_s: float = 0.0  # what comes back meanwhile; 0: nothing, all of it comes at the end

    def wait_s(self, amount: float) -> float:
        """Seconds until so much is there, or as much as there ever is."""
        wanted = amount if self.limit is None else min(amount, self.limit)
        if self.remaining >= wanted:
            return 0.0
        return (wanted - self.remaining) / self.per_s if self.per_s else self.whole_in_s


RateLimits = Sequence[Allowance]  # all that the head of one answer tells

# How long what a vendor said last is believed while nothing newer is heard: then a call finds out. A wrong number in a header, or one
# understood wrongly, could otherwise close a target for hours.
BELIEVED_S = 60.0
