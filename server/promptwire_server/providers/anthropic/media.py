"""Images and documents of a prompt as content blocks."""

from promptwire import v1 as pb
from promptwire_server.core.errors import InvalidRequest
from promptwire_server.providers.asked import base64, cannot_take, check_media
from promptwire_server.providers.json_value import Json, JsonObject

_IMAGES = frozenset({"image/jpeg", "image/png", "image/gif", "image/webp"})
_PDF = "application/pdf"


def media_to_wire(media: pb.MediaPart, citations: Json, path: str) -> JsonObject:
    """The block; `citations` is the vendor's own setting for documents. Raises InvalidRequest and CapabilityMissing with the path."""
    kind = check_media(media, path)
    if kind == "image":
        return {"type": "image", "source": _linked(media, path) or _image(media, path)}
    if kind != "document":
        raise cannot_take(path, kind, "send text, images or documents")
    block: JsonObject = {"type": "document", "source": _linked(media, path) or _document(media, path)}
    if media.name:
        block["title"] = media.name
    if citations is not None:
        block["citations"] = citations
    return block


def _linked(media: pb.MediaPart, path: str) -> JsonObject | None:
    if media.HasField("file_id"):
        return {"type": "file", "file_id": media.file_id}
    if not media.HasField("uri"):
        return None
    if not media.uri.lower().startswith("https:"):
        raise cannot_take(f"{path}.uri", "links other than https:", "send the data, or a file_id of the vendor's")
    return {"type": "url", "url": media.uri}


def _image(media: pb.MediaPart, path: str) -> JsonObject:
    if _type(media) not in _IMAGES:
        raise cannot_take(f"{path}.mime_type", "images of this type", "send JPEG, PNG, GIF or WebP")
    return {"type": "base64", "media_type": _type(media), "data": base64(media.data)}


def _document(media: pb.MediaPart, path: str) -> JsonObject:
    if _type(media) == _PDF:
        return {"type": "base64", "media_type": _PDF, "data": base64(media.data)}
    if not _type(media).startswith("text/"):
        raise cannot_take(f"{path}.mime_type", "documents of this type", "send PDF or plain text")
    try:
        return {"type": "text", "media_type": "text/plain", "data": media.data.decode()}
    except UnicodeDecodeError:
        raise InvalidRequest.at(f"{path}.data", "is not UTF-8, which a document of text must be") from None


def _type(media: pb.MediaPart) -> str:
    """The type in lower case, without parameters such as a character set."""
    return media.mime_type.partition(";")[0].strip().lower()
