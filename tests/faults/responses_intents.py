"""What can be asked of the Responses API: contents, settings, formats."""

from openai.types.responses import EasyInputMessageParam

from promptwire import v1 as pb
from tests.faults.intents import (
    HASHED,
    HASHED_SESSION,
    MARKED,
    MODEL,
    PDF,
    PNG,
    SCHEMA,
    Intent,
    Weather,
    hinted,
    link,
    media,
    options,
    question,
    said,
    text,
)

HI: EasyInputMessageParam = {"role": "user", "content": "hi"}
Effort = pb.ReasoningSettings
PLAIN = "gpt-4o-fake"  # a name of the models that do not think
THINKER = "o3-fake"  # and one of those that do

CONTENTS = [
    Intent("a question", pb.ChatRequest(prompt="hi"), lambda sdk: sdk.responses.create(model=MODEL, input=[HI], store=False)),
    Intent(
        "a stream",
        pb.ChatRequest(prompt="hi"),
        lambda sdk: sdk.responses.create(model=MODEL, input=[HI], store=False, stream=True),
        stream=True,
    ),
    Intent(
        "a question under instructions",
        pb.ChatRequest(system="be nice", prompt="hi"),
        lambda sdk: sdk.responses.create(model=MODEL, instructions="be nice", input=[HI], store=False),
    ),
    Intent(
        "instructions alone",
        pb.ChatRequest(system="greet me"),
        lambda sdk: sdk.responses.create(model=MODEL, input=[{"role": "system", "content": "greet me"}], store=False),
    ),
    Intent(
        "every role",
        said(
            (pb.ROLE_SYSTEM, [text("be nice")]),
            (pb.ROLE_DEVELOPER, [text("be brief")]),
            (pb.ROLE_USER, [text("hi")]),
            (pb.ROLE_ASSISTANT, [text("hello")]),
            (pb.ROLE_USER, [text("more")]),
        ),
        lambda sdk: sdk.responses.create(
            model=MODEL,
            input=[
                {"role": "system", "content": "be nice"},
                {"role": "developer", "content": "be brief"},
                HI,
                {"role": "assistant", "content": "hello"},
                {"role": "user", "content": "more"},
            ],
            store=False,
        ),
    ),
    Intent(
        "a conversation, and the question that goes on with it",
        said((pb.ROLE_USER, [text("hi")]), (pb.ROLE_ASSISTANT, [text("hel"), text("lo")]), prompt="more"),
        lambda sdk: sdk.responses.create(
            model=MODEL, input=[HI, {"role": "assistant", "content": "hello"}, {"role": "user", "content": "more"}], store=False
        ),
    ),
    Intent(
        "several texts in one message",
        said((pb.ROLE_USER, [text("hi"), text("there")])),
        lambda sdk: sdk.responses.create(
            model=MODEL,
            input=[{"role": "user", "content": [{"type": "input_text", "text": "hi"}, {"type": "input_text", "text": "there"}]}],
            store=False,
        ),
    ),
    Intent(
        "an image",
        said((pb.ROLE_USER, [text("what is it?"), media(mime_type="image/png", data=PNG, detail="low")])),
        lambda sdk: sdk.responses.create(
            model=MODEL,
            input=[
                {
                    "role": "user",
                    "content": [
                        {"type": "input_text", "text": "what is it?"},
                        {"type": "input_image", "image_url": link("image/png", PNG), "detail": "low"},
                    ],
                }
            ],
            store=False,
        ),
    ),
    Intent(
        "images by link, and by the vendor's id",
        said(
            (
                pb.ROLE_USER,
                [media(mime_type="image/jpeg", uri="https://example.com/a.jpg"), media(mime_type="image/png", file_id="file-1")],
            )
        ),
        lambda sdk: sdk.responses.create(
            model=MODEL,
            input=[
                {
                    "role": "user",
                    "content": [
                        {"type": "input_image", "image_url": "https://example.com/a.jpg", "detail": "auto"},
                        {"type": "input_image", "file_id": "file-1", "detail": "auto"},
                    ],
                }
            ],
            store=False,
        ),
    ),
    Intent(
        "a document",
        said((pb.ROLE_USER, [media(mime_type="application/pdf", data=PDF, name="a.pdf")])),
        lambda sdk: sdk.responses.create(
            model=MODEL,
            input=[
                {
                    "role": "user",
                    "content": [{"type": "input_file", "file_data": link("application/pdf", PDF), "filename": "a.pdf"}],
                }
            ],
            store=False,
        ),
    ),
    Intent(
        "documents by link, and by the vendor's id",
        said(
            (
                pb.ROLE_USER,
                [
                    media(mime_type="application/pdf", uri="https://example.com/a.pdf"),
                    media(mime_type="application/pdf", file_id="file-1"),
                    text("compare"),
                ],
            )
        ),
        lambda sdk: sdk.responses.create(
            model=MODEL,
            input=[
                {
                    "role": "user",
                    "content": [
                        {"type": "input_file", "file_url": "https://example.com/a.pdf"},
                        {"type": "input_file", "file_id": "file-1"},
                        {"type": "input_text", "text": "compare"},
                    ],
                }
            ],
            store=False,
        ),
    ),
    Intent(
        "a prompt that shall stay in the cache",
        said(
            (pb.ROLE_SYSTEM, [hinted(text("be nice"))]),
            (pb.ROLE_USER, [hinted(text("hi"), pb.CacheHint.TTL_1_HOUR)]),
        ),
        lambda sdk: sdk.responses.create(
            model=MARKED,
            input=[
                {
                    "role": "system",
                    "content": [{"type": "input_text", "text": "be nice", "prompt_cache_breakpoint": {"mode": "explicit"}}],
                },
                {
                    "role": "user",
                    "content": [{"type": "input_text", "text": "hi", "prompt_cache_breakpoint": {"mode": "explicit", "ttl": "12h"}}],
                },
            ],
            include=["reasoning.encrypted_content"],
            store=False,
        ),
        model=MARKED,
    ),
    Intent(
        "an end user and a session",
        pb.ChatRequest(prompt="hi", end_user_id="ann@example.com", session_id="s1"),
        lambda sdk: sdk.responses.create(model=MODEL, input=[HI], safety_identifier="ann@example.com", prompt_cache_key="s1", store=False),
        differences={"safety_identifier": HASHED, "prompt_cache_key": HASHED_SESSION},
    ),
]

SETTINGS = [
    Intent(
        "no chance at all",
        question(temperature=0.0),
        lambda sdk: sdk.responses.create(model=MODEL, input=[HI], temperature=0, store=False),
    ),
    Intent(
        "a part of what is likely",
        question(top_p=0.9),
        lambda sdk: sdk.responses.create(model=MODEL, input=[HI], top_p=0.9, store=False),
    ),
    Intent(
        "a short answer",
        question(max_output_tokens=50),
        lambda sdk: sdk.responses.create(model=MODEL, input=[HI], max_output_tokens=50, store=False),
    ),
    Intent(
        "how likely each token is",
        question(logprobs=True),
        lambda sdk: sdk.responses.create(model=MODEL, input=[HI], include=["message.output_text.logprobs"], store=False),
    ),
    Intent(
        "how likely others were",
        question(top_logprobs=2),
        lambda sdk: sdk.responses.create(model=MODEL, input=[HI], top_logprobs=2, include=["message.output_text.logprobs"], store=False),
    ),
    Intent(
        "settings that only chat completions have",
        question(seed=7, top_k=5, presence_penalty=0.5, frequency_penalty=0.5, stop_sequences=["x"], logit_bias={"1": 1.0}),
        lambda sdk: sdk.responses.create(model=MODEL, input=[HI], store=False),
    ),
    Intent(
        "no thinking",
        question(reasoning=Effort(effort=Effort.EFFORT_NONE)),
        lambda sdk: sdk.responses.create(model=MODEL, input=[HI], reasoning={"effort": "none"}, store=False),
    ),
    Intent(
        "hardly any thinking",
        question(reasoning=Effort(effort=Effort.EFFORT_MINIMAL)),
        lambda sdk: sdk.responses.create(
            model=MODEL, input=[HI], reasoning={"effort": "minimal"}, include=["reasoning.encrypted_content"], store=False
        ),
    ),
    Intent(
        "some thinking, and to see it",
        question(reasoning=Effort(effort=Effort.EFFORT_MEDIUM, include=True)),
        lambda sdk: sdk.responses.create(
            model=MODEL,
            input=[HI],
            reasoning={"effort": "medium", "summary": "auto"},
            include=["reasoning.encrypted_content"],
            store=False,
        ),
    ),
    Intent(
        "to see what is thought",
        question(reasoning=Effort(include=True)),
        lambda sdk: sdk.responses.create(
            model=THINKER, input=[HI], reasoning={"summary": "auto"}, include=["reasoning.encrypted_content"], store=False
        ),
        model=THINKER,
    ),
    Intent(
        "as much thinking as can be",
        question(reasoning=Effort(effort=Effort.EFFORT_MAX, include=False)),
        lambda sdk: sdk.responses.create(
            model=THINKER, input=[HI], reasoning={"effort": "max"}, include=["reasoning.encrypted_content"], store=False
        ),
        model=THINKER,
    ),
    Intent(
        "a model that thinks unasked",
        pb.ChatRequest(prompt="hi"),
        lambda sdk: sdk.responses.create(model=THINKER, input=[HI], include=["reasoning.encrypted_content"], store=False),
        model=THINKER,
    ),
    Intent(
        "a model that does not think",
        pb.ChatRequest(prompt="hi"),
        lambda sdk: sdk.responses.create(model=PLAIN, input=[HI], store=False),
        model=PLAIN,
    ),
    Intent(
        "an answer of a certain shape",
        question(response_format=pb.ResponseFormat(json_schema=pb.JsonSchemaFormat(name="Weather", schema_json=SCHEMA))),
        lambda sdk: sdk.responses.parse(model=MODEL, input=[HI], text_format=Weather, store=False),
    ),
    Intent(
        "a shape to try for",
        question(
            response_format=pb.ResponseFormat(
                json_schema=pb.JsonSchemaFormat(schema_json='{"type":"object"}', description="the weather", strict=False)
            )
        ),
        lambda sdk: sdk.responses.create(
            model=MODEL,
            input=[HI],
            text={
                "format": {
                    "type": "json_schema",
                    "name": "response",
                    "schema": {"type": "object"},
                    "description": "the weather",
                    "strict": False,
                }
            },
            store=False,
        ),
    ),
    Intent(
        "any JSON object",
        question(response_format=pb.ResponseFormat(json_object=pb.JsonObjectFormat())),
        lambda sdk: sdk.responses.create(model=MODEL, input=[HI], text={"format": {"type": "json_object"}}, store=False),
    ),
    Intent(
        "vendor's own settings",
        question(provider_options_json=options('{"service_tier":"flex","truncation":"auto","text":{"verbosity":"low"}}')),
        lambda sdk: sdk.responses.create(
            model=MODEL, input=[HI], service_tier="flex", truncation="auto", text={"verbosity": "low"}, store=False
        ),
    ),
    Intent(
        "a shape, and the vendor's verbosity beside it",
        question(
            response_format=pb.ResponseFormat(json_object=pb.JsonObjectFormat()),
            provider_options_json=options('{"text":{"verbosity":"high"}}'),
        ),
        lambda sdk: sdk.responses.create(
            model=MODEL, input=[HI], text={"format": {"type": "json_object"}, "verbosity": "high"}, store=False
        ),
    ),
    Intent(
        "to keep the answer at the vendor",
        question(provider_options_json=options('{"api":"responses","store":true,"metadata":{"a":"b"}}')),
        lambda sdk: sdk.responses.create(model=MODEL, input=[HI], store=True, metadata={"a": "b"}),
    ),
    Intent(
        "to see more than thoughts",
        question(provider_options_json=options('{"include":["web_search_call.action.sources","reasoning.encrypted_content"]}')),
        lambda sdk: sdk.responses.create(
            model=THINKER,
            input=[HI],
            include=["reasoning.encrypted_content", "web_search_call.action.sources"],
            store=False,
        ),
        model=THINKER,
    ),
]
