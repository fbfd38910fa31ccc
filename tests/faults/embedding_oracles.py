"""The vendors' own SDKs as far as vectors go, each before the fake provider, beside our provider for the same vendor."""

import json
import struct
from base64 import b64encode
from collections.abc import Awaitable, Callable, Mapping, Sequence
from contextlib import AbstractAsyncContextManager
from dataclasses import dataclass
from typing import Any
from urllib.parse import quote

import ollama
import pytest
from google.genai import types
from openai import AsyncOpenAI

from promptwire import v1 as pb
from promptwire_server.providers.provider import Provider
from tests.faults import gemini_sdk, huggingface_sdk
from tests.faults.fake_provider.process import FakeProvider
from tests.faults.upstreams import vendor_at

Vectors = list[list[float]]
MODEL = "fake-embedding"
Task = pb.EmbedRequest


@dataclass(frozen=True)
class Wish:
    """One thing to ask, in our words and in those of one SDK."""

    name: str
    ours: Mapping[str, Any]  # fields of EmbedRequest besides texts
    sdk: Mapping[str, Any]
    texts: tuple[str, ...] = ("one two", "three")
    dropped: tuple[str, ...] = ()  # fields that are not sent, with a notice


@dataclass(frozen=True)
class Question:
    """What an SDK is asked, and where."""

    fake: FakeProvider
    base_url: str
    key: str
    model: str
    texts: list[str]
    wishes: Mapping[str, Any]
    monkeypatch: pytest.MonkeyPatch


@dataclass(frozen=True)
class Oracle:
    """One vendor: its SDK and our provider."""

    vendor: str  # a row of vendors.VENDORS
    path: str  # of its base URL
    most_texts: int
    ask: Callable[[Question], Awaitable[Vectors]]
    body: Callable[[Sequence[object]], object]  # an answer with these as vectors
    wishes: Sequence[Wish]
    dialect: str = "openai"
    keyed: str = ""  # what its keys begin with
    counts: bool = True  # says how many tokens it read

    def ours(self, fake: FakeProvider, api_key: str) -> AbstractAsyncContextManager[Provider]:
        """Our provider, to be closed."""
        return vendor_at(self.vendor, f"{fake.origin}{self.path}", self.keyed + api_key, dialect=self.dialect)

    async def theirs(self, fake: FakeProvider, api_key: str, model: str, wish: Wish, monkeypatch: pytest.MonkeyPatch) -> Vectors:
        """What the SDK returns."""
        base_url, key = f"{fake.origin}{self.path}", self.keyed + api_key
        return await self.ask(Question(fake, base_url, key, model, list(wish.texts), wish.sdk, monkeypatch))


def packed(*numbers: float) -> str:
    """As base64 of little-endian floats of 32 bits."""
    return b64encode(struct.pack(f"<{len(numbers)}f", *numbers)).decode()


def scripted(body: object) -> str:
    """A model that answers with this, whatever it is asked."""
    return f"{MODEL}~body={quote(json.dumps(body, separators=(',', ':')), safe='')}"


async def _openai(question: Question) -> Vectors:
    async with AsyncOpenAI(base_url=question.base_url, api_key=question.key, max_retries=0) as sdk:
        made = await sdk.embeddings.create(model=question.model, input=question.texts, **question.wishes)
    return [item.embedding for item in made.data]


async def _ollama(question: Question) -> Vectors:
    headers = {"authorization": f"Bearer {question.key}"}
    async with ollama.AsyncClient(host=question.base_url, headers=headers, verify=False) as sdk:
        made = await sdk.embed(question.model, question.texts, **question.wishes)
    return [[*vector] for vector in made.embeddings]


async def _gemini(question: Question) -> Vectors:
    async with gemini_sdk.driven(question.fake, question.key) as sdk:
        config = types.EmbedContentConfig(**question.wishes)
        made = await sdk.client.models.embed_content(model=question.model, contents=question.texts, config=config)
    return [vector.values for vector in made.embeddings]


async def _huggingface(question: Question) -> Vectors:
    found: Vectors = await huggingface_sdk.vectors(
        question.fake.origin, question.key, question.model, question.texts, question.monkeypatch, **question.wishes
    )
    return found


def _data(vectors: Sequence[object]) -> object:
    data = [{"object": "embedding", "index": index, "embedding": vector} for index, vector in enumerate(vectors)]
    return {"object": "list", "data": data, "model": MODEL, "usage": {"prompt_tokens": 3, "total_tokens": 3}}


PLAIN = Wish("texts", {}, {})
ONE = Wish("one text", {}, {}, texts=("one two",))
UNICODE = Wish("unicode", {}, {}, texts=("grüß 🎉 \u2028", " \n"))
SHORT = Wish("short vectors", {"dimensions": 8}, {"dimensions": 8})
ASIDE = Wish("a task that it has no word for", {"task": Task.TASK_SIMILARITY}, {}, dropped=("task",))
USUAL = (PLAIN, ONE, UNICODE, SHORT, ASIDE)
FLOATS = {"encoding_format": "float"}  # what the vendor takes for granted, and the SDK does not


def options(vendor: str, **settings: Any) -> dict[str, Any]:
    return {"provider_options_json": {vendor: json.dumps(settings)}}


def floats(*wishes: Wish) -> list[Wish]:
    return [Wish(wish.name, wish.ours, {**FLOATS, **wish.sdk}, wish.texts, wish.dropped) for wish in wishes]


ORACLES = [
    Oracle("openai", "/v1", 2048, _openai, _data, [*USUAL, Wish("an end user", options("openai", user="ann"), {"user": "ann"})]),
    Oracle(
        "vllm",
        "/v1",
        1024,
        _openai,
        _data,
        [*USUAL, Wish("its own", options("vllm", truncate_prompt_tokens=9), {"extra_body": {"truncate_prompt_tokens": 9}})],
    ),
    Oracle("tei", "/tei/v1", 32, _openai, _data, USUAL),
    Oracle(
        "mistral",
        "/v1",
        128,
        _openai,
        _data,
        floats(
            PLAIN,
            ONE,
            UNICODE,
            ASIDE,
            Wish("short vectors", {"dimensions": 8}, {"extra_body": {"output_dimension": 8}}),
            Wish("small numbers", options("mistral", output_dtype="float"), {"extra_body": {"output_dtype": "float"}}),
        ),
    ),
    Oracle(
        "openrouter",
        "/v1",
        256,
        _openai,
        _data,
        floats(
            PLAIN,
            SHORT,
            ASIDE,
            Wish("questions", {"task": Task.TASK_QUERY}, {"extra_body": {"input_type": "search_query"}}),
            Wish("documents", {"task": Task.TASK_DOCUMENT}, {"extra_body": {"input_type": "search_document"}}),
            Wish("clusters", {"task": Task.TASK_CLUSTERING}, {"extra_body": {"input_type": "clustering"}}),
        ),
    ),
    Oracle(
        "nvidia",
        "/v1",
        50,
        _openai,
        _data,
        floats(
            PLAIN,
            ASIDE,
            Wish("questions", {"task": Task.TASK_QUERY}, {"extra_body": {"input_type": "query"}}),
            Wish("documents", {"task": Task.TASK_DOCUMENT}, {"extra_body": {"input_type": "passage"}}),
        ),
    ),
    Oracle(
        "ollama",
        "",
        512,
        _ollama,
        lambda vectors: {"model": MODEL, "embeddings": vectors, "prompt_eval_count": 3},
        [
            *USUAL,
            Wish(
                "its own",
                options("ollama", truncate=False, keep_alive="5m", options={"num_ctx": 512}),
                {"truncate": False, "keep_alive": "5m", "options": {"num_ctx": 512}},
            ),
        ],
        dialect="ollama",
    ),
    Oracle(
        "gemini",
        "/v1beta",
        100,
        _gemini,
        lambda vectors: {"embeddings": [{"values": vector} for vector in vectors]},
        [
            PLAIN,
            ONE,
            UNICODE,
            Wish("short vectors", {"dimensions": 8}, {"output_dimensionality": 8}),
            Wish("questions", {"task": Task.TASK_QUERY}, {"task_type": "RETRIEVAL_QUERY"}),
            Wish("documents", {"task": Task.TASK_DOCUMENT}, {"task_type": "RETRIEVAL_DOCUMENT"}),
            Wish("likeness", {"task": Task.TASK_SIMILARITY}, {"task_type": "SEMANTIC_SIMILARITY"}),
            Wish("classes", {"task": Task.TASK_CLASSIFICATION}, {"task_type": "CLASSIFICATION"}),
            Wish("clusters", {"task": Task.TASK_CLUSTERING}, {"task_type": "CLUSTERING"}),
            Wish("its own", options("gemini", title="t"), {"title": "t"}),
        ],
        dialect="gemini",
        counts=False,
    ),
    Oracle(
        "huggingface",
        "/router/v1",
        32,
        _huggingface,
        list,
        [
            *USUAL,
            Wish(
                "its own",
                options("huggingface", normalize=True, truncate=True, truncation_direction="left", prompt_name="query"),
                {"normalize": True, "truncate": True, "truncation_direction": "left", "prompt_name": "query"},
            ),
        ],
        keyed="hf_",
        counts=False,
    ),
]
