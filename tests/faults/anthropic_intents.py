"""Intents: what can be asked of Anthropic, each in our words and in those of its SDK."""

import orjson

from promptwire import v1 as pb
from tests.faults.anthropic_words import (
    CALL,
    CITATION,
    CITED,
    EPHEMERAL,
    FIVE_MINUTES,
    HI,
    HIDDEN,
    HOUR,
    LOOK_UP,
    ONE_HOUR,
    PDF,
    PDF64,
    PNG,
    PNG64,
    SEARCH,
    SEARCHED,
    THOUGHT,
    USUAL,
    Choice,
    Generation,
    Intent,
    Reasoning,
    Weather,
    answered,
    asked,
    called,
    media,
    ours_of,
    own,
    plain,
    reasoned,
    result,
    said,
    sampled,
    setting,
    text,
    their_answer,
    thinking,
    tools,
    user,
)

CONVERSATIONS = [
    Intent("a question", pb.ChatRequest(prompt="hi"), {"messages": [HI]}),
    Intent("a stream", pb.ChatRequest(prompt="hi"), {"messages": [HI], "stream": True}, stream=True),
    Intent("a question of a known model", pb.ChatRequest(prompt="hi"), {"messages": [HI], "max_tokens": USUAL}, model="claude-opus-5"),
    Intent("system and prompt", pb.ChatRequest(system="be nice", prompt="hi"), {"system": "be nice", "messages": [HI]}),
    Intent(
        "instructions of the system's and the developer's",
        said((pb.ROLE_SYSTEM, [text("be nice")]), (pb.ROLE_DEVELOPER, [text("be brief")]), (pb.ROLE_USER, [text("hi")])),
        {"system": [plain("be nice"), plain("be brief")], "messages": [HI]},
    ),
    Intent(
        "a conversation",
        said((pb.ROLE_USER, [text("hi")]), (pb.ROLE_ASSISTANT, [text("hello")]), (pb.ROLE_USER, [text("more")])),
        {"messages": [HI, {"role": "assistant", "content": "hello"}, {"role": "user", "content": "more"}]},
    ),
    Intent(
        "an answer to be continued",
        said((pb.ROLE_USER, [text("hi")]), (pb.ROLE_ASSISTANT, [text("Well, ")])),
        {"messages": [HI, {"role": "assistant", "content": "Well,"}]},
    ),
    Intent(
        "two messages of the user's",
        said((pb.ROLE_USER, [text("hi")]), (pb.ROLE_USER, [text("there")])),
        {"messages": [HI, {"role": "user", "content": "there"}]},
        differences={"messages": "joined, as the vendor itself does it, since others who took the dialect over do not"},
    ),
    Intent(
        "an instruction in the midst",
        said(
            (pb.ROLE_USER, [text("hi")]),
            (pb.ROLE_ASSISTANT, [text("hello")]),
            (pb.ROLE_USER, [text("more")]),
            (pb.ROLE_SYSTEM, [text("be brief")]),
        ),
        {
            "messages": [
                HI,
                {"role": "assistant", "content": "hello"},
                {"role": "user", "content": "more"},
                {"role": "system", "content": "be brief"},
            ],
            "max_tokens": USUAL,
        },
        model="claude-opus-5",
    ),
    Intent(
        "an instruction in the midst, for a model that takes none there",
        said((pb.ROLE_USER, [text("hi")]), (pb.ROLE_SYSTEM, [text("be brief")])),
        {"messages": [{"role": "user", "content": [plain("hi"), plain("<system>\nbe brief\n</system>")]}]},
    ),
]

CONTENTS = [
    Intent(
        "an image",
        asked(text("what?"), media("image/png", data=PNG)),
        user(plain("what?"), {"type": "image", "source": {"type": "base64", "media_type": "image/png", "data": PNG64}}),
    ),
    Intent(
        "an image by link",
        asked(media("image/jpeg", uri="https://e.x/a.jpg")),
        user({"type": "image", "source": {"type": "url", "url": "https://e.x/a.jpg"}}),
    ),
    Intent(
        "an uploaded image",
        asked(media("image/png", file_id="file_1")),
        user({"type": "image", "source": {"type": "file", "file_id": "file_1"}}),
    ),
    Intent(
        "a PDF",
        asked(media("application/pdf", data=PDF, name="a.pdf")),
        user({"type": "document", "source": {"type": "base64", "media_type": "application/pdf", "data": PDF64}, "title": "a.pdf"}),
    ),
    Intent(
        "a PDF by link",
        asked(media("application/pdf", uri="https://e.x/a.pdf")),
        user({"type": "document", "source": {"type": "url", "url": "https://e.x/a.pdf"}}),
    ),
    Intent(
        "an uploaded document",
        asked(media("application/pdf", file_id="file_1")),
        user({"type": "document", "source": {"type": "file", "file_id": "file_1"}}),
    ),
    Intent(
        "a document of text",
        asked(media("text/markdown", data="Schnee fällt".encode())),
        user({"type": "document", "source": {"type": "text", "media_type": "text/plain", "data": "Schnee fällt"}}),
    ),
    Intent(
        "a document to be cited",
        pb.ChatRequest(
            messages=[pb.ChatMessage(parts=[media("text/plain", data=b"Snow falls."), text("why?")])],
            generation=Generation(provider_options_json={"anthropic": '{"citations":{"enabled":true}}'}),
        ),
        user(
            {
                "type": "document",
                "source": {"type": "text", "media_type": "text/plain", "data": "Snow falls."},
                "citations": {"enabled": True},
            },
            plain("why?"),
        ),
    ),
    Intent(
        "wishes for the cache",
        said(
            (pb.ROLE_SYSTEM, [text("long", ONE_HOUR)]),
            (pb.ROLE_USER, [media("image/png", data=PNG, hint=FIVE_MINUTES), text("hi", pb.CacheHint())]),
        ),
        {
            "system": [plain("long", cache_control=HOUR)],
            "messages": [
                {
                    "role": "user",
                    "content": [
                        {
                            "type": "image",
                            "source": {"type": "base64", "media_type": "image/png", "data": PNG64},
                            "cache_control": {"type": "ephemeral", "ttl": "5m"},
                        },
                        plain("hi", cache_control=EPHEMERAL),
                    ],
                }
            ],
        },
    ),
]

SETTINGS = [
    setting("a bound", Generation(max_output_tokens=50), {"max_tokens": 50}),
    sampled("temperature and top_k", Generation(temperature=0.5, top_k=40), temperature=0.5, top_k=40),
    sampled("top_p", Generation(top_p=0.9), top_p=0.9),
    sampled("a temperature that the vendor does not have", Generation(temperature=1.5), temperature=1.0),
    setting("stop sequences", Generation(stop_sequences=["###", "END"]), {"stop_sequences": ["###", "END"]}),
    setting("what the vendor has no setting for", Generation(seed=7, presence_penalty=1, frequency_penalty=1, logit_bias={"5": 1}), {}),
    setting("a temperature for a model that has none", Generation(temperature=0.5), {"max_tokens": USUAL}, model="claude-sonnet-5-5"),
    Intent(
        "an end user",
        pb.ChatRequest(prompt="hi", end_user_id="ann@example.com"),
        {"messages": [HI], "metadata": {"user_id": "ann@example.com"}},
        differences={"metadata": "hashed, as the vendor asks for: who it is does not leave the house"},
    ),
    setting(
        "the vendor's own settings",
        Generation(provider_options_json={"anthropic": '{"service_tier":"standard_only","inference_geo":"us"}'}),
        {"service_tier": "standard_only", "inference_geo": "us"},
    ),
    setting(
        "a vendor's own setting within one of ours",
        Generation(
            reasoning=Reasoning(effort=Reasoning.EFFORT_LOW),
            provider_options_json={"anthropic": '{"output_config":{"effort":"xhigh"}}'},
        ),
        {"max_tokens": USUAL, "thinking": {"type": "adaptive"}, "output_config": {"effort": "xhigh"}},
        model="claude-opus-5",
    ),
]

TOOL_USE = [
    tools("tools", {}),
    tools("tools, if it likes", {"tool_choice": {"type": "auto"}}, Choice(mode=Choice.MODE_AUTO)),
    tools("tools that may not be called", {"tool_choice": {"type": "none"}}, Choice(mode=Choice.MODE_NONE)),
    tools("any tool, but one", {"tool_choice": {"type": "any"}}, Choice(mode=Choice.MODE_REQUIRED)),
    tools(
        "one tool that must be called",
        {"tool_choice": {"type": "tool", "name": "other"}},
        Choice(mode=Choice.MODE_FUNCTION, name="other"),
    ),
    tools(
        "some tools that may be called",
        {"tools": [LOOK_UP], "tool_choice": {"type": "auto"}},
        Choice(mode=Choice.MODE_AUTO, allowed_names=["look_up"]),
    ),
    tools("one at a time", {"tool_choice": {"type": "auto", "disable_parallel_tool_use": True}}, parallel_tool_calls=False),
    tools(
        "exactly one",
        {"tool_choice": {"type": "any", "disable_parallel_tool_use": True}},
        Choice(mode=Choice.MODE_REQUIRED),
        parallel_tool_calls=False,
    ),
    setting("a strict tool", Generation(tools=[ours_of({**LOOK_UP, "strict": True})]), {"tools": [{**LOOK_UP, "strict": True}]}),
    setting(
        "a tool of the vendor's",
        Generation(tools=[pb.Tool(provider_tool=pb.ProviderTool(provider="anthropic", json=orjson.dumps(SEARCH).decode()))]),
        {"tools": [SEARCH]},
    ),
    Intent("what a tool answered", answered(result(text("a letter"))), their_answer(content="a letter")),
    Intent("a tool that failed", answered(result(text("no word"), failed=True)), their_answer(content="no word", is_error=True)),
    Intent("a tool that said nothing", answered(result()), their_answer()),
    Intent(
        "an image from a tool",
        answered(result(text("look"), media("image/png", data=PNG))),
        their_answer(content=[plain("look"), {"type": "image", "source": {"type": "base64", "media_type": "image/png", "data": PNG64}}]),
    ),
    Intent(
        "results of parallel calls, and a word besides",
        said(
            (pb.ROLE_USER, [text("hi")]),
            (pb.ROLE_ASSISTANT, [text("I look."), called("c1"), called("c2")]),
            (pb.ROLE_USER, [text("hurry")]),
            (pb.ROLE_TOOL, [result(text("a"), call_id="c1")]),
            (pb.ROLE_TOOL, [result(text("b"), call_id="c2")]),
        ),
        {
            "messages": [
                HI,
                {"role": "assistant", "content": [plain("I look."), CALL, {**CALL, "id": "c2"}]},
                {
                    "role": "user",
                    "content": [
                        {"type": "tool_result", "tool_use_id": "c1", "content": "a"},
                        {"type": "tool_result", "tool_use_id": "c2", "content": "b"},
                        plain("hurry"),
                    ],
                },
            ]
        },
    ),
]

REASONING = [
    thinking(
        "effort of a model that decides itself",
        Reasoning(effort=Reasoning.EFFORT_HIGH),
        {"thinking": {"type": "adaptive"}, "output_config": {"effort": "high"}},
        model="claude-opus-4-8",
    ),
    thinking(
        "all effort, shown",
        Reasoning(effort=Reasoning.EFFORT_MAX, include=True),
        {"thinking": {"type": "adaptive", "display": "summarized"}, "output_config": {"effort": "max"}},
        model="claude-opus-5-5",
    ),
    thinking(
        "effort of a model that wants a number",
        Reasoning(effort=Reasoning.EFFORT_MEDIUM),
        {"thinking": {"type": "enabled", "budget_tokens": 10_240}},
        model="claude-opus-4-5",
    ),
    thinking(
        "a number of tokens, within a bound",
        Reasoning(budget_tokens=2000, include=False),
        {"thinking": {"type": "enabled", "budget_tokens": 2000, "display": "omitted"}},
        model="claude-haiku-4-5",
        bound=4000,
    ),
    thinking(
        "a number of tokens for a model that takes none",
        Reasoning(budget_tokens=2000),
        {"thinking": {"type": "adaptive"}},
        model="claude-sonnet-5",
    ),
    thinking("no reasoning", Reasoning(effort=Reasoning.EFFORT_NONE), {"thinking": {"type": "disabled"}}, model="claude-opus-5"),
    thinking(
        "no reasoning before the tools",
        Reasoning(effort=Reasoning.EFFORT_NONE),
        {"thinking": {"type": "between_tools"}},
        model="claude-sonnet-5-5",
    ),
    thinking(
        "no reasoning, of a model that always does",
        Reasoning(effort=Reasoning.EFFORT_NONE),
        {"output_config": {"effort": "low"}},
        model="claude-opus-5-5",
    ),
    thinking(
        "reasoning shown, however much",
        Reasoning(include=True),
        {"thinking": {"type": "adaptive", "display": "summarized"}},
        model="claude-haiku-5-5",
    ),
    Intent(
        "signed reasoning goes back",
        said(
            (pb.ROLE_USER, [text("hi")]),
            (pb.ROLE_ASSISTANT, [reasoned(THOUGHT), reasoned(HIDDEN), text("I look."), called()]),
            (pb.ROLE_TOOL, [result(text("a letter"))]),
        ),
        {
            "messages": [
                HI,
                {"role": "assistant", "content": [THOUGHT, HIDDEN, plain("I look."), CALL]},
                {"role": "user", "content": [{"type": "tool_result", "tool_use_id": "c1", "content": "a letter"}]},
            ]
        },
    ),
    Intent(
        "a search of the vendor's and what it gave go back",
        said((pb.ROLE_USER, [text("hi")]), (pb.ROLE_ASSISTANT, [*map(own, SEARCHED), CITED]), (pb.ROLE_USER, [text("more")])),
        {
            "messages": [
                HI,
                {"role": "assistant", "content": [*SEARCHED, plain("It snows.", citations=[CITATION])]},
                {"role": "user", "content": "more"},
            ]
        },
    ),
]

WEATHER = orjson.dumps(Weather.model_json_schema()).decode()
SHAPES = [
    setting(
        "an answer of a certain shape",
        Generation(response_format=pb.ResponseFormat(json_schema=pb.JsonSchemaFormat(schema_json=WEATHER))),
        {"output_config": {"format": {"type": "json_schema", "schema": orjson.loads(WEATHER)}}},
    ),
    setting(
        "a shape and an effort",
        Generation(
            response_format=pb.ResponseFormat(json_schema=pb.JsonSchemaFormat(schema_json=WEATHER, strict=True)),
            reasoning=Reasoning(effort=Reasoning.EFFORT_LOW),
        ),
        {
            "max_tokens": USUAL,
            "thinking": {"type": "adaptive"},
            "output_config": {"effort": "low", "format": {"type": "json_schema", "schema": orjson.loads(WEATHER)}},
        },
        model="claude-opus-5",
    ),
]

INTENTS = [*CONVERSATIONS, *CONTENTS, *SETTINGS, *TOOL_USE, *REASONING, *SHAPES]
