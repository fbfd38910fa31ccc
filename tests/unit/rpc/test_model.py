"""ModelService: pages of models."""

from collections.abc import Sequence

import pytest
from hypothesis import given
from hypothesis import strategies as st

from promptwire import v1 as pb
from promptwire_server.core.errors import InvalidRequest
from promptwire_server.rpc.model import ModelService
from tests.unit.rpc.exchanges import FakeExchange


class Shelf:
    """A catalog of given models."""

    def __init__(self, aliases: Sequence[str], models: Sequence[str]) -> None:
        self.all = [pb.Model(name=name, targets=["p/x"]) for name in sorted(aliases)]
        self.all += [pb.Model(name=name, provider=name.partition("/")[0]) for name in sorted(models)]

    async def models(self, tenant: str, provider: str = "") -> Sequence[pb.Model]:
        return [model for model in self.all if provider in ("", model.provider)]

    async def model(self, tenant: str, name: str) -> pb.Model:
        return next(model for model in self.all if model.name == name)


async def pages(service: ModelService, size: int, provider: str = "") -> list[list[str]]:
    """Names by page, following the tokens to the end."""
    request, found = pb.ListModelsRequest(page_size=size, provider=provider), []
    while True:
        response = await service.ListModels(request, FakeExchange())
        found.append([model.name for model in response.models])
        if not response.next_page_token:
            return found
        request.page_token = response.next_page_token


names = st.lists(st.text(st.characters(exclude_categories=["Cs"]), min_size=1, max_size=8), unique=True, max_size=12)


@given(aliases=names, models=names, size=st.integers(1, 13))
async def test_pages_have_every_model_once_in_order(aliases: list[str], models: list[str], size: int) -> None:
    shelf = Shelf(aliases, models)
    found = await pages(ModelService(shelf), size)
    assert [name for page in found for name in page] == [model.name for model in shelf.all]
    assert all(len(page) == size for page in found[:-1])


async def test_a_token_holds_while_models_come_and_go() -> None:
    shelf = Shelf([], ["p/a", "p/b", "p/c", "p/d"])
    service = ModelService(shelf)
    token = (await service.ListModels(pb.ListModelsRequest(page_size=2), FakeExchange())).next_page_token
    shelf.all = Shelf(["new"], ["p/0", "p/a", "p/c", "p/d"]).all  # the last one seen is gone, others came before it
    rest = await service.ListModels(pb.ListModelsRequest(page_token=token), FakeExchange())
    assert [model.name for model in rest.models] == ["p/c", "p/d"]


async def test_only_the_models_of_a_provider() -> None:
    assert await pages(ModelService(Shelf(["a"], ["p/a", "q/b", "p/c"])), 1, "p") == [["p/a"], ["p/c"]]


@pytest.mark.parametrize("token", ["garbage", "é", "!!!!", "AAAA", "eA==", "a"])
async def test_a_token_of_somebody_else_is_refused(token: str) -> None:
    with pytest.raises(InvalidRequest) as caught:
        await ModelService(Shelf([], [])).ListModels(pb.ListModelsRequest(page_token=token), FakeExchange())
    assert [violation.field for violation in caught.value.violations] == ["page_token"]


async def test_a_negative_page_size_is_refused() -> None:
    with pytest.raises(InvalidRequest) as caught:
        await ModelService(Shelf([], [])).ListModels(pb.ListModelsRequest(page_size=-1), FakeExchange())
    assert [violation.field for violation in caught.value.violations] == ["page_size"]


async def test_a_page_has_at_most_a_thousand_and_by_default_a_hundred() -> None:
    service = ModelService(Shelf([], [f"p/{n:04}" for n in range(1200)]))
    assert [len(page) for page in await pages(service, 5000)] == [1000, 200]
    assert len((await pages(service, 0))[0]) == 100


async def test_a_model_is_found_by_its_name() -> None:
    service = ModelService(Shelf(["fast"], ["p/a"]))
    assert (await service.GetModel(pb.GetModelRequest(name="fast"), FakeExchange())).model.name == "fast"


@pytest.mark.parametrize("name", ["", "m" * 257, "a\0b"])
async def test_a_model_without_a_name_that_can_be_shown_is_not_looked_for(name: str) -> None:
    with pytest.raises(InvalidRequest) as caught:
        await ModelService(Shelf([], [])).GetModel(pb.GetModelRequest(name=name), FakeExchange())
    assert [violation.field for violation in caught.value.violations] == ["name"]
