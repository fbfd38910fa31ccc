"""What can be asked of chat completions: tools, and the turns that follow their calls."""

from openai.types.chat import (
    ChatCompletionAssistantMessageParam,
    ChatCompletionCustomToolParam,
    ChatCompletionMessageFunctionToolCallParam,
)

from promptwire import v1 as pb
from tests.faults.chat_intents import HI
from tests.faults.intents import (
    LOOK_UP,
    MODEL,
    OTHER,
    TOOLS,
    Intent,
    called,
    media,
    question,
    result,
    said,
    text,
    vendor_tool,
    with_state,
)

Choice = pb.ToolChoice
GREP: ChatCompletionCustomToolParam = {"type": "custom", "custom": {"name": "grep", "format": {"type": "text"}}}
GREP_JSON = '{"type":"custom","custom":{"name":"grep","format":{"type":"text"}}}'


def call(call_id: str) -> ChatCompletionMessageFunctionToolCallParam:
    return {"id": call_id, "type": "function", "function": {"name": "look_up", "arguments": '{"word":"a"}'}}


def calls(*ids: str, content: str | None = None) -> ChatCompletionAssistantMessageParam:
    return {"role": "assistant", "content": content, "tool_calls": [call(call_id) for call_id in ids]}


TOOL_USE = [
    Intent(
        "tools",
        question(tools=TOOLS),
        lambda sdk: sdk.chat.completions.create(model=MODEL, messages=[HI], tools=[LOOK_UP, OTHER]),
    ),
    Intent(
        "a tool without arguments",
        question(tools=[pb.Tool(function=pb.FunctionTool(name="now"))]),
        lambda sdk: sdk.chat.completions.create(model=MODEL, messages=[HI], tools=[{"type": "function", "function": {"name": "now"}}]),
    ),
    Intent(
        "tools, called one at a time",
        question(tools=TOOLS, tool_choice=Choice(mode=Choice.MODE_REQUIRED), parallel_tool_calls=False),
        lambda sdk: sdk.chat.completions.create(
            model=MODEL, messages=[HI], tools=[LOOK_UP, OTHER], tool_choice="required", parallel_tool_calls=False
        ),
    ),
    Intent(
        "tools, as the model likes",
        question(tools=TOOLS, tool_choice=Choice(mode=Choice.MODE_AUTO), parallel_tool_calls=True),
        lambda sdk: sdk.chat.completions.create(
            model=MODEL, messages=[HI], tools=[LOOK_UP, OTHER], tool_choice="auto", parallel_tool_calls=True
        ),
    ),
    Intent(
        "tools that must not be called",
        question(tools=TOOLS, tool_choice=Choice(mode=Choice.MODE_NONE)),
        lambda sdk: sdk.chat.completions.create(model=MODEL, messages=[HI], tools=[LOOK_UP, OTHER], tool_choice="none"),
    ),
    Intent(
        "one tool that must be called",
        question(tools=TOOLS, tool_choice=Choice(mode=Choice.MODE_FUNCTION, name="look_up")),
        lambda sdk: sdk.chat.completions.create(
            model=MODEL,
            messages=[HI],
            tools=[LOOK_UP, OTHER],
            tool_choice={"type": "function", "function": {"name": "look_up"}},
        ),
    ),
    Intent(
        "some tools that may be called",
        question(tools=TOOLS, tool_choice=Choice(mode=Choice.MODE_AUTO, allowed_names=["look_up"])),
        lambda sdk: sdk.chat.completions.create(
            model=MODEL,
            messages=[HI],
            tools=[LOOK_UP, OTHER],
            tool_choice={
                "type": "allowed_tools",
                "allowed_tools": {"mode": "auto", "tools": [{"type": "function", "function": {"name": "look_up"}}]},
            },
        ),
    ),
    Intent(
        "some tools of which one must be called",
        question(tools=TOOLS, tool_choice=Choice(mode=Choice.MODE_REQUIRED, allowed_names=["other"])),
        lambda sdk: sdk.chat.completions.create(
            model=MODEL,
            messages=[HI],
            tools=[LOOK_UP, OTHER],
            tool_choice={
                "type": "allowed_tools",
                "allowed_tools": {"mode": "required", "tools": [{"type": "function", "function": {"name": "other"}}]},
            },
        ),
    ),
    Intent(
        "a tool that is called with text",
        question(tools=[vendor_tool(GREP_JSON)]),
        lambda sdk: sdk.chat.completions.create(model=MODEL, messages=[HI], tools=[GREP]),
    ),
    Intent(
        "what a tool answered",
        said((pb.ROLE_USER, [text("hi")]), (pb.ROLE_ASSISTANT, [called("c1")]), (pb.ROLE_TOOL, [result("c1", text("a letter"))])),
        lambda sdk: sdk.chat.completions.create(
            model=MODEL, messages=[HI, calls("c1"), {"role": "tool", "tool_call_id": "c1", "content": "a letter"}]
        ),
    ),
    Intent(
        "what tools answered that were called at once",
        said(
            (pb.ROLE_USER, [text("hi")]),
            (pb.ROLE_ASSISTANT, [text("let me see"), called("c1"), called("c2")]),
            (pb.ROLE_TOOL, [result("c1", text("a letter")), result("c2", text("another"))]),
        ),
        lambda sdk: sdk.chat.completions.create(
            model=MODEL,
            messages=[
                HI,
                calls("c1", "c2", content="let me see"),
                {"role": "tool", "tool_call_id": "c1", "content": "a letter"},
                {"role": "tool", "tool_call_id": "c2", "content": "another"},
            ],
        ),
    ),
    Intent(
        "a tool that failed",
        said(
            (pb.ROLE_USER, [text("hi")]),
            (pb.ROLE_ASSISTANT, [called("c1")]),
            (pb.ROLE_TOOL, [result("c1", text("no such word"), is_error=True)]),
        ),
        lambda sdk: sdk.chat.completions.create(
            model=MODEL, messages=[HI, calls("c1"), {"role": "tool", "tool_call_id": "c1", "content": "Error: no such word"}]
        ),
    ),
    Intent(
        "what a tool answered that was called with text",
        said(
            (pb.ROLE_USER, [text("hi")]),
            (pb.ROLE_ASSISTANT, [called("c1", '{"input":"a|\\"b\\""}', name="grep", state=b'{"custom":true}')]),
            (pb.ROLE_TOOL, [result("c1", text("nothing"))]),
            generation=pb.GenerationSettings(tools=[vendor_tool(GREP_JSON)]),
        ),
        lambda sdk: sdk.chat.completions.create(
            model=MODEL,
            messages=[
                HI,
                {
                    "role": "assistant",
                    "content": None,
                    "tool_calls": [{"id": "c1", "type": "custom", "custom": {"name": "grep", "input": 'a|"b"'}}],
                },
                {"role": "tool", "tool_call_id": "c1", "content": "nothing"},
            ],
            tools=[GREP],
        ),
    ),
    Intent(
        "a refusal of an earlier turn",
        said(
            (pb.ROLE_USER, [text("hi")]),
            (pb.ROLE_ASSISTANT, [pb.ContentPart(refusal=pb.RefusalPart(text="I would not."))]),
            (pb.ROLE_USER, [text("please")]),
        ),
        lambda sdk: sdk.chat.completions.create(
            model=MODEL,
            messages=[HI, {"role": "assistant", "content": None, "refusal": "I would not."}, {"role": "user", "content": "please"}],
        ),
    ),
    Intent(
        "a spoken answer of an earlier turn",
        said(
            (pb.ROLE_USER, [text("hi")]),
            (pb.ROLE_ASSISTANT, [with_state(media(mime_type="audio/wav", data=b"RIFF"), b'{"audio":{"id":"audio_1"}}')]),
            (pb.ROLE_USER, [text("again")]),
        ),
        lambda sdk: sdk.chat.completions.create(
            model=MODEL,
            messages=[HI, {"role": "assistant", "content": None, "audio": {"id": "audio_1"}}, {"role": "user", "content": "again"}],
        ),
    ),
]
