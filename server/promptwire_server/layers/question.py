"""Question: what a call asks of whoever answers it, as far as the choice of a target goes. Worked out when first needed, and once."""

from collections.abc import Iterable, Iterator, Mapping
from typing import Final, Literal

from promptwire import v1 as pb
from promptwire_server.core.call import Call

MediaKind = Literal["image", "audio", "video", "document"]
_KINDS: Final[dict[str, MediaKind]] = {"image": "image", "audio": "audio", "video": "video"}
_CHARACTERS_A_TOKEN: Final = 4  # of English; other languages and code have fewer
_USUAL_ANSWER_TOKENS: Final = 400  # of a chat; how long one will be is known only afterwards


class Question:
    """One call, looked at while its targets are chosen."""

    __slots__ = ("_bytes", "_media", "_tokens", "call", "request")

    def __init__(self, call: Call) -> None:
        self.call = call
        self.request = call.request
        self._bytes = -1
        self._tokens = -1
        self._media: Mapping[MediaKind, list[str]] | None = None

    @property
    def prompt_tokens(self) -> int:
        """Tokens of the prompt, its tools and its schema included, media left out: an estimate, four characters each."""
        if self._tokens < 0:
            self._tokens = -(-sum(map(len, _texts(self.request))) // _CHARACTERS_A_TOKEN)
        return self._tokens

    @property
    def answer_tokens(self) -> int:
        """Tokens that an answer usually has, at most those that the caller allows."""
        allowed = self.request.generation.max_output_tokens
        return min(allowed, _USUAL_ANSWER_TOKENS) if allowed else _USUAL_ANSWER_TOKENS

    @property
    def media(self) -> Mapping[MediaKind, list[str]]:
        """The path of every medium in the prompt, by kind."""
        if self._media is None:
            self._media = {}
            for kind, path in _media(self.request.messages):
                self._media.setdefault(kind, []).append(path)
        return self._media

    @property
    def size_bytes(self) -> int:
        """Of the whole request."""
        if self._bytes < 0:
            self._bytes = self.request.ByteSize()
        return self._bytes


def kind_of(media: pb.MediaPart) -> MediaKind:
    """What it is by its type. A link without a type is an image, as for the vendors."""
    if not media.mime_type and media.HasField("uri"):
        return "image"
    return _KINDS.get(media.mime_type.partition("/")[0], "document")


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


def _media(messages: Iterable[pb.ChatMessage]) -> Iterator[tuple[MediaKind, str]]:
    for number, message in enumerate(messages):
        for index, part in enumerate(message.parts):
            if part.text:
                continue
            path = f"messages[{number}].parts[{index}]"
            if part.HasField("media"):
                yield kind_of(part.media), f"{path}.media"
            elif part.HasField("tool_result"):
                for inner, result in enumerate(part.tool_result.parts):
                    if result.HasField("media"):
                        yield kind_of(result.media), f"{path}.tool_result.parts[{inner}].media"
