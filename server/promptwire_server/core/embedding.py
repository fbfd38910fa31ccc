"""EmbedCall: a call that asks for vectors, as whoever makes them sees it."""

from dataclasses import dataclass

from promptwire import v1 as pb
from promptwire_server.core.call import Call, Target
from promptwire_server.core.checks import ENVELOPE
from promptwire_server.core.errors import Violation
from promptwire_server.core.fields import Check, Found, at_least, check_fields, each, known, model_name, not_empty
from promptwire_server.core.reply import Reply

MOST_TEXTS = 2048


@dataclass(slots=True)
class EmbedCall:
    """One request for vectors. `call` is who asks, until when, with what trail: the same for every kind of question."""

    request: pb.EmbedRequest  # never changed: copy it first
    call: Call  # its own request has what all questions have: the model, the labels, and the texts as one prompt

    @property
    def model(self) -> str:
        """The vendor's name of the model, once a target is set."""
        return self.call.target.model if self.call.target else self.request.model

    def aimed_at(self, target: Target) -> "EmbedCall":
        """The same call for one target."""
        return EmbedCall(self.request, self.call.aimed_at(target))


def in_common(request: pb.EmbedRequest) -> pb.ChatRequest:
    """What a request for vectors has in common with every question: for all who choose, limit and count without reading it."""
    return pb.ChatRequest(model=request.model, labels=request.labels, prompt="".join(request.texts))


def replied(vectors: pb.EmbedResponse) -> Reply:
    """The Reply that brings vectors: an answer without words, which says who gave them and what they took."""
    answer = pb.ChatResponse(provider=vectors.provider, model=vectors.model, usage=vectors.usage)
    if vectors.HasField("cost"):
        answer.cost.CopyFrom(vectors.cost)
    return Reply.whole(answer, vectors)


def check_embed(request: pb.EmbedRequest) -> list[Violation]:
    """Everything wrong with the request; empty when it may be served."""
    found: Found = []
    not_empty(request.model, "model", found)
    if not request.texts:
        found.append(Violation("texts", 'is empty; name what to embed, e.g. ["a cat"]'))
    if len(request.texts) > MOST_TEXTS:
        found.append(Violation("texts", f"has {len(request.texts)} texts; at most {MOST_TEXTS} go in one request"))
    check_fields(request, _CHECKS, "", found)
    return found


_CHECKS: dict[str, Check] = {
    "model": model_name,
    "texts": each(not_empty),
    "dimensions": at_least(1),
    "task": known(pb.EmbedRequest.Task.values()),
    "request_id": ENVELOPE["request_id"],
    "labels": ENVELOPE["labels"],
}
