"""Tools of a request, and the choice among them, as fields of the wire."""

import orjson

from promptwire import v1 as pb
from promptwire_server.core.errors import CapabilityMissing, InvalidRequest, Violation
from promptwire_server.providers.json_value import parsed_object
from promptwire_server.providers.openai.dialect import Dialect

_MODES = {pb.ToolChoice.MODE_AUTO: "auto", pb.ToolChoice.MODE_NONE: "none", pb.ToolChoice.MODE_REQUIRED: "required"}


def tools_to_wire(generation: pb.GenerationSettings, provider: str, dialect: Dialect) -> dict[str, object]:
    """The fields `tools` and `tool_choice`. Raises InvalidRequest and CapabilityMissing with paths."""
    choice = generation.tool_choice
    allowed = frozenset(choice.allowed_names)
    names = {tool.function.name for tool in generation.tools if tool.HasField("function")}
    for name in (*choice.allowed_names, *((choice.name,) if choice.mode == pb.ToolChoice.MODE_FUNCTION else ())):
        if name not in names:
            raise InvalidRequest.at("generation.tool_choice", f'"{name[:64]}" is not among generation.tools')
    tools = [
        _tool(tool, provider, f"generation.tools[{position}]")
        for position, tool in enumerate(generation.tools)
        if dialect.allowed_tools or not allowed or tool.function.name in allowed or tool.HasField("provider_tool")
    ]
    wire: dict[str, object] = {"tools": tools} if tools else {}
    if choice.mode == pb.ToolChoice.MODE_FUNCTION:
        wire["tool_choice"] = {"type": "function", "function": {"name": choice.name}}
    elif allowed and dialect.allowed_tools and choice.mode != pb.ToolChoice.MODE_NONE:
        wire["tool_choice"] = _allowed(choice)
    elif choice.mode in _MODES:
        wire["tool_choice"] = _MODES[choice.mode]
    return wire


def verbatim(json_text: str) -> orjson.Fragment:
    """JSON text that was checked, to stand in the body as it is."""
    return orjson.Fragment(json_text)


def missing(path: str, what: str, instead: str) -> CapabilityMissing:
    """The error for something that the dialect has no words for."""
    message = f"this provider does not offer {what}; {instead}"
    return CapabilityMissing(f"{path}: {message}", violations=[Violation(path, message)])


def _allowed(choice: pb.ToolChoice) -> dict[str, object]:
    listed = [{"type": "function", "function": {"name": name}} for name in choice.allowed_names]
    mode = "required" if choice.mode == pb.ToolChoice.MODE_REQUIRED else "auto"
    return {"type": "allowed_tools", "allowed_tools": {"mode": mode, "tools": listed}}


def _tool(tool: pb.Tool, provider: str, path: str) -> object:
    if tool.HasField("provider_tool"):
        return _provider_tool(tool.provider_tool, provider, f"{path}.provider_tool")
    function = tool.function
    if not function.name:
        raise InvalidRequest.at(f"{path}.function.name", "is needed")
    wire: dict[str, object] = {"name": function.name}
    if function.description:
        wire["description"] = function.description
    if function.parameters_json:
        if parsed_object(function.parameters_json) is None:
            raise InvalidRequest.at(f"{path}.function.parameters_json", "must be a JSON Schema as a JSON object in text")
        wire["parameters"] = verbatim(function.parameters_json)
    if function.HasField("strict"):
        wire["strict"] = function.strict
    return {"type": "function", "function": wire}


def _provider_tool(tool: pb.ProviderTool, provider: str, path: str) -> object:
    if tool.provider != provider:
        raise missing(path, f"the tools of {tool.provider[:64] or 'nobody'}", f"this call goes to {provider}")
    if parsed_object(tool.json) is None:
        raise InvalidRequest.at(f"{path}.json", "must be a JSON object in text")
    return verbatim(tool.json)
