"""What the model says, in no vendor's dialect.

The answer is a function of the request and the script alone. Tests compute the same
with `expected_text` and compare.
"""

import hashlib
import json
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Any

from tests.faults.fake_provider.schema import instance
from tests.faults.fake_provider.script import Content
from tests.faults.fake_provider.words import count_tokens, tokenise, words

LEAST_WORDS = 8
MOST_WORDS = 23
REFUSAL = "I'm sorry, I can't assist with that request."
Messages = Sequence[Mapping[str, Any]]


@dataclass(frozen=True, slots=True)
class ToolCall:
    id: str
    name: str
    arguments: str


@dataclass(frozen=True, slots=True)
class Choice:
    """One alternative answer; a text is the tokens joined, `stopped_by` the stop sequence that ended it."""

    index: int
    tokens: tuple[str, ...] = ()
    reasoning: tuple[str, ...] = ()
    refusal: tuple[str, ...] = ()
    calls: tuple[ToolCall, ...] = ()
    finish: str = "stop"
    stopped_by: str | None = None

    @property
    def text(self) -> str:
        return "".join(self.tokens)

    def token_count(self) -> int:
        called = sum(1 + count_tokens(call.arguments) for call in self.calls)
        return len(self.tokens) + len(self.reasoning) + len(self.refusal) + called


@dataclass(frozen=True, slots=True)
class Usage:
    prompt: int
    completion: int
    cached: int
    reasoning: int


@dataclass(frozen=True, slots=True)
class Answer:
    choices: tuple[Choice, ...]
    usage: Usage


@dataclass(frozen=True, slots=True)
class Ask:
    """The part of a request that decides the answer."""

    messages: Messages
    n: int = 1
    max_tokens: int | None = None
    stop: tuple[str, ...] = ()
    tools: tuple[tuple[str, Mapping[str, Any]], ...] = ()
    must_call: str | bool = False
    json_schema: Mapping[str, Any] | None = None
    one_call: bool = False  # no parallel calls


def text_of(content: object) -> str:
    """Return the text of a message's content, a string or a list of parts."""
    if isinstance(content, str):
        return content
    if not isinstance(content, list):
        return ""
    return "".join(part.get("text", "") for part in content if isinstance(part, dict))


def last_user_text(messages: Messages) -> str:
    said = [text_of(m.get("content")) for m in messages if m.get("role") == "user"]
    return said[-1] if said else ""


def expected_text(prompt: str, *, tokens: int | None = None, index: int = 0) -> str:
    """Return what an unscripted provider answers to this last user message."""
    if tokens is None:
        span = MOST_WORDS - LEAST_WORDS + 1
        first = hashlib.sha256(prompt.encode("utf-8", "replace")).digest()[0]
        tokens = LEAST_WORDS + first % span
    return words(f"{index}:{prompt}", tokens)


def respond(ask: Ask, content: Content) -> Answer:
    choices = tuple(_choice(ask, content, index) for index in range(ask.n))
    usage = Usage(
        prompt=prompt_tokens(ask.messages),
        completion=sum(choice.token_count() for choice in choices),
        cached=content.cached,
        reasoning=sum(len(choice.reasoning) for choice in choices),
    )
    return Answer(choices, usage)


def spoken(choice: Choice, content: Content) -> tuple[str, ...]:
    """Return the text's tokens where a scripted text may go before a refusal or calls as well."""
    if choice.refusal or choice.calls:
        return tokenise(content.text or "")
    return choice.tokens


def prompt_tokens(messages: Messages) -> int:
    return sum(count_tokens(text_of(m.get("content"))) for m in messages)


def _choice(ask: Ask, content: Content, index: int) -> Choice:
    prompt = last_user_text(ask.messages)
    reasoning = tokenise(words(f"why {index}:{prompt}", content.reasoning))
    if content.refusal is not None:
        refusal = tokenise(content.refusal or REFUSAL)
        return Choice(index, reasoning=reasoning, refusal=refusal, finish="stop")
    if _calls_tools(ask, content):
        calls = _calls(ask, content, index)
        return Choice(index, reasoning=reasoning, calls=calls, finish="tool_calls")
    room = None if ask.max_tokens is None else ask.max_tokens - len(reasoning)
    text, stopped_by = _stopped(_text(ask, content, index), ask.stop)
    tokens, finish = _limited(tokenise(text), room)
    stopped_by = stopped_by if finish == "stop" else None
    return Choice(index, tokens=tokens, reasoning=reasoning, finish=finish, stopped_by=stopped_by)


def _text(ask: Ask, content: Content, index: int) -> str:
    prompt = last_user_text(ask.messages)
    if content.text is not None:
        return content.text
    if ask.json_schema is not None:
        value = instance(ask.json_schema, seed=f"{index}:{prompt}")
        return json.dumps({"wrong": value} if content.invalid_schema else value, ensure_ascii=False)
    return expected_text(prompt, tokens=content.tokens, index=index)


def _stopped(text: str, stop: tuple[str, ...]) -> tuple[str, str | None]:
    """Return the text up to the first stop sequence, and which that was."""
    ends = [(at, word) for word in stop if word and (at := text.find(word)) >= 0]
    if not ends:
        return text, None
    at, word = min(ends)
    return text[:at], word


def _limited(tokens: tuple[str, ...], room: int | None) -> tuple[tuple[str, ...], str]:
    if room is None or len(tokens) <= room:
        return tokens, "stop"
    return tokens[: max(0, room)], "length"


def _calls_tools(ask: Ask, content: Content) -> bool:
    if not ask.tools:
        return False
    answered = bool(ask.messages) and ask.messages[-1].get("role") == "tool"
    wanted = content.tool is not None or content.tool_loop or bool(ask.must_call)
    return wanted and (content.tool_loop or not answered)


def _calls(ask: Ask, content: Content, index: int) -> tuple[ToolCall, ...]:
    tools = ask.tools
    if isinstance(ask.must_call, str):
        tools = tuple(tool for tool in tools if tool[0] == ask.must_call)
    count = 1 if ask.one_call else content.tool or len(tools)
    prompt = last_user_text(ask.messages)
    return tuple(_call(tools[at % len(tools)], f"{index}:{at}:{prompt}", content) for at in range(count))


def _call(tool: tuple[str, Mapping[str, Any]], seed: str, content: Content) -> ToolCall:
    name, parameters = tool
    arguments = content.tool_args
    if arguments is None:
        arguments = json.dumps(instance(parameters, seed=seed), ensure_ascii=False)
    digest = hashlib.sha256(seed.encode("utf-8", "replace")).hexdigest()
    return ToolCall(f"call_{digest[:24]}", name, arguments)
