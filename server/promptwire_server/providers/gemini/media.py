"""Media of a prompt as parts of the wire."""

from promptwire import v1 as pb
from promptwire_server.core.call import Call
from promptwire_server.providers import asked
from promptwire_server.providers.gemini.facts import Facts
from promptwire_server.providers.json_value import JsonObject

_FILES = "https://generativelanguage.googleapis.com/v1beta/files/"  # what the vendor's own file API calls its files
_RESOLUTIONS = {
    "low": "MEDIA_RESOLUTION_LOW",
    "medium": "MEDIA_RESOLUTION_MEDIUM",
    "high": "MEDIA_RESOLUTION_HIGH",
    "ultra_high": "MEDIA_RESOLUTION_ULTRA_HIGH",
}


def media_to_wire(media: pb.MediaPart, call: Call, facts: Facts, path: str) -> JsonObject:
    """The part, in bytes or by reference. Raises InvalidRequest for one without bytes or type."""
    asked.check_media(media, path)
    wire = _source(media)
    resolution = _RESOLUTIONS.get(media.detail.lower())
    if resolution and facts.detail:
        wire["mediaResolution"] = {"level": resolution}
    elif media.detail and media.detail != "auto":
        asked.setting_dropped(call, f"{path}.detail", "this model takes no such word for a single medium")
    return wire


def _source(media: pb.MediaPart) -> JsonObject:
    if media.HasField("data"):
        return {"inlineData": {"mimeType": media.mime_type, "data": asked.base64(media.data)}}
    file: JsonObject = {"fileUri": media.uri if media.HasField("uri") else _file_uri(media.file_id)}
    if media.mime_type:
        file["mimeType"] = media.mime_type
    return {"fileData": file}


def _file_uri(file_id: str) -> str:
    """Files are known by address; an id may be one already, or a name such as "files/abc"."""
    return file_id if "://" in file_id else f"{_FILES}{file_id.removeprefix('files/')}"
