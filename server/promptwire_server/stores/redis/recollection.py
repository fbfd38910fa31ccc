"""Recollection: what one process knows of the money in Redis: enough to write back what it has spent, and what it has seen of others."""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from typing import NamedTuple, cast

from promptwire.admin.v1 import budget_service_pb2 as pb
from promptwire_server.core.budget import Budget, Calendar, Rolling, Window
from promptwire_server.core.budget_message import budget_of, message_of

ALWAYS_US = 2**52  # a moment beyond all


class Span(NamedTuple):
    """Where spending counts, between two moments."""

    bucket_us: int
    since_us: int
    from_us: int
    until_us: int


class Reply(NamedTuple):
    """What a script says."""

    word: str
    gen: str
    seq: int
    now_us: int
    defs: int
    parts: Mapping[str, int]
    holds: Mapping[str, str]  # empty: gone
    rest: object

    @classmethod
    def of(cls, raw: object) -> "Reply":
        """From what Redis gives."""
        word, gen, seq, now_us, defs, moved, details, rest = cast("Sequence[object]", plain(raw))
        return cls(
            str(word),
            str(gen),
            int(str(seq)),
            int(str(now_us)),
            int(str(defs)),
            {member: int(value) for member, value in pairs(moved).items()},
            pairs(details),
            rest,
        )


@dataclass(slots=True)
class Recollection:
    """Of one process."""

    gen: str = ""
    seq: int = 0
    cursor: int = 0  # changes of parts up to this one are known
    version: int = 0  # of the definitions
    ahead_us: int = 0  # the server's clock before ours
    parts: dict[str, int] = field(default_factory=dict)
    holds: dict[str, tuple[int, str]] = field(default_factory=dict)  # since which seq, and the hold
    owners: set[str] = field(default_factory=set)
    definitions: dict[str, str] = field(default_factory=dict)  # in hexadecimal, by the till's identifier
    budgets: dict[str, Budget] = field(default_factory=dict)
    tills: dict[str, str] = field(default_factory=dict)  # identifiers of the till, by the budget's

    def absorb(self, reply: Reply) -> None:
        """Take in what a reply of this generation says. Replies may come in another order than they were given."""
        self.seq = max(self.seq, reply.seq)
        for member, value in reply.parts.items():
            self.parts[member] = max(value, self.parts.get(member, 0))
        for hold_id, hold in reply.holds.items():
            if reply.seq >= self.holds.get(hold_id, (0, ""))[0]:
                self.holds[hold_id] = (reply.seq, hold)

    def begin(self, reply: Reply) -> None:
        """From now on, this generation."""
        self.gen, self.seq, self.cursor = reply.gen, reply.seq, reply.seq
        self.holds = {hold_id: (0, hold) for hold_id, (_, hold) in self.holds.items() if hold}
        self.absorb(reply)

    def define(self, version: int, definitions: Mapping[str, str]) -> None:
        """These are all budgets."""
        if version < self.version:
            return
        self.version = version
        self.definitions = dict(definitions)
        found = {till: read(text) for till, text in sorted(definitions.items())}
        self.budgets = {budget.budget_id: budget for budget in found.values()}
        self.tills = {budget.budget_id: till for till, budget in found.items()}
        self.parts = {member: value for member, value in self.parts.items() if member.split("|", 1)[0] in definitions}


def read(definition: str) -> Budget:
    """The budget that `written` has put down."""
    return budget_of(pb.Budget.FromString(bytes.fromhex(definition)))


def written(budget: Budget) -> str:
    """The budget as it is kept."""
    return message_of(budget).SerializeToString(deterministic=True).hex()


def span(window: Window, now_us: int) -> Span:
    """Where spending of a moment counts, and as long as that is so."""
    if isinstance(window, Calendar):
        bucket_us, ends_us = window.bucket_us(now_us), window.ends_us(now_us) or ALWAYS_US
        return Span(bucket_us, bucket_us, bucket_us, ends_us)
    if isinstance(window, Rolling):
        bucket_us, since_us, duration_us = window.bucket_us(now_us), window.since_us(now_us), window.duration_s * 1_000_000
        ends_us = window.ends_us(now_us) or ALWAYS_US
        width_us = ends_us - duration_us - since_us
        return Span(bucket_us, since_us, max(bucket_us, since_us + duration_us), min(bucket_us + width_us, ends_us))
    return Span(0, 0, 0, ALWAYS_US)


def plain(raw: object) -> object:
    """Text for bytes, within lists."""
    if isinstance(raw, bytes):
        return raw.decode()
    if isinstance(raw, list):
        return [plain(each) for each in raw]
    if isinstance(raw, dict):
        return [plain(each) for pair in raw.items() for each in pair]
    return raw


def pairs(flat: object) -> dict[str, str]:
    """From a list of keys and values in turn."""
    words = [str(each) for each in cast("Sequence[object]", flat)]
    return dict(zip(words[::2], words[1::2], strict=True))
