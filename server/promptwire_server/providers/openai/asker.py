"""Who asks, as far as a vendor may know: hashed names of the end user and of the session."""

from promptwire_server.core.call import Call
from promptwire_server.providers.asked import hashed
from promptwire_server.providers.openai.facts import Facts


def asker_to_wire(call: Call, facts: Facts) -> dict[str, object]:
    """The fields for both. The session is hashed together with the tenant, so that tenants do not share a cache by chance."""
    wire: dict[str, object] = {}
    if call.request.end_user_id and facts.end_user_field:
        wire[facts.end_user_field] = hashed(call.request.end_user_id)
    if call.request.session_id and facts.session_field:
        wire[facts.session_field] = hashed(f"{call.principal.tenant}\0{call.request.session_id}")
    return wire
