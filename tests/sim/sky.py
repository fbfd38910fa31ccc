"""Sky: the weather at a simulated vendor: what becomes of requests, and how it changes with time."""

import random
from collections.abc import Mapping
from dataclasses import dataclass, field
from typing import Final, Literal

Fate = Literal[
    "well",  # an answer at the usual pace
    "slow",  # an answer at twenty times the usual pace
    "drip",  # the first token in time, then one a second
    "hang",  # silence from the start
    "stall",  # silence after the head, or after some tokens
    "refused",  # no connection
    "reset",  # the connection ends instead of an answer
    "broken",  # the connection ends midway
    "garbled",  # what comes midway is no JSON
    "unfinished",  # the stream ends without its terminal marker
    "sorry",  # an error in the dress of success, midway
    "500",
    "503",
    "529",
    "429",
    "401",
    "402",
    "404",
    "bad",  # 400: the request is wrong
    "long",  # 400: the prompt is too long
    "policy",  # 400: against its policy
]
# Of these, nothing can be asked elsewhere: the request is wrong whoever reads it.
HOPELESS: Final = frozenset({"bad"})
MIDWAY: Final = frozenset({"broken", "garbled", "unfinished", "sorry", "stall", "drip"})


@dataclass(frozen=True, slots=True)
class Weather:
    """What becomes of requests while it lasts."""

    fates: Mapping[Fate, float] = field(default_factory=lambda: {"well": 1.0})  # and how likely each is
    latency_s: float = 0.3  # until the first token, about
    token_s: float = 0.02  # between two tokens
    tokens: int = 3
    retry_after_s: float = 0.0  # said with 429, 503 and 529; 0: not said
    spread: bool = True  # latencies differ; else all are the same

    def fate(self, chance: random.Random) -> Fate:
        """The fate of one request."""
        if len(self.fates) == 1:
            return next(iter(self.fates))
        return chance.choices(list(self.fates), list(self.fates.values()))[0]


FINE: Final = Weather()


@dataclass(frozen=True, slots=True)
class Sky:
    """Weather after weather: each from its second on. The last one stays."""

    weathers: tuple[tuple[float, Weather], ...] = ((0.0, FINE),)

    def at(self, now_s: float) -> Weather:
        """The weather at this time."""
        found = self.weathers[0][1]
        for from_s, weather in self.weathers:
            if now_s < from_s:
                break
            found = weather
        return found


def outage(from_s: float, until_s: float, fate: Fate, well: Weather = FINE) -> Sky:
    """Well, but for this time."""
    out = Weather({fate: 1.0}, well.latency_s, well.token_s, well.tokens)
    return Sky(((0.0, well), (from_s, out), (until_s, well)))
