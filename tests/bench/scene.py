"""What the layers are timed on: a gateway's routing and the layers in front of a provider, without servers and sockets."""

import tempfile
from collections.abc import AsyncIterator, Sequence
from pathlib import Path

from promptwire import v1 as pb
from promptwire_server import config
from promptwire_server.convert import aliases
from promptwire_server.core.call import ANONYMOUS, Call, Target
from promptwire_server.core.clock import Chance, SystemClock
from promptwire_server.core.facts import Facts
from promptwire_server.core.limits import Allowance
from promptwire_server.core.price import PUBLISHED, Price, Rates
from promptwire_server.core.reply import Reply
from promptwire_server.layers.book import Account, Book
from promptwire_server.layers.breaker import BreakerSettings
from promptwire_server.layers.breakers import Breakers
from promptwire_server.layers.plan import Planner
from promptwire_server.layers.roster import Roster
from promptwire_server.layers.route import Routes
from promptwire_server.layers.verdict import Verdict
from promptwire_server.planning import named_targets, planner

STRATEGIES = ("priority", "round_robin", "weighted", "least_in_flight", "latency", "cheapest", "affinity", "rules", "split")
MANY = 20  # targets of a large alias
TARGET = Target("p0", "m")
REQUEST = pb.ChatRequest(prompt="Which tea goes with a rainy day?", session_id="s-1")
_ANSWER = pb.ChatResponse(text="Assam", model="m", provider="p0", usage=pb.Usage(input_tokens=9, output_tokens=1))
_KNOWN = (pb.CAPABILITY_CHAT, pb.CAPABILITY_STREAMING, pb.CAPABILITY_TOOLS)
_ALWAYS_S = 1e9


class Published:
    """A price list that knows every model, as it knows nearly all that people use."""

    async def find(self, base_url: str, models: Sequence[str]) -> Sequence[Facts]:
        """See PriceList."""
        return [Facts(Price(Rates(150 + len(model), 600), PUBLISHED), 128_000, 16_000, _KNOWN) for model in models]


class Scene:
    """A server's state, with an alias for each strategy and number of targets: "weighted3", "weighted20"."""

    def __init__(self) -> None:
        self.clock = SystemClock()
        self.chance = Chance()
        with tempfile.TemporaryDirectory() as folder:
            file = Path(folder, "promptwire.yaml")
            file.write_text(_written())
            settings = config.load(str(file), {})
        named = named_targets(settings)
        self.roster = Roster(self.clock, settings.providers, named)
        # None comes back by itself while it is timed.
        self.breakers = Breakers(
            BreakerSettings(probe_interval_s=_ALWAYS_S, max_probe_interval_s=_ALWAYS_S), self.clock, self.chance, named
        )
        self.book = Book(dict.fromkeys(settings.providers, Account("https://api.vendor.example")), Published(), self.clock)
        routes = Routes(aliases(settings), list(settings.providers), settings.default_model)
        self.planner: Planner = planner(
            settings, routes, roster=self.roster, breakers=self.breakers, book=self.book, clock=self.clock, chance=self.chance
        )
        self._targets = [target for target in named if target.provider != "echo"]

    async def used(self) -> "Scene":
        """The same, after some calls to every target: each has facts, and a latency of its own."""
        await self.book.learn(self._targets)
        now_s = self.clock.monotonic()
        for position, target in enumerate(self._targets):
            await self.book.facts(target)
            for _ in range(20):
                self.roster.of(target).answered(0.2 + position / 100, now_s)
        return self

    def broken(self, *targets: Target) -> "Scene":
        """The same, with open breakers."""
        for target in targets:
            for _ in range(5):
                self.breakers.enter(target, _ALWAYS_S).settle(Verdict.BROKEN)
        return self

    def call(self, model: str = "", *, stream: bool = False) -> Call:
        """A call under this name, aimed at TARGET."""
        request = pb.ChatRequest()
        request.CopyFrom(REQUEST)
        request.model = model
        now_s = self.clock.monotonic()
        return Call(request, ANONYMOUS, "req-1", "f" * 32, now_s + 600.0, now_s, stream, TARGET)


def allowances() -> list[Allowance]:
    """What a vendor's head tells: plenty of both."""
    return [Allowance("requests", "requests", 1e9, 1e9, 60.0), Allowance("tokens", "tokens", 1e12, 1e12, 60.0)]


async def answering(call: Call) -> Reply:
    """The innermost: an answer that costs next to nothing."""
    return Reply(_events()) if call.stream else Reply.whole(_ANSWER)


async def _events() -> AsyncIterator[list[pb.StreamChatResponse]]:
    yield [pb.StreamChatResponse(finished=pb.ChatFinished(response=_ANSWER))]


def _written() -> str:
    lines = ["providers:", "  echo: {kind: echo}"]
    lines += [f'  p{number}: {{kind: openai, base_url: "https://p{number}.example/v1", api_key: sk-none}}' for number in range(MANY)]
    lines += ["models:"]
    for count in (3, MANY):
        targets = ", ".join(f"{{model: p{number}/m, weight: {number % 3 + 1}}}" for number in range(count))
        for strategy in STRATEGIES:
            lines.append(f"  {strategy}{count}: {{{_way(strategy, targets, count)}}}")
    return "\n".join(lines) + "\n"


def _way(strategy: str, targets: str, count: int) -> str:
    if strategy == "rules":
        return f"targets: [{targets}], rules: [{{when: prompt_tokens > 4000 or tools, to: p1/m}}, {{to: priority{count}}}]"
    if strategy == "split":
        return f"split: [{{name: a, to: priority{count}, percent: 50}}, {{name: b, to: weighted{count}, percent: 50}}]"
    return f"targets: [{targets}], strategy: {strategy}"
