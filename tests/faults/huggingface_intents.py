"""What can be asked of Hugging Face's router and of TGI, in our words and as arguments of the official SDK's chat_completion."""

from base64 import b64encode
from collections.abc import Mapping
from dataclasses import dataclass, field
from typing import Any

from promptwire import v1 as pb
from tests.faults.huggingface_sdk import SERVERS

Generation = pb.GenerationSettings
Sdk = Mapping[str, Any]
Choice = pb.ToolChoice
Effort = pb.ReasoningSettings
PNG = b"\x89PNG\r\n"
LINK = f"data:image/png;base64,{b64encode(PNG).decode()}"
HI: list[dict[str, Any]] = [{"role": "user", "content": "hi"}]
NICE = {"role": "system", "content": "be nice"}
SCHEMA = '{"type":"object","properties":{"city":{"type":"string"}},"required":["city"],"additionalProperties":false}'
SCHEMA_OBJECT = {"type": "object", "properties": {"city": {"type": "string"}}, "required": ["city"], "additionalProperties": False}
PARAMETERS = '{"type":"object","required":["word"],"properties":{"word":{"type":"string","description":"which"}}}'
LOOK_UP: dict[str, Any] = {
    "type": "function",
    "function": {
        "name": "look_up",
        "description": "Look a word up.",
        "parameters": {"type": "object", "required": ["word"], "properties": {"word": {"type": "string", "description": "which"}}},
    },
}
OTHER: dict[str, Any] = {"type": "function", "function": {"name": "other", "parameters": {"type": "object", "properties": {}}}}
OUR_LOOK_UP = pb.Tool(function=pb.FunctionTool(name="look_up", description="Look a word up.", parameters_json=PARAMETERS))
OUR_OTHER = pb.Tool(function=pb.FunctionTool(name="other", parameters_json='{"type":"object","properties":{}}'))
OUR_TOOLS = [OUR_LOOK_UP, OUR_OTHER]
HASHED = "hashed: who it is does not leave the house"


@dataclass(frozen=True)
class Intent:
    """One thing to ask."""

    name: str
    ours: pb.ChatRequest
    sdk: Sdk
    stream: bool = False
    servers: tuple[str, ...] = SERVERS  # that have words for it
    differences: dict[str, str] = field(default_factory=dict)  # fields in which the two may differ, each with the reason


def text(value: str) -> pb.ContentPart:
    return pb.ContentPart(text=value)


def said(*messages: tuple["pb.Role", list[pb.ContentPart]], **more: Any) -> pb.ChatRequest:
    return pb.ChatRequest(messages=[pb.ChatMessage(role=role, parts=parts) for role, parts in messages], **more)


def setting(name: str, ours: Generation, servers: tuple[str, ...] = SERVERS, **theirs: Any) -> Intent:
    return Intent(name, pb.ChatRequest(prompt="hi", generation=ours), {"messages": HI, **theirs}, servers=servers)


def shape(name: str, ours: pb.ResponseFormat, theirs: dict[str, Any], *servers: str) -> Intent:
    return setting(name, Generation(response_format=ours), servers or SERVERS, response_format=theirs)


def user(*parts: dict[str, Any]) -> list[dict[str, Any]]:
    return [{"role": "user", "content": list(parts)}]


def words(value: str) -> dict[str, Any]:
    return {"type": "text", "text": value}


def picture(url: str = LINK) -> dict[str, Any]:
    return {"type": "image_url", "image_url": {"url": url}}


def image() -> pb.ContentPart:
    return pb.ContentPart(media=pb.MediaPart(mime_type="image/png", data=PNG))


def called(call_id: str) -> pb.ContentPart:
    return pb.ContentPart(tool_call=pb.ToolCallPart(tool_call_id=call_id, name="look_up", arguments_json='{"word":"a"}'))


def result(call_id: str, value: str, *, failed: bool = False) -> pb.ContentPart:
    return pb.ContentPart(tool_result=pb.ToolResultPart(tool_call_id=call_id, name="look_up", parts=[text(value)], is_error=failed))


def calls(*ids: str, content: str | None = None) -> dict[str, Any]:
    function = {"name": "look_up", "arguments": '{"word":"a"}'}
    return {"role": "assistant", "content": content, "tool_calls": [{"id": one, "type": "function", "function": function} for one in ids]}


def told(call_id: str, value: str) -> dict[str, Any]:
    return {"role": "tool", "tool_call_id": call_id, "content": value}


CONTENTS = [
    Intent("a question", pb.ChatRequest(prompt="hi"), {"messages": HI}),
    Intent(
        "a stream with its usage",
        pb.ChatRequest(prompt="hi"),
        {"messages": HI, "stream": True, "stream_options": {"include_usage": True}},
        stream=True,
    ),
    Intent("a question under instructions", pb.ChatRequest(system="be nice", prompt="hi"), {"messages": [NICE, *HI]}),
    Intent(
        "instructions as a message",
        said((pb.ROLE_SYSTEM, [text("be nice")]), (pb.ROLE_USER, [text("hi")])),
        {"messages": [NICE, *HI]},
    ),
    Intent(
        "a developer's instructions, which are the system's here",
        said((pb.ROLE_DEVELOPER, [text("be nice")]), (pb.ROLE_USER, [text("hi")])),
        {"messages": [NICE, *HI]},
    ),
    Intent(
        "a conversation",
        said((pb.ROLE_USER, [text("hi")]), (pb.ROLE_ASSISTANT, [text("hello")]), (pb.ROLE_USER, [text("more")])),
        {"messages": [*HI, {"role": "assistant", "content": "hello"}, {"role": "user", "content": "more"}]},
    ),
    Intent(
        "a conversation, and the question that goes on with it",
        said((pb.ROLE_USER, [text("hi")]), (pb.ROLE_ASSISTANT, [text("hello")]), prompt="more"),
        {"messages": [*HI, {"role": "assistant", "content": "hello"}, {"role": "user", "content": "more"}]},
    ),
    Intent("no role is the user's", said((pb.ROLE_UNSPECIFIED, [text("hi")])), {"messages": HI}),
    Intent(
        "somebody with a name",
        pb.ChatRequest(messages=[pb.ChatMessage(parts=[text("hi")], name="ann")]),
        {"messages": [{"role": "user", "name": "ann", "content": "hi"}]},
    ),
    Intent("several texts in one message", said((pb.ROLE_USER, [text("a"), text("b")])), {"messages": user(words("a"), words("b"))}),
    Intent("unicode", pb.ChatRequest(prompt="grüß 🎉 \u2028"), {"messages": [{"role": "user", "content": "grüß 🎉 \u2028"}]}),
    Intent("an image", said((pb.ROLE_USER, [text("what?"), image()])), {"messages": user(words("what?"), picture())}),
    Intent(
        "an image by link",
        said((pb.ROLE_USER, [pb.ContentPart(media=pb.MediaPart(mime_type="image/png", uri="https://example.com/a.png"))])),
        {"messages": user(picture("https://example.com/a.png"))},
    ),
    Intent(
        "two images", said((pb.ROLE_USER, [text("compare"), image(), image()])), {"messages": user(words("compare"), picture(), picture())}
    ),
    Intent(
        "an end user",
        pb.ChatRequest(prompt="hi", end_user_id="ann@example.com"),
        {"messages": HI, "extra_body": {"user": "ann@example.com"}},
        servers=("router",),
        differences={"user": HASHED},
    ),
]
SETTINGS = [
    setting("temperature", Generation(temperature=0.5), temperature=0.5),
    setting("no chance at all", Generation(temperature=0), temperature=0),
    setting("a part of what is likely", Generation(top_p=0.9), top_p=0.9),
    setting("only the likeliest", Generation(top_k=40), ("router",), extra_body={"top_k": 40}),
    setting("a short answer", Generation(max_output_tokens=50), max_tokens=50),
    setting("a seed", Generation(seed=7), seed=7),
    setting("a large seed", Generation(seed=2**53 + 1), seed=2**53 + 1),
    setting("presence penalty", Generation(presence_penalty=0.5), presence_penalty=0.5),
    setting("frequency penalty", Generation(frequency_penalty=-0.5), frequency_penalty=-0.5),
    setting("a text at which to stop", Generation(stop_sequences=["END"]), stop=["END"]),
    setting("texts at which to stop", Generation(stop_sequences=["a", "b"]), stop=["a", "b"]),
    setting("several settings", Generation(temperature=1, seed=1, top_p=0.5), temperature=1, seed=1, top_p=0.5),
    setting("several answers", Generation(candidate_count=2), ("router",), n=2),
    setting("how likely each token is", Generation(logprobs=True), logprobs=True),
    setting("how likely others were", Generation(top_logprobs=3), logprobs=True, top_logprobs=3),
    setting("a bias", Generation(logit_bias={"5": 1.0}), ("router",), logit_bias={"5": 1.0}),
    setting("some thinking", Generation(reasoning=Effort(effort=Effort.EFFORT_LOW)), extra_body={"reasoning_effort": "low"}),
    setting(
        "settings of the vendor's own",
        Generation(provider_options_json={"huggingface": '{"repetition_penalty":1.1}', "tgi": '{"repetition_penalty":1.1}'}),
        extra_body={"repetition_penalty": 1.1},
    ),
]
SHAPES = [
    setting("free text", Generation(response_format=pb.ResponseFormat(text=pb.TextFormat()))),
    shape(
        "an answer of a certain shape",
        pb.ResponseFormat(json_schema=pb.JsonSchemaFormat(name="weather", schema_json=SCHEMA)),
        {"type": "json_schema", "json_schema": {"name": "weather", "schema": SCHEMA_OBJECT, "strict": True}},
    ),
    shape(
        "a shape to try for",
        pb.ResponseFormat(json_schema=pb.JsonSchemaFormat(schema_json=SCHEMA, description="the weather", strict=False)),
        {
            "type": "json_schema",
            "json_schema": {"name": "response", "schema": SCHEMA_OBJECT, "description": "the weather", "strict": False},
        },
    ),
    shape("any JSON object", pb.ResponseFormat(json_object=pb.JsonObjectFormat()), {"type": "json_object"}, "router"),
    shape(
        "any JSON object of TGI's",
        pb.ResponseFormat(json_object=pb.JsonObjectFormat()),
        {"type": "json_object", "value": {"type": "object"}},
        "tgi",
    ),
    shape("an expression", pb.ResponseFormat(regex=pb.RegexFormat(pattern="[a-c]+")), {"type": "regex", "value": "[a-c]+"}, "tgi"),
    shape(
        "a choice of texts",
        pb.ResponseFormat(choices=pb.ChoicesFormat(choices=["yes", "no"])),
        {"type": "regex", "value": "(yes)|(no)"},
        "tgi",
    ),
]
TOOL_USE = [
    setting("a tool", Generation(tools=[OUR_LOOK_UP]), tools=[LOOK_UP]),
    setting("tools", Generation(tools=OUR_TOOLS), tools=[LOOK_UP, OTHER]),
    setting("a tool without arguments", Generation(tools=[pb.Tool(function=pb.FunctionTool(name="other"))]), tools=[OTHER]),
    setting(
        "tools, as the model likes",
        Generation(tools=OUR_TOOLS, tool_choice=Choice(mode=Choice.MODE_AUTO)),
        tools=[LOOK_UP, OTHER],
        tool_choice="auto",
    ),
    setting(
        "tools that must not be called",
        Generation(tools=OUR_TOOLS, tool_choice=Choice(mode=Choice.MODE_NONE)),
        tools=[LOOK_UP, OTHER],
        tool_choice="none",
    ),
    setting(
        "tools of which one must be called",
        Generation(tools=OUR_TOOLS, tool_choice=Choice(mode=Choice.MODE_REQUIRED)),
        tools=[LOOK_UP, OTHER],
        tool_choice="required",
    ),
    setting(
        "one tool that must be called",
        Generation(tools=OUR_TOOLS, tool_choice=Choice(mode=Choice.MODE_FUNCTION, name="look_up")),
        tools=[LOOK_UP, OTHER],
        tool_choice={"type": "function", "function": {"name": "look_up"}},
    ),
    setting(
        "some tools that may be called: no others are told of",
        Generation(tools=OUR_TOOLS, tool_choice=Choice(allowed_names=["other"])),
        tools=[OTHER],
    ),
    setting(
        "tools, called one at a time",
        Generation(tools=[OUR_LOOK_UP], parallel_tool_calls=False),
        tools=[LOOK_UP],
        extra_body={"parallel_tool_calls": False},
    ),
    Intent(
        "what a tool answered",
        said((pb.ROLE_USER, [text("hi")]), (pb.ROLE_ASSISTANT, [called("c1")]), (pb.ROLE_TOOL, [result("c1", "a letter")])),
        {"messages": [*HI, calls("c1"), told("c1", "a letter")]},
    ),
    Intent(
        "what tools answered that were called at once",
        said(
            (pb.ROLE_USER, [text("hi")]),
            (pb.ROLE_ASSISTANT, [text("let me see"), called("c1"), called("c2")]),
            (pb.ROLE_TOOL, [result("c1", "a letter"), result("c2", "another")]),
        ),
        {"messages": [*HI, calls("c1", "c2", content="let me see"), told("c1", "a letter"), told("c2", "another")]},
    ),
    Intent(
        "a tool that failed",
        said((pb.ROLE_USER, [text("hi")]), (pb.ROLE_ASSISTANT, [called("c1")]), (pb.ROLE_TOOL, [result("c1", "gone", failed=True)])),
        {"messages": [*HI, calls("c1"), told("c1", "Error: gone")]},
    ),
]
INTENTS = [*CONTENTS, *SETTINGS, *SHAPES, *TOOL_USE]
