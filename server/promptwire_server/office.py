"""Office: the operator's part of a server: what is shown of targets, what may be changed at run time, and probes in nobody's name."""

import asyncio
from collections.abc import Callable, Mapping

from prometheus_client import CollectorRegistry

from promptwire_server.config.settings import Settings
from promptwire_server.convert import places, probe_settings, standings_file
from promptwire_server.core.standing import Standing
from promptwire_server.gateway import Gateway, Lasting
from promptwire_server.layers import names
from promptwire_server.layers.board import Board
from promptwire_server.layers.desk import Desk
from promptwire_server.layers.gauges import TargetGauges
from promptwire_server.layers.prober import ChatProbe, ListProbe, Prober
from promptwire_server.rpc.provider import ProviderService
from promptwire_server.stores.standings import Standings

Log = Callable[[str, str, Mapping[str, str]], None]  # level, event, fields


class Office:
    """Of one process; `service` is its servicer."""

    def __init__(
        self, settings: Settings, lasting: Lasting, gateway: Gateway, *, registry: CollectorRegistry, instance_id: str, log: Log
    ) -> None:
        self._lasting = lasting
        self._log = log
        self._settings = settings
        self._gateway = gateway
        self._board = Board(Standings(standings_file(settings)), apply=self._apply, report=self._report_board)
        self._desk = Desk(
            lasting.roster,
            lasting.breakers,
            places(settings),
            clock=lasting.clock,
            later=asyncio.get_running_loop().call_later,
            keep=self._board.keep,
            revive=lasting.keys.revive,
            instance_id=instance_id,
        )
        self.service = ProviderService(self._desk, self._audit)
        registry.register(TargetGauges(lasting.roster, lasting.breakers))
        self._looking: asyncio.Task[None] | None = None
        self._probing: asyncio.Task[None] | None = None

    async def start(self) -> None:
        """Let hold what was kept, then look for changes, and probe."""
        await self._board.look()
        self._looking = asyncio.get_running_loop().create_task(self._board.run())  # owned here: see stop
        self._probe()

    def renew(self, settings: Settings, gateway: Gateway) -> None:
        """Go by these from now on; after the roster has been told."""
        self._settings, self._gateway = settings, gateway
        self._desk.renew(places(settings))
        self._probe()

    async def stop(self) -> None:
        """End what is done in the background."""
        tasks = [task for task in (self._looking, self._probing) if task is not None]
        for task in tasks:
            task.cancel()
        await asyncio.gather(*tasks, return_exceptions=True)

    def _probe(self) -> None:
        """Probe by the present settings, and no more by those before."""
        if self._probing is not None:
            self._probing.cancel()
        self._probing = asyncio.get_running_loop().create_task(self._prober().run())  # owned here: see stop

    def _prober(self) -> Prober:
        lasting, gateway, settings = self._lasting, self._gateway, probe_settings(self._settings)
        listings = {name: provider.models for name, provider in gateway.providers.items()}
        return Prober(
            settings,
            roster=lasting.roster,
            breakers=lasting.breakers,
            probe=ChatProbe(gateway.handlers, settings, lasting.breakers, lasting.clock, lasting.ids)
            if settings.ask == "chat"
            else ListProbe(listings, settings, lasting.breakers, lasting.clock),
            clock=lasting.clock,
            chance=lasting.chance,
            report=self._report_probe,
        )

    def _apply(self, standings: Mapping[str, Standing]) -> None:
        for name, standing in standings.items():
            if not standing.enabled and name in self._lasting.roster.posts and self._lasting.roster.enabled(name):
                self._log("warning", names.PROVIDER_DISABLED, {"provider": name, "reason": standing.reason})
        self._desk.apply(standings)

    def _audit(self, event: str, fields: Mapping[str, str]) -> None:
        self._log("info", event, fields)

    def _report_board(self, problem: str) -> None:
        self._log("error", names.STANDINGS_FAILING, {"error": problem})

    def _report_probe(self, provider: str, problem: str) -> None:
        self._log("error", names.PROBES_FAILING, {"provider": provider, "error": problem})
