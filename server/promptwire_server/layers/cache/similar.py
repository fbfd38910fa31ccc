"""Similar: whether the answer to another question may do, for callers who wish that: one whose last message means nearly the same.

Everything else must be equal to the byte: the conversation before, the settings, the model, the tenant. It is never so with tools, with
answers of a certain shape, or where anything but text is said or wished for: there a small difference is a different answer.
"""

from array import array
from collections.abc import Iterable
from dataclasses import dataclass
from typing import Final, NamedTuple, Protocol

from promptwire import v1 as pb
from promptwire_server.core.call import Call, Trail
from promptwire_server.core.clock import Clock
from promptwire_server.core.embedding import in_common
from promptwire_server.core.errors import PromptwireError
from promptwire_server.core.handler import Handler
from promptwire_server.layers.cache.key import key_of

_WORDY: Final = frozenset({pb.MODALITY_UNSPECIFIED, pb.MODALITY_TEXT})
_USERS: Final = frozenset({pb.ROLE_UNSPECIFIED, pb.ROLE_USER})
_LONGEST_CHARS: Final = 8000  # of a question: beyond, vectors say little of it, and models do not take it


class Index(Protocol):
    """Questions and their vectors. Answers at once."""

    def add(self, tenant: str, group: str, key: str, vector: "array[float]") -> None:
        """Remember a question."""
        ...

    def nearest(self, tenant: str, group: str, vector: "array[float]", at_least: float) -> tuple[str, float] | None:
        """The key of the nearest question of the group, and the cosine; None when none is as near as that."""
        ...

    def forget(self, tenant: str, group: str, key: str) -> None:
        """It is of no use any more."""
        ...


@dataclass(frozen=True, slots=True)
class SimilarSettings:
    """How questions are compared."""

    model: str  # that makes vectors of them: an alias or "provider/model"
    floor: float = 0.9  # no caller may go below
    within_s: float = 2.0  # a vector that takes longer is done without
    dimensions: int = 0  # of a vector; 0: the model's own


class Spot(NamedTuple):
    """Where a question stands."""

    group: str  # everything but its last message
    vector: "array[float]"


class Similar:
    """Finds questions that are alike."""

    def __init__(self, embed: Handler, index: Index, settings: SimilarSettings, clock: Clock) -> None:
        """`embed` answers calls for vectors, which the tenant pays for."""
        self._embed = embed
        self._index = index
        self._settings = settings
        self._clock = clock

    async def spot(self, call: Call, default_model: str, scope: str) -> Spot | None:
        """Where a question stands; None: it is of those that must be met exactly, or there is no vector to be had in time."""
        text = wording(call.request)
        if text is None:
            return None
        vector = await self._vector(call, text)
        if not vector:
            return None
        group = key_of(without_last(call.request), call.principal.tenant, default_model, f"similar {self._settings.model} {scope}")
        return Spot(group, vector)

    def nearest(self, call: Call, spot: Spot) -> tuple[str, float] | None:
        """The key of the question that is nearest, and the cosine; None when none is as near as the caller and the operator want it."""
        wish = max(self._settings.floor, call.request.cache.min_similarity)
        return self._index.nearest(call.principal.tenant, spot.group, spot.vector, wish)

    def add(self, tenant: str, spot: Spot, key: str) -> None:
        """Remember a question whose answer is kept."""
        self._index.add(tenant, spot.group, key, spot.vector)

    def forget(self, tenant: str, spot: Spot, key: str) -> None:
        """Its answer is gone."""
        self._index.forget(tenant, spot.group, key)

    async def _vector(self, call: Call, text: str) -> "array[float]":
        """The vector of a text; an empty one where it cannot be had."""
        try:
            async with await self._embed(self._asking(call, text)) as reply:
                await reply.read()
        except PromptwireError:  # counted and told where it happened
            return array("f")
        vectors = reply.vectors
        return array("f", vectors.embeddings[0].values) if vectors is not None and vectors.embeddings else array("f")

    def _asking(self, call: Call, text: str) -> Call:
        settings, now_s = self._settings, self._clock.monotonic()
        wanted = pb.EmbedRequest(model=settings.model, texts=[text], labels=call.request.labels, dimensions=settings.dimensions or None)
        return Call(
            request=in_common(wanted),
            principal=call.principal,
            request_id=call.request_id,
            trace_id=call.trace_id,
            deadline_s=min(call.deadline_s, now_s + settings.within_s),
            arrival_s=now_s,
            run_id=call.run_id,
            step_id=call.step_id,
            trail=Trail(),
            chain=call.chain,
            fund=call.fund,
            embed=wanted,
        )


def wording(request: pb.ChatRequest) -> str | None:
    """The last message of the user's, where a similar one may have the same answer; None where it must be the very same."""
    if not _plain(request.generation) or request.HasField("max_cost_nano_usd"):  # a vector costs something, too
        return None
    messages = request.messages
    if not all(_only_text(part) for message in messages for part in message.parts):
        return None
    if request.prompt:
        text = request.prompt
    elif messages and messages[-1].role in _USERS and not messages[-1].name:
        text = "\n".join(part.text for part in messages[-1].parts)
    else:
        return None
    return text if text.strip() and len(text) <= _LONGEST_CHARS else None


def without_last(request: pb.ChatRequest) -> pb.ChatRequest:
    """The question without what `wording` gives."""
    rest = pb.ChatRequest()
    rest.CopyFrom(request)
    if rest.prompt:
        rest.prompt = ""
        rest.messages.add(role=pb.ROLE_USER, name="prompt")  # so that it is not taken for a conversation that ended before
    else:
        del rest.messages[-1].parts[:]
    return rest


def _plain(generation: pb.GenerationSettings) -> bool:
    """Words alone are asked for, in no certain shape, and nothing is asked that only the vendor understands."""
    shaped = generation.response_format.WhichOneof("format") not in (None, "text")
    tools = generation.tools or generation.HasField("tool_choice") or generation.provider_options_json
    spoken = generation.HasField("audio") or not _all_words(generation.output_modalities)
    measured = generation.logprobs or generation.HasField("top_logprobs")
    return not (shaped or tools or spoken or measured)


def _all_words(modalities: Iterable[int]) -> bool:
    return all(modality in _WORDY for modality in modalities)


def _only_text(part: pb.ContentPart) -> bool:
    return part.WhichOneof("content") == "text" and not part.HasField("provider_state") and not part.citations
