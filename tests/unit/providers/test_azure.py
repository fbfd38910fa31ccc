"""Azure OpenAI: what is sent, beside the official SDK for the same intent, and what comes back."""

from collections.abc import AsyncIterator, Awaitable, Callable, Mapping
from contextlib import asynccontextmanager
from typing import Any

import pytest
from openai import AsyncAzureOpenAI, AsyncOpenAI

from promptwire import v1 as pb
from promptwire_server.core.clock import SystemClock
from promptwire_server.core.embedding import EmbedCall
from promptwire_server.core.errors import PromptwireError, UpstreamAccount, UpstreamModelUnknown, UpstreamPolicy
from promptwire_server.core.secret import Secret
from promptwire_server.providers.azure.answer import worst
from promptwire_server.providers.json_value import Json
from promptwire_server.providers.provider import Provider
from promptwire_server.providers.registry import build
from promptwire_server.providers.settings import HttpSettings
from tests.unit.providers.listener import ANSWER, Listener, Received, json_answer, listening, sse_answer
from tests.unit.providers.support import ask, make_call, make_ids

DATED = "2024-10-21"
SAFE = {"hate": {"filtered": False, "severity": "safe"}}
GRAVE = {"hate": {"filtered": False, "severity": "medium"}}
Sdk = Callable[[AsyncOpenAI], Awaitable[object]]
VECTORS = {"data": [{"index": 0, "embedding": [1.0, 2.0]}], "model": "m", "usage": {"prompt_tokens": 1, "total_tokens": 1}}


def answer(request: Received) -> bytes:
    if "/embeddings" in request.target:
        return json_answer(VECTORS)
    if "/models" in request.target:
        return json_answer({"data": [{"id": "gpt-4o"}]})
    if "/responses" in request.target:
        return json_answer({"id": "r", "object": "response", "status": "completed", "model": "m", "output": []})
    return sse_answer(*STREAM) if request.json.get("stream") else json_answer(ANSWER)


def chunk(*choices: dict[str, Any], **more: Any) -> dict[str, Any]:
    return {"id": "a-1", "object": "chat.completion.chunk", "model": "gpt-4o-2024-08-06", "choices": list(choices), **more}


def said(text: str, found: Mapping[str, Any], **more: Any) -> dict[str, Any]:
    return {"index": 0, "delta": {"content": text}, "finish_reason": None, "content_filter_results": found, **more}


STREAM = [
    chunk(prompt_filter_results=[{"prompt_index": 0, "content_filter_results": SAFE}]),
    chunk({"index": 0, "delta": {"role": "assistant", "content": ""}, "finish_reason": None}),
    chunk(said("one ", SAFE)),
    chunk(said("two ", GRAVE)),
    chunk(said("three", SAFE)),
    chunk({"index": 0, "delta": {}, "finish_reason": "stop", "content_filter_results": {}}),
    chunk(usage={"prompt_tokens": 1, "completion_tokens": 3, "total_tokens": 4}),
    "[DONE]",
]


@asynccontextmanager
async def azure(listener: Listener, options: Mapping[str, str] | None = None) -> AsyncIterator[Provider]:
    settings = HttpSettings("azure", base_url=listener.origin, api_key=Secret("key-1"), options=options or {})
    provider = build("eu", settings, clock=SystemClock(), ids=make_ids())
    try:
        yield provider
    finally:
        await provider.aclose()


def dated(listener: Listener) -> AsyncOpenAI:
    return AsyncAzureOpenAI(azure_endpoint=listener.origin, api_version=DATED, api_key="key-1", max_retries=0)


def undated(listener: Listener) -> AsyncOpenAI:
    return AsyncOpenAI(base_url=f"{listener.origin}/openai/v1", api_key="key-1", max_retries=0)


async def chat(sdk: AsyncOpenAI) -> object:
    return await sdk.chat.completions.create(model="gpt 4/ö", messages=[{"role": "user", "content": "hi"}], max_completion_tokens=5)


@pytest.mark.parametrize("version", [DATED, ""])
async def test_we_send_what_the_sdk_sends(version: str) -> None:
    request = pb.ChatRequest(prompt="hi", generation=pb.GenerationSettings(max_output_tokens=5))
    async with listening(answer) as listener:
        async with azure(listener, {"api_version": version}) as ours:
            await ask(ours, make_call(request, model="gpt 4/ö"))
        async with dated(listener) if version else undated(listener) as sdk:
            await chat(sdk)
    mine, theirs = listener.received
    assert (mine.method, mine.target, mine.json) == (theirs.method, theirs.target, theirs.json)
    assert mine.headers["content-type"] == theirs.headers["content-type"]
    assert mine.headers["api-key"] == "key-1"
    if version:
        assert theirs.headers["api-key"] == "key-1"
        assert mine.target == f"/openai/deployments/gpt%204%2F%C3%B6/chat/completions?api-version={DATED}"


async def test_vectors_are_asked_for_as_the_sdk_does() -> None:
    request = pb.EmbedRequest(texts=["a"])
    async with listening(answer) as listener:
        async with azure(listener, {"api_version": DATED}) as ours:
            response = await ours.embed(EmbedCall(request, make_call(model="ada")))
        async with dated(listener) as sdk:
            await sdk.embeddings.create(model="ada", input=["a"])
    mine, theirs = listener.received
    assert (mine.method, mine.target, mine.json) == (theirs.method, theirs.target, theirs.json)
    assert list(response.embeddings[0].values) == [1.0, 2.0]


async def test_a_token_of_entra_goes_as_the_sdk_sends_it() -> None:
    async with listening(answer) as listener:
        async with azure(listener, {"auth": "bearer"}) as ours:
            await ask(ours, make_call())
        async with AsyncAzureOpenAI(azure_endpoint=listener.origin, api_version=DATED, azure_ad_token="key-1", max_retries=0) as sdk:
            await chat(sdk)
    mine, theirs = listener.received
    assert mine.headers["authorization"] == theirs.headers["authorization"] == "Bearer key-1"
    assert "api-key" not in mine.headers


async def test_a_model_has_the_deployment_that_the_operator_names() -> None:
    async with listening(answer) as listener, azure(listener, {"api_version": DATED, "deployment gpt-4o": "eu-1"}) as ours:
        response = await ask(ours, make_call(model="gpt-4o"))
        listed = await ours.models()
    (received,) = listener.received
    assert "/deployments/eu-1/" in received.target
    assert received.json["model"] == "eu-1"
    assert response.model == "gpt-4o-2024-08-06"
    assert [model.name for model in listed] == ["eu/gpt-4o"]


@pytest.mark.parametrize(
    ("options", "targets"),
    [
        ({}, ["/openai/v1/responses", "/openai/v1/models"]),
        ({"api_version": "preview"}, ["/openai/v1/responses?api-version=preview", "/openai/v1/models?api-version=preview"]),
        ({"api_version": DATED}, [f"/openai/responses?api-version={DATED}", f"/openai/models?api-version={DATED}"]),
    ],
)
async def test_what_belongs_to_no_deployment_is_asked_beside_them(options: Mapping[str, str], targets: list[str]) -> None:
    async with listening(answer) as listener, azure(listener, {**options, "api": "responses"}) as ours:
        await ask(ours, make_call())
        assert [model.name for model in await ours.models()] == ["eu/gpt-4o"]
    assert [received.target for received in listener.received] == targets


async def test_what_the_filter_found_comes_with_the_answer_at_its_worst() -> None:
    async with listening(answer) as listener, azure(listener) as ours:
        response = await ask(ours, make_call(stream=True))
    assert response.text == "one two three"
    assert '"prompt_filter_results"' in response.provider_extra_json
    assert response.candidates[0].provider_extra_json == '{"content_filter_results":{"hate":{"filtered":false,"severity":"medium"}}}'


def test_the_worst_finding_of_each_category_stays() -> None:
    low: Json = {"filtered": False, "severity": "low"}
    filtered: Json = {"filtered": True, "severity": "low"}
    assert worst({"a": low}, {"a": filtered, "b": low}) == {"a": filtered, "b": low}
    assert worst({"a": filtered}, {"a": low}) == {"a": filtered}
    assert worst({"jailbreak": {"detected": True}}, {"jailbreak": {"detected": False}}) == {"jailbreak": {"detected": True}}


REFUSED = {"code": "content_filter", "message": "…", "status": 400, "innererror": {"code": "ResponsibleAIPolicyViolation"}}


@pytest.mark.parametrize(
    ("status", "error", "kind", "code"),
    [
        ("400 Bad Request", REFUSED, UpstreamPolicy, "content_filter"),
        ("400 Bad Request", {"code": "ResponsibleAIPolicyViolation"}, UpstreamPolicy, "ResponsibleAIPolicyViolation"),
        ("404 Not Found", {"code": "DeploymentNotFound", "message": "…"}, UpstreamModelUnknown, "DeploymentNotFound"),
        ("401 Unauthorized", {"code": "401", "message": "…"}, UpstreamAccount, "401"),
    ],
)
async def test_refusals_are_told_by_their_meaning(status: str, error: Any, kind: type[PromptwireError], code: str) -> None:
    async with listening(lambda _: json_answer({"error": error}, status)) as listener, azure(listener) as ours:
        with pytest.raises(kind) as caught:
            await ask(ours, make_call())
    assert caught.value.origin.provider_code == code
