"""Question: what a call asks of whoever answers it, as far as the choice of a target goes. Worked out when first needed, and once."""

from collections.abc import Iterable, Iterator, Mapping
from typing import Final

from promptwire import v1 as pb
from promptwire_server.core import estimate
from promptwire_server.core.call import Call
from promptwire_server.layers.need import OF_VECTORS, MediaKind, Need, needs_of

_KINDS: Final[dict[str, MediaKind]] = {"image": "image", "audio": "audio", "video": "video"}
_USUAL_ANSWER_TOKENS: Final = 400  # of a chat; how long one will be is known only afterwards


class Question:
    """One call, looked at while its targets are chosen."""

    __slots__ = ("_bytes", "_media", "_tokens", "call", "request")
    whole = "the prompt"  # that has to fit into a model
    shadowed = True  # a shadow may get a copy of it

    def __init__(self, call: Call) -> None:
        self.call = call
        self.request = call.request
        self._bytes = -1
        self._tokens = -1
        self._media: Mapping[MediaKind, list[str]] | None = None

    @property
    def prompt_tokens(self) -> int:
        """Tokens of the prompt, its tools and its schema included, media left out: an estimate."""
        if self._tokens < 0:
            self._tokens = estimate.prompt_tokens(self.request)
        return self._tokens

    @property
    def whole_tokens(self) -> int:
        """Tokens of what has to fit into a model."""
        return self.prompt_tokens

    @property
    def answer_tokens(self) -> int:
        """Tokens that an answer usually has, at most those that the caller allows."""
        allowed = self.request.generation.max_output_tokens
        return min(allowed, _USUAL_ANSWER_TOKENS) if allowed else _USUAL_ANSWER_TOKENS

    def needs(self) -> Iterable[Need]:
        """What a model must be able to do."""
        request = self.request
        if not request.messages and not request.HasField("generation"):
            return ()  # nothing but text: so are most questions, and this is asked of each
        return needs_of(request, self.media)

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


class Texts(Question):
    """A call for vectors: a model reads its texts one by one, and says nothing."""

    __slots__ = ()
    whole = "the longest text"
    shadowed = False
    answer_tokens = 0

    @property
    def whole_tokens(self) -> int:
        """See Question."""
        texts = () if self.call.embed is None else self.call.embed.texts
        return estimate.tokens_of(max(map(len, texts), default=0))

    def needs(self) -> Iterator[Need]:
        """See Question."""
        yield OF_VECTORS


def question_of(call: Call) -> Question:
    """What a call asks."""
    return Question(call) if call.embed is None else Texts(call)


def kind_of(media: pb.MediaPart) -> MediaKind:
    """What it is by its type. A link without a type is an image, as for the vendors."""
    if not media.mime_type and media.HasField("uri"):
        return "image"
    return _KINDS.get(media.mime_type.partition("/")[0], "document")


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
