"""From a request message and its Exchange to a Call."""

from promptwire import v1 as pb
from promptwire_server.core.call import Call
from promptwire_server.core.checks import check_chat
from promptwire_server.core.errors import InvalidRequest
from promptwire_server.rpc.exchange import Exchange


def chat_call(request: pb.ChatRequest, exchange: Exchange, *, stream: bool, path: str = "", join: bool = False) -> Call:
    """The Call of a chat; `path` is where it stands in the RPC's message, e.g. "chat". Raises InvalidRequest, CredentialInvalid."""
    principal = exchange.principal
    violations = check_chat(request, path)
    if violations:
        raise InvalidRequest.of(*violations)
    if request.request_id:
        exchange.rename(request.request_id)
    return Call(
        request=request,
        principal=principal,
        request_id=exchange.request_id,
        trace_id=exchange.trace_id,
        deadline_s=exchange.deadline_s,
        arrival_s=exchange.arrival_s,
        stream=stream,
        trail=exchange.trail,
        join=join,
    )
