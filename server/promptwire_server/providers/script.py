r"""Script: answers from a YAML file, for demos and for tests of one's own programs.

answers:                            # the first whose condition holds; conditions look at the last text of the user's
  - when: {exact: "hi"}             # blanks around it aside; also contains (in any case), regex (see `pattern`), model (a name)
    say: Hello!
  - when: {contains: weather}       # skipped once the tool has answered, so that the next rule can tell the result
    tools: [{name: get_weather, arguments: {city: Berlin}}]
  - when: {contains: weather}
    say: It rains.
    reasoning: The tool said so.
  - when: {regex: '^order \d+'}
    sequence:                       # one after the other, the last again and again
      - {error: 503, retry_after_ms: 200}            # an HTTP status of a vendor, or a reason such as OVERLOADED
      - {say: "On its way.", delay_ms: 50, word_delay_ms: 10}
      - {say: "It never arrives.", error: UPSTREAM_FAILED, error_after_words: 2}     # a stream that breaks
  - when: {contains: bomb}
    refusal: No.
default:                            # without it, a question that nothing fits is an INVALID_ARGUMENT
  say: I do not know.
"""

import asyncio
from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path

from promptwire import v1 as pb
from promptwire_server.core.call import Call
from promptwire_server.core.clock import Clock
from promptwire_server.core.embedding import EmbedCall
from promptwire_server.core.errors import InvalidRequest
from promptwire_server.core.reply import Reply
from promptwire_server.providers.asked import missing
from promptwire_server.providers.canned import Canned, Sleep, Stage, prompt_words
from promptwire_server.providers.prompt import ends_with_tool_result, last_user_text
from promptwire_server.providers.script_file import Rule, Script, load


@dataclass(frozen=True, slots=True)
class Settings:
    """Where the answers are."""

    file: Path


class Scripted:
    """The provider that says what is written."""

    def __init__(self, name: str, script: Script, clock: Clock, *, sleep: Sleep = asyncio.sleep) -> None:
        self.name = name
        self._script = script
        self._stage = Stage(name, clock, sleep)
        self._asked: dict[int, int] = {}  # rule -> how often, for sequences

    @classmethod
    def from_file(cls, name: str, settings: Settings, clock: Clock) -> "Scripted":
        """The provider of a file. Raises BadScript."""
        return cls(name, load(settings.file), clock)

    async def __call__(self, call: Call) -> Reply:
        """Answer. Raises InvalidRequest when nothing fits, and whatever error is written."""
        model = call.target.model if call.target else "script"
        return await self._stage.play(call, self._canned(call.request, model), model)

    async def embed(self, call: EmbedCall) -> pb.EmbedResponse:
        """A script has no vectors."""
        raise missing("model", "embeddings", f"echo/echo has some ({call.model} is a script)")

    async def count_tokens(self, call: Call) -> pb.CountTokensResponse:
        """Words of the prompt: exact, since that is how it counts."""
        model = call.target.model if call.target else "script"
        return pb.CountTokensResponse(input_tokens=prompt_words(call.request), model=model, provider=self.name, method="words")

    async def models(self) -> Sequence[pb.Model]:
        """One model, and each that a rule asks for."""
        named = {rule.when.model for rule in self._script.rules if rule.when.model}
        return [
            pb.Model(name=f"{self.name}/{model}", provider=self.name, provider_model=model, source="provider")
            for model in sorted(named | {"script"})
        ]

    async def aclose(self) -> None:
        """Nothing is open."""

    def _canned(self, request: pb.ChatRequest, model: str) -> Canned:
        text = last_user_text(request)
        told = ends_with_tool_result(request)
        for number, rule in enumerate(self._script.rules):
            if not (told and rule.answers[0].tool_calls) and rule.when.holds(text, model):
                return self._next(number, rule)
        if self._script.default is None:
            raise InvalidRequest.at("messages", f"{self.name} has no answer to this question; add a rule, or a default, to its file")
        return self._next(-1, self._script.default)

    def _next(self, number: int, rule: Rule) -> Canned:
        asked = self._asked.get(number, 0)
        self._asked[number] = asked + 1
        return rule.answers[min(asked, len(rule.answers) - 1)]
