"""Media of a prompt as content of the Responses API."""

from promptwire import v1 as pb
from promptwire_server.providers.asked import base64, cannot_take, check_media
from promptwire_server.providers.json_value import JsonObject


def media_to_wire(media: pb.MediaPart, path: str) -> JsonObject:
    """The content. Raises InvalidRequest for a part without bytes or type, CapabilityMissing for what the API has no words for."""
    kind = check_media(media, path)
    if kind == "image":
        return _image(media)
    if kind == "document":
        return _document(media)
    instead = "use chat completions" if kind == "audio" else "use a provider that does"
    raise cannot_take(path, f"{kind} in the Responses API", instead)


def _image(media: pb.MediaPart) -> JsonObject:
    # The detail is a field that must be there, "auto" its default.
    image: JsonObject = {"type": "input_image", "detail": media.detail or "auto"}
    if media.HasField("file_id"):
        image["file_id"] = media.file_id
    else:
        image["image_url"] = media.uri if media.HasField("uri") else _data_link(media)
    return image


def _document(media: pb.MediaPart) -> JsonObject:
    document: JsonObject = {"type": "input_file"}
    if media.HasField("file_id"):
        document["file_id"] = media.file_id
    elif media.HasField("uri"):
        document["file_url"] = media.uri
    else:
        document["file_data"] = _data_link(media)
        if media.name:
            document["filename"] = media.name
    return document


def _data_link(media: pb.MediaPart) -> str:
    return f"data:{media.mime_type};base64,{base64(media.data)}"
