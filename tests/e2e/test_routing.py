"""Who answers, on a real server: each sentence that is said of routing, and of calls that survive, tried once from outside."""

import asyncio
import contextlib
import os
import signal
import sqlite3
import time
from collections import Counter
from collections.abc import AsyncIterator, Iterator
from pathlib import Path
from typing import Any

import pytest

from promptwire import Promptwire, errors
from promptwire import v1 as pb
from tests.e2e import process
from tests.e2e.conftest import Serve
from tests.e2e.process import Server
from tests.faults.fake_provider.process import FakeProvider

ONE, TWO = "caller-one-" + "k" * 20, "caller-two-" + "k" * 20
CROWD = [f"crowd-{number}-" + "k" * 20 for number in range(8)]  # so many that they are on both sides, wherever a hash puts them
DEAR = {"input_usd_per_1m": 1000, "output_usd_per_1m": 1000}
CHEAP = {"input_usd_per_1m": 1, "output_usd_per_1m": 1}
SIDES = [{"name": "left", "to": "echo/l", "percent": 50}, {"name": "right", "to": "echo/r", "percent": 50}]
KINDS = ("failure", "rate_limit", "context", "policy")  # nothing refuses by budget yet
BY_KIND = {kind: f"echo/on_{kind}" for kind in KINDS}
LIMITED, SHADOWED, HEDGED = "fake/shaded~head_ms=1500", "fake/shadow_fails~status=500", "fake/hedged~head_ms=20000"
PICTURE = pb.ContentPart(media=pb.MediaPart(mime_type="image/png", data=b"\x89PNG\r\n\x1a\n"))
TOOL = pb.Tool(function=pb.FunctionTool(name="look"))


def failing(target: str) -> dict[str, Any]:
    return {"targets": [target], "fallbacks": BY_KIND}


MODELS: dict[str, Any] = {
    "priority": ["echo/a", "echo/b"],
    "round_robin": {"targets": ["echo/a", "echo/b", "echo/c"], "strategy": "round_robin"},
    "weighted": {"targets": [{"model": "echo/a", "weight": 1_000_000}, "echo/b"], "strategy": "weighted"},
    "least_in_flight": {"targets": ["echo/a?delay_ms=700", "echo/b?delay_ms=700"], "strategy": "least_in_flight"},
    "latency": {"targets": ["echo/a?delay_ms=300", "echo/b"], "strategy": "latency"},
    "cheapest": {"targets": ["echo/dear", "echo/cheap"], "strategy": "cheapest"},
    "cheapest_class": {
        "targets": [{"model": "echo/cheap", "price_class": "high"}, {"model": "echo/dear", "price_class": "low"}],
        "strategy": "cheapest",
    },
    "affine": {"targets": ["echo/a", "echo/b", "echo/c"], "strategy": "affinity"},
    "ruled": {
        "targets": ["echo/own", {"model": "echo/european", "tags": ["eu"]}, {"model": "echo/low", "price_class": "low"}],
        "rules": [
            {"when": "images", "to": "echo/images"},
            {"when": "tools", "to": "echo/tools"},
            {"when": "labels.team == 'search'", "to": "round_robin"},
            {"when": "labels.where == 'eu'", "tag": "eu"},
            {"when": "labels.cost == 'low'", "price_class": "low"},
            {"when": "prompt_tokens > 100", "to": "echo/long"},
            {"when": "tenant == 'web'", "to": "echo/web"},
            {"to": "default"},
        ],
    },
    "by_caller": {"split": SIDES},
    "by_session": {"split": SIDES, "sticky": "session"},
    "on_failure": failing("fake/on_failure~status=503"),
    "on_rate_limit": failing("fake/on_rate_limit~status=429;retry_after=30"),
    "on_context": failing("fake/on_context~status=400;code=context_length_exceeded"),
    "on_policy": failing("fake/on_policy~status=400;code=content_policy_violation"),
    "on_default": {"targets": ["fake/on_default~status=503"], "fallbacks": {"context": "echo/wrong", "default": "echo/right"}},
    "able": {"targets": [{"model": "fake/unable", "capabilities": ["chat"]}, "echo/able"]},
    "unable": {"targets": [{"model": "fake/unable", "capabilities": ["chat"]}]},
    "short": {"targets": [{"model": "fake/short", "context_window": 20}, "echo/long"]},
    "limping": {"targets": ["fake/limping~status=500", "echo/well"], "strategy": "round_robin"},
    "shaded": {"targets": ["echo/lit"], "shadow": {"to": LIMITED, "max_in_flight": 2}},
    "shaded_badly": {"targets": ["echo/lit"], "shadow": {"to": SHADOWED}},
    "hedged": {"targets": [HEDGED, "echo/quick"], "hedge": {"after": "150ms"}},
    "hung": {"targets": ["fake/hung~hang=start", "echo/well"]},
    "breaking": {"targets": ["fake/breaking~tokens=30;fin=6", "fake/whole~tokens=4"]},
}
CONFIG: dict[str, Any] = {
    "auth": {
        "api_keys": [
            {"name": "one", "tenant": "shop", "key": ONE},
            {"name": "two", "tenant": "web", "key": TWO},
            *({"name": f"crowd-{number}", "tenant": "shop", "key": key} for number, key in enumerate(CROWD)),
        ]
    },
    "models": MODELS,
    "model_facts": {"echo/dear": DEAR, "echo/cheap": CHEAP, LIMITED: DEAR, HEDGED: DEAR, "fake/breaking~tokens=30;fin=6": DEAR},
    "resilience": {"breaker": {"consecutive_failures": 0, "error_rate": 0}},  # so that only what is tried here keeps calls away
}


@pytest.fixture(scope="module")
def routing(fake: FakeProvider, tmp_path_factory: pytest.TempPathFactory) -> Iterator[Server]:
    config = {**CONFIG, "providers": {"fake": process.openai(fake.base_url), "echo": {"kind": "echo"}}}
    with process.running(tmp_path_factory.mktemp("routing"), config) as server:
        yield server


@pytest.fixture
async def one(routing: Server) -> AsyncIterator[Promptwire]:
    async with Promptwire(routing.target, api_key=ONE) as client:
        yield client


@pytest.fixture
async def two(routing: Server) -> AsyncIterator[Promptwire]:
    async with Promptwire(routing.target, api_key=TWO) as client:
        yield client


def asked(model: str, prompt: str = "hi", **more: Any) -> pb.ChatRequest:
    return pb.ChatRequest(model=model, prompt=prompt, **more)


def why(answer: pb.ChatResponse) -> list[str]:
    return [attempt.chosen_because for attempt in answer.attempts]


@pytest.mark.parametrize(
    ("model", "chosen", "because"),
    [
        ("priority", {"a": 6}, "first by priority"),
        ("round_robin", {"a": 2, "b": 2, "c": 2}, "its turn"),
        ("weighted", {"a": 6}, "drawn by weight"),
        ("cheapest", {"cheap": 6}, "cheapest"),
        ("cheapest_class", {"dear": 6}, "cheapest"),
    ],
)
async def test_a_strategy_chooses_as_its_name_says(one: Promptwire, model: str, chosen: dict[str, int], because: str) -> None:
    answers = [await one.chat("hi", model=model) for _ in range(6)]
    assert Counter(answer.model for answer in answers) == chosen
    assert {tuple(why(answer)) for answer in answers} == {(because,)}


async def test_the_fewest_in_flight_get_the_next_call(one: Promptwire) -> None:
    answers = await asyncio.gather(*(one.chat("hi", model="least_in_flight") for _ in range(6)))
    assert Counter(answer.attempts[0].model for answer in answers) == {"a": 3, "b": 3}


async def test_of_two_targets_the_faster_gets_nearly_all(one: Promptwire) -> None:
    answers = [await one.chat("hi", model="latency") for _ in range(12)]
    assert Counter(answer.model for answer in answers)["b"] >= 9  # the slow one is tried once, to know it; the rest is for a busy machine
    assert why(answers[-1]) == ["faster of two"]


async def test_a_session_stays_with_its_target(one: Promptwire) -> None:
    sessions = [[await one.chat(asked("affine", session_id=f"s{number}")) for _ in range(3)] for number in range(20)]
    assert all(len({answer.model for answer in answers}) == 1 for answers in sessions)
    assert {answers[0].model for answers in sessions} == {"a", "b", "c"}
    assert why(sessions[0][0]) == ["session affinity"]


@pytest.mark.parametrize(
    ("request_", "answers", "because"),
    [
        (asked("ruled"), "own", "rule 8 of ruled, first by priority"),
        (asked("ruled", labels={"team": "search"}), "abc", "rule 3 of ruled, its turn"),
        (asked("ruled", labels={"where": "eu"}), "european", "rule 4 of ruled, first by priority"),
        (asked("ruled", labels={"cost": "low"}), "low", "rule 5 of ruled, first by priority"),
        (asked("ruled", "word " * 300), "long", "rule 6 of ruled"),
        (asked("ruled", generation=pb.GenerationSettings(tools=[TOOL])), "tools", "rule 2 of ruled"),
        (pb.ChatRequest(model="ruled", messages=[pb.ChatMessage(role=pb.ROLE_USER, parts=[PICTURE])]), "images", "rule 1 of ruled"),
    ],
    ids=["otherwise", "label to an alias", "label to a tag", "label to a price class", "long prompt", "tools", "image"],
)
async def test_rules_say_where_a_request_goes(one: Promptwire, request_: pb.ChatRequest, answers: str, because: str) -> None:
    answer = await one.chat(request_)
    assert answer.model in (answers if answers == "abc" else [answers])
    assert why(answer) == [because]


async def test_rules_know_the_tenant(one: Promptwire, two: Promptwire) -> None:
    assert [(await client.chat("hi", model="ruled")).model for client in (one, two)] == ["own", "web"]


async def test_a_caller_is_always_on_the_same_side_of_a_split_and_every_answer_says_which(routing: Server) -> None:
    sides: list[str] = []
    for key in CROWD:
        async with Promptwire(routing.target, api_key=key) as client:
            answers = [await client.chat("hi", model="by_caller") for _ in range(3)]
            (side,) = {answer.variant for answer in answers}
            assert {answer.model for answer in answers} == {side[0]}
            assert (await client.stream_chat("hi", model="by_caller").read()).variant == side
            (step,) = (await client.run_chain(["hi"], model="by_caller")).result.steps
            assert step.responses[0].variant == side
            sides.append(side)
    assert set(sides) == {"left", "right"}


async def test_a_split_by_session_goes_by_it_and_by_nothing_else(one: Promptwire) -> None:
    async def sides(client: Promptwire, number: int) -> set[str]:
        return {(await client.chat(asked("by_session", session_id=f"s{number}"))).variant for _ in range(3)}

    found = [await sides(one, number) for number in range(12)]
    assert all(len(each) == 1 for each in found)
    assert set().union(*found) == {"left", "right"}


@pytest.mark.parametrize("kind", KINDS)
@pytest.mark.parametrize("stream", [False, True], ids=["whole", "streamed"])
async def test_each_kind_of_failure_has_its_own_fallback(one: Promptwire, kind: str, *, stream: bool) -> None:
    prompt = "something long enough"
    model = f"on_{kind}"
    answer = await (one.stream_chat(prompt, model=model).read() if stream else one.chat(prompt, model=model))
    assert answer.model == f"on_{kind}"
    words = {"rate_limit": "rate limit", "context": "context too long", "policy": "content policy"}
    assert why(answer)[-1] == f"fallback on {words.get(kind, kind)}"
    assert pb.Notice.CODE_FALLBACK_USED in {notice.code for notice in answer.notices}


async def test_a_failure_without_a_fallback_of_its_kind_goes_to_the_default(one: Promptwire) -> None:
    assert (await one.chat("hi", model="on_default")).model == "right"


async def test_who_cannot_do_what_is_asked_is_never_asked(one: Promptwire, fake: FakeProvider) -> None:
    wants_tools = pb.GenerationSettings(tools=[TOOL])
    answer = await one.chat(asked("able", generation=wants_tools))
    assert [attempt.model for attempt in answer.attempts] == ["able"]
    with pytest.raises(errors.PromptwireError) as caught:
        await one.chat(asked("unable", generation=wants_tools))
    assert (caught.value.reason, "generation.tools" in str(caught.value)) == ("CAPABILITY_MISSING", True)
    assert await fake.aledger(model="unable") == []


async def test_a_prompt_goes_to_who_can_hold_it(one: Promptwire) -> None:
    assert (await one.chat("hi", model="short")).provider == "fake"
    long = await one.chat("word " * 100, model="short")
    assert [attempt.model for attempt in long.attempts] == ["long"]


async def test_a_target_far_worse_than_the_other_is_tried_last(one: Promptwire) -> None:
    alone = 0
    ends_s = time.monotonic() + 20
    while alone < 6:  # in turn, every other call would meet it
        assert time.monotonic() < ends_s, "it still has its turns"
        attempts = (await one.chat("hi", model="limping")).attempts
        alone = alone + 1 if [attempt.model for attempt in attempts] == ["well"] else 0


async def test_a_shadow_gets_some_calls_and_nobody_is_billed_for_it(one: Promptwire, routing: Server, fake: FakeProvider) -> None:
    answers = await asyncio.gather(*(one.chat("shadow me", model="shaded") for _ in range(8)))
    assert [(answer.model, len(answer.attempts), answer.cost.total_nano_usd) for answer in answers] == [("lit", 1, 0)] * 8
    copies = await fake.aledger(model="shaded", ended=2)
    assert [(copy["status"], copy["ended"]) for copy in copies] == [(200, "complete")] * 2  # read to their ends, and no more at once
    lines = routing.log.wait("chat.finished", count=8, model_asked="shaded")
    assert {(line["model"], line["attempts"], line["cost_nano_usd"]) for line in lines} == {("lit", 1, 0)}
    assert routing.metrics().sum("promptwire_cost_nano_usd_total", model="shaded~head_ms=1500") == 0
    assert routing.log.events("chat.finished", provider="fake", model="shaded") == []


async def test_a_shadow_that_fails_is_no_concern_of_the_callers(one: Promptwire, fake: FakeProvider) -> None:
    answer = await one.chat("hi", model="shaded_badly")
    assert (answer.model, len(answer.attempts), list(answer.notices)) == ("lit", 1, [])
    assert len(await fake.aledger(model="shadow_fails", ended=1)) == 1


async def test_a_hedge_answers_for_a_slow_target_whose_cost_is_counted(one: Promptwire, routing: Server, fake: FakeProvider) -> None:
    began_s = time.monotonic()
    answer = await one.chat("four", model="hedged")
    assert time.monotonic() - began_s < 5.0
    lost, won = answer.attempts
    assert (won.model, won.chosen_because) == ("quick", "hedge after 150 ms")
    assert (lost.failure.message, lost.cost.total_nano_usd) == ("another attempt answered first", 1_000_000)
    (entry,) = await fake.aledger(model="hedged", left=1, ended=1)
    assert entry["ended"] in ("client_fin", "client_rst")
    (line,) = routing.log.wait("chat.finished", model_asked="hedged")
    assert line["cost_nano_usd"] == 1_000_000
    assert routing.metrics().sum("promptwire_cost_nano_usd_total", provider="fake", model="hedged~head_ms=20000") == 1_000_000


@pytest.mark.parametrize("stream", [False, True], ids=["whole", "streamed"])
async def test_a_target_that_hangs_leaves_time_for_the_next(one: Promptwire, fake: FakeProvider, *, stream: bool) -> None:
    before = len(await fake.aledger(model="hung"))
    answer = await (one.stream_chat("hi", model="hung", timeout_s=4).read() if stream else one.chat("hi", model="hung", timeout_s=4))
    assert (answer.model, "its share of the time" in answer.attempts[0].failure.message) == ("well", True)
    assert len(await fake.aledger(model="hung", left=before + 1, ended=before + 1)) == before + 1


async def test_a_stream_that_breaks_ends_with_an_error_unless_its_caller_says_otherwise(one: Promptwire) -> None:
    with pytest.raises(errors.StreamInterrupted):
        await one.stream_chat("hi", model="breaking").read()


@pytest.mark.parametrize(
    ("policy", "discards", "action"),
    [
        ("restart_with_discard", True, pb.AttemptFailed.NEXT_ACTION_FALLBACK),
        ("continue", False, pb.AttemptFailed.NEXT_ACTION_CONTINUE),
    ],
)
async def test_a_stream_that_breaks_goes_on_as_its_caller_wants(
    one: Promptwire, policy: str, *, discards: bool, action: "pb.AttemptFailed.NextAction"
) -> None:
    pieces: dict[bool, str] = {False: "", True: ""}  # before and behind the break
    failed: list[pb.AttemptFailed] = []
    stream = one.stream_chat("hi", model="breaking", restart_policy=policy)
    async for event in stream.events():
        if event.HasField("attempt_failed"):
            failed.append(event.attempt_failed)
        pieces[bool(failed)] += event.part_delta.text
    (told,) = failed
    assert (told.discard_partial_output, told.next_action, told.next_provider) == (discards, action, "fake")
    assert told.next_model.startswith("whole")
    assert all(pieces.values())
    assert stream.text == (pieces[True] if discards else pieces[False] + pieces[True])
    assert [attempt.HasField("failure") for attempt in stream.response.attempts] == [True, False]
    assert why(stream.response) == ["first by priority", "next by priority, after STREAM_INTERRUPTED"]


async def test_a_hangup_during_calls_costs_none_of_them(serve: Serve, fake: FakeProvider, marker: str) -> None:
    providers = {"fake": process.openai(fake.base_url)}
    server = serve({"providers": providers, "models": {"fast": f"fake/{marker}~head_ms=1500"}})
    async with Promptwire(server.target) as client:
        under_way = [asyncio.ensure_future(client.chat(f"say {number}", model="fast")) for number in range(5)]
        await fake.aledger(model=marker, seen=5)
        server.rewrite({"providers": {"echo": {"kind": "echo"}}, "models": {"fast": "echo/after"}})
        os.kill(server.pid, signal.SIGHUP)
        await asyncio.to_thread(server.log.wait, "config.reloaded")
        assert (await client.chat("hi", model="fast")).model == "after"
        assert [(answer.provider, answer.model) for answer in await asyncio.gather(*under_way)] == [("fake", marker)] * 5


async def test_the_ledger_has_a_row_of_the_loser_of_the_answer_and_of_the_shadow(serve: Serve, fake: FakeProvider, tmp_path: Path) -> None:
    hedged = f"fake/row_{tmp_path.name}~head_ms=20000"
    server = serve(
        {
            "providers": {"fake": process.openai(fake.base_url)},
            "models": {"hedged": {"targets": [hedged, "echo/quick"], "hedge": {"after": "50ms"}, "shadow": {"to": "echo/shade"}}},
            "model_facts": {hedged: DEAR, "echo/shade": DEAR},
            "state_dir": str(tmp_path),
        }
    )
    async with Promptwire(server.target) as client:
        await client.chat("four", model="hedged")
    server.stop()
    slow = hedged.removeprefix("fake/")
    assert rows(tmp_path) == [
        ("default", "hedged", "quick", 0),
        ("default", "hedged", slow, 1_000_000),
        ("", "hedged", "shade", 2_000_000),  # on nobody's account
    ]


def rows(state: Path) -> list[tuple[Any, ...]]:
    """What the journal says, once its server has ended."""
    with contextlib.closing(sqlite3.connect(state / "usage.sqlite3")) as journal:
        return list(journal.execute("SELECT tenant, model_asked, model, total_nano_usd FROM ledger ORDER BY model"))
