"""Where a request names its model: in the body, or, as with Gemini and Hugging Face's pipelines, in the path."""

import re
from urllib.parse import unquote

_PIPELINE = re.compile(r"/models/([^?]+)/pipeline/")
_IN_PATH = re.compile(r"/models/([^?]+?)(?::[A-Za-z]+)?(?:\?|$)")


def model_of(path: str, in_body: object) -> str | None:
    """Return the name, the script behind its `~` included; None when there is none."""
    if isinstance(in_body, str):
        # Gemini's requests for embeddings and counts name it with its collection before it.
        return in_body.removeprefix("models/") if _IN_PATH.search(path) else in_body
    found = _PIPELINE.search(path) or _IN_PATH.search(path)
    return unquote(found[1]) if found else None
