"""What people write in place of messages -> messages: texts, dicts and words where the contract has types."""

import json
from collections.abc import Iterable, Mapping

from google.protobuf.internal.enum_type_wrapper import EnumTypeWrapper

from promptwire import v1 as pb

MessageLike = pb.ChatMessage | str | Mapping[str, object]
ToolLike = pb.Tool | pb.FunctionTool | Mapping[str, object]
FormatLike = pb.ResponseFormat | str | Mapping[str, object]


def message(value: MessageLike) -> pb.ChatMessage:
    """A message from a text, or a dict with `role` and `content` (or `text`): a text, or a list of texts and parts. Raises TypeError."""
    if isinstance(value, pb.ChatMessage):
        return value
    if isinstance(value, str):
        return pb.ChatMessage(role=pb.ROLE_USER, parts=[pb.ContentPart(text=value)])
    unknown = sorted(set(value) - {"role", "content", "text", "name"})
    if unknown:
        raise TypeError(f"a message has no {', '.join(unknown)}; write role, content and name, or a promptwire.v1.ChatMessage")
    role = enum(pb.Role, "ROLE_", value.get("role", "user"))
    return pb.ChatMessage(role=role, parts=_parts(value.get("content", value.get("text"))), name=str(value.get("name", "")))


def tool(value: ToolLike) -> pb.Tool:
    """A tool from a message, or a dict with `name`, `description` and `parameters` (a JSON Schema), alone or as OpenAI nests it."""
    if isinstance(value, pb.Tool):
        return value
    if isinstance(value, pb.FunctionTool):
        return pb.Tool(function=value)
    inner = value.get("function")
    function = inner if isinstance(inner, Mapping) else value
    unknown = sorted(set(function) - {"name", "description", "parameters", "strict", "type"})
    if unknown:
        raise TypeError(f"a tool has no {', '.join(unknown)}; write name, description, parameters and strict, or a promptwire.v1.Tool")
    return pb.Tool(function=_function(function))


def response_format(value: FormatLike) -> pb.ResponseFormat:
    """A format from a message, "text", "json", or a dict: a JSON Schema, or one as OpenAI wraps it."""
    if isinstance(value, pb.ResponseFormat):
        return value
    kind = value if isinstance(value, str) else value.get("type")
    if kind == "text":
        return pb.ResponseFormat(text=pb.TextFormat())
    if kind in {"json", "json_object"}:
        return pb.ResponseFormat(json_object=pb.JsonObjectFormat())
    if isinstance(value, str):
        raise TypeError(f'response_format {value!r} is unknown; write "text", "json" or a JSON Schema as a dict')
    wrapped = value.get("json_schema") if kind == "json_schema" else {"schema": value}
    if not isinstance(wrapped, Mapping) or not isinstance(wrapped.get("schema"), Mapping):
        raise TypeError("response_format of type json_schema needs json_schema: {name, schema}")
    return pb.ResponseFormat(json_schema=_schema(wrapped))


def enum(of: EnumTypeWrapper, prefix: str, value: object) -> str:
    """The name of an enum's value from its number or its name, with or without prefix, in any case. Raises TypeError."""
    names = of.keys()
    name = of.Name(value) if isinstance(value, int) and value in of.values() else str(value).upper().replace("-", "_")
    for candidate in (name, prefix + name):
        if candidate in names:
            return candidate
    known = [each.removeprefix(prefix).lower() for each in names[1:]]
    raise TypeError(f"{value!r} is unknown; write one of {', '.join(known)}")


def reasoning(value: object) -> pb.ReasoningSettings:
    """Settings from a message or a word: "low"."""
    if isinstance(value, pb.ReasoningSettings):
        return value
    return pb.ReasoningSettings(effort=enum(pb.ReasoningSettings.Effort, "EFFORT_", value))


def tool_choice(value: object) -> pb.ToolChoice:
    """A choice from a message or a word: "auto", "none", "required", else the name of the one function to call."""
    if isinstance(value, pb.ToolChoice):
        return value
    modes = {"auto": pb.ToolChoice.MODE_AUTO, "none": pb.ToolChoice.MODE_NONE, "required": pb.ToolChoice.MODE_REQUIRED}
    mode = modes.get(str(value))
    return pb.ToolChoice(mode=mode) if mode else pb.ToolChoice(mode=pb.ToolChoice.MODE_FUNCTION, name=str(value))


def cache(value: object) -> pb.CacheSettings:
    """Settings from a message or a word: "bypass"."""
    if isinstance(value, pb.CacheSettings):
        return value
    return pb.CacheSettings(mode=enum(pb.CacheSettings.Mode, "MODE_", value))


def json_text(value: object) -> str:
    """JSON text; a text is JSON already."""
    return value if isinstance(value, str) else json.dumps(value, ensure_ascii=False, separators=(",", ":"))


def _parts(content: object) -> list[pb.ContentPart]:
    if content is None:
        return []
    if isinstance(content, str):
        return [pb.ContentPart(text=content)]
    if not isinstance(content, Iterable):
        raise TypeError(f"content is a text or a list of texts and parts, not {type(content).__name__}")
    return [_part(each) for each in content]


def _part(value: object) -> pb.ContentPart:
    if isinstance(value, pb.ContentPart):
        return value
    if isinstance(value, str):
        return pb.ContentPart(text=value)
    raise TypeError(f"a part is a text or a promptwire.v1.ContentPart, not {type(value).__name__}")


def _function(value: Mapping[str, object]) -> pb.FunctionTool:
    function = pb.FunctionTool(name=str(value.get("name", "")), description=str(value.get("description", "")))
    if value.get("parameters") is not None:
        function.parameters_json = json_text(value["parameters"])
    if value.get("strict") is not None:
        function.strict = bool(value["strict"])
    return function


def _schema(value: Mapping[str, object]) -> pb.JsonSchemaFormat:
    schema = pb.JsonSchemaFormat(name=str(value.get("name", "")), description=str(value.get("description", "")))
    schema.schema_json = json_text(value["schema"])
    if value.get("strict") is not None:
        schema.strict = bool(value["strict"])
    return schema
