"""Gauges: how targets and keys are, for Prometheus: read off the roster, the breakers and the keys when it asks."""

from collections.abc import Callable, Iterable, Iterator

from prometheus_client.core import GaugeMetricFamily, Metric
from prometheus_client.registry import Collector

from promptwire_server.core.call import Target
from promptwire_server.layers import names
from promptwire_server.layers.breaker import Breaker, State
from promptwire_server.layers.breakers import Breakers
from promptwire_server.layers.roster import Roster
from promptwire_server.layers.vitals import Vitals

_LEARNED = 100  # targets that configuration does not name: callers choose their names, and each is a label
_LABELS = ["provider", "model"]


class TargetGauges(Collector):
    """Register it with the registry of Metrics."""

    def __init__(self, roster: Roster, breakers: Breakers) -> None:
        self._roster = roster
        self._breakers = breakers

    def collect(self) -> Iterator[Metric]:
        """What Prometheus reads."""
        help_text = "Whether calls go through: 0 all do (closed), 1 one does, to find out (half open), 2 none does (open)."
        states = GaugeMetricFamily(names.BREAKER_STATE, help_text, labels=_LABELS)
        in_flight = GaugeMetricFamily(names.TARGET_IN_FLIGHT, "Calls under way at a target.", labels=_LABELS)
        for target, vitals, breaker in self._shown():
            labels = (target.provider, target.model)
            states.add_metric(labels, 0 if breaker is None else breaker.state.value)
            in_flight.add_metric(labels, vitals.in_flight)
        yield states
        yield in_flight

    def _shown(self) -> Iterator[tuple[Target, Vitals, Breaker | None]]:
        """Targets that configuration names, and some of those that have answered or are left alone because they do not."""
        room = _LEARNED
        for target, vitals in self._roster.targets():
            if target.provider not in self._roster.posts:
                continue  # of an older configuration
            breaker = self._breakers.find(target)
            if self._roster.is_named(target):
                yield target, vitals, breaker
            elif room and (vitals.last_success_s is not None or (breaker is not None and breaker.state is not State.CLOSED)):
                room -= 1
                yield target, vitals, breaker


class KeyGauges(Collector):
    """Register it with the registry of Metrics."""

    def __init__(self, counts: Callable[[], Iterable[tuple[str, str, int]]]) -> None:
        """`counts` are, by provider and state, how many keys there are."""
        self._counts = counts

    def collect(self) -> Iterator[Metric]:
        """What Prometheus reads."""
        help_text = "Keys of providers: working, resting (the vendor limits its rate), dead (its account is refused)."
        keys = GaugeMetricFamily(names.PROVIDER_KEYS, help_text, labels=["provider", "state"])
        for provider, state, count in self._counts():
            keys.add_metric((provider, state), count)
        yield keys
