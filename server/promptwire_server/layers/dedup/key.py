"""Key: when two calls ask the same."""

import hashlib
from collections.abc import Callable, Collection

from promptwire_server.core.call import Call
from promptwire_server.layers.cache.key import key_of


def keys(default_model: str, ruled: Collection[str]) -> Callable[[Call], str]:
    """The key of each call: SHA-256 in hex of whatever can change its answer, and of its tenant.

    `ruled`: models for which rules of the operator choose a target; who asks, how urgently and with which labels may decide there.
    """

    def key(call: Call) -> str:
        request = call.request
        plain = key_of(request, call.principal.tenant, default_model)
        limit = request.max_cost_nano_usd if request.HasField("max_cost_nano_usd") else -1  # which may shorten the answer
        by_rules = (request.model or default_model) in ruled
        if limit < 0 and not by_rules:
            return plain
        who = (call.principal.name, request.priority, sorted(request.labels.items())) if by_rules else ()
        return hashlib.sha256(f"{plain}{limit}{who}".encode()).hexdigest()

    return key
