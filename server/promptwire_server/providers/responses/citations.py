"""Citations as the Responses API has them: annotations of a text."""

from promptwire import v1 as pb
from promptwire_server.providers.json_value import Json, dumped, object_in, text_in


def citation_from_wire(value: Json) -> pb.Citation:
    """A citation of a page, of a file, of a file in a container; what is of another kind is there as the vendor has it."""
    annotation = object_in(value)
    title = text_in(annotation.get("title")) or text_in(annotation.get("filename"))
    citation = pb.Citation(title=title, uri=text_in(annotation.get("url")), provider_json=dumped(annotation))
    if (start := _place(annotation.get("start_index"))) is not None:
        citation.start_index = start
    # A citation of a file has one place only: where it stands, behind what it supports.
    kind = annotation.get("type")
    if (end := _place(annotation.get("index" if kind == "file_citation" else "end_index"))) is not None:
        citation.end_index = end
    return citation


def _place(value: Json) -> int | None:
    return value if isinstance(value, int) and not isinstance(value, bool) and 0 <= value < 1 << 31 else None
