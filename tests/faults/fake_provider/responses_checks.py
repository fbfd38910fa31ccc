"""What OpenAI's Responses API refuses about a request: fields, settings, tools, and items that do not fit together."""

from collections.abc import Iterator

from tests.faults.fake_provider import seal
from tests.faults.fake_provider.openai_errors import ApiError
from tests.faults.fake_provider.reply import JsonObject
from tests.faults.fake_provider.responses_items import REASONING, is_kept, needs_reasoning

COUNTED = frozenset(
    {
        "conversation",
        "input",
        "instructions",
        "model",
        "parallel_tool_calls",
        "personality",
        "previous_response_id",
        "reasoning",
        "text",
        "tool_choice",
        "tools",
        "truncation",
    }
)
FIELDS = (COUNTED - {"personality"}) | {
    "access_programs",
    "background",
    "context_management",
    "image",
    "include",
    "max_output_tokens",
    "max_tool_calls",
    "metadata",
    "moderation",
    "prompt",
    "prompt_cache_key",
    "prompt_cache_options",
    "prompt_cache_retention",
    "safety_identifier",
    "service_tier",
    "store",
    "stream",
    "stream_options",
    "temperature",
    "top_logprobs",
    "top_p",
    "user",
}
# Names from chat completions, and where the same stands here.
MOVED = {
    "functions": "tools",
    "max_completion_tokens": "max_output_tokens",
    "max_tokens": "max_output_tokens",
    "messages": "input",
    "reasoning_effort": "reasoning.effort",
    "response_format": "text.format",
    "verbosity": "text.verbosity",
}
RANGES = {"temperature": (0, 2), "top_p": (0, 1), "top_logprobs": (0, 20), "max_output_tokens": (16, None)}
INCLUDED = (
    "code_interpreter_call.outputs",
    "computer_call_output.output.image_url",
    "file_search_call.results",
    "message.input_image.image_url",
    "message.output_text.logprobs",
    "reasoning.encrypted_content",
    "web_search_call.action.sources",
    "web_search_call.results",
)
EFFORTS = ("none", "minimal", "low", "medium", "high", "xhigh", "max")
PARTS = {
    "user": ("input_text", "input_image", "input_file", "input_audio"),
    "system": ("input_text",),
    "developer": ("input_text",),
    "assistant": ("output_text", "refusal"),
}
Problem = tuple[int, ApiError]


def problem(body: JsonObject, *, counting: bool) -> Problem | None:
    """Return the status and the error for the first thing wrong with a request, None if nothing is."""
    return next(_problems(body, COUNTED if counting else FIELDS), None)


def _problems(body: JsonObject, known: frozenset[str]) -> Iterator[Problem]:
    # In this order: each part may rely on what those before it have found to be well.
    yield from _fields(body, known)
    yield from _ranges(body)
    yield from _choices(body)
    yield from _tools(body)
    yield from _format(body)
    given = body["input"]
    if isinstance(given, list):
        for at, item in enumerate(given):
            yield from _item(f"input[{at}]", item)
        yield from _reasoning(given)
        yield from _pairs(given)


def _bad(message: str, param: str | None = None, code: str | None = None) -> Problem:
    return 400, ApiError(message, param=param, code=code)


def _fields(body: JsonObject, known: frozenset[str]) -> Iterator[Problem]:
    if not isinstance(body.get("model"), str):
        yield _bad("you must provide a model parameter")
    for name in sorted(body.keys() - known):
        if name in MOVED:
            text = f"Unsupported parameter: '{name}'. In the Responses API, this parameter has moved to '{MOVED[name]}'."
            yield _bad(text, name, "unsupported_parameter")
        yield _bad(f"Unknown parameter: '{name}'.", name, "unknown_parameter")
    if body.get("previous_response_id"):
        text = f"Previous response with id '{body['previous_response_id']}' not found."
        yield _bad(text, "previous_response_id", "previous_response_not_found")
    if not body.get("input"):
        yield _bad("Missing required parameter: 'input'.", "input", "missing_required_parameter")


def _ranges(body: JsonObject) -> Iterator[Problem]:
    for name, (least, most) in RANGES.items():
        value = body.get(name)
        if value is None:
            continue
        kind = "integer" if isinstance(value, int) and least == int(least) and name not in ("temperature", "top_p") else "decimal"
        if value < least:
            text = f"Invalid '{name}': {kind} below minimum value. Expected a value >= {least}, but got {value} instead."
            yield _bad(text, name, f"{kind}_below_min_value")
        if most is not None and value > most:
            text = f"Invalid '{name}': {kind} above maximum value. Expected a value <= {most}, but got {value} instead."
            yield _bad(text, name, f"{kind}_above_max_value")


def _choices(body: JsonObject) -> Iterator[Problem]:
    effort = (body.get("reasoning") or {}).get("effort")
    if effort is not None and effort not in EFFORTS:
        yield _invalid("reasoning.effort", effort, EFFORTS)
    for at, name in enumerate(body.get("include") or ()):
        if name not in INCLUDED:
            yield _invalid(f"include[{at}]", name, INCLUDED)


def _invalid(where: str, value: object, allowed: tuple[str, ...]) -> Problem:
    names = ", ".join(f"'{name}'" for name in allowed)
    return _bad(f"Invalid value: '{value}'. Supported values are: {names}.", where, "invalid_value")


def _missing(where: str) -> Problem:
    return _bad(f"Missing required parameter: '{where}'.", where, "missing_required_parameter")


def _tools(body: JsonObject) -> Iterator[Problem]:
    tools = body.get("tools") or []
    for at, tool in enumerate(tools):
        if "type" not in tool:
            yield _missing(f"tools[{at}].type")
        if tool["type"] == "function" and "name" not in tool:
            yield _missing(f"tools[{at}].name")
        if tool["type"] == "function" and tool.get("strict"):
            yield from _strict(
                tool.get("parameters") or {}, f"function '{tool['name']}'", f"tools[{at}].parameters", "invalid_function_parameters"
            )
    choice = body.get("tool_choice")
    named = choice.get("name") if isinstance(choice, dict) and choice.get("type") == "function" else None
    if named and named not in [tool.get("name") for tool in tools]:
        yield _bad(f"Tool choice '{named}' not found in 'tools' parameter.", "tool_choice")
    if choice == "required" and not tools:
        yield _bad("Tool choice 'required' must be specified with 'tools' parameter.", "tool_choice")


def _format(body: JsonObject) -> Iterator[Problem]:
    wanted = (body.get("text") or {}).get("format") or {}
    if wanted.get("type") != "json_schema":
        return
    for name in ("name", "schema"):
        if not wanted.get(name):
            yield _missing(f"text.format.{name}")
    if wanted.get("strict"):
        yield from _strict(wanted["schema"], f"response_format '{wanted['name']}'", "text.format.schema", "invalid_json_schema")


def _strict(schema: JsonObject, what: str, param: str, code: str) -> Iterator[Problem]:
    if schema.get("type") == "object":
        properties = schema.get("properties") or {}
        if schema.get("additionalProperties") is not False:
            yield _bad(f"Invalid schema for {what}: 'additionalProperties' is required to be supplied and to be false.", param, code)
        if set(properties) - set(schema.get("required") or ()):
            text = f"Invalid schema for {what}: 'required' is required to be supplied and to be an array including every key in properties."
            yield _bad(text, param, code)
        for part in properties.values():
            yield from _strict(part, what, param, code)
    if isinstance(schema.get("items"), dict):
        yield from _strict(schema["items"], what, param, code)


def _item(where: str, item: JsonObject) -> Iterator[Problem]:
    match item.get("type", "message"):
        case "message":
            yield from _message(where, item)
        case "function_call":
            yield from _call(where, item)
        case "function_call_output":
            yield from (_missing(f"{where}.{name}") for name in ("call_id", "output") if item.get(name) is None)
        case "reasoning":
            yield from _replayed(where, item)
        case "item_reference" if not is_kept(item["id"]):
            yield _not_kept(item["id"])


def _message(where: str, item: JsonObject) -> Iterator[Problem]:
    role, content = item.get("role"), item.get("content")
    if role not in PARTS:
        yield _invalid(f"{where}.role", role, tuple(PARTS))
    if content is None:
        yield _missing(f"{where}.content")
    for at, part in enumerate(content if isinstance(content, list) else ()):
        if part.get("type") not in PARTS[str(role)]:
            yield _invalid(f"{where}.content[{at}].type", part.get("type"), PARTS[str(role)])


def _call(where: str, item: JsonObject) -> Iterator[Problem]:
    yield from (_missing(f"{where}.{name}") for name in ("call_id", "name", "arguments") if not isinstance(item.get(name), str))
    item_id = item.get("id")
    if item_id and not item_id.startswith("fc"):
        yield _bad(f"Invalid '{where}.id': '{item_id}'. Expected an ID that begins with 'fc'.", f"{where}.id", "invalid_value")


def _replayed(where: str, item: JsonObject) -> Iterator[Problem]:
    """Yield what is wrong with reasoning that comes back: sealed, it must be what was issued; else it must have been kept."""
    sealed, item_id = item.get("encrypted_content"), item.get("id")
    if "summary" not in item:
        yield _missing(f"{where}.summary")
    if sealed is None:
        if not isinstance(item_id, str) or not is_kept(item_id):
            yield _not_kept(item_id)
        return
    issued_for = seal.unwrapped(REASONING, sealed)
    reason = "Encrypted content could not be decrypted or parsed." if issued_for is None else ""
    if issued_for and item_id and item_id != issued_for:
        reason = "Encrypted content item_id did not match the target item id."
    if reason:
        yield _bad(f"The encrypted content for item {item_id} could not be verified. Reason: {reason}", code="invalid_encrypted_content")


def _not_kept(item_id: object) -> Problem:
    text = f"Item with id '{item_id}' not found. Items are not persisted when `store` is set to false."
    return 404, ApiError(f"{text} Try again with `store` set to true, or remove this item from your input.", param="input")


def _reasoning(given: list[JsonObject]) -> Iterator[Problem]:
    """Yield a complaint when reasoning has lost what followed it, or a kept call the reasoning that led to it."""
    kinds = [_kind(item) for item in given]
    for at, item in enumerate(given):
        if kinds[at] == "reasoning" and (kinds[at + 1 :] or ["user"])[0] in ("user", "system", "developer", "function_call_output"):
            yield _bad(f"Item '{item.get('id')}' of type 'reasoning' was provided without its required following item.", "input")
        if kinds[at] == "function_call" and needs_reasoning(item.get("id") or "") and "reasoning" not in kinds[:at]:
            yield _bad(f"Item '{item['id']}' of type 'function_call' was provided without its required 'reasoning' item.", "input")


def _kind(item: JsonObject) -> str:
    kind = str(item.get("type", "message"))
    return str(item["role"]) if kind == "message" else kind


def _pairs(given: list[JsonObject]) -> Iterator[Problem]:
    asked = {item["call_id"] for item in given if item.get("type") == "function_call"}
    answered = {item["call_id"] for item in given if item.get("type") == "function_call_output"}
    for call_id in sorted(answered - asked):
        yield _bad(f"No tool call found for function call output with call_id {call_id}.", "input")
    for call_id in sorted(asked - answered):
        yield _bad(f"No tool output found for function call {call_id}.", "input")
