"""Wishes for the prompt cache, as chat completions and the Responses API take them."""

from dataclasses import replace
from typing import Any

import orjson
import pytest

from promptwire import v1 as pb
from promptwire_server.core.call import Call
from promptwire_server.providers.openai.facts import ANY, OPENAI, Facts, matches
from promptwire_server.providers.openai.request import body_of, to_wire
from promptwire_server.providers.responses.request import to_wire as responses_to_wire
from tests.unit.providers.support import make_call

MARKED = "gpt-5.6-sol"
HOUR = pb.CacheHint(ttl=pb.CacheHint.TTL_1_HOUR)
DEFAULT = pb.CacheHint()


def wishing(hint: pb.CacheHint, model: str, role: "pb.Role" = pb.ROLE_USER) -> Call:
    part = pb.ContentPart(text="a", cache_hint=hint)
    return make_call(pb.ChatRequest(messages=[pb.ChatMessage(role=role, parts=[part])], prompt="b"), model=model)


def content(call: Call, facts: Facts = OPENAI) -> Any:
    return orjson.loads(body_of(to_wire(call, "openai", facts)))["messages"][0]["content"]


def notices(call: Call) -> list[tuple[str, str]]:
    return [(notice.field, notice.message) for notice in call.trail.notices]


def test_the_models_that_take_marks_get_one() -> None:
    call = wishing(DEFAULT, MARKED)
    assert content(call) == [{"type": "text", "text": "a", "prompt_cache_breakpoint": {"mode": "explicit"}}]
    assert notices(call) == []


def test_an_hour_is_half_of_one_in_chat_completions_and_said_to_be() -> None:
    call = wishing(HOUR, MARKED)
    assert content(call)[0]["prompt_cache_breakpoint"] == {"mode": "explicit"}
    assert notices(call) == [("messages[0].parts[0].cache_hint", "not sent: the lifetime is the vendor's default, 30 minutes")]


def test_an_hour_is_covered_in_the_responses_api() -> None:
    call = wishing(HOUR, MARKED)
    items = orjson.loads(body_of(responses_to_wire(call, "openai", OPENAI)))["input"]
    assert items[0]["content"][0]["prompt_cache_breakpoint"] == {"mode": "explicit", "ttl": "12h"}
    assert notices(call) == []


@pytest.mark.parametrize(("model", "facts"), [("gpt-4o", OPENAI), (MARKED, ANY)])
def test_all_others_get_none_and_the_caller_a_notice(model: str, facts: Facts) -> None:
    call = wishing(DEFAULT, model)
    assert content(call, facts) == "a"
    assert [field for field, _ in notices(call)] == ["messages[0].parts[0].cache_hint"]


def test_a_vendor_that_takes_anthropics_marks_gets_those() -> None:
    call = wishing(HOUR, "any/model")
    assert content(call, replace(ANY, cache_control=True))[0]["cache_control"] == {"type": "ephemeral", "ttl": "1h"}


def test_what_the_assistant_said_cannot_be_marked() -> None:
    call = wishing(DEFAULT, MARKED, pb.ROLE_ASSISTANT)
    assert content(call) == "a"
    assert len(notices(call)) == 1


def test_patterns_that_exclude_stand_first() -> None:
    assert matches("gpt-5", ("!*-chat*", "gpt-5*"))
    assert not matches("gpt-5-chat-latest", ("!*-chat*", "gpt-5*"))
    assert not matches("gpt-4o", ("!*-chat*", "gpt-5*"))
