"""Bodies, chunks and usage objects of the Gemini dialect, as pure functions."""

import zlib
from base64 import urlsafe_b64encode
from collections.abc import Iterable, Mapping
from dataclasses import dataclass, replace
from itertools import chain, zip_longest

from tests.faults.fake_provider.answer import Answer, Choice, Usage
from tests.faults.fake_provider.gemini_parts import IMAGE_TOKENS, Piece, Shape, broken_call, finish_of, merged, pieces
from tests.faults.fake_provider.openai_wire import HUGE, UNKNOWN, logprob
from tests.faults.fake_provider.reply import JsonObject
from tests.faults.fake_provider.script import Content

BLOCKING = frozenset({"SAFETY", "PROHIBITED_CONTENT", "BLOCKLIST", "SPII", "IMAGE_SAFETY"})
CATEGORIES = tuple(f"HARM_CATEGORY_{name}" for name in ("HARASSMENT", "HATE_SPEECH", "SEXUALLY_EXPLICIT", "DANGEROUS_CONTENT"))
TOOL_USE_TOKENS = 64
# What belongs to the caller's tools, or to the caller altogether: no field of ours in there.
FOREIGN = frozenset({"args", "arguments"})
RESPONSE_ID_BYTES = 17


@dataclass(frozen=True, slots=True)
class Sent:
    """One chunk of a stream with what the ledger counts of it."""

    body: JsonObject
    tokens: int
    text: str


def counted(answer: Answer, shape: Shape) -> Answer:
    """Return the answer with a usage that also counts what is no text."""
    images = IMAGE_TOKENS * shape.content.images * len(answer.choices)
    usage = answer.usage
    return replace(answer, usage=replace(usage, prompt=usage.prompt + sum(shape.media.values()), completion=usage.completion + images))


def whole(answer: Answer, shape: Shape) -> JsonObject:
    candidates = []
    for choice in answer.choices:
        found = list(pieces(choice, shape))
        tokens = [piece.logprob_of for piece in found if piece.logprob_of is not None]
        candidates.append(_candidate(choice, merged(found), shape, tokens, ends=True))
    used = answer.usage.completion - answer.usage.reasoning
    return _closed({"candidates": candidates}, answer, shape, used)


def stream(answer: Answer, shape: Shape) -> Iterable[Sent]:
    """Yield the chunks of all candidates, interleaved; each counts all tokens so far, the last one of a candidate ends it."""
    used = 0
    rows = zip_longest(*(_steps(choice, shape) for choice in answer.choices))
    for choice, piece, ends in (step for step in chain.from_iterable(rows) if step is not None):
        parts = [piece.part] if piece.part is not None else []
        used += 0 if (piece.part or {}).get("thought") else piece.tokens
        tokens = [piece.logprob_of] if piece.logprob_of is not None else []
        body = {"candidates": [_candidate(choice, parts, shape, tokens, ends=ends)]}
        yield Sent(_closed(body, answer, shape, used), piece.tokens, piece.text)


def text_chunk(text: str, answer: Answer, shape: Shape) -> JsonObject:
    """Return a chunk that is nothing but this text."""
    body = {"candidates": [_candidate(answer.choices[0], [{"text": text}], shape, [], ends=False)]}
    return _closed(body, answer, shape, 0)


def blocked(answer: Answer, shape: Shape) -> JsonObject:
    """Return the answer to a prompt that was blocked: no candidates, and why."""
    reason = shape.content.block
    feedback: JsonObject = {"blockReason": reason}
    if reason == "SAFETY":
        feedback["safetyRatings"] = _ratings(CATEGORIES, blocking=True)
    silent = replace(answer, usage=replace(answer.usage, completion=0, reasoning=0))
    return _closed({"promptFeedback": feedback}, silent, shape, 0)


def modalities(prompt: int, media: Mapping[str, int]) -> list[JsonObject]:
    """Return the details of a prompt: its tokens by modality."""
    text = prompt - sum(media.values())
    counts = ({"TEXT": text} if text else {}) | dict(media)
    return [{"modality": name, "tokenCount": count} for name, count in counts.items()]


def strange(value: object) -> object:
    """Return the value with an unknown field in every object of ours."""
    if isinstance(value, dict):
        return {name: part if name in FOREIGN else strange(part) for name, part in value.items()} | UNKNOWN
    return [strange(part) for part in value] if isinstance(value, list) else value


def _steps(choice: Choice, shape: Shape) -> list[tuple[Choice, Piece, bool]]:
    found = list(pieces(choice, shape))
    return [(choice, piece, at == len(found)) for at, piece in enumerate(found, 1)]


def _candidate(choice: Choice, parts: list[JsonObject], shape: Shape, tokens: list[str], *, ends: bool) -> JsonObject:
    body: JsonObject = {}
    finish = finish_of(choice, shape.content) if ends else None
    if parts or finish not in BLOCKING:
        body["content"] = ({"parts": parts} if parts else {}) | {"role": "model"}
    if finish is not None:
        body["finishReason"] = finish
    body["index"] = choice.index
    if ends and shape.content.finish is None and (call := broken_call(choice)):
        body["finishMessage"] = f"Malformed function call: {call.name}({call.arguments})"
    if ends:
        body |= _closing(choice, finish, shape)
    return body | _logprobs(tokens, shape)


def _closing(choice: Choice, finish: str | None, shape: Shape) -> JsonObject:
    """Return what only the end of a candidate tells: ratings, sources."""
    body: JsonObject = {}
    if finish == "SAFETY" or shape.rated:
        body["safetyRatings"] = _ratings(shape.rated or CATEGORIES, blocking=finish == "SAFETY")
    if shape.content.citations:
        body["citationMetadata"] = {"citationSources": [_citation(choice, at) for at in range(shape.content.citations)]}
    if shape.content.server_tool:
        body["groundingMetadata"] = _grounding(choice)
    return body


def _ratings(categories: Iterable[str], *, blocking: bool) -> list[JsonObject]:
    ratings: list[JsonObject] = [{"category": name, "probability": "NEGLIGIBLE"} for name in categories]
    if blocking:
        ratings[-1] |= {"probability": "HIGH", "blocked": True}
    return ratings


def _citation(choice: Choice, at: int) -> JsonObject:
    """Return the source of one word, its place in bytes; a start of zero is left out."""
    tokens = choice.tokens or ("",)
    before = len("".join(tokens[: at % len(tokens)]).encode("utf-8", "replace"))
    end = before + len(tokens[at % len(tokens)].encode("utf-8", "replace"))
    start = {"startIndex": before} if before else {}
    return start | {"endIndex": end, "uri": f"https://example.com/source/{at}", "license": "mit"}


def _grounding(choice: Choice) -> JsonObject:
    end = len(choice.text.encode("utf-8", "replace"))
    return {
        "searchEntryPoint": {"renderedContent": '<div class="container">Searches</div>'},
        "groundingChunks": [{"web": {"uri": "https://example.com/grounding/0", "title": "example.com"}}],
        "groundingSupports": [{"segment": {"endIndex": end, "text": choice.text}, "groundingChunkIndices": [0]}],
        "webSearchQueries": ["words that are known"],
    }


def _logprobs(tokens: list[str], shape: Shape) -> JsonObject:
    if shape.logprobs is None or not tokens:
        return {}
    found = [logprob(token, shape.logprobs) for token in tokens]
    total = sum(one["logprob"] for one in found)
    result: JsonObject = {"chosenCandidates": [_chance(one) for one in found], "logProbabilitySum": total}
    if shape.logprobs:
        result["topCandidates"] = [{"candidates": [_chance(top) for top in one["top_logprobs"]]} for one in found]
    return {"avgLogprobs": total / len(found), "logprobsResult": result}


def _chance(one: JsonObject) -> JsonObject:
    token = one["token"]
    token_id = zlib.crc32(token.encode("utf-8", "replace")) % 262_144
    return {"token": token, "tokenId": token_id, "logProbability": one["logprob"]}


def _closed(body: JsonObject, answer: Answer, shape: Shape, used: int) -> JsonObject:
    if shape.content.usage != "none":
        body["usageMetadata"] = _usage_object(answer.usage, shape, used)
    body["modelVersion"] = shape.model
    raw = bytes.fromhex(shape.identity.hexes("response", 2 * RESPONSE_ID_BYTES))
    body["responseId"] = urlsafe_b64encode(raw).decode().rstrip("=")
    return {name: strange(part) for name, part in body.items()} | UNKNOWN if shape.content.unknown else body


def _usage_object(usage: Usage, shape: Shape, used: int) -> JsonObject | None:
    content = shape.content
    match content.usage:
        case "null":
            return None
        case "negative":
            return _counts(-5, -7, 0)
        case "huge":
            return _counts(HUGE, HUGE, 0)
        case "zero":
            return _counts(0, 0, 0)
        case "text":
            return {name: str(count) for name, count in _counts(usage.prompt, used, usage.reasoning).items()}
        case _:
            return _told(_counts(usage.prompt, used, usage.reasoning), usage, shape)


def _told(counts: JsonObject, usage: Usage, shape: Shape) -> JsonObject:
    """Return the usage as the API tells it: a count of zero is left out, details come by modality."""
    body: JsonObject = {name: count for name, count in counts.items() if count}
    if shape.content.server_tool:
        body["toolUsePromptTokenCount"] = TOOL_USE_TOKENS
        body["toolUsePromptTokensDetails"] = modalities(TOOL_USE_TOKENS, {})
        body["totalTokenCount"] += TOOL_USE_TOKENS
    body["promptTokensDetails"] = modalities(usage.prompt, shape.media)
    body |= _cached(shape.content)
    if shape.content.images:
        body["candidatesTokensDetails"] = [{"modality": "IMAGE", "tokenCount": IMAGE_TOKENS * shape.content.images}]
    return body


def _cached(content: Content) -> JsonObject:
    if not content.cached:
        return {}
    return {"cachedContentTokenCount": content.cached, "cacheTokensDetails": modalities(content.cached, {})}


def _counts(prompt: int, candidates: int, thoughts: int) -> JsonObject:
    counts = {"promptTokenCount": prompt, "candidatesTokenCount": candidates, "totalTokenCount": prompt + candidates + thoughts}
    return counts | ({"thoughtsTokenCount": thoughts} if thoughts else {})
