"""What the Gemini API refuses about a request to generate: unknown names, parts without data, calls without answers."""

import re
from collections.abc import Iterator
from itertools import chain, pairwise

from tests.faults.fake_provider import gemini_signature
from tests.faults.fake_provider.gemini_errors import ApiError, invalid
from tests.faults.fake_provider.reply import JsonObject
from tests.faults.fake_provider.script import Content


def _names(text: str) -> frozenset[str]:
    return frozenset(text.split())


TOP = _names("model contents tools toolConfig safetySettings systemInstruction generationConfig cachedContent serviceTier store")
CONFIG = _names(
    "stopSequences responseMimeType responseSchema responseJsonSchema _responseJsonSchema responseModalities candidateCount "
    "maxOutputTokens temperature topP topK seed presencePenalty frequencyPenalty responseLogprobs logprobs "
    "enableEnhancedCivicAnswers speechConfig thinkingConfig imageConfig mediaResolution"
)
DATA = _names("text inlineData functionCall functionResponse fileData executableCode codeExecutionResult toolCall toolResponse")
PART = DATA | {"thought", "thoughtSignature", "partMetadata", "videoMetadata", "mediaResolution"}
# The API's own kind of schema; everything else of JSON schema has to go into the other field.
SCHEMA = _names(
    "type format title description nullable enum maxItems minItems properties required minProperties maxProperties minLength "
    "maxLength pattern example anyOf propertyOrdering default items minimum maximum additionalProperties $ref $defs ref defs"
)
TOOL = _names(
    "functionDeclarations googleSearch googleSearchRetrieval codeExecution urlContext computerUse fileSearch googleMaps mcpServers"
)
FUNCTION = _names("name description behavior parameters parametersJsonSchema response responseJsonSchema")
CALL = frozenset({"id", "name", "args"})
RESULT = frozenset({"id", "name", "response", "parts", "willContinue", "scheduling"})
NAME = re.compile(r"[a-zA-Z_][a-zA-Z0-9_.:-]{0,127}")
ROLES = (None, "user", "model")
RESULTS_WANTED = (
    "Please ensure that the number of function response parts is equal to the number of function call parts of the function call turn."
)
Problems = Iterator[ApiError]


def problem(body: JsonObject, content: Content) -> ApiError | None:
    """Return the first thing that is wrong, None for a good request."""
    checks = chain(
        _unknown(body, TOP, ""), _config(body.get("generationConfig") or {}), _tools(body), _contents(body), _replayed(body, content)
    )
    return next(checks, None)


def _unknown(value: JsonObject, known: frozenset[str], path: str) -> Problems:
    for name in value:
        if name not in known:
            where = f" at '{path}'" if path else ""
            yield invalid(f'Invalid JSON payload received. Unknown name "{name}"{where}: Cannot find field.', path or None)


def _config(config: JsonObject) -> Problems:
    path = "generation_config"
    yield from _unknown(config, CONFIG, path)
    yield from _schema(config.get("responseSchema"), f"{path}.response_schema")
    schemas = [config[name] for name in ("responseSchema", "responseJsonSchema", "_responseJsonSchema") if name in config]
    if len(schemas) > 1:
        yield invalid("Only one of response_schema and response_json_schema may be set.")
    if schemas and config.get("responseMimeType") in (None, "text/plain"):
        yield invalid("Response schema is only supported with a response mime type of application/json or text/x.enum.")
    if config.get("logprobs") is not None and not config.get("responseLogprobs"):
        yield invalid("Logprobs is only valid when response_logprobs is true.")
    if not 0 <= config.get("temperature", 0) <= 2:
        yield invalid("Temperature must be in the range [0.0, 2.0].")


def _schema(schema: object, path: str) -> Problems:
    """Yield the names that the API's own kind of schema does not have."""
    if not isinstance(schema, dict):
        return
    yield from _unknown(schema, SCHEMA, path)
    for name, part in (schema.get("properties") or {}).items():
        yield from _schema(part, f"{path}.properties[{name}]")
    yield from _schema(schema.get("items"), f"{path}.items")
    for at, part in enumerate(schema.get("anyOf") or ()):
        yield from _schema(part, f"{path}.any_of[{at}]")


def _tools(body: JsonObject) -> Problems:
    names = []
    for at, tool in enumerate(body.get("tools") or ()):
        yield from _unknown(tool, TOOL, f"tools[{at}]")
        for number, function in enumerate(tool.get("functionDeclarations") or ()):
            path = f"tools[{at}].function_declarations[{number}]"
            yield from _unknown(function, FUNCTION, path)
            yield from _schema(function.get("parameters"), f"{path}.parameters")
            names.append(function.get("name"))
            if not NAME.fullmatch(str(function.get("name") or "")):
                yield invalid(f"* GenerateContentRequest.{path}.name: Invalid function name. Must start with a letter or an underscore.\n")
    calling = (body.get("toolConfig") or {}).get("functionCallingConfig") or {}
    if calling.get("mode") in ("ANY", "VALIDATED") and not names:
        yield invalid("Function calling config is set without function_declarations.")
    if calling.get("allowedFunctionNames") and calling.get("mode") not in ("ANY", "VALIDATED"):
        yield invalid("Allowed function names should be set only when function calling mode is ANY.")
    if not set(calling.get("allowedFunctionNames") or ()) <= set(names):
        yield invalid("Allowed function names should be a subset of the declared functions.")


def _contents(body: JsonObject) -> Problems:
    contents = body.get("contents") or []
    if not contents:
        yield invalid("* GenerateContentRequest.contents: contents is not specified\n")
    for at, content in enumerate(contents):
        path = f"contents[{at}]"
        yield from _unknown(content, frozenset({"role", "parts"}), path)
        if content.get("role") not in ROLES:
            yield invalid("Please use a valid role: user, model.")
        if not content.get("parts"):
            yield invalid(f"* GenerateContentRequest.{path}.parts: contents.parts must not be empty.\n")
        for number, part in enumerate(content.get("parts") or ()):
            yield from _part(part, f"{path}.parts[{number}]")
    yield from _pairs(contents)


def _part(part: JsonObject, path: str) -> Problems:
    yield from _unknown(part, PART, path)
    data = [name for name in part if name in DATA]
    if not data:
        yield invalid(f"* GenerateContentRequest.{path}.data: required oneof field 'data' must have one initialized field\n")
    if len(data) > 1:
        yield invalid(f"Invalid value at '{path}' (oneof), oneof field 'data' is already set. Cannot set '{data[1]}'", path)
    yield from _named(part.get("functionCall"), CALL, "args", f"{path}.function_call")
    yield from _named(part.get("functionResponse"), RESULT, "response", f"{path}.function_response")


def _named(value: JsonObject | None, known: frozenset[str], struct: str, path: str) -> Problems:
    if value is None:
        return
    yield from _unknown(value, known, path)
    if not value.get("name"):
        yield invalid(f"* GenerateContentRequest.{path}.name: Name cannot be empty.\n")
    if not isinstance(value.get(struct, {}), dict):
        yield invalid(f"Invalid value at '{path}.{struct}' (type.googleapis.com/google.protobuf.Struct)", f"{path}.{struct}")


def _pairs(contents: list[JsonObject]) -> Problems:
    counts = [(_count(content, "functionCall"), _count(content, "functionResponse")) for content in contents]
    for (calls, _), (_, results) in pairwise([(0, 0), *counts]):
        if calls != results:
            yield invalid(RESULTS_WANTED)


def _count(content: JsonObject, kind: str) -> int:
    return sum(kind in part for part in content.get("parts") or ())


def _replayed(body: JsonObject, content: Content) -> Problems:
    if content.signatures in ("on", "all"):
        for text in gemini_signature.problems(body.get("contents") or (), every_call=content.signatures == "all"):
            yield invalid(text)
