"""Counts of a prompt: the words as two independent tokenisers have them, what is around them as OpenAI has published it."""

import asyncio
import gzip
import importlib
import itertools
import socket
import threading
import warnings
from importlib import metadata
from pathlib import Path
from typing import Any, NoReturn

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from promptwire import v1 as pb
from promptwire_server.providers import tokens, vocabulary
from promptwire_server.providers.families import family_of
from promptwire_server.providers.measure import measured
from promptwire_server.providers.tokens import Count, count, slices

MODELS = {"o200k_base": "gpt-4o", "cl100k_base": "gpt-4"}
AROUND = 7  # tokens around the words of one message: 4, and 3 for the answer's beginning
WEATHER = pb.Tool(
    function=pb.FunctionTool(
        name="get_current_weather",
        description="Get the current weather in a given location.",
        parameters_json="""{"type": "object", "properties": {
            "location": {"type": "string", "description": "The city and state, e.g. San Francisco, CA"},
            "unit": {"type": "string", "description": "The unit of temperature to return", "enum": ["celsius", "fahrenheit"]}}}""",
    )
)


@pytest.fixture(scope="module")
def other() -> dict[str, Any]:
    """The tokeniser of bpe-openai: its own code in another language, not derived from tiktoken's."""
    with warnings.catch_warnings():
        warnings.simplefilter("ignore", DeprecationWarning)  # of a function of the standard library that it still uses
        bindings = importlib.import_module("bpe_openai._bindings")
    return {name: bindings.tokenizer_for_encoding(name) for name in MODELS}


def prompt(text: str) -> pb.ChatRequest:
    return pb.ChatRequest(prompt=text)


words = st.text(st.sampled_from("aZéß漢字😀' \t\n\r.,;!?/_-=0123½²\u0301\u200d\u00a0"), max_size=200)


@pytest.mark.parametrize("encoding", MODELS)
@given(text=st.text(max_size=200) | words)
@settings(deadline=None)
async def test_the_words_are_counted_as_another_tokeniser_does(encoding: str, text: str, other: dict[str, Any]) -> None:
    counted = await count(prompt("x" + text), MODELS[encoding])
    assert counted == Count(other[encoding].count("x" + text) + AROUND, estimated=False, method=f"tiktoken:{encoding}")


@pytest.mark.parametrize("encoding", MODELS)
@given(text=words, most=st.integers(1, 40))
@settings(deadline=None)
def test_a_text_cut_at_seams_has_the_tokens_of_the_whole(encoding: str, text: str, most: int) -> None:
    encode = vocabulary_of(encoding)
    pieces = list(slices(text, most))
    assert "".join(pieces) == text
    assert all(len(piece) <= most for piece in pieces)
    if all(tokens._SEAM.match(before[-1] + after[0]) for before, after in itertools.pairwise(pieces) if after):
        assert sum(len(encode(piece)) for piece in pieces) == len(encode(text))


def vocabulary_of(name: str) -> Any:
    encode = tokens._VOCABULARIES.get(name)
    assert encode is not None
    return encode


@pytest.mark.parametrize("text", ["<|endoftext|>", "<|im_start|>system<|im_sep|>", "<|endofprompt|><|fim_prefix|>"])
async def test_text_that_looks_like_a_special_token_is_text(text: str) -> None:
    counted = await count(prompt(text), "gpt-4o")
    assert counted is not None
    assert counted.input_tokens > AROUND + 3


@pytest.mark.parametrize("character", [" ", "\n", "a", "=", "漢"])
async def test_a_million_of_one_character_neither_panics_nor_takes_long(character: str) -> None:
    async with asyncio.timeout(30):
        counted = await count(prompt(character * 1_000_000), "gpt-4o")
    assert counted is not None


async def test_the_loop_goes_on_while_a_long_prompt_is_counted() -> None:
    await count(prompt("warm"), "gpt-4o")
    main, used = threading.get_ident(), set()
    encode = tokens._VOCABULARIES.at_hand["o200k_base"]
    assert encode is not None

    def noted(text: str) -> list[int]:
        used.add(threading.get_ident() == main)
        return encode(text)

    tokens._VOCABULARIES.at_hand["o200k_base"] = noted
    try:
        await count(prompt("word " * 2000), "gpt-4o")
        assert used == {False}
        await count(prompt("word"), "gpt-4o")
        assert used == {False, True}
    finally:
        tokens._VOCABULARIES.at_hand["o200k_base"] = encode


async def test_nothing_is_fetched(monkeypatch: pytest.MonkeyPatch) -> None:
    def refused(*_: object, **__: object) -> NoReturn:
        raise AssertionError("the network was touched")

    monkeypatch.setattr(socket.socket, "connect", refused)
    monkeypatch.setattr(tokens, "_VOCABULARIES", tokens._Vocabularies())
    assert await count(prompt("hi"), "gpt-4o") == Count(8, estimated=False, method="tiktoken:o200k_base")


async def test_without_a_package_that_carries_the_ranks_nothing_is_counted(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(vocabulary, "_CARRIERS", (("no-such-package", "x/{}.gz"), ("tiktoken", "tiktoken/no-such-file-{}")))
    monkeypatch.setattr(tokens, "_VOCABULARIES", tokens._Vocabularies())
    assert await count(prompt("hi"), "gpt-4o") is None
    assert await count(prompt("hi"), "gpt-4o") is None


async def test_ranks_that_are_not_the_published_ones_are_not_used(monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> None:
    forged = gzip.compress(b"aGk= 0\n")
    monkeypatch.setattr(vocabulary, "_file", lambda *_: gzip.decompress(forged))
    assert vocabulary.encoding("o200k_base") is None


async def test_a_vocabulary_is_loaded_once_whoever_asks_first(monkeypatch: pytest.MonkeyPatch) -> None:
    loads: list[str] = []
    load = vocabulary.encoding

    def noted(name: str) -> Any:
        loads.append(name)
        return load(name)

    monkeypatch.setattr(vocabulary, "encoding", noted)
    monkeypatch.setattr(tokens, "_VOCABULARIES", tokens._Vocabularies())
    await asyncio.gather(*(count(prompt("hi"), "gpt-4") for _ in range(5)))
    assert loads == ["cl100k_base"]


@pytest.mark.parametrize(
    ("model", "encoding"),
    [
        ("gpt-4o", "o200k_base"),
        ("gpt-4o-mini-2024-07-18", "o200k_base"),
        ("GPT-4.1-nano", "o200k_base"),
        ("chatgpt-4o-latest", "o200k_base"),
        ("ft:gpt-4o-mini-2024-07-18:acme::x1", "o200k_base"),
        ("ft:gpt-3.5-turbo:acme::x1", "cl100k_base"),
        ("gpt-4", "cl100k_base"),
        ("gpt-4-turbo-2024-04-09", "cl100k_base"),
        ("gpt-35-turbo", "cl100k_base"),
        ("o1-mini", "o200k_base"),
        ("o3", "o200k_base"),
        ("gpt-5.1-codex", "o200k_base"),
        ("openai/gpt-4o:free", "o200k_base"),
        ("accounts/fireworks/models/gpt-oss-120b", "o200k_harmony"),
    ],
)
def test_a_model_is_known_by_its_name(model: str, encoding: str) -> None:
    family = family_of(model)
    assert family is not None
    assert family.encoding == encoding


@pytest.mark.parametrize("model", ["", "claude-sonnet-4-5", "gpt-4all", "gpt-40", "o10", "someone/gpt-4-alpaca", "gpt-9", "my-deployment"])
async def test_of_other_models_nothing_is_said(model: str) -> None:
    assert await count(prompt("hi"), model) is None


async def test_the_cookbook_s_conversation_has_the_cookbook_s_count() -> None:
    request = pb.ChatRequest(system="You are a helpful, pattern-following assistant that translates corporate jargon into plain English.")
    for name, text in (
        ("example_user", "New synergies will help drive top-line growth."),
        ("example_assistant", "Things working well together will increase revenue."),
        ("example_user", "Let's circle back when we have more bandwidth to touch base on opportunities for increased leverage."),
        ("example_assistant", "Let's talk later when we're less busy about how to do better."),
    ):
        request.messages.add(role=pb.ROLE_SYSTEM, name=name, parts=[pb.ContentPart(text=text)])
    late = "This late pivot means we don't have time to boil the ocean for the client deliverable."
    request.messages.add(role=pb.ROLE_USER, parts=[pb.ContentPart(text=late)])
    counted = [await count(request, model) for model in ("gpt-4", "gpt-4o")]
    assert [one and (one.input_tokens, one.estimated) for one in counted] == [(129, False), (124, False)]


async def test_the_cookbook_s_tool_has_the_cookbook_s_count_and_is_called_an_estimate() -> None:
    request = pb.ChatRequest(
        system="You are a helpful assistant that can answer to questions about the weather.",
        prompt="What's the weather like in San Francisco?",
        generation=pb.GenerationSettings(tools=[WEATHER]),
    )
    counted = [await count(request, model) for model in ("gpt-4", "gpt-4o")]
    assert [one and (one.input_tokens, one.estimated) for one in counted] == [(105, True), (101, True)]


ROUND = pb.ChatMessage(role=pb.ROLE_ASSISTANT, parts=[pb.ContentPart(tool_call=pb.ToolCallPart(name="f", arguments_json='{"a": 1}'))])
RESULT = pb.ChatMessage(role=pb.ROLE_TOOL, parts=[pb.ContentPart(tool_result=pb.ToolResultPart(parts=[pb.ContentPart(text="sunny")]))])
TWO = pb.ChatMessage(parts=[pb.ContentPart(text="a"), pb.ContentPart(text="b")])
SOUND = pb.ChatMessage(parts=[pb.ContentPart(media=pb.MediaPart(mime_type="audio/wav", data=b"RIFF"))])
BLOCK = pb.ChatMessage(parts=[pb.ContentPart(provider_part=pb.ProviderPart(json="{}"))])
SCHEMA = pb.GenerationSettings(response_format=pb.ResponseFormat(json_schema=pb.JsonSchemaFormat(schema_json='{"type": "object"}')))


@pytest.mark.parametrize(
    "request_",
    [
        pb.ChatRequest(messages=[ROUND]),
        pb.ChatRequest(messages=[RESULT]),
        pb.ChatRequest(messages=[TWO]),
        pb.ChatRequest(messages=[SOUND]),
        pb.ChatRequest(messages=[BLOCK]),
        pb.ChatRequest(prompt="hi", generation=SCHEMA),
    ],
)
async def test_what_nobody_has_published_is_an_estimate(request_: pb.ChatRequest) -> None:
    counted = await count(request_, "gpt-4o")
    assert counted is not None
    assert counted.estimated
    assert counted.input_tokens >= AROUND


async def test_reasoning_models_add_lines_that_nobody_sees() -> None:
    assert await count(prompt("hi"), "o3") == Count(8, estimated=True, method="tiktoken:o200k_base")


def test_the_properties_of_an_inner_object_count_too() -> None:
    family = family_of("gpt-4o")
    assert family is not None
    deep = '{"properties": {"a": {"type": "array", "items": {"type": "object", "properties": {"inner": {"type": "string"}}}}}}'
    tool = pb.Tool(function=pb.FunctionTool(name="f", parameters_json=deep))
    found = measured(pb.ChatRequest(generation=pb.GenerationSettings(tools=[tool])), family)
    assert "inner:string:" in found.texts


@pytest.mark.parametrize("json", ["", "nonsense", "[]", '{"properties": 5}', '{"properties": {"a": 1, "b": {"enum": 7, "type": ["x"]}}}'])
async def test_a_schema_that_is_none_is_counted_as_far_as_it_goes(json: str) -> None:
    tool = pb.Tool(function=pb.FunctionTool(name="f", parameters_json=json))
    assert await count(pb.ChatRequest(prompt="hi", generation=pb.GenerationSettings(tools=[tool])), "gpt-4o") is not None


def test_a_schema_that_is_endlessly_deep_ends() -> None:
    family = family_of("gpt-4o")
    assert family is not None
    json = '{"properties": {"a": ' * 200 + "{}" + "}}" * 200
    tool = pb.Tool(function=pb.FunctionTool(name="f", parameters_json=json))
    assert len(measured(pb.ChatRequest(generation=pb.GenerationSettings(tools=[tool])), family).texts) < 40


@pytest.mark.parametrize("encoding", MODELS)
@pytest.mark.parametrize("carrier", vocabulary._CARRIERS)
def test_every_carrier_has_the_published_ranks(carrier: tuple[str, str], encoding: str, monkeypatch: pytest.MonkeyPatch) -> None:
    try:
        metadata.version(carrier[0])
    except metadata.PackageNotFoundError:
        pytest.skip("is not installed here")
    monkeypatch.setattr(vocabulary, "_CARRIERS", (carrier,))
    found = vocabulary.encoding(encoding)
    assert found is not None
    assert found.encode_ordinary("hello world") == found.encode_ordinary("hello") + found.encode_ordinary(" world")
