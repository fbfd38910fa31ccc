"""What can be asked of chat completions: contents, settings, formats."""

from base64 import b64encode

from openai.types.chat import ChatCompletionUserMessageParam

from promptwire import v1 as pb
from tests.faults.intents import (
    HASHED,
    HASHED_SESSION,
    MARKED,
    MODEL,
    MP3,
    PDF,
    PNG,
    SCHEMA,
    WAV,
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

HI: ChatCompletionUserMessageParam = {"role": "user", "content": "hi"}
Effort = pb.ReasoningSettings

CONTENTS = [
    Intent("a question", pb.ChatRequest(prompt="hi"), lambda sdk: sdk.chat.completions.create(model=MODEL, messages=[HI])),
    Intent(
        "a stream with its usage",
        pb.ChatRequest(prompt="hi"),
        lambda sdk: sdk.chat.completions.create(model=MODEL, messages=[HI], stream=True, stream_options={"include_usage": True}),
        stream=True,
    ),
    Intent(
        "a question under instructions",
        pb.ChatRequest(system="be nice", prompt="hi"),
        lambda sdk: sdk.chat.completions.create(model=MODEL, messages=[{"role": "system", "content": "be nice"}, HI]),
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
        lambda sdk: sdk.chat.completions.create(
            model=MODEL,
            messages=[
                {"role": "system", "content": "be nice"},
                {"role": "developer", "content": "be brief"},
                HI,
                {"role": "assistant", "content": "hello"},
                {"role": "user", "content": "more"},
            ],
        ),
    ),
    Intent(
        "a conversation, and the question that goes on with it",
        said((pb.ROLE_USER, [text("hi")]), (pb.ROLE_ASSISTANT, [text("hello")]), prompt="more"),
        lambda sdk: sdk.chat.completions.create(
            model=MODEL, messages=[HI, {"role": "assistant", "content": "hello"}, {"role": "user", "content": "more"}]
        ),
    ),
    Intent(
        "somebody with a name",
        pb.ChatRequest(messages=[pb.ChatMessage(parts=[text("hi")], name="ann")]),
        lambda sdk: sdk.chat.completions.create(model=MODEL, messages=[{"role": "user", "name": "ann", "content": "hi"}]),
    ),
    Intent(
        "several texts in one message",
        said((pb.ROLE_USER, [text("hi"), text("there")])),
        lambda sdk: sdk.chat.completions.create(
            model=MODEL, messages=[{"role": "user", "content": [{"type": "text", "text": "hi"}, {"type": "text", "text": "there"}]}]
        ),
    ),
    Intent(
        "an image",
        said((pb.ROLE_USER, [text("what is it?"), media(mime_type="image/png", data=PNG, detail="low")])),
        lambda sdk: sdk.chat.completions.create(
            model=MODEL,
            messages=[
                {
                    "role": "user",
                    "content": [
                        {"type": "text", "text": "what is it?"},
                        {"type": "image_url", "image_url": {"url": link("image/png", PNG), "detail": "low"}},
                    ],
                }
            ],
        ),
    ),
    Intent(
        "an image by link",
        said((pb.ROLE_USER, [media(mime_type="image/jpeg", uri="https://example.com/a.jpg")])),
        lambda sdk: sdk.chat.completions.create(
            model=MODEL,
            messages=[{"role": "user", "content": [{"type": "image_url", "image_url": {"url": "https://example.com/a.jpg"}}]}],
        ),
    ),
    Intent(
        "sounds",
        said((pb.ROLE_USER, [media(mime_type="audio/wav", data=WAV), media(mime_type="audio/mpeg", data=MP3)])),
        lambda sdk: sdk.chat.completions.create(
            model=MODEL,
            messages=[
                {
                    "role": "user",
                    "content": [
                        {"type": "input_audio", "input_audio": {"data": b64encode(WAV).decode(), "format": "wav"}},
                        {"type": "input_audio", "input_audio": {"data": b64encode(MP3).decode(), "format": "mp3"}},
                    ],
                }
            ],
        ),
    ),
    Intent(
        "a document",
        said((pb.ROLE_USER, [media(mime_type="application/pdf", data=PDF, name="a.pdf")])),
        lambda sdk: sdk.chat.completions.create(
            model=MODEL,
            messages=[
                {
                    "role": "user",
                    "content": [{"type": "file", "file": {"file_data": link("application/pdf", PDF), "filename": "a.pdf"}}],
                }
            ],
        ),
    ),
    Intent(
        "a document that the vendor has",
        said((pb.ROLE_USER, [media(mime_type="application/pdf", file_id="file-1"), text("sum it up")])),
        lambda sdk: sdk.chat.completions.create(
            model=MODEL,
            messages=[
                {
                    "role": "user",
                    "content": [{"type": "file", "file": {"file_id": "file-1"}}, {"type": "text", "text": "sum it up"}],
                }
            ],
        ),
    ),
    Intent(
        "a prompt that shall stay in the cache",
        said((pb.ROLE_SYSTEM, [hinted(text("be nice"))]), (pb.ROLE_USER, [text("hi")])),
        lambda sdk: sdk.chat.completions.create(
            model=MARKED,
            messages=[
                {
                    "role": "system",
                    "content": [{"type": "text", "text": "be nice", "prompt_cache_breakpoint": {"mode": "explicit"}}],
                },
                HI,
            ],
        ),
        model=MARKED,
    ),
    Intent(
        "an end user and a session",
        pb.ChatRequest(prompt="hi", end_user_id="ann@example.com", session_id="s1"),
        lambda sdk: sdk.chat.completions.create(model=MODEL, messages=[HI], safety_identifier="ann@example.com", prompt_cache_key="s1"),
        differences={"safety_identifier": HASHED, "prompt_cache_key": HASHED_SESSION},
    ),
]

SETTINGS = [
    Intent(
        "no chance at all",
        question(temperature=0.0),
        lambda sdk: sdk.chat.completions.create(model=MODEL, messages=[HI], temperature=0),
    ),
    Intent(
        "a part of what is likely",
        question(top_p=0.9),
        lambda sdk: sdk.chat.completions.create(model=MODEL, messages=[HI], top_p=0.9),
    ),
    Intent(
        "a short answer",
        question(max_output_tokens=50),
        lambda sdk: sdk.chat.completions.create(model=MODEL, messages=[HI], max_completion_tokens=50),
    ),
    Intent("a seed", question(seed=7), lambda sdk: sdk.chat.completions.create(model=MODEL, messages=[HI], seed=7)),
    Intent(
        "penalties",
        question(presence_penalty=0.5, frequency_penalty=-0.5),
        lambda sdk: sdk.chat.completions.create(model=MODEL, messages=[HI], presence_penalty=0.5, frequency_penalty=-0.5),
    ),
    Intent(
        "texts at which to stop",
        question(stop_sequences=["###", "END"]),
        lambda sdk: sdk.chat.completions.create(model=MODEL, messages=[HI], stop=["###", "END"]),
    ),
    Intent("several answers", question(candidate_count=2), lambda sdk: sdk.chat.completions.create(model=MODEL, messages=[HI], n=2)),
    Intent(
        "how likely each token is",
        question(logprobs=True),
        lambda sdk: sdk.chat.completions.create(model=MODEL, messages=[HI], logprobs=True),
    ),
    Intent(
        "how likely others were",
        question(top_logprobs=2),
        lambda sdk: sdk.chat.completions.create(model=MODEL, messages=[HI], logprobs=True, top_logprobs=2),
    ),
    Intent(
        "a bias",
        question(logit_bias={"50256": -100.0}),
        lambda sdk: sdk.chat.completions.create(model=MODEL, messages=[HI], logit_bias={"50256": -100}),
    ),
    Intent(
        "no thinking",
        question(reasoning=Effort(effort=Effort.EFFORT_NONE)),
        lambda sdk: sdk.chat.completions.create(model=MODEL, messages=[HI], reasoning_effort="none"),
    ),
    Intent(
        "hardly any thinking",
        question(reasoning=Effort(effort=Effort.EFFORT_MINIMAL)),
        lambda sdk: sdk.chat.completions.create(model=MODEL, messages=[HI], reasoning_effort="minimal"),
    ),
    Intent(
        "some thinking",
        question(reasoning=Effort(effort=Effort.EFFORT_MEDIUM)),
        lambda sdk: sdk.chat.completions.create(model=MODEL, messages=[HI], reasoning_effort="medium"),
    ),
    Intent(
        "as much thinking as can be",
        question(reasoning=Effort(effort=Effort.EFFORT_MAX)),
        lambda sdk: sdk.chat.completions.create(model=MODEL, messages=[HI], reasoning_effort="max"),
    ),
    Intent(
        "an answer of a certain shape",
        question(response_format=pb.ResponseFormat(json_schema=pb.JsonSchemaFormat(name="Weather", schema_json=SCHEMA))),
        lambda sdk: sdk.chat.completions.parse(model=MODEL, messages=[HI], response_format=Weather),
        differences={"stream": "false is the default, which this method of the SDK spells out"},
    ),
    Intent(
        "a shape to try for",
        question(
            response_format=pb.ResponseFormat(
                json_schema=pb.JsonSchemaFormat(schema_json='{"type":"object"}', description="the weather", strict=False)
            )
        ),
        lambda sdk: sdk.chat.completions.create(
            model=MODEL,
            messages=[HI],
            response_format={
                "type": "json_schema",
                "json_schema": {"name": "response", "schema": {"type": "object"}, "description": "the weather", "strict": False},
            },
        ),
    ),
    Intent(
        "any JSON object",
        question(response_format=pb.ResponseFormat(json_object=pb.JsonObjectFormat())),
        lambda sdk: sdk.chat.completions.create(model=MODEL, messages=[HI], response_format={"type": "json_object"}),
    ),
    Intent(
        "a spoken answer",
        question(output_modalities=[pb.MODALITY_TEXT, pb.MODALITY_AUDIO], audio=pb.AudioSettings(voice="alloy", format="wav")),
        lambda sdk: sdk.chat.completions.create(
            model=MODEL, messages=[HI], modalities=["text", "audio"], audio={"voice": "alloy", "format": "wav"}
        ),
    ),
    Intent(
        "vendor's own settings",
        question(provider_options_json=options('{"service_tier":"flex","store":false,"verbosity":"low"}')),
        lambda sdk: sdk.chat.completions.create(model=MODEL, messages=[HI], service_tier="flex", store=False, verbosity="low"),
    ),
    Intent(
        "a search of the vendor's",
        question(provider_options_json=options('{"web_search_options":{"search_context_size":"low"}}')),
        lambda sdk: sdk.chat.completions.create(model=MODEL, messages=[HI], web_search_options={"search_context_size": "low"}),
    ),
    Intent(
        "the API that the caller chooses",
        question(provider_options_json=options('{"api":"chat","metadata":{"a":"b"}}')),
        lambda sdk: sdk.chat.completions.create(model=MODEL, messages=[HI], metadata={"a": "b"}),
    ),
    Intent(
        "a text that is most likely the answer",
        question(provider_options_json=options('{"prediction":{"type":"content","content":"hello"}}')),
        lambda sdk: sdk.chat.completions.create(model=MODEL, messages=[HI], prediction={"type": "content", "content": "hello"}),
    ),
]
