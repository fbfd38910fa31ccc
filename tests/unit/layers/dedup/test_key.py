"""When two calls ask the same."""

from hypothesis import given
from hypothesis import strategies as st

from promptwire import v1 as pb
from promptwire_server.core.call import Call, Principal
from promptwire_server.layers.dedup.key import keys

KEY = keys("fast", {"ruled"})


def call(tenant: str = "acme", principal: str = "me", **fields: object) -> Call:
    request = pb.ChatRequest(**{"prompt": "hi", **fields})  # type: ignore[arg-type]  # fields by name
    return Call(request, Principal(tenant, principal), "r", "t", 1.0, 0.0)


def test_who_asks_and_how_does_not_count() -> None:
    same = [
        call(),
        call(model="fast"),
        call(principal="you"),
        call(request_id="x", labels={"team": "a"}, priority=pb.PRIORITY_LOW, session_id="s", dedup=True, end_user_id="u"),
        call(cache=pb.CacheSettings(mode=pb.CacheSettings.MODE_READ_WRITE)),
    ]
    assert len({KEY(each) for each in same}) == 1


def test_what_can_change_the_answer_counts() -> None:
    different = [
        call(),
        call(tenant="other"),
        call(prompt="ho"),
        call(model="slow"),
        call(system="hi", prompt=""),
        call(generation=pb.GenerationSettings(temperature=0)),
        call(generation=pb.GenerationSettings(seed=1)),
        call(fallback_models=["slow"]),
        call(max_cost_nano_usd=0),
        call(max_cost_nano_usd=1),
    ]
    assert len({KEY(each) for each in different}) == len(different)


def test_where_rules_choose_the_target_who_asks_counts() -> None:
    different = [
        call(model="ruled"),
        call(model="ruled", principal="you"),
        call(model="ruled", labels={"team": "a"}),
        call(model="ruled", priority=pb.PRIORITY_LOW),
    ]
    assert len({KEY(each) for each in different}) == len(different)


@given(*[st.tuples(st.text(max_size=3), st.text(max_size=3), st.text(max_size=3), st.text(max_size=3))] * 2)
def test_keys_are_equal_only_for_equal_questions(one: tuple[str, str, str, str], other: tuple[str, str, str, str]) -> None:
    first, second = (
        call(tenant, model=model, prompt=prompt, system=system) for tenant, model, prompt, system in ((each) for each in (one, other))
    )
    same = (one[0], one[1] or "fast", *one[2:]) == (other[0], other[1] or "fast", *other[2:])
    assert (KEY(first) == KEY(second)) == same
