"""Our requests for vectors beside those of the vendors' own SDKs, as the vendor received them, and what both make of the answers."""

from typing import Any

import pytest

from promptwire import v1 as pb
from promptwire_server.core.errors import CapabilityMissing, InvalidRequest, PromptwireError, UpstreamFailed
from promptwire_server.providers.provider import Provider
from tests.faults.embedding_oracles import MODEL, ORACLES, PLAIN, Oracle, Wish, options, packed, scripted
from tests.faults.fake_provider.ledger import secret
from tests.faults.fake_provider.openai_dialect import embedding
from tests.faults.fake_provider.process import FakeProvider
from tests.unit.providers.support import make_embed_call

EACH = pytest.mark.parametrize("oracle", ORACLES, ids=lambda oracle: oracle.vendor)
WISHES = [(oracle, wish) for oracle in ORACLES for wish in oracle.wishes]
OPENAI, *_, HUGGING_FACE = ORACLES
Answer = tuple[pb.EmbedResponse, list[pb.Notice]]


async def asked(provider: Provider, texts: list[str], *, model: str = MODEL, **fields: Any) -> Answer:
    call = make_embed_call(pb.EmbedRequest(model="any", texts=texts, **fields), model=model)
    return await provider.embed(call), call.call.trail.notices


async def answered(oracle: Oracle, fake: FakeProvider, api_key: str, body: object, texts: int = 2) -> list[list[float]]:
    """The vectors that we make of this answer."""
    async with oracle.ours(fake, api_key) as provider:
        found, _ = await asked(provider, ["x"] * texts, model=scripted(body))
    return [[*vector.values] for vector in found.embeddings]


async def entries(fake: FakeProvider, key: str, n: int = 1) -> list[dict[str, Any]]:
    return await fake.aledger(key_sha256=secret(key), ended=n)


@pytest.mark.parametrize(("oracle", "wish"), WISHES, ids=[f"{oracle.vendor}: {wish.name}" for oracle, wish in WISHES])
async def test_the_vendor_receives_what_the_sdk_would_send_and_both_read_the_same(
    fake: FakeProvider, api_key: str, oracle: Oracle, wish: Wish, monkeypatch: pytest.MonkeyPatch
) -> None:
    async with oracle.ours(fake, api_key) as provider:
        found, notices = await asked(provider, list(wish.texts), **wish.ours)
    vectors = await oracle.theirs(fake, f"{api_key}-sdk", MODEL, wish, monkeypatch)
    (ours,), (theirs,) = await entries(fake, oracle.keyed + api_key), await entries(fake, f"{oracle.keyed}{api_key}-sdk")
    for field in {"encoding_format"} & wish.sdk.keys():
        assert theirs["body"].pop(field) == "float"  # what we leave out, since the vendor takes it for granted
    assert ours["body"] == theirs["body"]
    assert (ours["method"], ours["path"]) == (theirs["method"], theirs["path"])
    assert [[*one.values] for one in found.embeddings] == [pytest.approx(vector, rel=1e-6, abs=1e-9) for vector in vectors]
    assert tuple(notice.field for notice in notices if notice.code == pb.Notice.CODE_SETTING_DROPPED) == wish.dropped


def test_the_table_is_long_enough() -> None:
    assert len({(oracle.vendor, wish.name) for oracle, wish in WISHES}) == len(WISHES) >= 40


@EACH
async def test_more_texts_than_the_vendor_takes_go_in_batches(fake: FakeProvider, api_key: str, oracle: Oracle) -> None:
    texts = [f"text {number}" for number in range(oracle.most_texts + 1)]
    async with oracle.ours(fake, api_key) as provider:
        found, notices = await asked(provider, texts, dimensions=2, task=pb.EmbedRequest.TASK_SIMILARITY)
    received = await entries(fake, oracle.keyed + api_key, 2)
    sizes = [len(entry["body"].get("input") or entry["body"].get("inputs") or entry["body"]["requests"]) for entry in received]
    assert sizes == [oracle.most_texts, 1]
    assert [[*one.values] for one in found.embeddings] == [pytest.approx(embedding(text, 2), abs=1e-6) for text in texts]
    assert len([notice for notice in notices if notice.field == "task"]) == (oracle.vendor != "gemini")
    assert found.usage.estimated is not oracle.counts
    assert found.usage.input_tokens >= len(texts)


@EACH
async def test_tokens_that_nobody_counted_are_estimated_and_said_to_be(fake: FakeProvider, api_key: str, oracle: Oracle) -> None:
    body = oracle.body([[1.0, 2.0]])
    if isinstance(body, dict):
        body = {name: value for name, value in body.items() if name not in ("usage", "prompt_eval_count")}
    async with oracle.ours(fake, api_key) as provider:
        found, notices = await asked(provider, ["eight ch"], model=scripted(body))
    assert (found.usage.input_tokens, found.usage.estimated) == (2, True)
    assert [notice.code for notice in notices] == [pb.Notice.CODE_USAGE_ESTIMATED]


@EACH
async def test_vectors_of_another_length_than_asked_for_are_told(fake: FakeProvider, api_key: str, oracle: Oracle) -> None:
    async with oracle.ours(fake, api_key) as provider:
        found, notices = await asked(provider, ["a", "b"], model=scripted(oracle.body([[1.0, 2.0], [3.0, 4.0]])), dimensions=3)
    assert [[*one.values] for one in found.embeddings] == [[1.0, 2.0], [3.0, 4.0]]
    assert "its vectors have 2 numbers" in next(notice.message for notice in notices if notice.field == "dimensions")


@EACH
@pytest.mark.parametrize(
    ("vectors", "why"),
    [
        ([[1.0]], "1 vectors for 2 texts"),
        ([[1.0], [2.0], [3.0]], "3 vectors for 2 texts"),
        ([], "0 vectors for 2 texts"),
        ([[1.0], [2.0, 3.0]], "different lengths"),
        ([[1.0], []], "none"),
        ([[1.0], None], "none"),
        ([[1.0], {"a": 1}], "none"),
        ([[1.0], 7], "none"),
        ([[1.0], ["2.0"]], "something else than numbers"),
        ([[1.0], [True]], "something else than numbers"),
        ([[1.0], [None]], "something else than numbers"),
        ([[1.0], [[2.0]]], "something else than numbers"),  # a vector a token: the model has no pooling
        ([[1.0], [1e300]], "numbers that are none"),
    ],
)
async def test_what_is_no_vector_is_a_failure(fake: FakeProvider, api_key: str, oracle: Oracle, vectors: list[object], why: str) -> None:
    with pytest.raises(UpstreamFailed, match=why):
        await answered(oracle, fake, api_key, oracle.body(vectors))


@EACH
async def test_numbers_that_are_none_are_a_failure(fake: FakeProvider, api_key: str, oracle: Oracle) -> None:
    with pytest.raises(UpstreamFailed, match="its answer is not JSON"):
        await answered(oracle, fake, api_key, oracle.body([[1.0], [float("nan")]]))


@EACH
@pytest.mark.parametrize("body", [{}, [], None, "text", 7, {"data": 1, "embeddings": 1}])
async def test_an_answer_of_another_shape_is_a_failure(fake: FakeProvider, api_key: str, oracle: Oracle, body: object) -> None:
    with pytest.raises(UpstreamFailed, match="0 vectors for 2 texts"):
        await answered(oracle, fake, api_key, body)


@EACH
async def test_whole_numbers_are_numbers(fake: FakeProvider, api_key: str, oracle: Oracle) -> None:
    assert await answered(oracle, fake, api_key, oracle.body([[1, 2], [0, -3.5]])) == [[1.0, 2.0], [0.0, -3.5]]


@EACH
@pytest.mark.parametrize("status", [401, 404, 429, 500, 503])
async def test_an_error_is_one_for_both(
    fake: FakeProvider, api_key: str, oracle: Oracle, status: int, monkeypatch: pytest.MonkeyPatch
) -> None:
    model = f"{MODEL}~status={status}"
    with pytest.raises(Exception, match=r"."):  # each SDK has errors of its own
        await oracle.theirs(fake, f"{api_key}-sdk", model, PLAIN, monkeypatch)
    async with oracle.ours(fake, api_key) as provider:
        with pytest.raises(PromptwireError) as ours:
            await asked(provider, ["a"], model=model)
    assert ours.value.origin.http_status == status


async def test_a_failure_of_a_later_batch_keeps_what_the_first_took(fake: FakeProvider, api_key: str) -> None:
    call = make_embed_call(pb.EmbedRequest(texts=["x"] * 33), model="fake~id=later/status=500;id=later")
    async with HUGGING_FACE.ours(fake, api_key) as provider:
        with pytest.raises(UpstreamFailed):
            await provider.embed(call)
    assert call.call.trail.attempts[0].usage.input_tokens > 0
    assert [attempt.HasField("failure") for attempt in call.call.trail.attempts] == [True]


async def test_base64_is_read_as_numbers_and_only_as_such(fake: FakeProvider, api_key: str) -> None:
    assert await answered(OPENAI, fake, api_key, OPENAI.body([packed(1.5, -2.0), packed(0.0, 3e38)])) == [
        [1.5, -2.0],
        [0.0, pytest.approx(3e38)],
    ]
    for wrong in ("", "AAA", "AAAA", "not base64!", packed(1.0, float("nan")), packed(float("inf"), float("-inf"))):
        with pytest.raises(UpstreamFailed, match="it sent a vector"):
            await answered(OPENAI, fake, api_key, OPENAI.body([packed(1.0, 2.0), wrong]))


async def test_vectors_are_put_in_the_order_that_their_numbers_say(fake: FakeProvider, api_key: str) -> None:
    body = {"data": [{"index": 1, "embedding": [2.0]}, {"index": 0, "embedding": [1.0]}]}
    assert await answered(OPENAI, fake, api_key, body) == [[1.0], [2.0]]


async def test_an_error_under_the_status_of_success_is_an_error(fake: FakeProvider, api_key: str) -> None:
    with pytest.raises(PromptwireError) as caught:
        await answered(OPENAI, fake, api_key, {"error": {"code": 429, "message": "slow down"}})
    assert type(caught.value).__name__ == "UpstreamRateLimited"


@pytest.mark.parametrize("model", ["../../v1/chat/completions", "a/../b", "a//b", "/a", "a/", ".", ""])
async def test_no_name_leaves_its_place_in_the_path(fake: FakeProvider, api_key: str, model: str) -> None:
    async with HUGGING_FACE.ours(fake, api_key) as provider:
        with pytest.raises(InvalidRequest, match="no name of a model"):
            await asked(provider, ["a"], model=model)


@pytest.mark.parametrize("model", ["org/name", "name", "name:hf-inference", "a b?c#d%2F"])
async def test_names_are_quoted_and_the_vendor_is_left_out(fake: FakeProvider, api_key: str, model: str) -> None:
    async with HUGGING_FACE.ours(fake, api_key) as provider:
        await asked(provider, ["a"], model=model)
    (entry,) = await entries(fake, HUGGING_FACE.keyed + api_key)
    assert entry["model"] == model.partition(":")[0]


async def test_vectors_of_other_vendors_behind_the_router_are_refused_before_any_call(fake: FakeProvider, api_key: str) -> None:
    async with HUGGING_FACE.ours(fake, api_key) as provider:
        with pytest.raises(CapabilityMissing, match="write org/name"):
            await asked(provider, ["a"], model="org/name:together")


@EACH
async def test_options_cannot_name_other_texts_or_models(fake: FakeProvider, api_key: str, oracle: Oracle) -> None:
    name = {"huggingface": "inputs", "gemini": "content"}.get(oracle.vendor, "input")
    async with oracle.ours(fake, api_key) as provider:
        with pytest.raises(InvalidRequest, match=f"cannot set {name}"):
            await asked(provider, ["a"], **options(oracle.vendor, **{name: "b"}))


async def test_what_has_vectors_only_says_so_before_any_call(fake: FakeProvider, api_key: str) -> None:
    tei = next(oracle for oracle in ORACLES if oracle.vendor == "tei")
    async with tei.ours(fake, api_key) as provider:
        with pytest.raises(CapabilityMissing, match="it has vectors only"):
            await provider(make_embed_call(pb.EmbedRequest()).call)
