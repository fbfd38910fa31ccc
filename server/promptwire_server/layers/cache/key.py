"""Key: when two questions are the same, so that the answer to one answers the other."""

import hashlib
from typing import Final

from promptwire import v1 as pb

# What says who asks, how urgently and for whose account, but not what. Where an operator's rules or splits go by it, the class of targets
# that they lead to is in the key (see aim); an answer that a limit of money has shortened is not kept (see worth).
NO_PART: Final = {
    "model": "stands before the rest, with the default filled in",
    "request_id": "names the request",
    "labels": "say whose account it is",
    "priority": "says how soon it is answered",
    "session_id": "chooses among targets that are alike",
    "cache": "says whether and how the cache is used; its namespace stands before the rest",
    "dedup": "says whether somebody else's call may answer",
    "end_user_id": "tells a vendor whom to hold to its terms of use",
    "max_cost_nano_usd": "limits what is paid; what it has shortened is not kept",
}
_NO_PART: Final = tuple(NO_PART)


def key_of(request: pb.ChatRequest, tenant: str, default_model: str, scope: str = "") -> str:
    """The key of a question: SHA-256 in lower-case hex of whatever can change its answer, and of the tenant.

    The model counts by the name that was asked for, and by `scope`: what the operator means by it.
    """
    question = pb.ChatRequest()
    question.CopyFrom(request)
    clear = question.ClearField  # looked up once: this is on the path of every call that may be answered from the cache
    for name in _NO_PART:
        clear(name)
    model, namespace = request.model or default_model, request.cache.namespace
    # With the lengths, "a" and "bc" differ from "ab" and "c".
    head = f"{len(tenant)}:{tenant}{len(model)}:{model}{len(namespace)}:{namespace}{len(scope)}:{scope}".encode()
    return hashlib.sha256(head + question.SerializeToString(deterministic=True)).hexdigest()
