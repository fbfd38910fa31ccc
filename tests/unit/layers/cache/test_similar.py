"""Answers to similar questions: only where everything else is equal, only for who wishes them, each with its distance."""

import asyncio
from collections.abc import Callable
from dataclasses import replace

import pytest

from promptwire import v1 as pb
from promptwire_server.core.call import Call, Principal
from promptwire_server.core.clock import ManualClock
from promptwire_server.core.embedding import replied
from promptwire_server.core.errors import UpstreamFailed
from promptwire_server.core.kept import Selector
from promptwire_server.core.reply import Reply
from promptwire_server.layers.cache.cache import Cache, CacheSettings
from promptwire_server.layers.cache.similar import Similar, SimilarSettings, wording
from promptwire_server.stores.vectors import Vectors
from tests.unit.layers.cache.house import House
from tests.unit.layers.conftest import MakeCall

MODES = pb.CacheSettings
SETTINGS = CacheSettings(mode=MODES.MODE_READ_WRITE, ttl_s=60, default_model="fast")
PLACES = {"what is tea?": (1.0, 0.0), "what's tea?": (0.98, 0.199), "what is war?": (0.0, 1.0), "\u8336?": (0.9, 0.436)}


class Salon(House):
    """A house whose cache knows what is similar."""

    def __init__(self, clock: ManualClock, settings: CacheSettings = SETTINGS) -> None:
        self.embedded: list[Call] = []
        self.vectors = Vectors(1 << 20)
        self.makes: Callable[[str], list[float]] = lambda text: [*PLACES[text]]
        self.similar = Similar(self.embed, self.vectors, SimilarSettings("echo/vectors", floor=0.85), clock)
        super().__init__(clock, settings)

    def built(self, inner: object) -> Cache:
        return Cache(
            inner,  # type: ignore[arg-type]  # a handler
            store=self.store,
            settings=self.settings,
            aims=self.aims,
            counts=self.counts,
            refresher=self.refresher,
            similar=self.similar,
        )

    async def embed(self, call: Call) -> Reply:
        self.embedded.append(call)
        assert call.embed is not None
        return replied(pb.EmbedResponse(embeddings=[pb.Embedding(values=self.makes(text)) for text in call.embed.texts]))


@pytest.fixture
def salon(clock: ManualClock) -> Salon:
    return Salon(clock)


def question(prompt: str, similarity: float | None = 0.95, /, **more: object) -> pb.ChatRequest:
    wishes = pb.CacheSettings() if similarity is None else pb.CacheSettings(min_similarity=similarity)
    return pb.ChatRequest(**{"model": "fast", "prompt": prompt, "cache": wishes, **more})  # type: ignore[arg-type]  # fields by name


async def asked(salon: Salon, make_call: MakeCall, request: pb.ChatRequest, **more: object) -> pb.ChatResponse:
    return await salon.ask(make_call(request=request, **more))


async def test_a_similar_question_gets_the_answer_with_its_distance(salon: Salon, make_call: MakeCall) -> None:
    first = await asked(salon, make_call, question("what is tea?"))
    salon.clock.advance(5)
    for stream in (False, True):
        hit = await asked(salon, make_call, question("what's tea?"), stream=stream)
        assert (hit.text, hit.served_from, hit.cache_key) == (first.text, pb.SERVED_FROM_CACHE, first.cache_key)
        assert hit.cache_hit.similarity == pytest.approx(0.98, abs=0.001)
        assert hit.cache_hit.age.seconds == 5
    assert salon.asked == 1
    assert sum(line.similar for _, line in salon.counts.lines(Selector(tenant="default"))) == 2


async def test_the_very_same_question_needs_no_vector_and_has_no_distance(salon: Salon, make_call: MakeCall) -> None:
    await asked(salon, make_call, question("what is tea?"))
    hit = await asked(salon, make_call, question("what is tea?"))
    assert not hit.cache_hit.HasField("similarity")
    assert len(salon.embedded) == 1


async def test_who_does_not_wish_it_gets_no_similar_answer_and_pays_for_no_vector(salon: Salon, make_call: MakeCall) -> None:
    await asked(salon, make_call, question("what is tea?"))
    assert (await asked(salon, make_call, question("what's tea?", None))).served_from != pb.SERVED_FROM_CACHE
    assert len(salon.embedded) == 1


@pytest.mark.parametrize(("wish", "hits"), [(0.97, True), (0.985, False), (0.5, True)])
async def test_it_must_be_as_near_as_the_caller_wishes(salon: Salon, make_call: MakeCall, wish: float, hits: bool) -> None:  # noqa: FBT001 - parametrized
    await asked(salon, make_call, question("what is tea?"))
    hit = await asked(salon, make_call, question("what's tea?", wish))
    assert (hit.served_from == pb.SERVED_FROM_CACHE) == hits


async def test_no_wish_goes_below_the_operators_floor(clock: ManualClock, make_call: MakeCall) -> None:
    salon = Salon(clock)
    salon.similar = Similar(salon.embed, salon.vectors, SimilarSettings("echo/vectors", floor=0.95), clock)
    salon.cache = salon.built(salon.provider)
    await asked(salon, make_call, question("what is tea?"))
    assert (await asked(salon, make_call, question("\u8336?", 0.5))).served_from != pb.SERVED_FROM_CACHE


TURNS = [pb.ChatMessage(role=pb.ROLE_USER, parts=[{"text": "hi"}]), pb.ChatMessage(role=pb.ROLE_ASSISTANT, parts=[{"text": "hello"}])]


@pytest.mark.parametrize(
    "other",
    [
        {"system": "be short"},
        {"messages": TURNS},
        {"generation": pb.GenerationSettings(temperature=0)},
        {"generation": pb.GenerationSettings(seed=1)},
        {"model": "echo/echo"},
        {"fallback_models": ["echo/echo"]},
        {"cache": pb.CacheSettings(min_similarity=0.9, namespace="v1")},
    ],
    ids=lambda other: str(other)[:40],
)
async def test_everything_else_must_be_equal(salon: Salon, make_call: MakeCall, other: dict[str, object]) -> None:
    await asked(salon, make_call, question("what is tea?"))
    assert (await asked(salon, make_call, question("what's tea?", 0.9, **other))).served_from != pb.SERVED_FROM_CACHE


async def test_another_tenants_answers_are_never_similar(salon: Salon, make_call: MakeCall) -> None:
    await asked(salon, make_call, question("what is tea?"))
    answer = await asked(salon, make_call, question("what's tea?"), principal=Principal("bank", "me"))
    assert answer.served_from != pb.SERVED_FROM_CACHE


def said(*parts: pb.ContentPart, role: "pb.Role" = pb.ROLE_USER) -> dict[str, object]:
    return {"prompt": "", "messages": [pb.ChatMessage(role=role, parts=parts)]}


async def test_the_last_message_of_a_conversation_is_compared_as_a_prompt_is(salon: Salon, make_call: MakeCall) -> None:
    def conversation(text: str) -> pb.ChatRequest:
        return question("", messages=[*TURNS, pb.ChatMessage(role=pb.ROLE_USER, parts=[{"text": text}])])

    await asked(salon, make_call, conversation("what is tea?"))
    assert (await asked(salon, make_call, conversation("what's tea?"))).cache_hit.similarity > 0.97
    assert (await asked(salon, make_call, question("what's tea?", messages=TURNS))).served_from != pb.SERVED_FROM_CACHE


NEVER = {
    "tools": {"generation": pb.GenerationSettings(tools=[pb.Tool(function=pb.FunctionTool(name="f"))])},
    "tool_choice": {"generation": pb.GenerationSettings(tool_choice=pb.ToolChoice())},
    "json": {"generation": pb.GenerationSettings(response_format=pb.ResponseFormat(json_object=pb.JsonObjectFormat()))},
    "schema": {"generation": pb.GenerationSettings(response_format=pb.ResponseFormat(json_schema=pb.JsonSchemaFormat(schema_json="{}")))},
    "choices": {"generation": pb.GenerationSettings(response_format=pb.ResponseFormat(choices=pb.ChoicesFormat(choices=["a", "b"])))},
    "speech": {"generation": pb.GenerationSettings(audio=pb.AudioSettings(voice="v"))},
    "pictures": {"generation": pb.GenerationSettings(output_modalities=[pb.MODALITY_TEXT, pb.MODALITY_IMAGE])},
    "logprobs": {"generation": pb.GenerationSettings(logprobs=True)},
    "vendor's options": {"generation": pb.GenerationSettings(provider_options_json={"openai": "{}"})},
    "limit of money": {"max_cost_nano_usd": 5},
    "media": said(pb.ContentPart(text="what is this?"), pb.ContentPart(media=pb.MediaPart(uri="https://x.example/cat.png"))),
    "result of a tool": said(pb.ContentPart(tool_result=pb.ToolResultPart(tool_call_id="c")), role=pb.ROLE_TOOL),
    "state of a vendor": said(pb.ContentPart(text="what is tea?", provider_state=pb.ProviderState(provider="p", data=b"x"))),
    "last word of the model's": said(pb.ContentPart(text="what is tea?"), role=pb.ROLE_ASSISTANT),
    "nothing but blanks": {"prompt": "  \n"},
    "too long": {"prompt": "x" * 8001},
    "a named participant": {"prompt": "", "messages": [pb.ChatMessage(name="ann", parts=[{"text": "what is tea?"}])]},
}


@pytest.mark.parametrize("fields", NEVER.values(), ids=NEVER)
async def test_what_must_be_met_exactly_is_never_compared(salon: Salon, make_call: MakeCall, fields: dict[str, object]) -> None:
    request = question("what is tea?", 0.9, **fields)
    assert wording(request) is None
    for _ in range(2):
        await asked(salon, make_call, request)
    assert (salon.asked, salon.embedded) == (1, [])


async def test_the_tenant_pays_for_vectors_within_the_calls_time(salon: Salon, make_call: MakeCall) -> None:
    call = make_call(request=question("what is tea?", labels={"team": "search"}), run_id="run-1", fund="hold-1")
    await salon.ask(call)
    (embedding,) = salon.embedded
    assert (embedding.principal, embedding.run_id, embedding.fund) == (call.principal, "run-1", "hold-1")
    assert dict(embedding.request.labels) == {"team": "search"}
    assert embedding.deadline_s == salon.clock.now_s + 2
    assert embedding.trail is not call.trail
    await salon.ask(make_call(request=question("what is war?"), deadline_s=salon.clock.now_s + 1))
    assert salon.embedded[1].deadline_s == salon.clock.now_s + 1


@pytest.mark.parametrize("vector", [None, [], [0.0, 0.0], [float("nan"), 1.0]], ids=str)
async def test_without_a_vector_the_question_is_asked_as_ever(salon: Salon, make_call: MakeCall, vector: list[float] | None) -> None:
    def makes(_: str) -> list[float]:
        if vector is None:
            raise UpstreamFailed("no vectors today")
        return vector

    salon.makes = makes
    for prompt in ("what is tea?", "what's tea?"):
        assert (await asked(salon, make_call, question(prompt))).served_from != pb.SERVED_FROM_CACHE
    assert (await asked(salon, make_call, question("what is tea?"))).served_from == pb.SERVED_FROM_CACHE


@pytest.mark.parametrize("mode", [MODES.MODE_REFRESH, MODES.MODE_READ_ONLY, MODES.MODE_BYPASS])
async def test_modes_hold_for_similar_answers_too(salon: Salon, make_call: MakeCall, mode: int) -> None:
    def wishing(prompt: str) -> pb.ChatRequest:
        return question(prompt, cache=pb.CacheSettings(min_similarity=0.9, mode=mode))  # type: ignore[arg-type]  # an enum's number

    await asked(salon, make_call, question("what is tea?"))
    assert ((await asked(salon, make_call, wishing("what's tea?"))).served_from == pb.SERVED_FROM_CACHE) == (mode == MODES.MODE_READ_ONLY)
    await asked(salon, make_call, wishing("what is war?"))
    assert (len(salon.store) > 1) == (mode == MODES.MODE_REFRESH)


async def test_an_answer_that_is_gone_or_past_its_time_is_not_served(clock: ManualClock, make_call: MakeCall) -> None:
    salon = Salon(clock, replace(SETTINGS, stale_s=60))
    await asked(salon, make_call, question("what is tea?"))
    salon.clock.advance(60)
    assert (await asked(salon, make_call, question("what's tea?"))).text == "answer 2"
    salon.clock.advance(120)
    assert (await asked(salon, make_call, question("\u8336?", 0.86))).text == "answer 3"


async def test_who_wants_none_older_gets_none(salon: Salon, make_call: MakeCall) -> None:
    await asked(salon, make_call, question("what is tea?"))
    salon.clock.advance(10)
    young = pb.CacheSettings(min_similarity=0.9, max_age={"seconds": 5})
    assert (await asked(salon, make_call, question("what's tea?", cache=young))).text == "answer 2"


@pytest.mark.parametrize("steps", range(6))
async def test_a_call_cancelled_at_any_point_leaves_nothing(salon: Salon, make_call: MakeCall, steps: int) -> None:
    waiting = asyncio.Event()
    embed = salon.embed

    async def slow(call: Call) -> Reply:
        await waiting.wait()
        return await embed(call)

    salon.similar = Similar(slow, salon.vectors, SimilarSettings("echo/vectors"), salon.clock)
    salon.cache = salon.built(salon.provider)
    task = asyncio.ensure_future(asked(salon, make_call, question("what is tea?")))
    for _ in range(steps):
        await asyncio.sleep(0)
    task.cancel()
    with pytest.raises(asyncio.CancelledError):
        await task
    assert (salon.asked, len(salon.store), salon.vectors.size_bytes) == (0, 0, 0)
