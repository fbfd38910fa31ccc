"""Tools of a request, and the choice among them, as fields of the wire."""

from promptwire import v1 as pb
from promptwire_server.core.errors import InvalidRequest
from promptwire_server.providers.asked import check_choice, missing, object_text, provider_tool
from promptwire_server.providers.openai.facts import Facts

_MODES = {pb.ToolChoice.MODE_AUTO: "auto", pb.ToolChoice.MODE_NONE: "none"}
_INSTEAD = "let the model choose, or use a provider that does"


def tools_to_wire(generation: pb.GenerationSettings, provider: str, facts: Facts) -> dict[str, object]:
    """The fields `tools` and `tool_choice`. Raises InvalidRequest and CapabilityMissing with paths."""
    if generation.tools and "tools" in facts.lacks:
        raise missing("generation.tools", "tools of the caller's", "leave them out, or use a provider that does")
    choice = generation.tool_choice
    allowed = frozenset(choice.allowed_names)
    check_choice(generation)
    tools = [
        _tool(tool, provider, f"generation.tools[{position}]", facts)
        for position, tool in enumerate(generation.tools)
        if facts.allowed_tools or not allowed or tool.function.name in allowed or tool.HasField("provider_tool")
    ]
    wire: dict[str, object] = {"tools": tools} if tools else {}
    if (
        allowed
        and facts.allowed_tools
        and choice.mode in (pb.ToolChoice.MODE_AUTO, pb.ToolChoice.MODE_REQUIRED, pb.ToolChoice.MODE_UNSPECIFIED)
    ):
        wire["tool_choice"] = _allowed(choice)
    elif choice.mode != pb.ToolChoice.MODE_UNSPECIFIED:
        wire["tool_choice"] = _chosen(choice, facts)
    return wire


def _chosen(choice: pb.ToolChoice, facts: Facts) -> object:
    if choice.mode == pb.ToolChoice.MODE_FUNCTION:
        if not facts.named_choice:
            raise missing("generation.tool_choice", "the choice of one tool by its name", _INSTEAD)
        return {"type": "function", "function": {"name": choice.name}}
    if choice.mode == pb.ToolChoice.MODE_REQUIRED:
        if not facts.required_choice:
            raise missing("generation.tool_choice", "a choice that makes a tool call certain", _INSTEAD)
        return facts.required_choice
    return _MODES.get(choice.mode, "auto")


def _allowed(choice: pb.ToolChoice) -> dict[str, object]:
    listed = [{"type": "function", "function": {"name": name}} for name in choice.allowed_names]
    mode = "required" if choice.mode == pb.ToolChoice.MODE_REQUIRED else "auto"
    return {"type": "allowed_tools", "allowed_tools": {"mode": mode, "tools": listed}}


def _tool(tool: pb.Tool, provider: str, path: str, facts: Facts) -> object:
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
    elif not facts.bare_tools:
        wire["parameters"] = {"type": "object", "properties": {}}
    if function.HasField("strict"):
        wire["strict"] = function.strict
    return {"type": "function", "function": wire}
