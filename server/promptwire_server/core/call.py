"""Call: one request with its context, as it travels inwards through the layers."""

from dataclasses import dataclass, field, replace
from typing import NamedTuple

from promptwire import v1 as pb
from promptwire_server.core.limits import RateLimits


@dataclass(frozen=True, slots=True)
class Principal:
    """Who asks: proved by a credential, never by a field of the request."""

    tenant: str  # empty: of none
    name: str
    operator: bool = False  # may see and steer the server itself
    api_key_id: str = ""  # empty: the credential is of another kind
    max_priority: "pb.Priority" = pb.PRIORITY_HIGH  # the most urgent that its calls may have; an operator's may have any


ANONYMOUS = Principal(tenant="default", name="anonymous")
MOST_ATTEMPTS = 3  # of one call, at all targets together: the promise of the gateway as a whole, unless its operator says otherwise


class Target(NamedTuple):  # whose hash is C's: it is looked up ten times a call
    """One model at one provider."""

    provider: str
    model: str  # the vendor's name of it

    def __str__(self) -> str:
        return f"{self.provider}/{self.model}"


@dataclass(slots=True)
class Trail:
    """What happened on the way. Shared by all copies of a call, appended to by whoever makes something happen."""

    attempts: list[pb.Attempt] = field(default_factory=list)
    notices: list[pb.Notice] = field(default_factory=list)
    upstream_s: float = 0.0
    variant: str = ""  # the side of a split that the call is on
    limits: dict[Target, RateLimits] = field(default_factory=dict)  # what vendors told beside their last answers, for whoever heeds it
    cost_nano_usd: int = 0  # of all attempts, those under way at their worst
    written: set[int] = field(default_factory=set)  # ids of attempts that are in the ledger
    spare: int = MOST_ATTEMPTS - 1  # attempts that providers with several keys may add to the one that each is asked for; set by route


@dataclass(slots=True)  # not frozen: that alone would cost 2.5 µs a call
class Call:
    """One request with its context. Never changed once handed on: a layer that needs another call makes one with `dataclasses.replace`."""

    request: pb.ChatRequest  # never changed: copy it first
    principal: Principal
    request_id: str
    trace_id: str
    deadline_s: float  # on the monotonic clock; always there, since the server sets one when the caller does not
    arrival_s: float  # on the monotonic clock
    stream: bool = False  # the caller wants deltas as they come
    target: Target | None = None  # set by route
    run_id: str = ""
    step_id: str = ""
    trail: Trail = field(default_factory=Trail)
    join: bool = False  # of a stream: deltas that arrive together may be one event, since many streams are open
    restart: "pb.StreamChatRequest.RestartPolicy" = pb.StreamChatRequest.RESTART_POLICY_UNSPECIFIED  # when a stream breaks midway

    avoid: tuple[Target, ...] = ()  # targets that have broken off this very answer, tried last
    because: str = ""  # why this target was chosen; set by route
    first_by_s: float = 0.0  # by when its answer must have begun (a whole one: be complete), on the monotonic clock; 0: no such time
    chain: str = ""  # by name, of a step of one
    fund: str = ""  # the hold of the run that a step's attempts are taken from
    embed: pb.EmbedRequest | None = None  # where vectors are asked for: of what; `request` has what all questions have in common

    def remaining_s(self, now_s: float) -> float:
        """Seconds left, never negative."""
        return max(0.0, self.deadline_s - now_s)

    def aimed_at(self, target: Target, because: str = "", first_by_s: float = 0.0) -> "Call":
        """The same call for one target. Spelt out: `dataclasses.replace` costs 3 µs more, once or twice a call."""
        return Call(
            self.request,
            self.principal,
            self.request_id,
            self.trace_id,
            self.deadline_s,
            self.arrival_s,
            self.stream,
            target,
            self.run_id,
            self.step_id,
            self.trail,
            self.join,
            self.restart,
            self.avoid,
            because,
            first_by_s,
            self.chain,
            self.fund,
            self.embed,
        )

    def asking(self, request: pb.ChatRequest) -> "Call":
        """The same call with another question."""
        return replace(self, request=request)

    def notice(self, code: "pb.Notice.Code", message: str, field_path: str = "") -> None:
        """Note something that the caller should know and that does not stop the call."""
        self.trail.notices.append(pb.Notice(code=code, message=message, field=field_path))
