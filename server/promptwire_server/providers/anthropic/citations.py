"""Citations of a text, from every kind of source that the vendor quotes."""

from promptwire import v1 as pb
from promptwire_server.providers.json_value import Json, dumped, object_in, text_in


def citation_from_wire(value: Json) -> pb.Citation:
    """The citation. Where it points within its source (characters, pages, blocks) stays in provider_json."""
    cited = object_in(value)
    return pb.Citation(
        title=text_in(cited.get("title")) or text_in(cited.get("document_title")),
        uri=text_in(cited.get("url")) or text_in(cited.get("source")),
        quoted_text=text_in(cited.get("cited_text")),
        provider_json=dumped(cited),
    )
