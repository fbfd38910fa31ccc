"""Exchequer: what the configuration says of money, kept in the store, and what is told of budgets: metrics, webhooks."""

import asyncio
from collections.abc import Callable, Iterator, Mapping, Sequence
from contextlib import suppress
from importlib import import_module
from typing import Final, Protocol, cast

from prometheus_client.core import CounterMetricFamily, GaugeMetricFamily, Metric
from prometheus_client.registry import Collector

from promptwire_server.alerts.message import Channel, News
from promptwire_server.config import budgets as sections
from promptwire_server.config.settings import Settings
from promptwire_server.core.budget import Alert, Balance, Budget, Calendar, Lifetime, PerCall, Rolling, Scope, Window
from promptwire_server.core.clock import Chance, Clock
from promptwire_server.core.ids import Ids
from promptwire_server.core.money import NANO_PER_USD
from promptwire_server.core.purse import Reached
from promptwire_server.core.store import StoreDown
from promptwire_server.layers import names, steward
from promptwire_server.layers.steward import Steward

_MOST_SHOWN: Final = 100  # budgets in metrics, the first by name
_LOOK_S: Final = 5.0
_SENDER: Final = "promptwire_server.alerts.sender"

Log = Callable[[str, str, Mapping[str, str]], None]  # level, event, fields
Amount = Callable[[Balance], int]

_GAUGES: Final[Mapping[str, tuple[str, Amount]]] = {
    names.BUDGET_LIMIT: (
        "What budgets allow in the window under way, adjustments included.",
        lambda balance: balance.limit_nano_usd + balance.adjusted_nano_usd,
    ),
    names.BUDGET_SPENT: ("What of budgets is spent in the window under way.", lambda balance: balance.spent_nano_usd),
    names.BUDGET_HELD: ("What of budgets is held for calls under way.", lambda balance: balance.held_nano_usd),
}


class Purse(steward.Purse, Protocol):
    """Where budgets are kept."""

    async def balances(self, budgets: Sequence[Budget]) -> Sequence[Balance]:
        """What of some budgets is left. Raises StoreDown."""
        ...


class Sender(Protocol):
    """Tells webhooks; see alerts/sender.py."""

    def tell(self, name: str, channel: Channel, news: News) -> None:
        """Have a channel told. Never waits, never raises."""
        ...

    async def aclose(self) -> None:
        """Stop trying."""
        ...


class Exchequer(Collector):
    """Of one process, for its life."""

    def __init__(self, purse: Purse, *, clock: Clock, chance: Chance, ids: Ids, log: Log) -> None:
        self._purse = purse
        self._steward = Steward(purse, clock)
        self._clock = clock
        self._chance = chance
        self._ids = ids
        self._log = log
        self._channels: Mapping[str, Channel] = {}
        self._sender: Sender | None = None  # made with the first channel: its HTTP client takes time and memory
        self._budgets: dict[str, Budget] = {}  # as of the last look
        self._balances: Mapping[str, Balance] = {}
        self._counts: dict[str, int] = {}
        self._looking: asyncio.Task[None] | None = None

    @property
    def channels(self) -> Mapping[str, Channel]:
        """Who can be told."""
        return self._channels

    async def apply(self, settings: Settings) -> None:
        """Go by these from now on. Raises RuntimeError when the store does not take the budgets: nothing has changed then."""
        try:
            await self._steward.keep(configured(settings))
        except StoreDown as error:
            raise RuntimeError(f"the budgets of the configuration cannot be kept: {error}") from error
        self._channels = {name: Channel(each.webhook, each.secret, each.format) for name, each in settings.alerts.channels.items()}
        if self._channels and self._sender is None:
            self._sender = cast("Sender", import_module(_SENDER).Sender(self._clock, self._chance, self._give_up))
        await self._look()
        if self._looking is None:
            self._looking = asyncio.get_running_loop().create_task(self._run())  # owned here: see aclose

    async def aclose(self) -> None:
        """Stop looking, and telling."""
        if self._looking is not None:
            self._looking.cancel()
            await asyncio.gather(self._looking, return_exceptions=True)
        if self._sender is not None:
            await self._sender.aclose()

    def hear(self, reached: Reached) -> None:
        """A budget has come to a threshold. On the event loop; never waits, never raises."""
        budget = self._budgets.get(reached.budget_id)
        if reached.budget_id in self._counts or len(self._counts) < _MOST_SHOWN:
            self._counts[reached.budget_id] = self._counts.get(reached.budget_id, 0) + 1
        for alert in () if budget is None else budget.alerts:
            channel = self._channels.get(alert.channel)
            if channel is not None and self._sender is not None and alert.percent == reached.percent:
                news = News(
                    self._ids.request().replace("req-", "msg_"), int(self._clock.time() * 1e6), reached, budget.name if budget else ""
                )
                self._sender.tell(alert.channel, channel, news)

    def collect(self) -> Iterator[Metric]:
        """See Collector."""
        counter = CounterMetricFamily(names.BUDGET_REACHED_COUNT, "Thresholds of budgets that were reached.", labels=["budget"])
        for budget, count in self._counts.items():
            counter.add_metric([budget], count)
        yield counter
        for name, (help_text, amount) in _GAUGES.items():
            gauge = GaugeMetricFamily(name, help_text, labels=["budget"])
            for budget, balance in self._balances.items():
                gauge.add_metric([budget], amount(balance))
            yield gauge

    async def _run(self) -> None:
        while True:
            await asyncio.sleep(_LOOK_S)
            with suppress(StoreDown):  # which the store has reported
                await self._look()

    async def _look(self) -> None:
        """Take in which budgets there are, and what is left of them."""
        with suppress(StoreDown):
            budgets = await self._purse.every()
            shown = [budget for budget in budgets if not isinstance(budget.window, PerCall)][:_MOST_SHOWN]
            balances = await self._purse.balances(shown) if shown else []
            self._budgets = {budget.budget_id: budget for budget in budgets}
            self._balances = {budget.budget_id: balance for budget, balance in zip(shown, balances, strict=True)}

    def _give_up(self, channel: str, news_id: str, why: str) -> None:
        self._log("error", names.ALERT_LOST, {"channel": channel, "alert": news_id, "error": why})


def configured(settings: Settings) -> dict[str, Budget]:
    """The budgets of the file, by name."""
    return {name: _budget(name, section) for name, section in settings.budgets.items()}


def _budget(name: str, section: sections.Budget) -> Budget:
    return Budget(
        budget_id=name,
        scope=Scope(
            section.tenant or "", section.principal or "", section.key or "", section.chain or "", section.model or "", dict(section.labels)
        ),
        window=_window(section),
        limit_nano_usd=int(section.limit_usd * NANO_PER_USD),
        hard=section.enforcement == "hard",
        alerts=tuple(Alert(alert.percent, alert.channel or "") for alert in section.alerts),
    )


def _window(section: sections.Budget) -> Window:
    if isinstance(section.window, sections.Rolling):
        return Rolling(int(section.window.rolling_s))
    if section.window == "lifetime":
        return Lifetime()
    return PerCall() if section.window == "per_call" else Calendar(section.window, section.time_zone)
