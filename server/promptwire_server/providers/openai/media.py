"""Media of a prompt as content parts of the wire."""

from collections.abc import Callable, Mapping

from promptwire import v1 as pb
from promptwire_server.providers.asked import base64, cannot_take, check_media
from promptwire_server.providers.json_value import JsonObject
from promptwire_server.providers.openai.facts import Facts

_TAKEN: Mapping[str, Callable[[Facts], bool]] = {
    "image": lambda facts: facts.images,
    "audio": lambda facts: facts.audio,
    "video": lambda facts: facts.video,
    "document": lambda facts: bool(facts.documents),
}
_CALLED = {"image": "images", "audio": "sound", "video": "video", "document": "documents"}
_AUDIO_FORMATS = {"mpeg": "mp3", "x-wav": "wav", "wave": "wav", "vnd.wave": "wav", "x-flac": "flac", "mp4": "m4a", "x-m4a": "m4a"}


def media_to_wire(media: pb.MediaPart, facts: Facts, path: str) -> JsonObject:
    """The part. Raises InvalidRequest for a part without bytes or type, CapabilityMissing for what the dialect has no words for."""
    kind = check_media(media, path)
    if not _TAKEN[kind](facts):
        raise cannot_take(path, _CALLED[kind], "use a provider that does")
    if kind == "image":
        return _image(media, path)
    if kind == "audio":
        return _audio(media, facts, path)
    return _video(media, path) if kind == "video" else _document(media, facts, path)


def _image(media: pb.MediaPart, path: str) -> JsonObject:
    if media.HasField("file_id"):
        raise cannot_take(path, "an image by file_id", "send its data or a uri")
    image: JsonObject = {"url": _link(media)}
    if media.detail:
        image["detail"] = media.detail
    return {"type": "image_url", "image_url": image}


def _audio(media: pb.MediaPart, facts: Facts, path: str) -> JsonObject:
    if not media.HasField("data"):
        raise cannot_take(path, "sound by reference", "send its data")
    if facts.bare_audio:
        return {"type": "input_audio", "input_audio": base64(media.data)}
    subtype = media.mime_type.partition("/")[2].partition(";")[0].strip()
    sound: JsonObject = {"data": base64(media.data), "format": _AUDIO_FORMATS.get(subtype, subtype)}
    return {"type": "input_audio", "input_audio": sound}


def _video(media: pb.MediaPart, path: str) -> JsonObject:
    if media.HasField("file_id"):
        raise cannot_take(path, "video by file_id", "send its data or a uri")
    return {"type": "video_url", "video_url": {"url": _link(media)}}


def _document(media: pb.MediaPart, facts: Facts, path: str) -> JsonObject:
    if facts.documents == "file" and media.HasField("file_id"):
        return {"type": "file", "file": {"file_id": media.file_id}}
    if media.HasField("file_id"):
        raise cannot_take(path, "a document by file_id", "send its data or a uri")
    if facts.documents == "document_url":
        return {"type": "document_url", "document_url": _link(media)}
    if facts.documents == "file_url":
        return {"type": "file_url", "file_url": {"url": _link(media)}}
    if media.HasField("uri") and not facts.document_links:
        raise cannot_take(path, "a document by link", "send its data, or a file_id of the vendor's")
    document: JsonObject = {"file_data": _link(media)}
    if media.name:
        document["filename"] = media.name
    return {"type": "file", "file": document}


def _link(media: pb.MediaPart) -> str:
    return media.uri if media.HasField("uri") else f"data:{media.mime_type};base64,{base64(media.data)}"
