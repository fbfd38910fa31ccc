"""The providers under contract, each with how to make it behave in a certain way."""

from collections.abc import AsyncIterator, Awaitable, Mapping
from dataclasses import dataclass

from promptwire import v1 as pb
from promptwire_server.core.call import Call
from promptwire_server.core.clock import SystemClock
from promptwire_server.core.secret import Secret
from promptwire_server.providers.custom import Custom
from promptwire_server.providers.echo import Echo
from promptwire_server.providers.json_value import Json
from promptwire_server.providers.provider import Provider
from promptwire_server.providers.registry import build
from promptwire_server.providers.script import Scripted
from promptwire_server.providers.script_file import parse
from promptwire_server.providers.settings import HttpSettings
from tests.faults.fake_provider.process import FakeProvider
from tests.unit.providers.support import make_call, make_ids

TOOL = pb.Tool(function=pb.FunctionTool(name="look_up", parameters_json='{"type":"object","properties":{"word":{"type":"string"}}}'))
QUESTION = "Say five words to me."


@dataclass(frozen=True, slots=True)
class Subject:
    """A provider, and its model names by what they do."""

    provider: Provider
    models: Mapping[str, str]
    lacks: frozenset[str] = frozenset()

    def call(self, behaviour: str, *, stream: bool, within_s: float = 10.0, generation: pb.GenerationSettings | None = None) -> Call:
        """A call that makes the provider behave so: text, tools, reasoning, refusal, unwell, limited, account, broken, slow, silent."""
        request = pb.ChatRequest(prompt=QUESTION, generation=generation)
        streamed = self.models.get(behaviour, self.models["text"])
        model = streamed if stream else self.models.get(f"{behaviour} whole", streamed)
        if behaviour == "tools":
            request.generation.tools.append(TOOL)
        return make_call(request, model=model, stream=stream, within_s=within_s)


def echo() -> Subject:
    return Subject(
        Echo(SystemClock()),
        {
            "text": "echo",
            "long": "echo?words=40",
            "tools": "echo?tool=&calls=2",
            "reasoning": "echo?reasoning=let+me+see",
            "refusal": "echo?refusal=I+would+not",
            "unwell": "echo?error=503",
            "limited": "echo?error=429&retry_after_ms=2000",
            "account": "echo?error=401",
            "broken": "echo?error=500&error_after_words=3",
            "slow": "echo?words=1000&word_delay_ms=20",
            "silent": "echo?delay_ms=3600000",
        },
    )


class Parrot:
    """A class such as an operator may write: it has echo speak, and says after it what that says."""

    def __init__(self) -> None:
        self._echo = Echo(SystemClock())

    def answer(self, request: pb.ChatRequest) -> AsyncIterator[object] | Awaitable[pb.ChatResponse]:
        several = request.generation.candidate_count > 1
        call = make_call(request, model=request.model, stream=not several, within_s=10_000)
        return self._whole(call) if several else self._pieces(call)

    async def _whole(self, call: Call) -> pb.ChatResponse:
        async with await self._echo(call) as reply:
            return await reply.read()

    async def _pieces(self, call: Call) -> AsyncIterator[object]:
        async with await self._echo(call) as reply:
            async for event in reply:
                match event.WhichOneof("event"):
                    case "part_delta" if event.part_delta.text:
                        yield event.part_delta.text
                    case "part_finished" if not event.part_finished.part.text:
                        yield event.part_finished.part
                    case "finished":
                        yield event.finished.response.usage
                        yield event.finished.response.candidates[0].finish_reason


def custom() -> Subject:
    clock = SystemClock()
    return Subject(Custom("custom", Parrot(), clock=clock, ids=make_ids(), models=("echo",)), echo().models)


_SCRIPT: dict[str, Json] = {
    "text": {"say": "These are five words indeed."},
    "long": {"say": "word " * 40},
    "tools": {"tools": [{"name": "look_up", "arguments": {"word": "a"}}, {"name": "look_up", "arguments": '{"word": "b"}'}]},
    "reasoning": {"say": "Now I know it.", "reasoning": "let me see"},
    "refusal": {"refusal": "I would not."},
    "unwell": {"error": 503},
    "limited": {"error": 429, "retry_after_ms": 2000},
    "account": {"error": 401},
    "broken": {"say": "this ends all too early", "error": 500, "error_after_words": 3},
    "slow": {"say": "word " * 1000, "word_delay_ms": 20},
    "silent": {"say": "too late", "delay_ms": 3_600_000},
}


def script() -> Subject:
    rules: list[Json] = [{"when": {"model": name}, **said} for name, said in _SCRIPT.items() if isinstance(said, dict)]
    return Subject(Scripted("script", parse({"answers": rules}, "contract"), SystemClock()), {name: name for name in _SCRIPT})


_FAKE: Mapping[str, str] = {
    "text": "fake~tokens=5",
    "long": "fake~tokens=40",
    "tools": "fake~tool=2",
    "reasoning": "fake~reasoning=3",
    "refusal": "fake~refusal",
    "unwell": "fake~status=503",
    "limited": "fake~status=429;retry_after=2",
    "account": "fake~status=401",
    "broken": "fake~error_event=4;delay_ms=5",
    "slow": "fake~tokens=1000;delay_ms=20",
    "slow whole": "fake~hang=20b",
    "silent": "fake~hang=head",
}


@dataclass(frozen=True, slots=True)
class Wired:
    """A dialect before the fake provider."""

    dialect: str  # of registry.DIALECTS
    path: str  # of its base URL
    models: Mapping[str, str]  # those that differ
    lacks: frozenset[str]  # behaviours that the dialect has no words for
    vendor: str = ""  # whose habits it has; else the dialect's own


WIRED: Mapping[str, Wired] = {
    "openai": Wired("openai", "/v1", {}, frozenset({"reasoning back"})),
    "responses": Wired("openai", "/v1", {"broken": "fake~error_event=8;delay_ms=5"}, frozenset({"candidates", "stop"})),
    "anthropic": Wired("anthropic", "", {"json": "fake~text=%7B%22answer%22:%22tea%22%7D"}, frozenset({"candidates"})),
    "gemini": Wired("gemini", "/v1beta", {}, frozenset({"refusal"})),
    "ollama": Wired("ollama", "", {}, frozenset({"candidates", "refusal", "reasoning_tokens"})),
    "huggingface": Wired("openai", "/router/v1", {}, frozenset({"reasoning back"}), vendor="huggingface"),
}


def over_http(name: str, fake: FakeProvider, api_key: str) -> Subject:
    """The provider of a dialect before the fake one. Responses are what OpenAI's models that need them are asked by."""
    wired = WIRED[name]
    settings = HttpSettings(
        dialect=wired.dialect,
        vendor=wired.vendor or ("openai" if wired.dialect == "openai" else ""),
        base_url=f"{fake.origin}{wired.path}",
        api_key=Secret(api_key),
        options={"api": "responses"} if name == "responses" else {},
    )
    provider = build(wired.dialect, settings, clock=SystemClock(), ids=make_ids())
    return Subject(provider, {**_FAKE, **wired.models}, wired.lacks)
