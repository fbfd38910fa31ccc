"""Citations: what an answer rests on. The vendor counts places in bytes of UTF-8, the contract in characters."""

from collections.abc import Iterator, Sequence

from promptwire import v1 as pb
from promptwire_server.providers.growing import Growing
from promptwire_server.providers.json_value import Json, JsonObject, dumped, list_in, object_in, text_in

_Span = tuple[int, int]  # in bytes
_CHUNKS = ("web", "retrievedContext", "maps", "image")


def cite(parts: Sequence[Growing], citation_metadata: JsonObject, grounding: JsonObject) -> None:
    """Hang the citations of a candidate on its texts, which are complete."""
    texts = [part for part in parts if part.kind == "text"]
    if not texts:
        return
    sources = list_in(citation_metadata.get("citationSources")) or list_in(citation_metadata.get("citations"))
    whole = "".join("".join(part.pieces) for part in texts).encode()
    for source in map(object_in, sources):
        citation = pb.Citation(title=text_in(source.get("title")), uri=text_in(source.get("uri")), provider_json=dumped(source))
        _hang(citation, texts, whole, _span(source))
    for citation, segment in _grounded(grounding):
        _hang(citation, texts, whole, _found(segment, whole))


def _grounded(grounding: JsonObject) -> Iterator[tuple[pb.Citation, JsonObject]]:
    """Each source with the piece of text that it supports; a source that supports nothing in particular comes with no piece."""
    chunks = [object_in(chunk) for chunk in list_in(grounding.get("groundingChunks"))]
    unused = dict(enumerate(chunks))
    for support in map(object_in, list_in(grounding.get("groundingSupports"))):
        for index in list_in(support.get("groundingChunkIndices")):
            if isinstance(index, int) and 0 <= index < len(chunks):
                unused.pop(index, None)
                yield _citation(chunks[index], support), object_in(support.get("segment"))
    for chunk in unused.values():
        yield _citation(chunk, {}), {}


def _citation(chunk: JsonObject, support: JsonObject) -> pb.Citation:
    source = next((object_in(chunk[kind]) for kind in _CHUNKS if kind in chunk), {})
    told: JsonObject = {"groundingChunk": chunk, **({"groundingSupport": support} if support else {})}
    uri = text_in(source.get("uri")) or text_in(source.get("sourceUri"))
    return pb.Citation(title=text_in(source.get("title")), uri=uri, quoted_text=text_in(source.get("text")), provider_json=dumped(told))


def _span(place: JsonObject) -> _Span | None:
    """The bytes meant; a start of zero is left out."""
    start, end = place.get("startIndex", 0), place.get("endIndex")
    return (start, end) if isinstance(start, int) and isinstance(end, int) and 0 <= start <= end else None


def _found(segment: JsonObject, whole: bytes) -> _Span | None:
    """The bytes that a segment means. Places are counted within a part of the vendor's, of which a stream has many: its text tells."""
    span = _span(segment)
    text = text_in(segment.get("text")).encode()
    if not text or (span is not None and whole[span[0] : span[1]] == text):
        return span
    start = whole.find(text)
    return (start, start + len(text)) if start >= 0 else None


def _hang(citation: pb.Citation, texts: Sequence[Growing], whole: bytes, span: _Span | None) -> None:
    """Add the citation to the text in which it begins, or to the last one."""
    if span is None or span[1] > len(whole):
        texts[-1].citations.append(citation)
        return
    start, end = (_characters(whole, place) for place in span)
    for part in texts:
        length = sum(map(len, part.pieces))
        if start < length or part is texts[-1]:
            citation.start_index, citation.end_index = min(start, length), min(end, length)
            part.citations.append(citation)
            return
        start, end = start - length, end - length


def _characters(whole: bytes, place: int) -> int:
    return len(whole[:place].decode(errors="ignore"))


def searches_in(grounding: Json) -> int:
    """How often the vendor searched, which it charges apart."""
    return len(list_in(object_in(grounding).get("webSearchQueries")))
