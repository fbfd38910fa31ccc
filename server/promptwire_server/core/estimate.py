"""Estimate: how many tokens a text has, roughly, where nobody counts: a token is about four characters of English."""

from collections.abc import Iterable, Iterator
from typing import Final

from promptwire import v1 as pb

METHOD: Final = "characters/4"
_CHARACTERS_A_TOKEN: Final = 4  # other languages and code have fewer
_SHORT_BYTES: Final = 4096


def tokens_of(characters: int) -> int:
    """Tokens of a text of so many characters, rounded up."""
    return -(-characters // _CHARACTERS_A_TOKEN)


def of_texts(texts: Iterable[str]) -> int:
    """Tokens of some texts together."""
    return tokens_of(sum(map(len, texts)))


def prompt_tokens(request: pb.ChatRequest) -> int:
    """Tokens of the prompt, its tools and its schema included; media do not count."""
    if request.messages or request.HasField("generation"):
        return of_texts(_texts(request))
    return tokens_of(len(request.prompt) + len(request.system))


def about_tokens(request: pb.ChatRequest) -> int:
    """The same where each microsecond counts: a short request is not worth more than its size; in a long one may be pictures."""
    size_bytes = request.ByteSize()
    return size_bytes // _CHARACTERS_A_TOKEN if size_bytes < _SHORT_BYTES else prompt_tokens(request)


def _texts(request: pb.ChatRequest) -> Iterator[str]:
    """Everything in the request that a model reads as text."""
    yield request.system
    yield request.prompt
    for message in request.messages:
        for part in message.parts:
            yield part.text or _other_text(part)
    if request.HasField("generation"):
        for tool in request.generation.tools:
            function = tool.function
            yield function.name + function.description + function.parameters_json
        yield request.generation.response_format.json_schema.schema_json


def _other_text(part: pb.ContentPart) -> str:
    match part.WhichOneof("content"):
        case "tool_call":
            return part.tool_call.name + part.tool_call.arguments_json
        case "tool_result":
            return "".join(inner.text for inner in part.tool_result.parts)
        case "reasoning":
            return part.reasoning.text
        case _:
            return ""
