"""Tools of a request, and the choice among them, as fields of the wire."""

from promptwire import v1 as pb
from promptwire_server.core.errors import InvalidRequest
from promptwire_server.providers.anthropic.families import Family
from promptwire_server.providers.asked import check_choice, check_name, missing, object_text, provider_tool, verbatim

_MODES = {pb.ToolChoice.MODE_AUTO: "auto", pb.ToolChoice.MODE_NONE: "none", pb.ToolChoice.MODE_REQUIRED: "any"}
_FORCED = (pb.ToolChoice.MODE_REQUIRED, pb.ToolChoice.MODE_FUNCTION)
_NO_ARGUMENTS = '{"type":"object"}'
_PATH = "generation.tool_choice"


def tools_to_wire(generation: pb.GenerationSettings, provider: str, family: Family) -> dict[str, object]:
    """The fields `tools` and `tool_choice`. Raises InvalidRequest and CapabilityMissing with paths."""
    choice = generation.tool_choice
    check_choice(generation)
    tools = [
        _tool(tool, provider, f"generation.tools[{position}]")
        for position, tool in enumerate(generation.tools)
        if not choice.allowed_names or tool.function.name in choice.allowed_names or tool.HasField("provider_tool")
    ]
    if is_forced(generation):
        _check_forced(tools, family)
    if not tools:
        return {}
    chosen = _choice(generation)
    return {"tools": tools, "tool_choice": chosen} if chosen else {"tools": tools}


def is_forced(generation: pb.GenerationSettings) -> bool:
    """Whether a tool must be called."""
    return generation.tool_choice.mode in _FORCED


def _check_forced(tools: list[object], family: Family) -> None:
    if not tools:
        raise InvalidRequest.at(_PATH, "demands a tool, and there are none in generation.tools")
    if not family.forced_tools:
        raise missing(_PATH, "a way to force a tool call with this model", "leave the choice to the model")


def _choice(generation: pb.GenerationSettings) -> dict[str, object]:
    choice = generation.tool_choice
    one_at_a_time = generation.HasField("parallel_tool_calls") and not generation.parallel_tool_calls
    wire: dict[str, object] = {}
    if choice.mode == pb.ToolChoice.MODE_FUNCTION:
        wire = {"type": "tool", "name": choice.name}
    elif choice.mode in _MODES:
        wire = {"type": _MODES[choice.mode]}
    elif one_at_a_time:
        wire = {"type": "auto"}
    if one_at_a_time and wire["type"] != "none":
        wire["disable_parallel_tool_use"] = True
    return wire


def _tool(tool: pb.Tool, provider: str, path: str) -> object:
    if tool.HasField("provider_tool"):
        return provider_tool(tool.provider_tool, provider, f"{path}.provider_tool")
    function = tool.function
    check_name(function.name, f"{path}.function.name")
    wire: dict[str, object] = {"name": function.name}
    if function.description:
        wire["description"] = function.description
    schema = function.parameters_json
    wire["input_schema"] = object_text(schema, f"{path}.function.parameters_json") if schema else verbatim(_NO_ARGUMENTS)
    if function.HasField("strict"):
        wire["strict"] = function.strict
    return wire
