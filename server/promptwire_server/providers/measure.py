"""Measure: a prompt as OpenAI's models read it: the texts that are to be counted, and what stands around them.

How near it is: text messages to gpt-4o, gpt-4.1, gpt-4 and gpt-3.5 are exact. Everything else is called an estimate: reasoning models get
lines that nobody outside knows; tools come within a few tokens for flat parameters; tool calls and schemas within about a tenth; images by
the published formulas; sound, documents and video are left out.
"""

from collections.abc import Iterator
from dataclasses import dataclass, field
from typing import Final

from promptwire import v1 as pb
from promptwire_server.core.answer import text_of
from promptwire_server.providers.families import Family
from promptwire_server.providers.image_tokens import image_tokens
from promptwire_server.providers.json_value import Json, list_in, object_in, parsed_object, text_in
from promptwire_server.providers.prompt import messages_of

_MESSAGE: Final = 4  # around every message; its role, which is one token, among them
_NAME: Final = 1  # around the name of a participant
_ANSWER: Final = 3  # with which the answer begins
_TOOLS: Final = 12  # around all tools
_PROPERTIES: Final = 3  # around the parameters of one
_PROPERTY: Final = 3  # around each
_ENUM: Final = -3  # around a list of values, and
_VALUE: Final = 3  # around each
_CALL: Final = 7  # around a tool call
_SCHEMA: Final = 10  # around the schema of the answer
_DEEPEST = 16  # levels of a schema that are looked at


@dataclass(slots=True)
class Measure:
    """What there is to count. Grows while a prompt is measured."""

    family: Family
    texts: list[str] = field(default_factory=list)
    tokens: int = 0  # besides the texts
    exact: bool = True

    def add(self, *texts: str, around: int = 0) -> None:
        """Texts, and tokens around them."""
        self.texts += [text for text in texts if text]
        self.tokens += around


def measured(request: pb.ChatRequest, family: Family) -> Measure:
    """The whole prompt."""
    found = Measure(family, tokens=_ANSWER, exact=family.exact)
    for message in messages_of(request):
        _add_message(message, found)
    generation = request.generation
    if generation.tools:
        found.exact = False
        found.tokens += _TOOLS
        for tool in generation.tools:
            _add_tool(tool, found)
    schema = generation.response_format.json_schema
    if schema.schema_json:
        found.exact = False
        found.add(schema.name, schema.description, schema.schema_json, around=_SCHEMA)
    return found


def _add_message(message: pb.ChatMessage, found: Measure) -> None:
    found.tokens += _MESSAGE
    if message.name:
        found.add(message.name, around=_NAME)
    if len(message.parts) > 1:
        found.exact = False  # whether words are joined across parts is not published
    for part in message.parts:
        _add_part(part, found)


def _add_part(part: pb.ContentPart, found: Measure) -> None:
    match part.WhichOneof("content"):
        case "text":
            found.add(part.text)
        case "refusal":
            found.add(part.refusal.text)
        case "media":
            _add_media(part.media, found)
        case "tool_call":
            found.exact = False
            found.add(part.tool_call.name, part.tool_call.arguments_json, around=_CALL)
        case "tool_result":
            found.exact = False
            found.add(text_of(pb.ChatMessage(parts=part.tool_result.parts)))
            for inner in part.tool_result.parts:
                if inner.HasField("media"):
                    _add_media(inner.media, found)
        case "provider_part":
            found.exact = False
            found.add(part.provider_part.json)
        case "reasoning" | None:
            pass  # chat completions does not take earlier thoughts back


def _add_media(media: pb.MediaPart, found: Measure) -> None:
    found.exact = False
    if found.family.image is not None and (media.mime_type.startswith("image/") or not media.mime_type):
        found.tokens += image_tokens(media, found.family.image)


def _add_tool(tool: pb.Tool, found: Measure) -> None:
    if tool.HasField("provider_tool"):
        found.add(tool.provider_tool.json)
        return
    function = tool.function
    found.add(f"{function.name}:{function.description.removesuffix('.')}", around=found.family.tool)
    for text, around in _parameters(parsed_object(function.parameters_json) or {}, _DEEPEST):
        found.add(text, around=around)


def _parameters(schema: Json, deepest: int) -> Iterator[tuple[str, int]]:
    """Texts of the properties of a schema, those of objects within too, and the tokens around each."""
    properties = object_in(object_in(schema).get("properties"))
    if not properties or not deepest:
        return
    yield "", _PROPERTIES
    for name, value in properties.items():
        inner = object_in(value)
        values = list_in(inner.get("enum"))
        if values:
            yield "", _ENUM
            yield from ((str(one), _VALUE) for one in values)
        yield f"{name}:{text_in(inner.get('type'))}:{text_in(inner.get('description')).removesuffix('.')}", _PROPERTY
        yield from _parameters(inner, deepest - 1)
        yield from _parameters(inner.get("items"), deepest - 1)
