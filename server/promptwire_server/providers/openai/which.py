"""Which of OpenAI's two APIs a call goes to: chat completions, unless only the Responses API can answer it."""

from promptwire import v1 as pb
from promptwire_server.core.call import Call
from promptwire_server.core.errors import InvalidRequest
from promptwire_server.providers import asked
from promptwire_server.providers.json_value import JsonObject, parsed_object, text_in
from promptwire_server.providers.openai import states
from promptwire_server.providers.openai.facts import Facts, matches

CHAT = "chat"
RESPONSES = "responses"
APIS = (CHAT, RESPONSES)
_OPTION = "api"  # in provider_options_json, and among the provider's options in the configuration
_PATH = "generation.provider_options_json"
_OWN_TOOLS = ("function", "custom")  # the types of chat completions' tools, and the fields in which they describe them


def api_of(call: Call, provider: str, facts: Facts, configured: str = "") -> str:
    """One of APIS: the caller's choice, else the operator's, else the model's, else the request's. Raises InvalidRequest for neither."""
    wanted = asked.options(call.request.generation.provider_options_json, provider, (), _PATH).get(_OPTION)
    if wanted is not None:
        if not isinstance(wanted, str) or wanted not in APIS:
            raise InvalidRequest.at(f'{_PATH}["{provider}"]', f"{_OPTION} must be one of {', '.join(APIS)}")
        return wanted
    if configured:
        return configured
    if matches(call.target.model if call.target else call.request.model, facts.responses_only):
        return RESPONSES
    return RESPONSES if facts.responses and _needs_responses(call.request, provider) else CHAT


def more_of(call: Call, provider: str, protected: tuple[str, ...]) -> JsonObject:
    """The vendor's own settings of a request, without the choice of API, which is ours. Raises InvalidRequest."""
    more = asked.options(call.request.generation.provider_options_json, provider, protected, _PATH)
    more.pop(_OPTION, None)
    return more


def _needs_responses(request: pb.ChatRequest, provider: str) -> bool:
    tools = (tool.provider_tool for tool in request.generation.tools if tool.HasField("provider_tool"))
    if any(tool.provider == provider and _only_there(tool.json) for tool in tools):
        return True
    for message in request.messages:
        for part in message.parts:
            if _part_needs(part, provider):
                return True
    return False


def _part_needs(part: pb.ContentPart, provider: str) -> bool:
    """Whether it came from there, or has no words in chat completions."""
    if part.HasField("provider_state"):
        return part.provider_state.provider == provider and states.is_item(part.provider_state.data)
    if part.HasField("provider_part"):
        return part.provider_part.provider == provider and "_call" in part.provider_part.type
    return _linked(part.media) or any(inner.HasField("media") for inner in part.tool_result.parts)


def _linked(media: pb.MediaPart) -> bool:
    """A document by link, or an image by file id."""
    image = media.mime_type.startswith("image/")
    return (media.HasField("file_id") and image) or (media.HasField("uri") and media.mime_type.startswith(("application/", "text/")))


def _only_there(tool_json: str) -> bool:
    tool = parsed_object(tool_json) or {}
    kind = text_in(tool.get("type"))
    return kind not in _OWN_TOOLS or kind not in tool
