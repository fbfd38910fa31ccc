"""Models as vendors of OpenAI's shape list them."""

from typing import Any

import pytest

from promptwire import v1 as pb
from promptwire_server.core.clock import SystemClock
from promptwire_server.providers.openai.models import model_from_wire
from promptwire_server.providers.registry import build
from promptwire_server.providers.settings import HttpSettings
from tests.unit.providers.listener import json_answer, listening
from tests.unit.providers.support import make_ids

CHATS = {pb.CAPABILITY_CHAT, pb.CAPABILITY_STREAMING}
OPENROUTER = {
    "id": "a/b",
    "context_length": 200_000,
    "architecture": {"input_modalities": ["text", "image", "file"], "output_modalities": ["text"]},
    "top_provider": {"context_length": 128_000, "max_completion_tokens": 8192},
    "supported_parameters": ["tools", "seed", "whatever"],
}
ROUTED = {"provider": "x", "context_length": 4096, "supports_tools": True}


@pytest.mark.parametrize(
    ("listed", "window", "answer", "can"),
    [
        ({"id": "a", "object": "model", "owned_by": "x"}, 0, 0, set()),
        ({"id": "a", "context_window": 131072, "max_completion_tokens": 32768}, 131072, 32768, set()),
        ({"id": "a", "max_model_len": 4096}, 4096, 0, set()),
        (
            {"id": "a", "max_context_length": 128000, "capabilities": {"function_calling": True, "vision": False}},
            128000,
            0,
            CHATS | {pb.CAPABILITY_TOOLS},
        ),
        (
            OPENROUTER,
            200_000,
            8192,
            CHATS | {pb.CAPABILITY_TOOLS, pb.CAPABILITY_SEED, pb.CAPABILITY_IMAGE_INPUT, pb.CAPABILITY_DOCUMENT_INPUT},
        ),
        ({"id": "a", "providers": [ROUTED, {**ROUTED, "context_length": 8192}]}, 8192, 0, CHATS | {pb.CAPABILITY_TOOLS}),
        ({"id": "a", "context_window": "much", "capabilities": [], "architecture": 5, "supported_parameters": [7]}, 0, 0, set()),
    ],
)
def test_what_a_vendor_tells_of_a_model_is_kept(listed: Any, window: int, answer: int, can: set[Any]) -> None:
    model = model_from_wire(listed)
    assert (model.context_window_tokens, model.max_output_tokens, set(model.capabilities)) == (window, answer, can)


@pytest.mark.parametrize("listed", [{"data": [{"id": "a"}, {"id": ""}, 5]}, [{"id": "a"}]], ids=["object", "bare list"])
async def test_models_are_listed(listed: Any) -> None:
    async with listening(lambda _: json_answer(listed)) as vendor:
        provider = build("mine", HttpSettings("openai", base_url=vendor.origin), clock=SystemClock(), ids=make_ids())
        assert [model.name for model in await provider.models()] == ["mine/a"]
        await provider.aclose()


async def test_a_vendor_that_lists_nothing_has_its_models_in_its_row() -> None:
    async with listening() as vendor:
        settings = HttpSettings("openai", vendor="perplexity", base_url=vendor.origin)
        provider = build("pplx", settings, clock=SystemClock(), ids=make_ids())
        assert "pplx/sonar" in [model.name for model in await provider.models()]
        await provider.aclose()
    assert not vendor.received
