"""What the caller asks, as bodies of generateContent."""

from typing import Any

import orjson
import pytest

from promptwire import v1 as pb
from promptwire_server.core.errors import CapabilityMissing, InvalidRequest
from promptwire_server.core.secret import Secret
from promptwire_server.providers.gemini.dialect import Gemini
from promptwire_server.providers.gemini.headers import headers
from promptwire_server.providers.gemini.request import to_wire
from promptwire_server.providers.json_value import JsonObject
from promptwire_server.providers.settings import HttpSettings
from tests.unit.providers.gemini_words import (
    DROPPED,
    MODEL,
    NEW,
    OLD,
    PNG,
    SETTING,
    TOOL,
    USER,
    called,
    media,
    noticed,
    result,
    said,
    stated,
    text,
    wired,
)
from tests.unit.providers.support import make_call, make_ids

Generation = pb.GenerationSettings
Reasoning = pb.ReasoningSettings
Choice = pb.ToolChoice


def config(generation: Generation, model: str = NEW) -> Any:
    return wired(pb.ChatRequest(prompt="hi", generation=generation), model).get("generationConfig")


TOOLS = [pb.Tool(function=pb.FunctionTool(name=name, description="d", parameters_json='{"type": "object"}')) for name in ("f", "g")]
STRICT = [pb.Tool(function=pb.FunctionTool(name="f", strict=True))]


def test_tools_are_declared_together_and_beside_the_vendors_own() -> None:
    own = pb.Tool(provider_tool=pb.ProviderTool(provider="gemini", json='{"googleSearch":{}}'))
    body = wired(pb.ChatRequest(prompt="hi", generation=Generation(tools=[own, *TOOLS])))
    declared = [{"name": name, "description": "d", "parametersJsonSchema": {"type": "object"}} for name in ("f", "g")]
    assert body["tools"] == [{"googleSearch": {}}, {"functionDeclarations": declared}]
    assert "toolConfig" not in body


@pytest.mark.parametrize(
    ("tools", "choice", "calling"),
    [
        (TOOLS, Choice(mode=Choice.MODE_AUTO), {"mode": "AUTO"}),
        (TOOLS, Choice(mode=Choice.MODE_NONE), {"mode": "NONE"}),
        (TOOLS, Choice(mode=Choice.MODE_NONE, allowed_names=["f"]), {"mode": "NONE"}),
        (TOOLS, Choice(mode=Choice.MODE_REQUIRED), {"mode": "ANY"}),
        (TOOLS, Choice(mode=Choice.MODE_REQUIRED, allowed_names=["g"]), {"mode": "ANY", "allowedFunctionNames": ["g"]}),
        (TOOLS, Choice(mode=Choice.MODE_FUNCTION, name="g"), {"mode": "ANY", "allowedFunctionNames": ["g"]}),
        (TOOLS, Choice(mode=Choice.MODE_AUTO, allowed_names=["g"]), {"mode": "VALIDATED", "allowedFunctionNames": ["g"]}),
        (STRICT, Choice(), {"mode": "VALIDATED"}),
        (STRICT, Choice(mode=Choice.MODE_REQUIRED), {"mode": "ANY"}),
    ],
)
def test_tool_choices(tools: list[pb.Tool], choice: Choice, calling: JsonObject) -> None:
    body = wired(pb.ChatRequest(prompt="hi", generation=Generation(tools=tools, tool_choice=choice)))
    assert body["toolConfig"] == {"functionCallingConfig": calling}


Shape = pb.ResponseFormat
SCHEMA = '{"type": "object",  "z": 1, "a": 123456789012345678901234567890}'
CONFIGS: list[tuple[Generation, Any]] = [
    (Generation(), None),
    (Generation(temperature=0.0, top_p=0.5, top_k=7), {"temperature": 0.0, "topP": 0.5, "topK": 7}),
    (Generation(max_output_tokens=9, seed=-3), {"maxOutputTokens": 9, "seed": -3}),
    (Generation(presence_penalty=1.0, frequency_penalty=-1.0), {"presencePenalty": 1.0, "frequencyPenalty": -1.0}),
    (Generation(stop_sequences=["a", "b"]), {"stopSequences": ["a", "b"]}),
    (Generation(candidate_count=2), {"candidateCount": 2}),
    (Generation(candidate_count=1, parallel_tool_calls=True), None),
    (Generation(logprobs=True), {"responseLogprobs": True}),
    (Generation(top_logprobs=0), {"responseLogprobs": True, "logprobs": 0}),
    (Generation(response_format=Shape(text=pb.TextFormat())), None),
    (Generation(response_format=Shape(json_object=pb.JsonObjectFormat())), {"responseMimeType": "application/json"}),
    (
        Generation(response_format=Shape(choices=pb.ChoicesFormat(choices=["a", "b"]))),
        {"responseMimeType": "text/x.enum", "responseSchema": {"type": "STRING", "enum": ["a", "b"]}},
    ),
    (Generation(output_modalities=[pb.MODALITY_TEXT, pb.MODALITY_IMAGE]), {"responseModalities": ["TEXT", "IMAGE"]}),
    (
        Generation(output_modalities=[pb.MODALITY_AUDIO], audio=pb.AudioSettings(voice="Kore", format="pcm16")),
        {"responseModalities": ["AUDIO"], "speechConfig": {"voiceConfig": {"prebuiltVoiceConfig": {"voiceName": "Kore"}}}},
    ),
    (
        Generation(provider_options_json={"gemini": '{"generationConfig":{"topK":3,"mediaResolution":"X"}}', "x": "{}"}, top_k=7, seed=1),
        {"topK": 3, "mediaResolution": "X", "seed": 1},
    ),
]


@pytest.mark.parametrize(("generation", "sent"), CONFIGS)
def test_settings(generation: Generation, sent: Any) -> None:
    assert config(generation) == sent
    assert noticed(pb.ChatRequest(prompt="hi", generation=generation)) == []


def test_schemas_travel_as_they_were_written() -> None:
    shape = Shape(json_schema=pb.JsonSchemaFormat(schema_json=SCHEMA, name="n"))
    tool = pb.Tool(function=pb.FunctionTool(name="f", parameters_json=SCHEMA))
    call = make_call(pb.ChatRequest(prompt="hi", generation=Generation(response_format=shape, tools=[tool])))
    body = orjson.dumps(to_wire(call, "gemini"))
    assert body.count(SCHEMA.encode()) == 2
    assert b'"responseMimeType":"application/json"' in body


def test_the_vendors_own_settings_stand_at_the_top() -> None:
    options = '{"safetySettings":[{"category":"HARM_CATEGORY_HARASSMENT","threshold":"BLOCK_NONE"}],"cachedContent":"cachedContents/x"}'
    body = wired(pb.ChatRequest(prompt="hi", generation=Generation(provider_options_json={"gemini": options})))
    assert body["safetySettings"] == [{"category": "HARM_CATEGORY_HARASSMENT", "threshold": "BLOCK_NONE"}]
    assert body["cachedContent"] == "cachedContents/x"


def thinks(effort: "Reasoning.Effort" = Reasoning.EFFORT_UNSPECIFIED, **more: Any) -> Generation:
    return Generation(reasoning=Reasoning(effort=effort, **more))


PRO, LITE, NONE = "gemini-2.5-pro", "gemini-2.5-flash-lite", "gemini-2.0-flash"
THINKING: list[tuple[str, Generation, Any, list[str]]] = [
    (NEW, thinks(include=True), {"includeThoughts": True}, []),
    (NEW, thinks(Reasoning.EFFORT_MINIMAL), {"thinkingLevel": "MINIMAL"}, []),
    (NEW, thinks(Reasoning.EFFORT_MEDIUM, include=False), {"includeThoughts": False, "thinkingLevel": "MEDIUM"}, []),
    (NEW, thinks(Reasoning.EFFORT_MAX), {"thinkingLevel": "HIGH"}, []),
    (NEW, thinks(Reasoning.EFFORT_NONE), {"thinkingLevel": "MINIMAL"}, [""]),
    (NEW, thinks(budget_tokens=5000), {"thinkingLevel": "MEDIUM"}, [".budget_tokens"]),
    (NEW, thinks(Reasoning.EFFORT_LOW, budget_tokens=99_999), {"thinkingLevel": "LOW"}, [".budget_tokens"]),
    ("gemini-3-pro-preview", thinks(Reasoning.EFFORT_MEDIUM), {"thinkingLevel": "HIGH"}, []),
    ("gemini-3-pro-preview", thinks(Reasoning.EFFORT_MINIMAL), {"thinkingLevel": "LOW"}, []),
    ("models/gemini-3.1-pro-preview", thinks(Reasoning.EFFORT_MEDIUM), {"thinkingLevel": "MEDIUM"}, []),
    ("gemini-flash-latest", thinks(Reasoning.EFFORT_HIGH), {"thinkingLevel": "HIGH"}, []),
    ("gemini-3.8-flash", thinks(Reasoning.EFFORT_MINIMAL), {"thinkingLevel": "LOW"}, []),
    ("tunedModels/mine", thinks(Reasoning.EFFORT_MINIMAL), {"thinkingLevel": "LOW"}, []),
    (OLD, thinks(Reasoning.EFFORT_LOW), {"thinkingBudget": 1024}, []),
    (OLD, thinks(Reasoning.EFFORT_MAX), {"thinkingBudget": 24_576}, []),
    (OLD, thinks(Reasoning.EFFORT_NONE), {"thinkingBudget": 0}, []),
    (OLD, thinks(Reasoning.EFFORT_HIGH, budget_tokens=77), {"thinkingBudget": 77}, []),
    (LITE, thinks(budget_tokens=100), {"thinkingBudget": 512}, [".budget_tokens"]),
    (PRO, thinks(budget_tokens=0), {"thinkingBudget": 128}, [""]),
    (PRO, thinks(Reasoning.EFFORT_MAX), {"thinkingBudget": 32_768}, []),
    (PRO, thinks(budget_tokens=99_999), {"thinkingBudget": 32_768}, [".budget_tokens"]),
    (NONE, thinks(Reasoning.EFFORT_NONE), None, []),
    (NONE, thinks(Reasoning.EFFORT_HIGH), None, [""]),
    (NONE, thinks(include=True), None, [""]),
]


@pytest.mark.parametrize(("model", "generation", "sent", "dropped"), THINKING)
def test_thinking_is_asked_for_as_the_family_of_the_model_takes_it(
    model: str, generation: Generation, sent: Any, dropped: list[str]
) -> None:
    assert (config(generation, model) or {}).get("thinkingConfig") == sent
    asked = pb.ChatRequest(prompt="hi", generation=generation)
    assert noticed(asked, model) == [(SETTING, f"generation.reasoning{field}") for field in dropped]


@pytest.mark.parametrize(
    ("request_", "code", "field"),
    [
        (pb.ChatRequest(prompt="a", generation=Generation(logit_bias={"5": 1.0})), SETTING, "generation.logit_bias"),
        (pb.ChatRequest(prompt="a", generation=Generation(parallel_tool_calls=False)), SETTING, "generation.parallel_tool_calls"),
        (pb.ChatRequest(prompt="a", generation=Generation(seed=1 << 40)), SETTING, "generation.seed"),
        (pb.ChatRequest(prompt="a", generation=Generation(audio=pb.AudioSettings(format="mp3"))), SETTING, "generation.audio.format"),
        (
            pb.ChatRequest(
                prompt="a", generation=Generation(response_format=Shape(json_schema=pb.JsonSchemaFormat(schema_json="{}", description="d")))
            ),
            SETTING,
            "generation.response_format.json_schema.description",
        ),
        (said((MODEL, [pb.ContentPart(reasoning=pb.ReasoningPart(text="hm"))]), prompt="a"), DROPPED, "messages[0].parts[0]"),
        (said((MODEL, [stated(text("b"), b"x", "openai")]), prompt="a"), DROPPED, "messages[0].parts[0].provider_state"),
        (
            said((MODEL, [text("b"), pb.ContentPart(provider_part=pb.ProviderPart(provider="x", json="{}"))])),
            DROPPED,
            "messages[0].parts[1].provider_part",
        ),
        (pb.ChatRequest(messages=[pb.ChatMessage(name="ann", parts=[text("a")])]), DROPPED, "messages[0].name"),
    ],
)
def test_what_is_dropped_is_noted(request_: pb.ChatRequest, code: "pb.Notice.Code", field: str) -> None:
    assert noticed(request_) == [(code, field)]


def test_the_newest_models_take_no_penalties() -> None:
    penalised = Generation(presence_penalty=1.0, frequency_penalty=1.0)
    dropped = [(SETTING, f"generation.{name}_penalty") for name in ("presence", "frequency")]
    assert config(penalised, "gemini-3.8-flash") is None
    assert noticed(pb.ChatRequest(prompt="a", generation=penalised), "gemini-3.8-flash") == dropped


def test_older_models_take_no_detail() -> None:
    request = said((USER, [media(pb.MediaPart(mime_type="image/png", data=b"x", detail="high"))]))
    assert noticed(request, OLD) == [(SETTING, "messages[0].parts[0].media.detail")]


def test_a_hint_for_the_cache_is_a_wish_that_needs_no_notice() -> None:
    assert noticed(said((USER, [pb.ContentPart(text="a", cache_hint=pb.CacheHint())]))) == []


@pytest.mark.parametrize(
    ("request_", "field"),
    [
        (
            pb.ChatRequest(prompt="a", generation=Generation(response_format=Shape(regex=pb.RegexFormat(pattern="a")))),
            "generation.response_format",
        ),
        (
            pb.ChatRequest(prompt="a", generation=Generation(response_format=Shape(grammar=pb.GrammarFormat(grammar="a")))),
            "generation.response_format",
        ),
        (pb.ChatRequest(prompt="a", generation=Generation(output_modalities=[pb.MODALITY_VIDEO])), "generation.output_modalities"),
        (
            pb.ChatRequest(prompt="a", generation=Generation(tools=[pb.Tool(provider_tool=pb.ProviderTool(provider="x", json="{}"))])),
            "generation.tools[0].provider_tool",
        ),
        (said((pb.ROLE_SYSTEM, [media(PNG)])), "messages[0].parts[0]"),
    ],
)
def test_what_the_dialect_has_no_words_for_is_refused(request_: pb.ChatRequest, field: str) -> None:
    with pytest.raises(CapabilityMissing) as caught:
        wired(request_)
    assert caught.value.violations[0].field == field


WRONG: list[tuple[pb.ChatRequest, str]] = [
    (pb.ChatRequest(), "messages"),
    (pb.ChatRequest(system="only this"), "messages"),
    (said((MODEL, [])), "messages"),
    (said((USER, [pb.ContentPart()])), "messages[0].parts[0]"),
    (said((MODEL, [pb.ContentPart()])), "messages[0].parts[0]"),
    (said((USER, [called()])), "messages[0].parts[0]"),
    (said((TOOL, [text("a")])), "messages[0].parts[0]"),
    (said((99, [text("a")])), "messages[0].role"),  # type: ignore[arg-type]  # a role of a later version
    (said((USER, [media(pb.MediaPart(data=b"x"))])), "messages[0].parts[0].media.mime_type"),
    (said((MODEL, [called("", "c1")])), "messages[0].parts[0].tool_call"),
    (said((MODEL, [called("f", "c1", '{"cut of')])), "messages[0].parts[0].tool_call.arguments_json"),
    (said((MODEL, [stated(text("a"), b"no JSON")])), "messages[0].parts[0].provider_state"),
    (said((TOOL, [result(call_id="")])), "messages[0].parts[0].tool_result.tool_call_id"),
    (said((TOOL, [result(call_id="unheard")])), "messages[0].parts[0].tool_result.name"),
    (pb.ChatRequest(prompt="a", generation=Generation(tools=[pb.Tool()])), "generation.tools[0].function.name"),
    (
        pb.ChatRequest(prompt="a", generation=Generation(tools=[pb.Tool(function=pb.FunctionTool(name="f", parameters_json="[]"))])),
        "generation.tools[0].function.parameters_json",
    ),
    (
        pb.ChatRequest(prompt="a", generation=Generation(tool_choice=Choice(mode=Choice.MODE_FUNCTION, name="f"))),
        "generation.tool_choice",
    ),
    (
        pb.ChatRequest(prompt="a", generation=Generation(response_format=Shape(json_schema=pb.JsonSchemaFormat(schema_json="{")))),
        "generation.response_format.json_schema.schema_json",
    ),
    (
        pb.ChatRequest(prompt="a", generation=Generation(response_format=Shape(choices=pb.ChoicesFormat()))),
        "generation.response_format.choices.choices",
    ),
    *(
        (
            pb.ChatRequest(prompt="a", generation=Generation(provider_options_json={"gemini": options})),
            'generation.provider_options_json["gemini"]',
        )
        for options in ("{", '{"model":"x"}', '{"contents":[]}', '{"systemInstruction":{}}', '{"system_instruction":{}}')
    ),
]


@pytest.mark.parametrize(("request_", "field"), WRONG)
def test_what_is_wrong_is_named_by_its_path(request_: pb.ChatRequest, field: str) -> None:
    with pytest.raises(InvalidRequest) as caught:
        wired(request_)
    assert caught.value.violations[0].field == field


@pytest.mark.parametrize(
    ("model", "path"),
    [
        ("gemini-3-flash", "/models/gemini-3-flash:generateContent"),
        ("models/gemini-3-flash", "/models/gemini-3-flash:generateContent"),
        ("tunedModels/mine", "/tunedModels/mine:generateContent"),
        ("../files/secret?key=x#", "/models/..%2Ffiles%2Fsecret%3Fkey%3Dx%23:generateContent"),
        ("models/../files", "/models/..%2Ffiles:generateContent"),
        ("files/x", "/models/files%2Fx:generateContent"),
    ],
)
def test_no_name_of_a_model_leaves_its_place_in_the_path(model: str, path: str) -> None:
    wire, _ = Gemini("gemini", make_ids()).ask(make_call(model=model))
    assert (wire.method, wire.path) == ("POST", path)


def test_a_stream_is_asked_for_as_events() -> None:
    wire, _ = Gemini("gemini", make_ids()).ask(make_call(model=NEW, stream=True))
    assert wire.path == f"/models/{NEW}:streamGenerateContent?alt=sse"


def test_the_key_stands_in_a_header() -> None:
    assert headers(HttpSettings(dialect="gemini", api_key=Secret("k"))) == {"x-goog-api-key": "k"}
    assert headers(HttpSettings(dialect="gemini")) == {}
