"""All models, aliases first; one by its name; and counts by the model asked for."""

import asyncio
from collections.abc import Mapping

import pytest

from promptwire import v1 as pb
from promptwire_server.core.call import Target
from promptwire_server.core.clock import ManualClock
from promptwire_server.core.errors import NotFound
from promptwire_server.core.facts import Facts
from promptwire_server.core.price import OPERATOR, Price, Rates
from promptwire_server.layers.book import Account, Book
from promptwire_server.layers.catalog import Catalog
from promptwire_server.layers.route import Routes
from tests.unit.layers.conftest import MakeCall
from tests.unit.layers.vendors import Published, Vendor


def catalog(*, published: Mapping[str, Facts] | None = None, account: Account | None = None, **sources: Vendor) -> Catalog:
    aliases = {"fast": [Target("openai", "mini")]}
    clock = ManualClock()
    book = Book({"openai": account or Account("https://openai")}, Published(published or {}), clock)
    return Catalog(Routes(aliases, list(sources), "fast"), aliases, sources, book=book, clock=clock, patience_s=0.05)


async def test_aliases_come_first_then_models_by_name() -> None:
    models = await catalog(openai=Vendor("openai/mini", "openai/big"), echo=Vendor("echo/echo")).models("default")
    assert [model.name for model in models] == ["fast", "echo/echo", "openai/big", "openai/mini"]


async def test_an_alias_tells_what_its_first_target_can_do() -> None:
    alias, *_ = await catalog(openai=Vendor("openai/mini")).models("default")
    assert list(alias.targets) == ["openai/mini"]
    assert list(alias.capabilities) == [pb.CAPABILITY_CHAT]
    assert alias.source == "configuration"
    assert alias.is_default


async def test_only_the_provider_that_is_named_is_asked() -> None:
    openai, echo = Vendor("openai/mini"), Vendor("echo/echo")
    models = await catalog(openai=openai, echo=echo).models("default", "openai")
    assert [model.name for model in models] == ["fast", "openai/mini"]
    assert (openai.times_asked, echo.times_asked) == (1, 0)


async def test_models_of_a_provider_that_is_not_configured_name_those_that_are() -> None:
    with pytest.raises(NotFound, match='"nobody" is configured; there are: echo, openai'):
        await catalog(openai=Vendor("openai/mini"), echo=Vendor("echo/echo")).models("default", "nobody")


async def test_a_provider_that_is_down_hides_no_other() -> None:
    models = await catalog(openai=Vendor(), echo=Vendor("echo/echo")).models("default")
    assert [model.name for model in models] == ["fast", "echo/echo"]


async def test_a_provider_that_never_answers_delays_no_other_for_long() -> None:
    silent = Vendor("openai/mini", gate=asyncio.Event())
    models = await catalog(openai=silent, echo=Vendor("echo/echo")).models("default")
    assert [model.name for model in models] == ["fast", "echo/echo"]


async def test_all_providers_are_asked_at_once() -> None:
    gate = asyncio.Event()
    first, second = Vendor("openai/mini", gate=gate), Vendor("echo/echo", gate=gate)
    asking = asyncio.create_task(catalog(openai=first, echo=second).models("default"))
    await first.asked.wait()
    await second.asked.wait()
    gate.set()
    assert len(await asking) == 3


async def test_one_model_asks_only_its_provider() -> None:
    echo = Vendor("echo/echo")
    model = await catalog(openai=Vendor("openai/mini"), echo=echo).model("default", "openai/mini")
    assert model.name == "openai/mini"
    assert not echo.asked.is_set()


async def test_an_alias_is_found_by_its_name_even_when_nobody_knows_its_target() -> None:
    assert list((await catalog(openai=Vendor("openai/big")).model("default", "fast")).targets) == ["openai/mini"]


async def test_a_model_that_the_vendor_does_not_list_but_the_price_list_knows_is_there() -> None:
    price = Price(Rates(input=1, output=2), "genai-prices")
    model = await catalog(published={"new": Facts(price)}, openai=Vendor("openai/mini")).model("default", "openai/new")
    assert (model.source, model.price.output_nano_usd_per_1k_tokens) == ("catalog", 2)


async def test_a_model_that_nobody_knows_is_not_there() -> None:
    with pytest.raises(NotFound, match='openai lists no model "mni"'):
        await catalog(openai=Vendor("openai/mini")).model("default", "openai/mni")


async def test_while_the_vendor_does_not_answer_any_model_of_its_may_be_there() -> None:
    assert (await catalog(openai=Vendor()).model("default", "openai/mini")).provider_model == "mini"


@pytest.mark.parametrize("name", ["nobody/x", "slow", "openai/"])
async def test_a_name_without_a_provider_is_not_there(name: str) -> None:
    with pytest.raises(NotFound) as caught:
        await catalog(openai=Vendor("openai/mini")).model("default", name)
    assert [violation.field for violation in caught.value.violations] == ["name"]


async def test_models_that_only_the_operator_speaks_of_are_listed() -> None:
    account = Account(overrides={"tuned": Facts(Price(Rates(input=5), OPERATOR), 4096)})
    models = await catalog(account=account, openai=Vendor("openai/mini")).models("default")
    assert [(model.name, model.source) for model in models[1:]] == [("openai/mini", "provider"), ("openai/tuned", "configuration")]
    assert models[2].context_window_tokens == 4096


async def test_tokens_are_counted_by_the_model_asked_for(make_call: MakeCall) -> None:
    counted = await catalog(openai=Vendor("openai/mini")).count_tokens(make_call(request=pb.ChatRequest(prompt="hi")))
    assert (counted.input_tokens, counted.model) == (7, "mini")


async def test_tokens_of_an_unknown_model_are_not_counted(make_call: MakeCall) -> None:
    with pytest.raises(NotFound):
        await catalog(openai=Vendor("openai/mini")).count_tokens(make_call(request=pb.ChatRequest(prompt="hi", model="none")))
