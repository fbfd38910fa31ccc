"""Counts: what the cache was good for, by tenant and model, since this process began."""

from collections.abc import Iterator
from typing import Final

from promptwire import v1 as pb
from promptwire_server.core.call import Call
from promptwire_server.core.clock import Clock
from promptwire_server.core.kept import Selector
from promptwire_server.core.reply import Ending

_MOST: Final = 1000  # pairs of tenant and model that are counted apart
OTHER: Final = "other"  # the model of those beyond, and of calls that nobody answered
_TOKENS: Final = (
    "input_tokens",
    "output_tokens",
    "cached_input_tokens",
    "cache_write_5m_tokens",
    "cache_write_1h_tokens",
    "reasoning_tokens",
    "input_audio_tokens",
    "output_audio_tokens",
    "input_image_tokens",
    "output_image_tokens",
)

NUMBERS: Final = (
    "hits",
    "similar",
    "stale",
    "misses",
    "bypasses",
    "writes",
    "evictions",
    "expirations",
    "saved_input",
    "saved_output",
)


class Line:
    """What was counted of one model for one tenant."""

    __slots__ = (*NUMBERS, "rare", "saved_nano_usd")

    def __init__(self) -> None:
        self.hits = self.similar = self.stale = self.misses = self.bypasses = 0
        self.writes = self.evictions = self.expirations = 0
        self.saved_input = self.saved_output = 0
        self.saved_nano_usd: int | None = None  # None: no price was known
        self.rare: dict[str, int] = {}  # other tokens that were saved

    def add(self, other: "Line") -> None:
        """Add another's numbers to these."""
        for name in NUMBERS:
            setattr(self, name, getattr(self, name) + getattr(other, name))
        if other.saved_nano_usd is not None:
            self.saved_nano_usd = (self.saved_nano_usd or 0) + other.saved_nano_usd
        for name, count in other.rare.items():
            self.rare[name] = self.rare.get(name, 0) + count

    def usage(self) -> pb.Usage:
        """Tokens that were not spent."""
        usage = pb.Usage(input_tokens=self.saved_input, output_tokens=self.saved_output)
        for name, count in self.rare.items():
            setattr(usage, name, count)
        return usage


class Counts:
    """Of one process, for its life."""

    def __init__(self, clock: Clock) -> None:
        self.start_s = clock.time()
        self.refreshes = 0
        self._lines: dict[tuple[str, str], Line] = {}

    def hit(self, tenant: str, model: str, answer: pb.ChatResponse, *, stale: bool = False, similar: bool = False) -> None:
        """A call got this answer."""
        line = self._lines.get((tenant, model)) or self._line(tenant, model)
        line.hits += 1
        usage, saved = answer.usage, answer.cost.saved_nano_usd
        line.saved_input += usage.input_tokens
        line.saved_output += usage.output_tokens
        if saved or answer.cost.HasField("saved_nano_usd"):
            line.saved_nano_usd = (line.saved_nano_usd or 0) + saved
        line.stale += stale
        line.similar += similar
        if usage.cached_input_tokens or usage.reasoning_tokens or usage.input_image_tokens or usage.output_audio_tokens:
            for name in _TOKENS[2:]:
                line.rare[name] = line.rare.get(name, 0) + getattr(usage, name)

    def missed(self, call: Call, ending: Ending | None = None) -> None:
        """A call looked, and found nothing; `ending`: how it ended, None: it failed before it was answered."""
        self._of(call, ending).misses += 1

    def bypassed(self, tenant: str) -> None:
        """A call did not look, since it was told so, or since the operator's default is not to."""
        self._line(tenant, OTHER).bypasses += 1

    def wrote(self, tenant: str, model: str) -> None:
        """An answer was kept."""
        self._line(tenant, model).writes += 1

    def dropped(self, tenant: str, model: str, expired: bool) -> None:  # noqa: FBT001 - the shape that stores know
        """An answer is gone, since its time was over or for want of room."""
        line = self._line(tenant, model)
        if expired:
            line.expirations += 1
        else:
            line.evictions += 1

    def lines(self, selector: Selector) -> Iterator[tuple[str, Line]]:
        """What was counted, by model; a model may come several times."""
        for (tenant, model), line in self._lines.items():
            if selector.tenant in (None, tenant) and selector.of_model(model):
                yield model, line

    def _of(self, call: Call, ending: Ending | None) -> Line:
        attempts = call.trail.attempts
        answered = attempts and ending is not None and ending.response is not None
        return self._line(call.principal.tenant, f"{attempts[-1].provider}/{attempts[-1].model}" if answered else OTHER)

    def _line(self, tenant: str, model: str) -> Line:
        line = self._lines.get((tenant, model))
        if line is None:
            if len(self._lines) >= _MOST:
                tenant, model = OTHER, OTHER
            line = self._lines.setdefault((tenant, model), Line())
        return line
