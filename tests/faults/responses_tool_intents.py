"""What can be asked of the Responses API: tools, and the turns that follow their calls."""

from base64 import b64encode

import orjson
from openai.types.responses import (
    FunctionToolParam,
    ResponseFunctionToolCallParam,
    ResponseOutputMessageParam,
    ResponseReasoningItemParam,
    WebSearchToolParam,
)
from openai.types.responses.response_input_item_param import ImageGenerationCall

from promptwire import v1 as pb
from promptwire_server.providers.json_value import parsed_object
from promptwire_server.providers.openai import states
from tests.faults.fake_provider import seal
from tests.faults.fake_provider.responses_items import REASONING
from tests.faults.intents import (
    MODEL,
    PNG,
    TOOLS,
    Intent,
    LookUp,
    called,
    link,
    media,
    question,
    result,
    said,
    text,
    vendor_tool,
    with_state,
)
from tests.faults.responses_intents import HI

Choice = pb.ToolChoice
LOOK_UP: FunctionToolParam = {
    "type": "function",
    "name": "look_up",
    "description": "Look a word up.",
    "parameters": {**LookUp.model_json_schema(), "additionalProperties": False},
    "strict": True,
}
# Told to be lax, since that is what a function is in chat completions when nothing is said.
OTHER: FunctionToolParam = {"type": "function", "name": "other", "parameters": {"type": "object", "properties": {}}, "strict": False}
SEARCH: WebSearchToolParam = {"type": "web_search", "search_context_size": "low"}
CALL: ResponseFunctionToolCallParam = {
    "type": "function_call",
    "id": "fc_1",
    "status": "completed",
    "call_id": "c1",
    "name": "look_up",
    "arguments": '{"word":"a"}',
}
CALL_STATE = b'{"item":{"type":"function_call","id":"fc_1","status":"completed"}}'
MESSAGE: ResponseOutputMessageParam = {
    "type": "message",
    "id": "msg_1",
    "status": "completed",
    "role": "assistant",
    "phase": "final_answer",
    "content": [
        {
            "type": "output_text",
            "text": "hello",
            "annotations": [{"type": "url_citation", "title": "T", "url": "https://e.x", "start_index": 0, "end_index": 5}],
        }
    ],
}
MESSAGE_STATE = b'{"item":{"type":"message","id":"msg_1","status":"completed","role":"assistant","phase":"final_answer"}}'
SEALED = seal.wrapped(REASONING, "rs_1", "s")  # what the model thought, as only the vendor can read it
THOUGHT: ResponseReasoningItemParam = {
    "type": "reasoning",
    "id": "rs_1",
    "summary": [{"type": "summary_text", "text": "let me see"}],
    "encrypted_content": SEALED,
}
SEARCHED = '{"type":"web_search_call","id":"ws_1","status":"completed","action":{"type":"search","query":"a","queries":["a"]}}'
IMAGE: ImageGenerationCall = {
    "type": "image_generation_call",
    "id": "ig_1",
    "status": "completed",
    "result": b64encode(PNG).decode(),
}


def thought() -> pb.ContentPart:
    part = pb.ContentPart(reasoning=pb.ReasoningPart(text="let me see"))
    return with_state(part, states.of_item(parsed_object(orjson.dumps(THOUGHT)) or {}))


def searched() -> pb.ContentPart:
    return pb.ContentPart(provider_part=pb.ProviderPart(provider="openai", type="web_search_call", json=SEARCHED))


def replied(*parts: pb.ContentPart, then: str = "more") -> pb.ChatRequest:
    """A conversation in which the assistant said these parts."""
    return said((pb.ROLE_USER, [text("hi")]), (pb.ROLE_ASSISTANT, list(parts)), prompt=then)


def cited(part: pb.ContentPart) -> pb.ContentPart:
    part.citations.add(provider_json='{"type":"url_citation","title":"T","url":"https://e.x","start_index":0,"end_index":5}')
    return part


TOOL_USE = [
    Intent(
        "tools",
        question(tools=TOOLS),
        lambda sdk: sdk.responses.create(model=MODEL, input=[HI], tools=[LOOK_UP, OTHER], store=False),
    ),
    Intent(
        "a tool without arguments",
        question(tools=[pb.Tool(function=pb.FunctionTool(name="other"))]),
        lambda sdk: sdk.responses.create(model=MODEL, input=[HI], tools=[OTHER], store=False),
    ),
    Intent(
        "tools, called one at a time",
        question(tools=TOOLS, tool_choice=Choice(mode=Choice.MODE_REQUIRED), parallel_tool_calls=False),
        lambda sdk: sdk.responses.create(
            model=MODEL, input=[HI], tools=[LOOK_UP, OTHER], tool_choice="required", parallel_tool_calls=False, store=False
        ),
    ),
    Intent(
        "tools, as the model likes",
        question(tools=TOOLS, tool_choice=Choice(mode=Choice.MODE_AUTO), parallel_tool_calls=True),
        lambda sdk: sdk.responses.create(
            model=MODEL, input=[HI], tools=[LOOK_UP, OTHER], tool_choice="auto", parallel_tool_calls=True, store=False
        ),
    ),
    Intent(
        "tools that must not be called",
        question(tools=TOOLS, tool_choice=Choice(mode=Choice.MODE_NONE)),
        lambda sdk: sdk.responses.create(model=MODEL, input=[HI], tools=[LOOK_UP, OTHER], tool_choice="none", store=False),
    ),
    Intent(
        "one tool that must be called",
        question(tools=TOOLS, tool_choice=Choice(mode=Choice.MODE_FUNCTION, name="look_up")),
        lambda sdk: sdk.responses.create(
            model=MODEL, input=[HI], tools=[LOOK_UP, OTHER], tool_choice={"type": "function", "name": "look_up"}, store=False
        ),
    ),
    Intent(
        "some tools that may be called",
        question(tools=TOOLS, tool_choice=Choice(mode=Choice.MODE_AUTO, allowed_names=["look_up"])),
        lambda sdk: sdk.responses.create(
            model=MODEL,
            input=[HI],
            tools=[LOOK_UP, OTHER],
            tool_choice={"type": "allowed_tools", "mode": "auto", "tools": [{"type": "function", "name": "look_up"}]},
            store=False,
        ),
    ),
    Intent(
        "some tools of which one must be called",
        question(tools=TOOLS, tool_choice=Choice(mode=Choice.MODE_REQUIRED, allowed_names=["other"])),
        lambda sdk: sdk.responses.create(
            model=MODEL,
            input=[HI],
            tools=[LOOK_UP, OTHER],
            tool_choice={"type": "allowed_tools", "mode": "required", "tools": [{"type": "function", "name": "other"}]},
            store=False,
        ),
    ),
    Intent(
        "a tool of the vendor's",
        question(tools=[vendor_tool('{"type":"web_search","search_context_size":"low"}'), TOOLS[0]]),
        lambda sdk: sdk.responses.create(model=MODEL, input=[HI], tools=[SEARCH, LOOK_UP], store=False),
    ),
    Intent(
        "a tool that is called with text",
        question(tools=[vendor_tool('{"type":"custom","name":"grep"}')]),
        lambda sdk: sdk.responses.create(model=MODEL, input=[HI], tools=[{"type": "custom", "name": "grep"}], store=False),
    ),
]

TURNS = [
    Intent(
        "what a tool answered",
        said(
            (pb.ROLE_USER, [text("hi")]),
            (pb.ROLE_ASSISTANT, [called("c1", state=CALL_STATE)]),
            (pb.ROLE_TOOL, [result("c1", text("a letter"))]),
        ),
        lambda sdk: sdk.responses.create(
            model=MODEL, input=[HI, CALL, {"type": "function_call_output", "call_id": "c1", "output": "a letter"}], store=False
        ),
    ),
    Intent(
        "what tools answered that another vendor's model called at once",
        said(
            (pb.ROLE_USER, [text("hi")]),
            (pb.ROLE_ASSISTANT, [text("let me see"), called("c1"), called("c2")]),
            (pb.ROLE_TOOL, [result("c1", text("a letter")), result("c2", text("another"))]),
        ),
        lambda sdk: sdk.responses.create(
            model=MODEL,
            input=[
                HI,
                {"role": "assistant", "content": "let me see"},
                {"type": "function_call", "call_id": "c1", "name": "look_up", "arguments": '{"word":"a"}'},
                {"type": "function_call", "call_id": "c2", "name": "look_up", "arguments": '{"word":"a"}'},
                {"type": "function_call_output", "call_id": "c1", "output": "a letter"},
                {"type": "function_call_output", "call_id": "c2", "output": "another"},
            ],
            store=False,
        ),
    ),
    Intent(
        "a tool that failed",
        said(
            (pb.ROLE_USER, [text("hi")]),
            (pb.ROLE_ASSISTANT, [called("c1", state=CALL_STATE)]),
            (pb.ROLE_TOOL, [result("c1", text("no such word"), is_error=True)]),
        ),
        lambda sdk: sdk.responses.create(
            model=MODEL,
            input=[HI, CALL, {"type": "function_call_output", "call_id": "c1", "output": "Error: no such word"}],
            store=False,
        ),
    ),
    Intent(
        "an image from a tool",
        said(
            (pb.ROLE_USER, [text("hi")]),
            (pb.ROLE_ASSISTANT, [called("c1", state=CALL_STATE)]),
            (pb.ROLE_TOOL, [result("c1", text("see"), media(mime_type="image/png", data=PNG))]),
        ),
        lambda sdk: sdk.responses.create(
            model=MODEL,
            input=[
                HI,
                CALL,
                {
                    "type": "function_call_output",
                    "call_id": "c1",
                    "output": [
                        {"type": "input_text", "text": "see"},
                        {"type": "input_image", "image_url": link("image/png", PNG), "detail": "auto"},
                    ],
                },
            ],
            store=False,
        ),
    ),
    Intent(
        "a document from a tool that failed",
        said(
            (pb.ROLE_USER, [text("hi")]),
            (pb.ROLE_ASSISTANT, [called("c1", state=CALL_STATE)]),
            (pb.ROLE_TOOL, [result("c1", media(mime_type="application/pdf", uri="https://example.com/a.pdf"), is_error=True)]),
        ),
        lambda sdk: sdk.responses.create(
            model=MODEL,
            input=[
                HI,
                CALL,
                {
                    "type": "function_call_output",
                    "call_id": "c1",
                    "output": [
                        {"type": "input_text", "text": "Error: "},
                        {"type": "input_file", "file_url": "https://example.com/a.pdf"},
                    ],
                },
            ],
            store=False,
        ),
    ),
    Intent(
        "thoughts before a call, and what the tool answered",
        said(
            (pb.ROLE_USER, [text("hi")]),
            (pb.ROLE_ASSISTANT, [thought(), called("c1", state=CALL_STATE)]),
            (pb.ROLE_TOOL, [result("c1", text("a letter"))]),
        ),
        lambda sdk: sdk.responses.create(
            model=MODEL, input=[HI, THOUGHT, CALL, {"type": "function_call_output", "call_id": "c1", "output": "a letter"}], store=False
        ),
    ),
    Intent(
        "thoughts before an answer",
        replied(thought(), with_state(cited(text("hello")), MESSAGE_STATE)),
        lambda sdk: sdk.responses.create(model=MODEL, input=[HI, THOUGHT, MESSAGE, {"role": "user", "content": "more"}], store=False),
    ),
    Intent(
        "thoughts, an answer and a call between a search",
        said(
            (pb.ROLE_USER, [text("hi")]),
            (pb.ROLE_ASSISTANT, [thought(), searched(), with_state(cited(text("hello")), MESSAGE_STATE), called("c1", state=CALL_STATE)]),
            (pb.ROLE_TOOL, [result("c1", text("a letter"))]),
        ),
        lambda sdk: sdk.responses.create(
            model=MODEL,
            input=[
                HI,
                THOUGHT,
                {
                    "type": "web_search_call",
                    "id": "ws_1",
                    "status": "completed",
                    "action": {"type": "search", "query": "a", "queries": ["a"]},
                },
                MESSAGE,
                CALL,
                {"type": "function_call_output", "call_id": "c1", "output": "a letter"},
            ],
            store=False,
        ),
    ),
    Intent(
        "a refusal of an earlier turn",
        replied(with_state(pb.ContentPart(refusal=pb.RefusalPart(text="I would not.")), MESSAGE_STATE)),
        lambda sdk: sdk.responses.create(
            model=MODEL,
            input=[
                HI,
                {**MESSAGE, "content": [{"type": "refusal", "refusal": "I would not."}]},
                {"role": "user", "content": "more"},
            ],
            store=False,
        ),
    ),
    Intent(
        "an image that the model made",
        replied(
            with_state(
                media(mime_type="image/png", data=PNG), b'{"item":{"type":"image_generation_call","id":"ig_1","status":"completed"}}'
            )
        ),
        lambda sdk: sdk.responses.create(model=MODEL, input=[HI, IMAGE, {"role": "user", "content": "more"}], store=False),
    ),
    Intent(
        "what a tool answered that was called with text",
        said(
            (pb.ROLE_USER, [text("hi")]),
            (
                pb.ROLE_ASSISTANT,
                [called("c1", '{"input":"a|\\"b\\""}', name="grep", state=b'{"item":{"type":"custom_tool_call","id":"ctc_1"}}')],
            ),
            (pb.ROLE_TOOL, [result("c1", text("nothing"))]),
        ),
        lambda sdk: sdk.responses.create(
            model=MODEL,
            input=[
                HI,
                {"type": "custom_tool_call", "id": "ctc_1", "call_id": "c1", "name": "grep", "input": 'a|"b"'},
                {"type": "custom_tool_call_output", "call_id": "c1", "output": "nothing"},
            ],
            store=False,
        ),
    ),
    Intent(
        "what only the vendor has a shape for, from the caller",
        said(
            (pb.ROLE_USER, [text("hi")]),
            (
                pb.ROLE_TOOL,
                [
                    pb.ContentPart(
                        provider_part=pb.ProviderPart(
                            provider="openai",
                            type="mcp_approval_response",
                            json='{"type":"mcp_approval_response","approval_request_id":"mcpr_1","approve":true}',
                        )
                    )
                ],
            ),
        ),
        lambda sdk: sdk.responses.create(
            model=MODEL, input=[HI, {"type": "mcp_approval_response", "approval_request_id": "mcpr_1", "approve": True}], store=False
        ),
    ),
]
