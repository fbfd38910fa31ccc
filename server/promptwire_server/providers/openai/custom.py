"""Custom tools: the model calls them with free text instead of JSON. The contract has JSON, so the text stands in an object.

The arguments of such a call are `{"input": "…"}`: valid for every vendor that the conversation may go to later, and turned back into
the text for OpenAI.
"""

from promptwire import v1 as pb
from promptwire_server.providers.json_value import dumped, object_in, parsed_object, text_in

OPENING = '{"input":"'
CLOSING = '"}'


def escaped(piece: str) -> str:
    """A piece of the text as it stands between OPENING and CLOSING."""
    return dumped(piece)[1:-1]


def input_of(arguments_json: str) -> str:
    """The text of a call's arguments; the arguments themselves where they are no such object."""
    value = (parsed_object(arguments_json) or {}).get("input")
    return value if isinstance(value, str) else arguments_json


def names_of(generation: pb.GenerationSettings, provider: str) -> frozenset[str]:
    """The custom tools that a request declares, in the words of either API."""
    declared = (tool.provider_tool for tool in generation.tools if tool.HasField("provider_tool"))
    tools = (parsed_object(tool.json) or {} for tool in declared if tool.provider == provider)
    customs = (object_in(tool.get("custom")) or tool for tool in tools if tool.get("type") == "custom")
    return frozenset(name for tool in customs if (name := text_in(tool.get("name"))))
