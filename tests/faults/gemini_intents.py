"""Intents: what can be asked of Gemini, each in our words and in those of its SDK."""

import orjson
from google.genai import types

from promptwire import v1 as pb
from tests.faults.gemini_words import (
    LOOK_UP,
    OLD,
    PDF,
    PNG,
    SCHEMA,
    SIGNATURE,
    THEIR_TOOLS,
    TOOLS,
    WAV,
    Choice,
    Generation,
    Intent,
    Reasoning,
    blob,
    called,
    calling,
    file,
    media,
    model,
    own,
    result,
    said,
    setting,
    text,
    their_call,
    their_result,
    user,
)

USER, ASSISTANT, TOOL = pb.ROLE_USER, pb.ROLE_ASSISTANT, pb.ROLE_TOOL
Shape = pb.ResponseFormat
FILES = "https://generativelanguage.googleapis.com/v1beta/files/"

CONVERSATIONS = [
    Intent("a question", pb.ChatRequest(prompt="hi")),
    Intent("a stream", pb.ChatRequest(prompt="hi"), stream=True),
    Intent("unicode", pb.ChatRequest(prompt="grüß 🎉 \u2028"), "grüß 🎉 \u2028"),
    Intent("several texts", said((USER, [text("a"), text("b")])), user("a", "b")),
    Intent("system and prompt", pb.ChatRequest(system="be nice", prompt="hi"), config={"system_instruction": "be nice"}),
    Intent(
        "instructions of the system's and the developer's",
        said((pb.ROLE_SYSTEM, [text("be nice")]), (pb.ROLE_DEVELOPER, [text("be brief")]), (USER, [text("hi")])),
        config={"system_instruction": user("be nice", "be brief")},
    ),
    Intent(
        "a conversation",
        said((USER, [text("hi")]), (ASSISTANT, [text("hello")]), (USER, [text("more")])),
        [user("hi"), model("hello"), user("more")],
    ),
    Intent("two turns of the user's", said((USER, [text("a")]), (pb.ROLE_UNSPECIFIED, [text("b")])), [user("a"), user("b")]),
    Intent(
        "what the model said before, with its signatures",
        said((USER, [text("hi")]), (ASSISTANT, [text("hello"), own(text(""))]), (USER, [text("more")])),
        [user("hi"), model("hello", types.Part(text="", thought_signature=SIGNATURE)), user("more")],
    ),
    Intent(
        "what the model thought before",
        said(
            (USER, [text("hi")]),
            (ASSISTANT, [own(pb.ContentPart(reasoning=pb.ReasoningPart(text="hm")), b'{"thought":true}'), text("a")]),
            prompt="b",
        ),
        [user("hi"), model(types.Part(text="hm", thought=True), "a"), user("b")],
    ),
    Intent(
        "code that the model ran",
        said(
            (USER, [text("hi")]),
            (
                ASSISTANT,
                [
                    pb.ContentPart(
                        provider_part=pb.ProviderPart(provider="gemini", json='{"executableCode":{"code":"1","language":"PYTHON"}}')
                    )
                ],
            ),
            prompt="b",
        ),
        [user("hi"), model(types.Part(executable_code=types.ExecutableCode(code="1", language=types.Language.PYTHON))), user("b")],
    ),
]
MEDIA = [
    Intent("an image", said((USER, [media(mime_type="image/png", data=PNG), text("what?")])), user(blob("image/png", PNG), "what?")),
    Intent("a sound", said((USER, [media(mime_type="audio/wav", data=WAV)])), user(blob("audio/wav", WAV))),
    Intent("a document", said((USER, [media(mime_type="application/pdf", data=PDF, name="a.pdf")])), user(blob("application/pdf", PDF))),
    Intent("a film", said((USER, [media(mime_type="video/mp4", data=b"mp4!")])), user(blob("video/mp4", b"mp4!"))),
    Intent("a link", said((USER, [media(mime_type="image/png", uri="https://e.x/a.png")])), user(file("https://e.x/a.png", "image/png"))),
    Intent(
        "a film elsewhere", said((USER, [media(uri="https://www.youtube.com/watch?v=1")])), user(file("https://www.youtube.com/watch?v=1"))
    ),
    Intent("a file", said((USER, [media(mime_type="video/mp4", file_id="files/abc")])), user(file(f"{FILES}abc", "video/mp4"))),
    Intent(
        "an image to be looked at closely",
        said((USER, [media(mime_type="image/png", data=PNG, detail="high")])),
        user(
            types.Part(
                inline_data=types.Blob(mime_type="image/png", data=PNG),
                media_resolution=types.PartMediaResolution(level=types.PartMediaResolutionLevel.MEDIA_RESOLUTION_HIGH),
            )
        ),
    ),
    Intent(
        "an image that the model made",
        said((USER, [text("hi")]), (ASSISTANT, [own(media(mime_type="image/png", data=PNG))]), prompt="darker"),
        [
            user("hi"),
            model(types.Part(inline_data=types.Blob(mime_type="image/png", data=PNG), thought_signature=SIGNATURE)),
            user("darker"),
        ],
    ),
]
SETTINGS = [
    setting("temperature", Generation(temperature=0.5), temperature=0.5),
    setting("temperature zero", Generation(temperature=0), temperature=0.0),
    setting("nucleus", Generation(top_p=0.9), top_p=0.9),
    setting("top k", Generation(top_k=40), top_k=40),
    setting("length", Generation(max_output_tokens=50), max_output_tokens=50),
    setting("seed", Generation(seed=7), seed=7),
    setting("penalties", Generation(presence_penalty=0.5, frequency_penalty=-0.5), presence_penalty=0.5, frequency_penalty=-0.5),
    setting("stops", Generation(stop_sequences=["END", "###"]), stop_sequences=["END", "###"]),
    setting("candidates", Generation(candidate_count=2), candidate_count=2),
    setting("logprobs", Generation(logprobs=True), response_logprobs=True),
    setting("the likeliest others", Generation(top_logprobs=3), response_logprobs=True, logprobs=3),
    setting("any JSON object", Generation(response_format=Shape(json_object=pb.JsonObjectFormat())), response_mime_type="application/json"),
    setting(
        "an answer of a certain shape",
        Generation(response_format=Shape(json_schema=pb.JsonSchemaFormat(schema_json=orjson.dumps(SCHEMA).decode()))),
        response_mime_type="application/json",
        response_json_schema=SCHEMA,
    ),
    setting(
        "one of several answers",
        Generation(response_format=Shape(choices=pb.ChoicesFormat(choices=["yes", "no"]))),
        response_mime_type="text/x.enum",
        response_schema=types.Schema(type=types.Type.STRING, enum=["yes", "no"]),
    ),
    setting("text and images", Generation(output_modalities=[pb.MODALITY_TEXT, pb.MODALITY_IMAGE]), response_modalities=["TEXT", "IMAGE"]),
    setting(
        "a spoken answer",
        Generation(output_modalities=[pb.MODALITY_AUDIO], audio=pb.AudioSettings(voice="Kore", format="pcm16")),
        response_modalities=["AUDIO"],
        speech_config=types.SpeechConfig(
            voice_config=types.VoiceConfig(prebuilt_voice_config=types.PrebuiltVoiceConfig(voice_name="Kore"))
        ),
    ),
    setting("to see thoughts", Generation(reasoning=Reasoning(include=True)), thinking_config=types.ThinkingConfig(include_thoughts=True)),
    setting(
        "a level of thinking",
        Generation(reasoning=Reasoning(effort=Reasoning.EFFORT_LOW)),
        thinking_config=types.ThinkingConfig(thinking_level=types.ThinkingLevel.LOW),
    ),
    Intent(
        "a budget of thinking",
        pb.ChatRequest(prompt="hi", generation=Generation(reasoning=Reasoning(budget_tokens=2000, include=False))),
        config={"thinking_config": types.ThinkingConfig(thinking_budget=2000, include_thoughts=False)},
        model=OLD,
    ),
    Intent(
        "no thinking",
        pb.ChatRequest(prompt="hi", generation=Generation(reasoning=Reasoning(effort=Reasoning.EFFORT_NONE))),
        config={"thinking_config": types.ThinkingConfig(thinking_budget=0)},
        model=OLD,
    ),
    setting(
        "the vendor's own settings",
        Generation(
            provider_options_json={
                "gemini": '{"safetySettings":[{"category":"HARM_CATEGORY_HARASSMENT","threshold":"BLOCK_NONE"}],'
                '"generationConfig":{"mediaResolution":"MEDIA_RESOLUTION_LOW"},"serviceTier":"flex"}'
            }
        ),
        safety_settings=[
            types.SafetySetting(category=types.HarmCategory.HARM_CATEGORY_HARASSMENT, threshold=types.HarmBlockThreshold.BLOCK_NONE)
        ],
        media_resolution=types.MediaResolution.MEDIA_RESOLUTION_LOW,
        service_tier=types.ServiceTier.FLEX,
    ),
]
STRICT = [pb.Tool(), pb.Tool()]
for _mine, _tool in zip(STRICT, TOOLS, strict=True):
    _mine.CopyFrom(_tool)
    _mine.function.strict = True
ASKED = [user("hi")]
CALLS = [
    setting("tools", Generation(tools=TOOLS), tools=THEIR_TOOLS),
    setting("tools that may be called", Generation(tools=TOOLS, tool_choice=Choice(mode=Choice.MODE_AUTO)), **calling("AUTO")),
    setting("tools that may not be called", Generation(tools=TOOLS, tool_choice=Choice(mode=Choice.MODE_NONE)), **calling("NONE")),
    setting("some tool must be called", Generation(tools=TOOLS, tool_choice=Choice(mode=Choice.MODE_REQUIRED)), **calling("ANY")),
    setting(
        "one tool must be called",
        Generation(tools=TOOLS, tool_choice=Choice(mode=Choice.MODE_FUNCTION, name="other")),
        **calling("ANY", "other"),
    ),
    setting(
        "some tools may be called",
        Generation(tools=TOOLS, tool_choice=Choice(mode=Choice.MODE_AUTO, allowed_names=["look_up"])),
        **calling("VALIDATED", "look_up"),
    ),
    setting(
        "tools held to their schemas",
        Generation(tools=STRICT),
        **calling("VALIDATED"),
    ),
    setting(
        "the vendor's own tool beside ours",
        Generation(tools=[TOOLS[0], pb.Tool(provider_tool=pb.ProviderTool(provider="gemini", json='{"googleSearch":{}}'))]),
        tools=[types.Tool(function_declarations=[LOOK_UP]), types.Tool(google_search=types.GoogleSearch())],
    ),
    Intent(
        "what a tool answered",
        said((USER, [text("hi")]), (ASSISTANT, [own(called())]), (TOOL, [result(text("a letter"))])),
        [*ASKED, model(their_call()), user(their_result({"result": "a letter"}))],
    ),
    Intent(
        "an object that a tool answered",
        said((USER, [text("hi")]), (ASSISTANT, [own(called())]), (TOOL, [result(text('{"kind":"letter","n":1}'))])),
        [*ASKED, model(their_call()), user(their_result({"kind": "letter", "n": 1}))],
    ),
    Intent(
        "a tool that failed",
        said((USER, [text("hi")]), (ASSISTANT, [own(called())]), (TOOL, [result(text("down"), is_error=True)])),
        [*ASKED, model(their_call()), user(their_result({"error": "down"}))],
    ),
    Intent(
        "calls at once and what they answered",
        said(
            (USER, [text("hi")]),
            (ASSISTANT, [text("I look."), own(called()), called("c2", "other", "{}")]),
            (TOOL, [result(text("a letter"))]),
            (TOOL, [result(text("nothing"), call_id="c2")]),
        ),
        [
            *ASKED,
            model("I look.", their_call(), types.Part(function_call=types.FunctionCall(id="c2", name="other", args={}))),
            user(their_result({"result": "a letter"}), their_result({"result": "nothing"}, "c2", "other")),
        ],
    ),
    Intent(
        "what another vendor's model called",
        said((USER, [text("hi")]), (ASSISTANT, [called()]), (TOOL, [result(text("a letter"))])),
        [*ASKED, model(their_call(signature=b"skip_thought_signature_validator")), user(their_result({"result": "a letter"}))],
        differences={
            "contents": "the SDK makes base64 of the words by which a check is skipped; we send them as the vendor's guide has them"
        },
    ),
    Intent(
        "an image that a tool answered",
        said((USER, [text("hi")]), (ASSISTANT, [own(called())]), (TOOL, [result(text("see"), media(mime_type="image/png", data=PNG))])),
        [
            *ASKED,
            model(their_call()),
            user(
                their_result(
                    {"result": "see"},
                    parts=[types.FunctionResponsePart(inline_data=types.FunctionResponseBlob(mime_type="image/png", data=PNG))],
                )
            ),
        ],
    ),
    Intent(
        "an image that a tool answered, for an older model",
        said((USER, [text("hi")]), (ASSISTANT, [own(called())]), (TOOL, [result(text("see"), media(mime_type="image/png", data=PNG))])),
        [*ASKED, model(their_call()), user(their_result({"result": "see"}), blob("image/png", PNG))],
        model=OLD,
    ),
]
INTENTS = [*CONVERSATIONS, *MEDIA, *SETTINGS, *CALLS]
