"""Models as the vendor lists them."""

from collections.abc import Sequence
from urllib.parse import urlencode

from promptwire import v1 as pb
from promptwire_server.providers.counts import count_of
from promptwire_server.providers.dialect import Fetch, Wire
from promptwire_server.providers.gemini.resource import name_of
from promptwire_server.providers.json_value import JsonObject, list_in, object_in, text_in

_PAGE = 1000  # the most that a page may have
_MOST_PAGES = 20  # a list that never ends is no list
_METHODS = {
    "generateContent": (pb.CAPABILITY_CHAT, pb.CAPABILITY_STREAMING),
    "createCachedContent": (pb.CAPABILITY_PROMPT_CACHE,),
    "embedContent": (pb.CAPABILITY_EMBEDDINGS,),
}
_OURS = {"generateContent", "embedContent"}  # models with neither are of no use here


async def listed(fetch: Fetch) -> Sequence[pb.Model]:
    """All models of the account that answer or embed. Raises what `fetch` does."""
    models: list[pb.Model] = []
    query: dict[str, str | int] = {"pageSize": _PAGE}
    for _ in range(_MOST_PAGES):
        page = await fetch(Wire(f"/models?{urlencode(query)}", method="GET"))
        models.extend(model for item in list_in(page.get("models")) if (model := _model(object_in(item))) is not None)
        token = text_in(page.get("nextPageToken"))
        if not token:
            break
        query["pageToken"] = token
    return models


def _model(item: JsonObject) -> pb.Model | None:
    """The model, with as much as the vendor tells; None for one of no use here."""
    methods = [text_in(method) for method in list_in(item.get("supportedGenerationMethods"))]
    name = name_of(text_in(item.get("name")))
    if not name or not _OURS & set(methods):
        return None
    model = pb.Model(provider_model=name, source="provider")
    for method in methods:
        model.capabilities.extend(_METHODS.get(method, ()))
    if item.get("thinking") is True:
        model.capabilities.append(pb.CAPABILITY_REASONING)
    model.context_window_tokens = count_of(item.get("inputTokenLimit")) or 0
    model.max_output_tokens = count_of(item.get("outputTokenLimit")) or 0
    return model
