"""What a request of the Gemini dialect asks: contents, tools and settings, brought to an `Ask`."""

import json
from collections import Counter
from collections.abc import Iterator, Mapping
from typing import Any

from tests.faults.fake_provider.answer import Ask
from tests.faults.fake_provider.reply import JsonObject

MEDIA_TOKENS = 258
ANY_OBJECT = {"type": "object", "properties": {"answer": {"type": "string"}}}
ENUM = "text/x.enum"


def ask(body: JsonObject) -> Ask:
    """Return the part of a request that decides the answer."""
    config = body.get("generationConfig") or {}
    calling = (body.get("toolConfig") or {}).get("functionCallingConfig") or {}
    mode = calling.get("mode", "AUTO")
    allowed = calling.get("allowedFunctionNames")
    return Ask(
        messages=tuple(_neutral(body)),
        n=config.get("candidateCount") or 1,
        max_tokens=config.get("maxOutputTokens"),
        stop=tuple(config.get("stopSequences") or ()),
        tools=() if mode == "NONE" else tuple(tool for tool in _declared(body) if not allowed or tool[0] in allowed),
        must_call=mode == "ANY",
        json_schema=_json_schema(config),
    )


def enum_text(body: JsonObject) -> str | None:
    """Return the bare value where one of an enumeration is asked for."""
    config = body.get("generationConfig") or {}
    if config.get("responseMimeType") != ENUM:
        return None
    schema = config.get("responseSchema") or config.get("responseJsonSchema") or {}
    return str(schema["enum"][0])


def media(body: JsonObject) -> Mapping[str, int]:
    """Return the tokens of all that is no text, by modality."""
    tokens: Counter[str] = Counter()
    for content in body.get("contents") or ():
        for part in content.get("parts") or ():
            blob = part.get("inlineData") or part.get("fileData")
            if blob:
                tokens[_modality(blob.get("mimeType", ""))] += MEDIA_TOKENS
    return tokens


def lowered(schema: Any) -> Any:
    """Return a schema of the API's own kind as JSON schema: its types are in upper case."""
    if isinstance(schema, list):
        return [lowered(part) for part in schema]
    if not isinstance(schema, dict):
        return schema
    return {name: part.lower() if name == "type" and isinstance(part, str) else lowered(part) for name, part in schema.items()}


def text_of_parts(content: JsonObject) -> str:
    return "".join(part.get("text", "") for part in content.get("parts") or ())


def _modality(mime_type: str) -> str:
    kind = mime_type.partition("/")[0].upper()
    return kind if kind in ("IMAGE", "AUDIO", "VIDEO") else "DOCUMENT"


def _neutral(body: JsonObject) -> Iterator[JsonObject]:
    """Yield the messages as `Ask` knows them: instructions first, the result of a tool on its own."""
    if body.get("systemInstruction"):
        yield {"role": "system", "content": text_of_parts(body["systemInstruction"])}
    if body.get("tools"):
        yield {"role": "system", "content": json.dumps(body["tools"])}
    for content in body.get("contents") or ():
        parts = content.get("parts") or ()
        results = [part["functionResponse"] for part in parts if "functionResponse" in part]
        if len(results) < len(parts):
            yield {"role": "assistant" if content.get("role") == "model" else "user", "content": text_of_parts(content)}
        for result in results:
            yield {"role": "tool", "content": json.dumps(result.get("response"))}


def _declared(body: JsonObject) -> Iterator[tuple[str, Mapping[str, Any]]]:
    for tool in body.get("tools") or ():
        for function in tool.get("functionDeclarations") or ():
            yield function["name"], function.get("parametersJsonSchema") or lowered(function.get("parameters") or {"type": "object"})


def _json_schema(config: JsonObject) -> Mapping[str, Any] | None:
    if config.get("responseMimeType") != "application/json":
        return None
    schema: Mapping[str, Any] = config.get("responseJsonSchema") or lowered(config.get("responseSchema")) or ANY_OBJECT
    return schema
