"""When two questions are the same: for each field of a request, nested ones too, and for the tenant."""

import random

import pytest

from promptwire import v1 as pb
from promptwire_server.core.call import Call, Principal
from promptwire_server.core.clock import ManualClock
from promptwire_server.layers.cache.cache import CacheSettings
from promptwire_server.layers.cache.key import NO_PART, key_of
from tests.unit.layers.cache.house import House
from tests.unit.layers.cache.pairs import Change, changes, names, pair
from tests.unit.layers.conftest import MakeCall

PAIRS = 10_000
TENANTS = 500  # of them, that differ in the tenant
SEED = 20_26
MODES = pb.CacheSettings
READ_WRITE = CacheSettings(mode=MODES.MODE_READ_WRITE, ttl_s=60, default_model="fast")
COUNTED = {"prompt", "system", "messages", "generation", "fallback_models"}
EVERY = changes(pb.ChatRequest)


def counts(change: Change) -> bool:
    """Whether it makes another question."""
    path = names(change.path)
    return change.path[0].name in COUNTED or path in ("model", "cache.namespace")


def fit(request: pb.ChatRequest, *, at: Change) -> pb.ChatRequest:
    """The request, with wishes that let it be kept and found, and a model that answers, unless those are what is tried."""
    if at.path[0].name != "model":
        request.model = "fast"
    namespace = request.cache.namespace
    request.cache.Clear()
    request.cache.mode = MODES.MODE_READ_WRITE
    request.cache.namespace = namespace
    return request


async def asked_after(house: House, first: Call, second: Call) -> int:
    """How often the provider is asked when the first call is made twice, and then the second."""
    before = house.asked
    await house.ask(first)
    await house.ask(first)
    await house.ask(second)
    return house.asked - before


async def test_10_000_pairs_that_differ_in_one_field_or_the_tenant_have_no_false_hit(make_call: MakeCall) -> None:
    source = random.Random(SEED)
    counted = [change for change in EVERY if counts(change)]
    assert len(counted) > 150
    wrong = []
    for number in range(PAIRS):
        house = House(ManualClock(), READ_WRITE)  # a new one each, since questions that are made up may come again
        change = counted[number % len(counted)]
        one, other = (fit(request, at=change) for request in pair(pb.ChatRequest, change, source))
        first = make_call(request=one)
        if number % (PAIRS // TENANTS) == 1:
            second = make_call(request=one, principal=Principal("another", "me"))
        else:
            second = make_call(request=other)
        if await asked_after(house, first, second) < 2:
            wrong.append((str(change), one, other))
    assert wrong == []


@pytest.mark.parametrize("change", [change for change in EVERY if not counts(change)], ids=str)
async def test_what_cannot_change_the_answer_is_the_same_question(make_call: MakeCall, change: Change) -> None:
    source = random.Random(SEED)
    for _ in range(5):
        one, other = pair(pb.ChatRequest, change, source)
        if change.path[0].name == "cache":
            assert key_of(one, "shop", "fast") == key_of(other, "shop", "fast")
        else:
            house = House(ManualClock(), READ_WRITE)
            calls = [make_call(request=fit(request, at=change)) for request in (one, other)]
            assert await asked_after(house, *calls) == 1


def test_every_field_of_a_request_is_judged_with_a_reason() -> None:
    fields = {field.name for field in pb.ChatRequest.DESCRIPTOR.fields}
    assert fields == COUNTED | set(NO_PART)  # a new one: does it change the answer?
    assert COUNTED.isdisjoint(NO_PART)
    assert all(NO_PART.values())


def key(tenant: str = "default", scope: str = "", **fields: object) -> str:
    return key_of(pb.ChatRequest(**{"model": "fast", "prompt": "hi", **fields}), tenant, "fast", scope)  # type: ignore[arg-type]  # fields by name


def test_a_key_is_sha_256_in_lower_case_hex() -> None:
    assert len(key()) == 64
    assert set(key()) <= set("0123456789abcdef")


def test_a_model_that_is_not_named_is_the_default_one() -> None:
    assert key(model="") == key(model="fast")


def test_neighbouring_names_do_not_run_into_each_other() -> None:
    spaced = pb.CacheSettings(namespace="c")
    keys = {
        key("a", model="bc"),
        key("ab", model="c"),
        key("a", model="b", cache=spaced),
        key("a", "c", model="b"),
        key("a", "bc", model="1"),
    }
    assert len(keys) == 5


def test_maps_count_whatever_their_order() -> None:
    def biased(*names: str) -> str:
        return key(generation=pb.GenerationSettings(logit_bias=dict.fromkeys(names, 1.0)))

    many = [f"t{number}" for number in range(50)]
    assert biased(*many) == biased(*reversed(many))


def test_what_a_newer_contract_has_counts_too() -> None:
    unknown = pb.ChatRequest.FromString(pb.ChatRequest(prompt="hi").SerializeToString() + b"\xf2\x7d\x01x")
    assert key_of(unknown, "default", "fast") != key_of(pb.ChatRequest(prompt="hi"), "default", "fast")
