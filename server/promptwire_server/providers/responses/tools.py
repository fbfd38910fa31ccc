"""Tools of a request, and the choice among them, as the Responses API words them: flat, where chat completions nest."""

import orjson

from promptwire import v1 as pb
from promptwire_server.providers import asked
from promptwire_server.providers.openai.facts import Facts

_MODES = {pb.ToolChoice.MODE_AUTO: "auto", pb.ToolChoice.MODE_NONE: "none", pb.ToolChoice.MODE_REQUIRED: "required"}
_NO_ARGUMENTS = orjson.Fragment('{"type":"object","properties":{}}')  # the field is needed here


def tools_to_wire(generation: pb.GenerationSettings, provider: str, facts: Facts) -> dict[str, object]:
    """The fields `tools` and `tool_choice`. Raises InvalidRequest and CapabilityMissing with paths."""
    choice = generation.tool_choice
    allowed = frozenset(choice.allowed_names)
    asked.check_choice(generation)
    tools = [
        _tool(tool, provider, f"generation.tools[{position}]")
        for position, tool in enumerate(generation.tools)
        if facts.allowed_tools or not allowed or tool.function.name in allowed or tool.HasField("provider_tool")
    ]
    wire: dict[str, object] = {"tools": tools} if tools else {}
    if choice.mode == pb.ToolChoice.MODE_FUNCTION:
        wire["tool_choice"] = {"type": "function", "name": choice.name}
    elif allowed and facts.allowed_tools and choice.mode != pb.ToolChoice.MODE_NONE:
        wire["tool_choice"] = _allowed(choice)
    elif choice.mode in _MODES:
        wire["tool_choice"] = _MODES[choice.mode]
    return wire


def _allowed(choice: pb.ToolChoice) -> dict[str, object]:
    mode = "required" if choice.mode == pb.ToolChoice.MODE_REQUIRED else "auto"
    return {"type": "allowed_tools", "mode": mode, "tools": [{"type": "function", "name": name} for name in choice.allowed_names]}


def _tool(tool: pb.Tool, provider: str, path: str) -> object:
    if tool.HasField("provider_tool"):
        return asked.provider_tool(tool.provider_tool, provider, f"{path}.provider_tool")
    function = tool.function
    asked.check_name(function.name, f"{path}.function.name")
    wire: dict[str, object] = {"type": "function", "name": function.name}
    if function.description:
        wire["description"] = function.description
    text = function.parameters_json
    wire["parameters"] = asked.object_text(text, f"{path}.function.parameters_json") if text else _NO_ARGUMENTS
    # Strict unless told otherwise, here, and lax in chat completions: said always, so that a tool means the same in both.
    wire["strict"] = function.strict
    return wire
