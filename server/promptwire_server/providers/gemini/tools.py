"""Tools of a request, and the choice among them, as fields of the wire."""

from promptwire import v1 as pb
from promptwire_server.core.call import Call
from promptwire_server.providers import asked

_MODES = {pb.ToolChoice.MODE_AUTO: "AUTO", pb.ToolChoice.MODE_NONE: "NONE", pb.ToolChoice.MODE_REQUIRED: "ANY"}


def tools_to_wire(call: Call, provider: str) -> dict[str, object]:
    """The fields `tools` and `toolConfig`. Raises InvalidRequest and CapabilityMissing with paths; notes what it drops."""
    generation = call.request.generation
    asked.check_choice(generation)
    functions: list[object] = []
    tools: list[object] = []
    for position, tool in enumerate(generation.tools):
        path = f"generation.tools[{position}]"
        if tool.HasField("provider_tool"):
            tools.append(asked.provider_tool(tool.provider_tool, provider, f"{path}.provider_tool"))
        else:
            functions.append(_function(tool.function, f"{path}.function"))
    if functions:
        tools.append({"functionDeclarations": functions})
    wire: dict[str, object] = {"tools": tools} if tools else {}
    if calling := _calling(generation):
        wire["toolConfig"] = {"functionCallingConfig": calling}
    if generation.HasField("parallel_tool_calls") and not generation.parallel_tool_calls:
        asked.setting_dropped(call, "generation.parallel_tool_calls", "the model decides how many tools it calls at once")
    return wire


def _function(function: pb.FunctionTool, path: str) -> dict[str, object]:
    asked.check_name(function.name, f"{path}.name")
    wire: dict[str, object] = {"name": function.name}
    if function.description:
        wire["description"] = function.description
    if function.parameters_json:
        wire["parametersJsonSchema"] = asked.object_text(function.parameters_json, f"{path}.parameters_json")
    return wire


def _calling(generation: pb.GenerationSettings) -> dict[str, object]:
    """The mode VALIDATED is AUTO, held to the schemas; names may be listed with it and with ANY only."""
    choice = generation.tool_choice
    if choice.mode == pb.ToolChoice.MODE_FUNCTION:
        return {"mode": "ANY", "allowedFunctionNames": [choice.name]}
    mode = _MODES.get(choice.mode, "")
    if mode in ("", "AUTO") and (choice.allowed_names or any(tool.function.strict for tool in generation.tools)):
        mode = "VALIDATED"
    if not mode:
        return {}
    allowed = {"allowedFunctionNames": list(choice.allowed_names)} if choice.allowed_names and mode != "NONE" else {}
    return {"mode": mode, **allowed}
