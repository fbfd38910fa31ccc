"""What is asked of Gemini besides answers: models, counts, vectors."""

from collections.abc import Callable
from typing import Any

import orjson
import pytest

from promptwire import v1 as pb
from promptwire_server.core.errors import InvalidRequest, UpstreamFailed
from promptwire_server.providers.dialect import Fetch, Wire
from promptwire_server.providers.gemini.dialect import Gemini
from promptwire_server.providers.gemini.embeddings import GeminiEmbeddings
from promptwire_server.providers.json_value import JsonObject
from tests.unit.providers.support import make_call, make_embed_call, make_ids

GEMINI = Gemini("gemini", make_ids())
GENERATES = ["generateContent", "countTokens", "createCachedContent"]


def fetching(answer: Callable[[Wire], JsonObject], asked: list[Wire]) -> Fetch:
    async def fetch(wire: Wire) -> JsonObject:
        asked.append(wire)
        return answer(wire)

    return fetch


async def test_models_come_page_by_page() -> None:
    asked: list[Wire] = []
    pages: dict[str, JsonObject] = {
        "/models?pageSize=1000": {
            "models": [{"name": "models/a", "supportedGenerationMethods": ["generateContent"]}],
            "nextPageToken": "p&2",
        },
        "/models?pageSize=1000&pageToken=p%262": {"models": [{"name": "tunedModels/b", "supportedGenerationMethods": ["embedContent"]}]},
    }
    models = await GEMINI.models(fetching(lambda wire: pages[wire.path], asked))
    assert [model.provider_model for model in models] == ["a", "tunedModels/b"]
    assert [wire.method for wire in asked] == ["GET", "GET"]


async def test_a_model_with_all_that_is_told() -> None:
    told: JsonObject = {
        "name": "models/a",
        "inputTokenLimit": 1000,
        "outputTokenLimit": 50,
        "supportedGenerationMethods": [*GENERATES],
        "thinking": True,
    }
    (model,) = await GEMINI.models(fetching(lambda _: {"models": [told]}, []))
    assert (model.context_window_tokens, model.max_output_tokens, model.source) == (1000, 50, "provider")
    assert set(model.capabilities) == {
        pb.CAPABILITY_CHAT,
        pb.CAPABILITY_STREAMING,
        pb.CAPABILITY_PROMPT_CACHE,
        pb.CAPABILITY_REASONING,
    }


@pytest.mark.parametrize("item", [{}, {"name": "models/a"}, {"name": "models/a", "supportedGenerationMethods": ["predict", 5]}, "x", None])
async def test_models_of_no_use_are_not_listed(item: Any) -> None:
    assert await GEMINI.models(fetching(lambda _: {"models": [item]}, [])) == []


async def test_a_list_that_never_ends_is_left() -> None:
    asked: list[Wire] = []
    await GEMINI.models(fetching(lambda _: {"models": [], "nextPageToken": "again"}, asked))
    assert len(asked) == 20


async def test_the_whole_request_is_counted() -> None:
    asked: list[Wire] = []
    request = pb.ChatRequest(
        system="be nice", prompt="hi", generation=pb.GenerationSettings(tools=[pb.Tool(function=pb.FunctionTool(name="f"))])
    )
    counted = await GEMINI.count(make_call(request, model="gemini-3-flash"), fetching(lambda _: {"totalTokens": 7}, asked))
    assert counted == pb.CountTokensResponse(input_tokens=7, method="provider")
    assert asked[0].path == "/models/gemini-3-flash:countTokens"
    body = orjson.loads(asked[0].body)["generateContentRequest"]
    assert body["model"] == "models/gemini-3-flash"
    assert {"contents", "systemInstruction", "tools"} <= body.keys()


@pytest.mark.parametrize("answer", [{}, {"totalTokens": -1}, {"totalTokens": "x"}])
async def test_a_count_that_is_none_is_a_failure(answer: JsonObject) -> None:
    with pytest.raises(UpstreamFailed):
        await GEMINI.count(make_call(), fetching(lambda _: answer, []))


def test_vectors_are_asked_for_text_by_text() -> None:
    request = pb.EmbedRequest(dimensions=5, task=pb.EmbedRequest.TASK_QUERY, provider_options_json={"gemini": '{"title":"t"}'})
    wire = GeminiEmbeddings("gemini").to_wire(make_embed_call(request, model="gemini-embedding-001"))(["a", "b"])
    settings = {"model": "models/gemini-embedding-001", "outputDimensionality": 5, "taskType": "RETRIEVAL_QUERY", "title": "t"}
    assert wire.path == "/models/gemini-embedding-001:batchEmbedContents"
    assert orjson.loads(wire.body) == {"requests": [{**settings, "content": {"role": "user", "parts": [{"text": text}]}} for text in "ab"]}


def test_vectors() -> None:
    found = GeminiEmbeddings("gemini").from_wire({"embeddings": [{"values": [1, 0.5]}], "usageMetadata": {"promptTokenCount": 3}})
    assert ([[*vector] for vector in found.vectors], found.input_tokens) == ([[1.0, 0.5]], 3)
    with pytest.raises(UpstreamFailed):
        GeminiEmbeddings("gemini").from_wire({"embeddings": [{"values": ["x"]}]})


def test_settings_cannot_name_another_model() -> None:
    request = pb.EmbedRequest(provider_options_json={"gemini": '{"model":"models/x"}'})
    with pytest.raises(InvalidRequest):
        GeminiEmbeddings("gemini").to_wire(make_embed_call(request))
