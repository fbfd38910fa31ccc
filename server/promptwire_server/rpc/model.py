"""ModelService: what models there are."""

from collections.abc import Sequence
from typing import Protocol

from promptwire import v1 as pb
from promptwire_server.core.errors import InvalidRequest
from promptwire_server.core.fields import Found, model_name
from promptwire_server.rpc.exchange import Exchange
from promptwire_server.rpc.paging import bad_token, page_size, text_of, token_of


class Catalog(Protocol):
    """Knows the models."""

    async def models(self, tenant: str, provider: str = "") -> Sequence[pb.Model]:
        """All that the tenant may use, or those of one provider: aliases first, then by name. Raises NotFound without that provider."""
        ...

    async def model(self, tenant: str, name: str) -> pb.Model:
        """One of them, by alias or "provider/model". Raises NotFound."""
        ...


class ModelService:
    """promptwire.v1.ModelService."""

    def __init__(self, catalog: Catalog) -> None:
        self._catalog = catalog

    async def ListModels(self, request: pb.ListModelsRequest, exchange: Exchange) -> pb.ListModelsResponse:  # noqa: N802 - the contract's name
        """A page of models."""
        tenant = exchange.principal.tenant
        size = page_size(request.page_size)
        start = _after(request.page_token)
        models = await self._catalog.models(tenant, request.provider)
        following = [m for m in models if _position(m) > start] if start else models
        token = _token(following[size - 1]) if len(following) > size else ""
        return pb.ListModelsResponse(models=following[:size], next_page_token=token)

    async def GetModel(self, request: pb.GetModelRequest, exchange: Exchange) -> pb.GetModelResponse:  # noqa: N802 - the contract's name
        """One model, by alias or "provider/model"."""
        tenant = exchange.principal.tenant
        if not request.name:
            raise InvalidRequest.at("name", 'is required: an alias, or "provider/model"; ListModels has them all')
        found: Found = []
        model_name(request.name, "name", found)
        if found:
            raise InvalidRequest.of(*found)
        return pb.GetModelResponse(model=await self._catalog.model(tenant, request.name))


def _position(model: pb.Model) -> tuple[bool, str]:
    return (not model.targets, model.name)


def _token(last: pb.Model) -> str:
    return token_of(f"{'a' if last.targets else 'm'}{last.name}")


def _after(token: str) -> tuple[bool, str] | None:
    text = text_of(token)
    if not text:
        return None
    if text[0] not in ("a", "m"):
        raise bad_token()
    return (text[0] == "m", text[1:])
