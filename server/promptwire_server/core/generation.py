"""Checks of generation settings: the ranges that the contract documents, for chats and for chain steps alike."""

import re
from collections.abc import Iterable, Mapping

from promptwire import v1 as pb
from promptwire_server.core.errors import Violation
from promptwire_server.core.fields import (
    Check,
    Found,
    above,
    all_of,
    at_least,
    at_most,
    between,
    check_fields,
    each,
    json_object,
    known,
    not_empty,
)

_NAME = re.compile(r"[A-Za-z0-9_-]{1,64}")
_MAX_STOP_SEQUENCES = 16
_MAX_BIAS = 100.0
_TOKEN_IDS = re.compile(r"[0-9]{1,10}")
_MIN_CHOICES = 2


def check_generation(settings: pb.GenerationSettings, path: str = "generation") -> list[Violation]:
    """Everything wrong with the settings; `path` is where they stand in the request."""
    found: Found = []
    check_fields(settings, _GENERATION, f"{path}.", found)
    _check_tool_choice(settings, path, found)
    return found


def _name(value: str, path: str, found: Found) -> None:
    if not _NAME.fullmatch(value):
        found.append(Violation(path, "a name has 1 to 64 letters, digits, _ or -"))


def _logit_bias(value: Mapping[str, float], path: str, found: Found) -> None:
    for token, bias in value.items():
        if not _TOKEN_IDS.fullmatch(token):
            found.append(Violation(path, 'its keys are token ids as text, e.g. "50256"'))
        elif not -_MAX_BIAS <= bias <= _MAX_BIAS:
            found.append(Violation(f"{path}.{token}", f"must be from {-_MAX_BIAS:g} to {_MAX_BIAS:g}"))


def _provider_options(value: Mapping[str, str], path: str, found: Found) -> None:
    for provider, text in value.items():
        json_object(text, f"{path}.{provider[:64]}", found)


def _reasoning(value: pb.ReasoningSettings, path: str, found: Found) -> None:
    check_fields(value, _REASONING, f"{path}.", found)


def _response_format(value: pb.ResponseFormat, path: str, found: Found) -> None:
    match value.WhichOneof("format"):
        case None:
            found.append(Violation(path, 'says no format; set one, e.g. {"json_object": {}}, or leave it out'))
        case "json_schema":
            json_object(value.json_schema.schema_json, f"{path}.json_schema.schema_json", found)
            if value.json_schema.name:
                _name(value.json_schema.name, f"{path}.json_schema.name", found)
        case "regex":
            not_empty(value.regex.pattern, f"{path}.regex.pattern", found)
        case "grammar":
            not_empty(value.grammar.grammar, f"{path}.grammar.grammar", found)
        case "choices":
            _choices(value.choices.choices, f"{path}.choices.choices", found)


def _choices(value: Iterable[str], path: str, found: Found) -> None:
    choices = list(value)
    if len(choices) < _MIN_CHOICES or len(set(choices)) < len(choices):
        found.append(Violation(path, "needs two or more different texts"))


def _tools(value: Iterable[pb.Tool], path: str, found: Found) -> None:
    seen: set[str] = set()
    for index, tool in enumerate(value):
        _tool(tool, f"{path}[{index}]", found)
        name = tool.function.name if tool.HasField("function") else ""
        if name and name in seen:
            found.append(Violation(f"{path}[{index}].function.name", "another tool has this name; names are unique"))
        seen.add(name)


def _tool(tool: pb.Tool, path: str, found: Found) -> None:
    match tool.WhichOneof("tool"):
        case "function":
            _name(tool.function.name, f"{path}.function.name", found)
            if tool.function.parameters_json:
                json_object(tool.function.parameters_json, f"{path}.function.parameters_json", found)
        case "provider_tool":
            not_empty(tool.provider_tool.provider, f"{path}.provider_tool.provider", found)
            json_object(tool.provider_tool.json, f"{path}.provider_tool.json", found)
        case None:
            found.append(Violation(path, "says no tool; set function or provider_tool"))


def _check_tool_choice(settings: pb.GenerationSettings, path: str, found: Found) -> None:
    """A choice must name tools that are declared."""
    if not settings.HasField("tool_choice"):
        return
    choice, path = settings.tool_choice, f"{path}.tool_choice"
    known_mode(choice.mode, f"{path}.mode", found)
    declared = {tool.function.name for tool in settings.tools if tool.HasField("function")}
    if choice.mode == pb.ToolChoice.MODE_FUNCTION and choice.name not in declared:
        found.append(Violation(f"{path}.name", "must be the name of a function in tools"))
    if choice.mode == pb.ToolChoice.MODE_REQUIRED and not settings.tools:
        found.append(Violation(f"{path}.mode", "requires a tool, and there are none in tools"))
    for index, name in enumerate(choice.allowed_names):
        if name not in declared:
            found.append(Violation(f"{path}.allowed_names[{index}]", "must be the name of a function in tools"))


known_mode = known(pb.ToolChoice.Mode.values())

_REASONING: dict[str, Check] = {
    "effort": known(pb.ReasoningSettings.Effort.values()),
    "budget_tokens": at_least(0),
}

_GENERATION: dict[str, Check] = {
    "temperature": between(0, 2),
    "top_p": above(0, 1),
    "top_k": at_least(1),
    "max_output_tokens": at_least(1),
    "presence_penalty": between(-2, 2),
    "frequency_penalty": between(-2, 2),
    "stop_sequences": all_of(at_most(_MAX_STOP_SEQUENCES), each(not_empty)),
    "candidate_count": between(1, 16),
    "top_logprobs": between(0, 20),
    "logit_bias": _logit_bias,
    "reasoning": _reasoning,
    "response_format": _response_format,
    "tools": _tools,
    "output_modalities": each(known(pb.Modality.values(), allow_zero=False)),
    "provider_options_json": _provider_options,
}
