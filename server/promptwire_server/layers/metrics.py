"""Metrics: what this process has counted, kept as plain numbers that one event loop adds to, and shown to Prometheus when it asks.

Adding costs a dictionary look-up and an addition (0.1 µs), where prometheus_client's own counter takes a lock (0.6 µs): a call touches ten.
"""

from bisect import bisect_left
from collections.abc import Collection, Iterable, Iterator

from prometheus_client import CollectorRegistry, GCCollector, PlatformCollector, ProcessCollector
from prometheus_client.core import CounterMetricFamily, GaugeMetricFamily, HistogramMetricFamily, Metric
from prometheus_client.registry import Collector

from promptwire import v1 as pb
from promptwire_server.core.errors import Code
from promptwire_server.layers import names
from promptwire_server.layers.exposition import render

# Upper bounds in seconds, as OpenTelemetry's conventions for generative AI advise, with room below for cache hits.
DURATION_S = (0.001, 0.005, 0.01, 0.02, 0.04, 0.08, 0.16, 0.32, 0.64, 1.28, 2.56, 5.12, 10.24, 20.48, 40.96, 81.92, 163.84, 327.68)
FIRST_TOKEN_S = (0.001, 0.005, 0.01, 0.02, 0.04, 0.06, 0.08, 0.1, 0.25, 0.5, 0.75, 1.0, 2.5, 5.0, 7.5, 10.0, 30.0, 60.0)
# Models that configuration does not name but that answered: more would let callers fill memory and Prometheus with labels.
_LEARNED_MODELS = 100
_LONGEST_MODEL = 128  # characters; callers and vendors choose these names
_DIRECTIONS = ("input", "output", "cached_input", "cache_write", "reasoning")
_CODE_NAMES = {value: name for name, value in vars(Code).items() if isinstance(value, int)} | {0: names.OK}


def _fit(model: str) -> bool:
    """Whether a learned name may be a label."""
    return len(model) <= _LONGEST_MODEL and model.isprintable()


class Buckets:
    """A histogram."""

    __slots__ = ("_bounds", "_counts", "_sum")

    def __init__(self, bounds: tuple[float, ...]) -> None:
        self._bounds = bounds
        self._counts = [0] * (len(bounds) + 1)
        self._sum = 0.0

    def add(self, value: float) -> None:
        """Count one value."""
        self._counts[bisect_left(self._bounds, value)] += 1
        self._sum += value

    @property
    def empty(self) -> bool:
        """Nothing was counted yet."""
        return not any(self._counts)

    def cumulated(self) -> tuple[list[tuple[str, float]], float]:
        """Prometheus' view: how many were at most each bound; and their sum."""
        total = 0
        buckets: list[tuple[str, float]] = []
        for bound, count in zip((*(f"{bound}" for bound in self._bounds), "+Inf"), self._counts, strict=True):
            total += count
            buckets.append((bound, total))
        return buckets, self._sum


class Series:
    """What was counted of one model."""

    __slots__ = ("cost_nano_usd", "duration", "embeds", "first_token", "outcomes", "tokens")

    def __init__(self) -> None:
        self.outcomes: dict[tuple[str, int], int] = {}  # (outcome, served_from) -> chats
        self.embeds: dict[str, int] = {}  # outcome -> requests for vectors
        self.duration = Buckets(DURATION_S)
        self.first_token = Buckets(FIRST_TOKEN_S)
        self.tokens = [0] * len(_DIRECTIONS)
        self.cost_nano_usd = 0

    def ended(self, outcome: str, served_from: int, duration_s: float) -> None:
        """Count a chat: OK or an ErrorReason, pb.ServedFrom."""
        key = (outcome, served_from)
        self.outcomes[key] = self.outcomes.get(key, 0) + 1
        self.duration.add(duration_s)

    def embedded(self, outcome: str) -> None:
        """Count a request for vectors."""
        self.embeds[outcome] = self.embeds.get(outcome, 0) + 1

    def took(self, usage: pb.Usage, cost: pb.Cost) -> None:
        """Count tokens, and what they cost, where that is known."""
        self.cost_nano_usd += cost.total_nano_usd
        tokens = self.tokens
        tokens[0] += usage.input_tokens
        tokens[1] += usage.output_tokens
        if cached := usage.cached_input_tokens:
            tokens[2] += cached
        if written := usage.cache_write_5m_tokens + usage.cache_write_1h_tokens:
            tokens[3] += written
        if reasoning := usage.reasoning_tokens:
            tokens[4] += reasoning


class Metrics(Collector):
    """All numbers of this process. Owned by one event loop; `registry` shows them."""

    def __init__(self, models: Iterable[tuple[str, str]] = (), providers: Collection[str] = ()) -> None:
        """`models` are the (provider, model) pairs that configuration names: they get labels of their own whatever happens."""
        self.registry = CollectorRegistry(auto_describe=False)
        self.in_flight = 0
        self._providers = frozenset(providers)
        self._series: dict[tuple[str, str], Series] = {pair: Series() for pair in models}
        self._room = len(self._series) + _LEARNED_MODELS
        self._requests: dict[tuple[str, int, str], int] = {}
        self._attempts: dict[tuple[str, str], int] = {}
        self.registry.register(self)
        for collector in (ProcessCollector, PlatformCollector, GCCollector):
            collector(registry=self.registry)

    def name(self, models: Iterable[tuple[str, str]], providers: Collection[str]) -> None:
        """The configuration names these now. What was counted before stays."""
        self._providers = frozenset(providers) | self._providers
        for pair in models:
            self._series.setdefault(pair, Series())
        self._room = max(self._room, len(self._series) + _LEARNED_MODELS)

    def rpc_finished(self, rpc: str, code: int, reason: str) -> None:
        """Count an RPC: its name, its canonical code, and its ErrorReason without prefix or ""."""
        key = (rpc, code, reason)
        self._requests[key] = self._requests.get(key, 0) + 1

    def attempted(self, provider: str, outcome: str) -> None:
        """Count a try at a provider: OK or an ErrorReason."""
        key = (provider, outcome)
        self._attempts[key] = self._attempts.get(key, 0) + 1

    def of_model(self, provider: str, model: str, *, answered: bool) -> Series:
        """Where chats of this model are counted. A model that is unknown and did not answer, or beyond the bound, is "other"."""
        found = self._series.get((provider, model))
        return found if found is not None else self._new(provider, model, answered=answered)

    def _new(self, provider: str, model: str, *, answered: bool) -> Series:
        if provider and provider not in self._providers:
            provider = model = names.OTHER_MODEL
        elif model and not (answered and len(self._series) < self._room and _fit(model)):
            model = names.OTHER_MODEL
        return self._series.setdefault((provider, model), Series())

    def text(self) -> str:
        """Everything in the Prometheus text format: 3 ms with ten models in use."""
        return render(self.registry.collect())

    def collect(self) -> Iterator[Metric]:
        """What Prometheus reads."""
        yield self._requests_family()
        yield GaugeMetricFamily(
            names.CHATS_IN_FLIGHT, "Questions to models under way, for words or vectors, steps of chains included.", self.in_flight
        )
        yield self._chats_family()
        yield self._embeds_family()
        yield self._histogram(names.CHAT_DURATION, "From the arrival of a question to the end of its answer.", "duration")
        yield self._histogram(names.TIME_TO_FIRST, "From the arrival of a question to the first delta of a streamed answer.", "first_token")
        yield self._tokens_family()
        yield self._cost_family()
        attempts = CounterMetricFamily(names.ATTEMPTS, "Tries at providers.", labels=["provider", "outcome"])
        for labels, count in self._attempts.items():
            attempts.add_metric(labels, count)
        yield attempts

    def _requests_family(self) -> Metric:
        family = CounterMetricFamily(names.REQUESTS, "RPCs that ended.", labels=["rpc", "code", "reason"])
        for (rpc, code, reason), count in self._requests.items():
            family.add_metric((rpc, _CODE_NAMES.get(code, str(code)), reason), count)
        return family

    def _chats_family(self) -> Metric:
        labels = ["provider", "model", "outcome", "served_from"]
        family = CounterMetricFamily(names.CHATS, "Questions to models that ended, steps of chains included.", labels=labels)
        for pair, series in self._series.items():
            for (outcome, served_from), count in series.outcomes.items():
                family.add_metric((*pair, outcome, pb.ServedFrom.Name(served_from).removeprefix("SERVED_FROM_")), count)
        return family

    def _embeds_family(self) -> Metric:
        family = CounterMetricFamily(names.EMBEDS, "Requests for vectors that ended.", labels=["provider", "model", "outcome"])
        for pair, series in self._series.items():
            for outcome, count in series.embeds.items():
                family.add_metric((*pair, outcome), count)
        return family

    def _tokens_family(self) -> Metric:
        help_text = "Tokens, of failed attempts too. output includes reasoning; input includes cached_input and cache_write."
        family = CounterMetricFamily(names.TOKENS, help_text, labels=["provider", "model", "direction"])
        for pair, series in self._series.items():
            for direction, count in zip(_DIRECTIONS, series.tokens, strict=True):
                family.add_metric((*pair, direction), count)
        return family

    def _cost_family(self) -> Metric:
        help_text = "What answers cost, and attempts that took tokens and gave none, as far as known, in nano-USD: 1e9 is one dollar."
        family = CounterMetricFamily(names.COST, help_text, labels=["provider", "model"])
        for pair, series in self._series.items():
            family.add_metric(pair, series.cost_nano_usd)
        return family

    def _histogram(self, name: str, help_text: str, which: str) -> Metric:
        family = HistogramMetricFamily(name, help_text, labels=["provider", "model"])
        for pair, series in self._series.items():
            buckets: Buckets = getattr(series, which)
            if not buckets.empty:  # a histogram is twenty lines
                family.add_metric(pair, *buckets.cumulated())
        return family
