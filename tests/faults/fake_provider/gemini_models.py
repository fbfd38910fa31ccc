"""The models of the Gemini dialect and what is asked of them beside answers: lists, counts, embeddings."""

from tests.faults.fake_provider import gemini_ask
from tests.faults.fake_provider.answer import prompt_tokens
from tests.faults.fake_provider.gemini_wire import modalities
from tests.faults.fake_provider.openai_dialect import embedding
from tests.faults.fake_provider.reply import JsonObject
from tests.faults.fake_provider.script import Content
from tests.faults.fake_provider.words import count_tokens

EMBEDDING_SIZE = 3072
PAGE_SIZE = 50
MAX_PAGE_SIZE = 1000
_GENERATES = ["generateContent", "countTokens", "createCachedContent", "batchGenerateContent"]
_EMBEDS = ["embedContent", "countTextTokens", "countTokens", "asyncBatchEmbedContent"]
_SAMPLING = {"temperature": 1, "topP": 0.95, "topK": 64, "maxTemperature": 2}


def _model(name: str, size: tuple[int, int], methods: list[str], **more: object) -> JsonObject:
    return {
        "name": f"models/{name}",
        "version": "001",
        "displayName": name.replace("-", " ").title(),
        "description": "Made of words.",
        "inputTokenLimit": size[0],
        "outputTokenLimit": size[1],
        "supportedGenerationMethods": methods,
        **more,
    }


MODELS = (
    _model("fake", (1_048_576, 65_536), _GENERATES, **_SAMPLING, thinking=True),
    _model("fake-mini", (32_768, 8_192), _GENERATES, **_SAMPLING),
    _model("fake-embedding", (2_048, 1), _EMBEDS),
)


def one(name: str) -> JsonObject | None:
    """Return the model of this name without its collection, None if there is none."""
    return next((model for model in MODELS if model["name"] == f"models/{name}"), None)


def listed(page_size: str, page_token: str) -> JsonObject | None:
    """Return a page of models, None if the token is not one of ours; the token is the first one's place."""
    if page_token and not (page_token.isdigit() and int(page_token) < len(MODELS)):
        return None
    size = min(int(page_size or 0) or PAGE_SIZE, MAX_PAGE_SIZE)
    start = int(page_token or 0)
    page: JsonObject = {"models": list(MODELS[start : start + size])}
    return page | ({"nextPageToken": str(start + size)} if start + size < len(MODELS) else {})


def token_count(body: JsonObject, content: Content) -> JsonObject:
    """Return how many tokens a request has; it may be given whole or by its contents alone."""
    request = body.get("generateContentRequest") or body
    media = gemini_ask.media(request)
    total = prompt_tokens(gemini_ask.ask(request).messages) + sum(media.values())
    cached = {"cachedContentTokenCount": content.cached} if content.cached else {}
    return {"totalTokens": total, "promptTokensDetails": modalities(total, media)} | cached


def embedded(body: JsonObject, content: Content) -> JsonObject:
    """Return the vector of one text, or those of a batch of requests."""
    requests = body.get("requests")
    vectors = [_vector(request) for request in (requests if requests is not None else [body])]
    answer: JsonObject = {"embedding": vectors[0]} if requests is None else {"embeddings": vectors}
    if content.usage == "always":
        texts = (gemini_ask.text_of_parts(request["content"]) for request in (requests or [body]))
        answer["usageMetadata"] = {"promptTokenCount": sum(map(count_tokens, texts))}
    return answer


def _vector(request: JsonObject) -> JsonObject:
    text = gemini_ask.text_of_parts(request["content"])
    return {"values": embedding(text, request.get("outputDimensionality") or EMBEDDING_SIZE)}
