"""All models, aliases first, and counts by the model asked for."""

from collections.abc import Sequence

import pytest

from promptwire import v1 as pb
from promptwire_server.core.call import Call, Target
from promptwire_server.core.errors import NotFound, UpstreamFailed
from promptwire_server.layers.catalog import Catalog
from promptwire_server.layers.route import Routes
from tests.unit.layers.conftest import MakeCall


class Source:
    """A provider of some models; of none, one that does not answer."""

    def __init__(self, *names: str) -> None:
        self._names = names

    async def models(self) -> Sequence[pb.Model]:
        if not self._names:
            raise UpstreamFailed("down")
        capabilities = [pb.CAPABILITY_CHAT]
        return [pb.Model(name=name, provider=name.split("/")[0], capabilities=capabilities, source="provider") for name in self._names]

    async def count_tokens(self, call: Call) -> pb.CountTokensResponse:
        return pb.CountTokensResponse(input_tokens=7, model=call.target.model if call.target else "")


def catalog(**sources: Source) -> Catalog:
    aliases = {"fast": [Target("openai", "mini")]}
    return Catalog(Routes(aliases, list(sources), "fast"), aliases, sources)


async def test_aliases_come_first_then_models_by_name() -> None:
    models = await catalog(openai=Source("openai/mini", "openai/big"), echo=Source("echo/echo")).models("default")
    assert [model.name for model in models] == ["fast", "echo/echo", "openai/big", "openai/mini"]


async def test_an_alias_tells_what_its_first_target_can_do() -> None:
    alias, *_ = await catalog(openai=Source("openai/mini")).models("default")
    assert list(alias.targets) == ["openai/mini"]
    assert list(alias.capabilities) == [pb.CAPABILITY_CHAT]
    assert alias.source == "configuration"
    assert alias.is_default


async def test_a_provider_that_is_down_hides_no_other() -> None:
    models = await catalog(openai=Source(), echo=Source("echo/echo")).models("default")
    assert [model.name for model in models] == ["fast", "echo/echo"]


async def test_tokens_are_counted_by_the_model_asked_for(make_call: MakeCall) -> None:
    counted = await catalog(openai=Source("openai/mini")).count_tokens(make_call(request=pb.ChatRequest(prompt="hi")))
    assert (counted.input_tokens, counted.model) == (7, "mini")


async def test_tokens_of_an_unknown_model_are_not_counted(make_call: MakeCall) -> None:
    with pytest.raises(NotFound):
        await catalog(openai=Source("openai/mini")).count_tokens(make_call(request=pb.ChatRequest(prompt="hi", model="none")))
