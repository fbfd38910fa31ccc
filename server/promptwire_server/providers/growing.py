"""Growing: one part of an answer while its fragments arrive."""

import sys
from base64 import b64decode
from binascii import Error as Base64Error

from promptwire import v1 as pb
from promptwire_server.providers.failed import failed

_PART_BYTES = 1024  # of a part, besides its words
_CITATION_BYTES = 1024


class Growing:
    """A part that is not complete yet."""

    __slots__ = (
        "begun",
        "call_id",
        "citations",
        "heard",
        "index",
        "kept_bytes",
        "kind",
        "mime_type",
        "name",
        "pieces",
        "settled",
        "state",
        "transcript",
        "where",
        "wire_id",
    )

    def __init__(self, kind: str, candidate: int, index: int) -> None:
        self.kind = kind  # text, reasoning, refusal, tool_call, media, or the type of a provider's own part
        self.index = index
        self.where: dict[str, int] = {}  # zeros are left out: it is what every delta carries
        if candidate:
            self.where["candidate_index"] = candidate
        if index:
            self.where["part_index"] = index
        self.pieces: list[str] = []
        self.settled = 0  # so many of the pieces are counted in `kept_bytes`
        self.kept_bytes = _PART_BYTES
        self.heard = 0  # pieces that are no longer single
        self.begun = False  # part_started is out
        self.call_id = ""
        self.wire_id = ""  # the vendor's, which may be blank or repeated
        self.name = ""
        self.mime_type = ""
        self.transcript: list[str] = []
        self.state: bytes = b""
        self.citations: list[pb.Citation] = []

    def characters(self) -> int:
        """How much it has grown."""
        return sum(map(len, self.pieces)) + sum(map(len, self.transcript))

    def settled_bytes(self) -> int:
        """Memory that it takes, about. Joins what has come since the last time: a short piece takes ten times its length.

        Pieces of media stay: each is base64 by itself.
        """
        start = max(1, self.settled)  # some dialects know a part by its first piece
        if self.kind != "media" and len(self.pieces) > start + 1:
            rest = self.pieces[start:]
            self.pieces[start:] = ["".join(rest)]
            self.heard += len(rest) - 1
        self.kept_bytes += sum(map(sys.getsizeof, self.pieces[self.settled :]))
        self.settled = len(self.pieces)
        return self.kept_bytes + len(self.state) + _CITATION_BYTES * len(self.citations) + sum(map(sys.getsizeof, self.transcript))

    def part(self, provider: str) -> pb.ContentPart:
        """The part as it is now. Raises UpstreamFailed for media that are not base64."""
        part = self._content(provider)
        if self.state:
            part.provider_state.provider = provider
            part.provider_state.data = self.state
        part.citations.extend(self.citations)
        return part

    def _content(self, provider: str) -> pb.ContentPart:
        whole = "".join(self.pieces)
        match self.kind:
            case "text":
                return pb.ContentPart(text=whole)
            case "reasoning":
                return pb.ContentPart(reasoning=pb.ReasoningPart(text=whole, redacted=not whole))
            case "refusal":
                return pb.ContentPart(refusal=pb.RefusalPart(text=whole))
            case "tool_call":
                return pb.ContentPart(tool_call=pb.ToolCallPart(tool_call_id=self.call_id, name=self.name, arguments_json=whole))
            case "media":
                media = pb.MediaPart(mime_type=self.mime_type, transcript="".join(self.transcript))
                if self.name:
                    media.uri = self.name
                else:
                    media.data = b"".join(decoded(piece, provider) for piece in self.pieces)
                return pb.ContentPart(media=media)
        return pb.ContentPart(provider_part=pb.ProviderPart(provider=provider, type=self.kind, json=whole))


def decoded(base64: str, provider: str) -> bytes:
    """The bytes. Raises UpstreamFailed."""
    try:
        return b64decode(base64, validate=True)
    except (Base64Error, ValueError):
        raise failed(provider, "it sent media that are not base64") from None
