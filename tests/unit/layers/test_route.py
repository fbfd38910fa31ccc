"""From a model's name to its targets, and from one target to the next."""

import pytest

from promptwire import v1 as pb
from promptwire_server.core.call import Call, Target
from promptwire_server.core.errors import CredentialInvalid, NotFound, PromptwireError, UpstreamFailed
from promptwire_server.core.reply import Reply
from promptwire_server.layers.route import Router, Routes
from tests.unit.layers.conftest import MakeCall, answer

FAST = Target("openai", "gpt-4o-mini")
BEST = Target("groq", "llama-3.3-70b")
ROUTES = Routes({"fast": [FAST], "best": [BEST, FAST]}, ["openai", "groq", "echo"], "fast")


@pytest.mark.parametrize(
    ("model", "targets"),
    [
        ("fast", (FAST,)),
        ("best", (BEST, FAST)),
        ("", (FAST,)),
        ("openai/gpt-4o", (Target("openai", "gpt-4o"),)),
        ("groq/meta/llama-4", (Target("groq", "meta/llama-4"),)),
    ],
)
def test_a_name_means_its_targets(model: str, targets: tuple[Target, ...]) -> None:
    assert ROUTES.resolve(model) == targets


@pytest.mark.parametrize(
    ("model", "hint"),
    [
        ("fsat", 'did you mean "fast"?'),
        ("gpt-4o", 'write "provider/model"'),
        ("opnai/gpt-4o", 'no provider is called "opnai"'),
        ("openai/", 'write "provider/model"'),
        ("x" * 5000, "x" * 128),
    ],
)
def test_an_unknown_name_says_what_to_do(model: str, hint: str) -> None:
    with pytest.raises(NotFound) as caught:
        ROUTES.resolve(model)
    assert hint in caught.value.message
    assert len(caught.value.message) < 400
    assert caught.value.violations[0].field == "model"


def test_fallbacks_follow_without_repeating() -> None:
    request = pb.ChatRequest(model="fast", fallback_models=["best", "echo/echo"])
    assert ROUTES.of_call(request) == (FAST, BEST, Target("echo", "echo"))


def test_an_unknown_fallback_is_named_by_its_place() -> None:
    with pytest.raises(NotFound) as caught:
        ROUTES.of_call(pb.ChatRequest(model="fast", fallback_models=["best", "nothing"]))
    assert caught.value.violations[0].field == "fallback_models[1]"


class Provider:
    """Fails, or answers with its own name."""

    def __init__(self, error: PromptwireError | None = None) -> None:
        self._error = error
        self.asked: list[Target | None] = []

    async def __call__(self, call: Call) -> Reply:
        self.asked.append(call.target)
        if self._error is not None:
            raise self._error
        return Reply.whole(answer())


async def test_another_target_is_asked_when_it_may_help(make_call: MakeCall) -> None:
    broken, good = Provider(UpstreamFailed("broken")), Provider()
    call = make_call(request=pb.ChatRequest(model="best", prompt="hi"))
    async with await Router(ROUTES, {"groq": broken, "openai": good})(call) as reply:
        assert (await reply.read()).text == "hello"
    assert (broken.asked, good.asked) == ([BEST], [FAST])
    assert [notice.code for notice in call.trail.notices] == [pb.Notice.CODE_FALLBACK_USED]


async def test_nobody_else_is_asked_when_the_fault_is_the_callers(make_call: MakeCall) -> None:
    refusing, other = Provider(CredentialInvalid("no")), Provider()
    with pytest.raises(CredentialInvalid):
        await Router(ROUTES, {"groq": refusing, "openai": other})(make_call(request=pb.ChatRequest(model="best")))
    assert other.asked == []


async def test_the_last_failure_is_told(make_call: MakeCall) -> None:
    first, last = Provider(UpstreamFailed("first")), Provider(UpstreamFailed("last"))
    with pytest.raises(UpstreamFailed, match="last"):
        await Router(ROUTES, {"groq": first, "openai": last})(make_call(request=pb.ChatRequest(model="best")))
