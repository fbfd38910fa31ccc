"""Kept: answers of the cache as stores hold them, and which of them are meant."""

from dataclasses import dataclass
from typing import NamedTuple


class Kept(NamedTuple):
    """One answer. Never changed."""

    answer: bytes  # a pb.ChatResponse
    model: str  # who gave it: "provider/model"
    namespace: str  # empty: the usual one
    ttl_s: float  # how long it is fresh
    stale_s: float = 0.0  # how long behind that it is kept all the same

    @property
    def keep_s(self) -> float:
        """How long it is kept."""
        return self.ttl_s + self.stale_s


class Held(NamedTuple):
    """Answers of one model, added up."""

    model: str
    answers: int
    size_bytes: int
    oldest_s: float  # the age of the oldest, in seconds


@dataclass(frozen=True, slots=True)
class Selector:
    """Which answers are meant: those for which everything holds that is set."""

    tenant: str | None = None  # None: of every tenant
    model: str = ""  # "provider/model", or "provider/*"; empty: of any
    key_prefix: str = ""
    min_age_s: float = 0.0
    namespace: str | None = None  # None: of any; empty: of the usual one

    def covers(self, key: str, model: str, namespace: str, age_s: float) -> bool:
        """Whether an answer is meant, its tenant left aside."""
        return key.startswith(self.key_prefix) and age_s >= self.min_age_s and self.namespace in (None, namespace) and self.of_model(model)

    def of_model(self, model: str) -> bool:
        """Whether answers of this model are meant."""
        return self.model in ("", model) or (self.model.endswith("/*") and model.startswith(self.model[:-1]))
