"""A call as the body of /api/chat."""

from typing import TypeAlias

from promptwire import v1 as pb
from promptwire_server.core.call import Call
from promptwire_server.providers import asked
from promptwire_server.providers.ollama.messages import Messages

Wire: TypeAlias = dict[str, object]

_PROTECTED = ("model", "messages", "stream")
# Knobs with a name in `options`, of the contract and of the wire.
_OPTIONS = {
    "temperature": "temperature",
    "top_p": "top_p",
    "top_k": "top_k",
    "max_output_tokens": "num_predict",
    "seed": "seed",
    "presence_penalty": "presence_penalty",
    "frequency_penalty": "frequency_penalty",
}
# Levels are for models that know them (gpt-oss); to all others any level means that they think.
_THINK: dict["pb.ReasoningSettings.Effort", bool | str] = {
    pb.ReasoningSettings.EFFORT_NONE: False,
    pb.ReasoningSettings.EFFORT_MINIMAL: "low",
    pb.ReasoningSettings.EFFORT_LOW: "low",
    pb.ReasoningSettings.EFFORT_MEDIUM: "medium",
    pb.ReasoningSettings.EFFORT_HIGH: "high",
    pb.ReasoningSettings.EFFORT_MAX: "high",
}


def to_wire(call: Call, provider: str) -> Wire:
    """The body. Raises InvalidRequest and CapabilityMissing with paths; notes in the call's trail what it drops."""
    generation = call.request.generation
    wire: Wire = {"model": call.target.model if call.target else call.request.model, "messages": Messages(call, provider).to_wire()}
    wire["stream"] = call.stream  # it streams unless told not to
    if call.request.HasField("generation"):
        _check(call, generation)
        wire.update(_tools(generation, provider))
        wire.update(_settings(call, generation))
    more = asked.options(generation.provider_options_json, provider, _PROTECTED, "generation.provider_options_json")
    return asked.merged(wire, more)


def _settings(call: Call, generation: pb.GenerationSettings) -> Wire:
    wire: Wire = {}
    options: Wire = {theirs: getattr(generation, ours) for ours, theirs in _OPTIONS.items() if generation.HasField(ours)}
    if generation.stop_sequences:
        options["stop"] = list(generation.stop_sequences)
    if options:
        wire["options"] = options
    if generation.HasField("reasoning"):
        wire.update(_reasoning(call, generation.reasoning))
    if generation.logprobs or generation.HasField("top_logprobs"):
        wire["logprobs"] = True
    if generation.HasField("top_logprobs"):
        wire["top_logprobs"] = generation.top_logprobs
    wire.update(_format(generation.response_format))
    return wire


def _reasoning(call: Call, reasoning: pb.ReasoningSettings) -> Wire:
    if reasoning.HasField("budget_tokens"):
        asked.setting_dropped(call, "generation.reasoning.budget_tokens", "this provider takes effort only")
    if reasoning.effort in _THINK:
        return {"think": _THINK[reasoning.effort]}
    return {"think": reasoning.include} if reasoning.HasField("include") else {}


def _format(shape: pb.ResponseFormat) -> Wire:
    path = "generation.response_format"
    match shape.WhichOneof("format"):
        case None | "text":
            return {}
        case "json_object":
            return {"format": "json"}
        case "json_schema":
            return {"format": asked.object_text(shape.json_schema.schema_json, f"{path}.json_schema.schema_json")}
        case kind:
            raise asked.missing(path, f"the response format {kind}", "use json_schema")


def _tools(generation: pb.GenerationSettings, provider: str) -> Wire:
    """The tools that may be called. There is no choice among them but to declare fewer."""
    choice = generation.tool_choice
    asked.check_choice(generation)
    if choice.mode in (pb.ToolChoice.MODE_REQUIRED, pb.ToolChoice.MODE_FUNCTION):
        raise asked.missing("generation.tool_choice", "a way to force a tool call", "leave the choice to the model")
    if choice.mode == pb.ToolChoice.MODE_NONE:
        return {}
    tools = [
        _tool(tool, provider, f"generation.tools[{position}]")
        for position, tool in enumerate(generation.tools)
        if not choice.allowed_names or tool.function.name in choice.allowed_names
    ]
    return {"tools": tools} if tools else {}


def _tool(tool: pb.Tool, provider: str, path: str) -> object:
    if tool.HasField("provider_tool"):
        return asked.provider_tool(tool.provider_tool, provider, f"{path}.provider_tool")
    function = tool.function
    asked.check_name(function.name, f"{path}.function.name")
    wire: Wire = {"name": function.name}
    if function.description:
        wire["description"] = function.description
    if function.parameters_json:
        wire["parameters"] = asked.object_text(function.parameters_json, f"{path}.function.parameters_json")
    return {"type": "function", "function": wire}


def _check(call: Call, generation: pb.GenerationSettings) -> None:
    """Raises CapabilityMissing for what there is no way to ask for; notes the knobs that do not exist."""
    if generation.candidate_count > 1:
        raise asked.missing("generation.candidate_count", "several candidates", "ask several times")
    if any(modality != pb.MODALITY_TEXT for modality in generation.output_modalities):
        raise asked.missing("generation.output_modalities", "answers other than text", "ask for text")
    if generation.logit_bias:
        asked.setting_dropped(call, "generation.logit_bias", "this provider has no such setting")
    if generation.HasField("parallel_tool_calls") and not generation.parallel_tool_calls:
        asked.setting_dropped(call, "generation.parallel_tool_calls", "the model decides how many tools it calls at once")
