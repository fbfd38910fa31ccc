"""Tools of a request, and the choice among them, as fields of the wire."""

from promptwire import v1 as pb
from promptwire_server.core.errors import InvalidRequest
from promptwire_server.providers.asked import check_choice, object_text, provider_tool
from promptwire_server.providers.openai.facts import Facts

_MODES = {pb.ToolChoice.MODE_AUTO: "auto", pb.ToolChoice.MODE_NONE: "none", pb.ToolChoice.MODE_REQUIRED: "required"}


def tools_to_wire(generation: pb.GenerationSettings, provider: str, facts: Facts) -> dict[str, object]:
    """The fields `tools` and `tool_choice`. Raises InvalidRequest and CapabilityMissing with paths."""
    choice = generation.tool_choice
    allowed = frozenset(choice.allowed_names)
    check_choice(generation)
    tools = [
        _tool(tool, provider, f"generation.tools[{position}]")
        for position, tool in enumerate(generation.tools)
        if facts.allowed_tools or not allowed or tool.function.name in allowed or tool.HasField("provider_tool")
    ]
    wire: dict[str, object] = {"tools": tools} if tools else {}
    if choice.mode == pb.ToolChoice.MODE_FUNCTION:
        wire["tool_choice"] = {"type": "function", "function": {"name": choice.name}}
    elif allowed and facts.allowed_tools and choice.mode != pb.ToolChoice.MODE_NONE:
        wire["tool_choice"] = _allowed(choice)
    elif choice.mode in _MODES:
        wire["tool_choice"] = _MODES[choice.mode]
    return wire


def _allowed(choice: pb.ToolChoice) -> dict[str, object]:
    listed = [{"type": "function", "function": {"name": name}} for name in choice.allowed_names]
    mode = "required" if choice.mode == pb.ToolChoice.MODE_REQUIRED else "auto"
    return {"type": "allowed_tools", "allowed_tools": {"mode": mode, "tools": listed}}


def _tool(tool: pb.Tool, provider: str, path: str) -> object:
    if tool.HasField("provider_tool"):
        return provider_tool(tool.provider_tool, provider, f"{path}.provider_tool")
    function = tool.function
    if not function.name:
        raise InvalidRequest.at(f"{path}.function.name", "is needed")
    wire: dict[str, object] = {"name": function.name}
    if function.description:
        wire["description"] = function.description
    if function.parameters_json:
        wire["parameters"] = object_text(function.parameters_json, f"{path}.function.parameters_json")
    if function.HasField("strict"):
        wire["strict"] = function.strict
    return {"type": "function", "function": wire}
