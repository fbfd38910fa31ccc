"""Parts: one Redis server, and all that it is used for."""

from promptwire_server.core.clock import Chance, Clock
from promptwire_server.stores.redis.answers import Answers
from promptwire_server.stores.redis.connection import Redis
from promptwire_server.stores.redis.fitness import Fitness, fitness
from promptwire_server.stores.redis.flights import Flights
from promptwire_server.stores.redis.fuse import Changed
from promptwire_server.stores.redis.rates import Rates
from promptwire_server.stores.redis.requests import Requests
from promptwire_server.stores.redis.settings import RedisSettings


class Parts:
    """Of one process. Nothing is opened before the first command."""

    def __init__(self, settings: RedisSettings, clock: Clock, chance: Chance, changed: Changed) -> None:
        """Raises ValueError for a bad URL."""
        self.server = Redis(settings, clock, chance, changed)
        self._chance = chance

    @property
    def down(self) -> bool:
        """The server has not answered of late."""
        return self.server.down

    def rates(self) -> Rates:
        """What callers have taken of their limits."""
        return Rates(self.server, self._chance)

    def requests(self) -> Requests:
        """What is known of requests by their ids."""
        return Requests(self.server)

    def answers(self) -> Answers:
        """Answers of the cache."""
        return Answers(self.server)

    def flights(self) -> Flights:
        """Questions that some replica asks already."""
        return Flights(self.server)

    async def fitness(self) -> Fitness:
        """What the server says of itself. Raises StoreDown."""
        return await fitness(self.server)

    async def aclose(self) -> None:
        """Close the connections."""
        await self.server.aclose()
