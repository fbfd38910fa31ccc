"""Vendors with lists of models, and a price list, for the tests of what is known of models."""

import asyncio
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from typing import Any

from promptwire import v1 as pb
from promptwire_server.core.call import Call
from promptwire_server.core.errors import UpstreamFailed
from promptwire_server.core.facts import UNKNOWN, Facts


class Vendor:
    """A provider of some models; of none, one that does not answer. With a gate, it answers when that opens."""

    def __init__(self, *names: str, gate: asyncio.Event | None = None, **told: Any) -> None:
        self.names: Sequence[str] = names
        self.asked = asyncio.Event()
        self.times_asked = 0
        self.told = told
        self._gate = gate

    async def models(self) -> Sequence[pb.Model]:
        self.asked.set()
        self.times_asked += 1
        if self._gate is not None:
            await self._gate.wait()
        if not self.names:
            raise UpstreamFailed("down")
        return [self._model(name) for name in self.names]

    def _model(self, name: str) -> pb.Model:
        provider, _, model = name.partition("/")
        told: dict[str, Any] = {"capabilities": [pb.CAPABILITY_CHAT], "source": "provider", **self.told}
        return pb.Model(name=name, provider=provider, provider_model=model, **told)

    async def count_tokens(self, call: Call) -> pb.CountTokensResponse:
        return pb.CountTokensResponse(input_tokens=7, model=call.target.model if call.target else "")


@dataclass
class Published:
    """A price list of given facts, whatever the address."""

    facts: Mapping[str, Facts] = field(default_factory=dict)
    asked: list[tuple[str, tuple[str, ...]]] = field(default_factory=list)

    async def find(self, base_url: str, models: Sequence[str]) -> Sequence[Facts]:
        self.asked.append((base_url, tuple(models)))
        return [self.facts.get(model, UNKNOWN) for model in models]
