"""EmbedCall: one request for vectors with its context."""

from collections.abc import Awaitable, Callable
from dataclasses import dataclass, field

from promptwire import v1 as pb
from promptwire_server.core.call import Call, Target
from promptwire_server.core.checks import ENVELOPE
from promptwire_server.core.errors import Violation
from promptwire_server.core.fields import Check, Found, at_least, check_fields, each, known, model_name, not_empty

MOST_TEXTS = 2048


@dataclass(slots=True)
class EmbedCall:
    """One request for vectors. `call` is who asks, until when, with what trail: the same for every kind of question."""

    request: pb.EmbedRequest  # never changed: copy it first
    call: Call  # its own request names the model and the labels, and asks nothing
    usage: pb.Usage = field(default_factory=pb.Usage)  # spent so far, also when the whole fails

    @property
    def model(self) -> str:
        """The vendor's name of the model, once a target is set."""
        return self.call.target.model if self.call.target else self.request.model

    def aimed_at(self, target: Target) -> "EmbedCall":
        """The same call for one target."""
        return EmbedCall(self.request, self.call.aimed_at(target), self.usage)


EmbedHandler = Callable[[EmbedCall], Awaitable[pb.EmbedResponse]]


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
