"""A cache over a provider that counts, and that answers what the test says."""

from collections.abc import Callable, Mapping

from promptwire import v1 as pb
from promptwire_server.core.call import Call, Target
from promptwire_server.core.clock import Chance, ManualClock
from promptwire_server.core.handler import Handler
from promptwire_server.core.ids import Ids
from promptwire_server.core.reply import Reply
from promptwire_server.layers.alias import Alias, Member
from promptwire_server.layers.cache.aim import Aims
from promptwire_server.layers.cache.cache import Cache, CacheSettings
from promptwire_server.layers.cache.counts import Counts
from promptwire_server.layers.cache.key import key_of
from promptwire_server.layers.cache.refresh import Refresher
from promptwire_server.stores.memory import Answers
from tests.unit.layers.conftest import answer, streamed

ECHO = Target("echo", "echo")
ALIASES: Mapping[str, Alias] = {"fast": Alias(members=(Member(ECHO),))}


def finished(text: str = "hello", reason: int = pb.FINISH_REASON_STOP) -> pb.ChatResponse:
    response = answer(text)
    for candidate in response.candidates:
        candidate.finish_reason = reason  # type: ignore[assignment]  # an enum's number
    return response


class House:
    """The cache, its store, and who stands behind it."""

    def __init__(self, clock: ManualClock, settings: CacheSettings, aliases: Mapping[str, Alias] = ALIASES) -> None:
        self.clock = clock
        self.settings = settings
        self.asked = 0
        self.calls: list[Call] = []
        self.says: Callable[[], pb.ChatResponse] = lambda: finished(f"answer {self.asked}")
        self.store = Answers(clock=clock, max_bytes=1 << 20)
        self.counts = Counts(clock)
        self.aims = Aims(aliases, "fast", str)
        self.refresher = Refresher(self.provider, clock=clock, ids=Ids(clock, Chance()), longest_s=60.0, most=2)
        self.cache = self.built(self.provider)

    def built(self, inner: Handler) -> Cache:
        """The layer over another."""
        return Cache(inner, store=self.store, settings=self.settings, aims=self.aims, counts=self.counts, refresher=self.refresher)

    async def provider(self, call: Call) -> Reply:
        self.asked += 1
        self.calls.append(call)
        return streamed(self.says(), clock=self.clock) if call.stream else Reply.whole(self.says())

    async def ask(self, call: Call) -> pb.ChatResponse:
        async with await self.cache(call) as reply:
            return await reply.read()

    def key(self, call: Call) -> str:
        """The key that the layer has for a call."""
        return key_of(call.request, call.principal.tenant, "fast", self.aims.of(call).scope)
