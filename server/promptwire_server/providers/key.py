"""Key: one of a provider's credentials, and whether the vendor would let it in."""

from collections.abc import Callable, Mapping
from typing import NamedTuple

from promptwire_server.core.limits import BELIEVED_S, RateLimits
from promptwire_server.core.secret import Secret
from promptwire_server.providers.keys import KeyNews, Keys, KeyState, Record
from promptwire_server.providers.upstream import sendable

REST_S = 1.0  # after a refusal that does not say how long: the others go first meanwhile
_TOLD_S = 1.0  # shorter rests are nobody's concern: with little left, some vendors' keys have one after each answer
_OUT_S = 30.0  # after the first failure of an account; twice as long after each further one
_LONGEST_OUT_S = 3600.0
_MOST_DEATHS = 16  # that are counted: the longest time is reached long before
_RECENT_S = 60.0  # a key that was limited within this time comes after those that were not
_MOST_MODELS = 1024  # that one key rests for; callers choose their names
UNSENDABLE = "has characters that cannot be sent in a header; correct the secret"


class Asked(NamedTuple):
    """A request that has gone out with a key."""

    record: Record  # of the value that it showed: the secret may be another one when the answer comes
    at_s: float


class Key:
    """One credential. Named by its number, from 1: what it is never shows."""

    __slots__ = ("_headers", "_keys", "_make", "_provider", "_record", "_secret", "_sendable", "_value", "number", "turn")

    def __init__(self, provider: str, number: int, secret: Secret, make: Callable[[Secret], Mapping[str, str]], keys: Keys) -> None:
        self.number = number
        self.turn = 0  # when it was last asked, in turns of its ring
        self._provider = provider
        self._secret = secret
        self._make = make
        self._keys = keys
        self._value: str | None = None  # that the following are of; it may be read anew
        self._record = Record()
        self._headers: Mapping[str, str] = {}
        self._sendable = True
        self._look()  # now, since what is known of it would be gone with the keys of the configuration before

    def __repr__(self) -> str:
        return f"Key({self.number})"

    def headers(self) -> Mapping[str, str]:
        """What a request shows of it now."""
        self._look()
        return self._headers

    @property
    def sendable(self) -> bool:
        """A request can show it. Of a secret that was read anew nobody knows what is in it."""
        self._look()
        return self._sendable

    def free(self, model: str, now_s: float) -> bool:
        """It may be asked now."""
        record = self._look()
        return self._sendable and record.out_until_s <= now_s and record.rests.get(model, now_s) <= now_s

    def out_s(self, now_s: float) -> float:
        """Seconds until its account may be tried again; 0: now; endless while it cannot be sent."""
        if not self.sendable:
            return float("inf")
        return max(0.0, self._record.out_until_s - now_s)

    def rest_s(self, model: str, now_s: float) -> float:
        """Seconds until the vendor lets it ask this model again; 0: now."""
        until_s = self._look().rests.get(model)
        return 0.0 if until_s is None else max(0.0, until_s - now_s)

    def limited_lately(self, now_s: float) -> bool:
        """The vendor limited it a short while ago."""
        return now_s - self._record.limited_s < _RECENT_S

    def state(self, now_s: float) -> KeyState:
        """How it is. One whose account is found out about is dead until that is known."""
        record = self._look()
        if record.deaths or not self._sendable:
            return "dead"
        return "resting" if any(until_s > now_s for until_s in record.rests.values()) else "working"

    def ask(self, turn: int, now_s: float) -> Asked:
        """It goes out. One that was out of use does so alone, until it is known how that went."""
        self.turn = turn
        record = self._look()
        if record.deaths:
            record.out_until_s = max(record.out_until_s, now_s + _OUT_S)
        return Asked(record, now_s)

    def under_way(self, now_s: float) -> Asked:
        """It is shown now, by somebody else."""
        return Asked(self._look(), now_s)

    def works(self, asked: Asked) -> None:
        """The vendor let it in."""
        if asked.record.deaths:
            self._revive(asked.record)

    def revive(self) -> None:
        """Its account is said to be in order."""
        if self._look().deaths:
            self._revive(self._record)

    def dies(self, asked: Asked, now_s: float, error: str = "") -> None:
        """Its account is broken. Requests that were under way when that was found out say nothing new."""
        record = asked.record
        if asked.at_s < record.died_s:
            return
        for_s = min(_LONGEST_OUT_S, _OUT_S * 2**record.deaths)
        record.out_until_s, record.died_s = now_s + for_s, now_s
        record.deaths = min(record.deaths + 1, _MOST_DEATHS)
        if record is self._record and record.deaths == 1:  # else it has been told
            self._report("dead", for_s, error=error)

    def hears(self, model: str, limits: RateLimits, now_s: float) -> None:
        """The vendor told of its limits: with nothing left, it rests before it is refused."""
        wait_s = max((said.wait_s(1) for said in limits), default=0.0)
        if wait_s:
            self.rests(model, min(wait_s, BELIEVED_S), now_s)

    def rests(self, model: str, seconds: float, now_s: float) -> None:
        """The vendor limits it."""
        rested = self.rest_s(model, now_s) > 0
        record = self._record
        record.limited_s = now_s
        if len(record.rests) >= _MOST_MODELS:
            record.rests = {name: until_s for name, until_s in record.rests.items() if until_s > now_s}
            if len(record.rests) >= _MOST_MODELS:
                record.rests.clear()
        record.rests[model] = max(now_s + seconds, record.rests.get(model, now_s))
        if not rested and seconds >= _TOLD_S:
            self._report("resting", seconds, model=model)

    def _revive(self, record: Record) -> None:
        record.deaths, record.out_until_s = 0, float("-inf")
        if record is self._record:
            self._report("working")

    def _look(self) -> Record:
        """What is known of it, as it is now."""
        value = self._secret.reveal()
        if self._value is not value:
            self._value = value
            self._record = self._keys.record(self._provider, value)
            self._headers = self._make(self._secret)
            self._sendable = sendable(self._headers)
            if not self._sendable:
                self._report("dead", error=UNSENDABLE)
        return self._record

    def _report(self, state: KeyState, for_s: float = 0.0, *, model: str = "", error: str = "") -> None:
        self._keys.report(KeyNews(self._provider, self.number, state, for_s, model, error))
