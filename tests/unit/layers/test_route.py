"""From a model's name to its targets."""

import pytest

from promptwire_server.core.call import Target
from promptwire_server.core.errors import NotFound
from promptwire_server.layers.route import Routes

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
