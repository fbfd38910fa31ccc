"""Prices: the published price list, read when it is first needed and looked through off the event loop."""

import asyncio
import importlib
from collections.abc import Sequence

from promptwire_server.core.clock import Clock
from promptwire_server.core.facts import Facts

_LIST = "promptwire_server.stores.price_list"  # not imported at the top: an idle server would carry 16 MB that it does not use


class Prices:
    """See layers/book.py, PriceList."""

    def __init__(self, clock: Clock) -> None:
        self._clock = clock

    async def find(self, base_url: str, models: Sequence[str]) -> Sequence[Facts]:
        """What is published of each model of the vendor at that address, as of now."""
        return await asyncio.to_thread(_find, base_url, models, self._clock.time())


def _find(base_url: str, models: Sequence[str], now_epoch_s: float) -> list[Facts]:
    found: list[Facts] = importlib.import_module(_LIST).published(base_url, models, now_epoch_s)
    return found
