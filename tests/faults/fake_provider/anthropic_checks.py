"""What api.anthropic.com refuses about a request beside its history: fields, settings, tools, schemas."""

import re
from collections.abc import Iterator

from tests.faults.fake_provider.anthropic_history import history_problems
from tests.faults.fake_provider.reply import JsonObject

COUNTED = frozenset(
    {
        "cache_control",
        "context_management",
        "mcp_servers",
        "messages",
        "model",
        "output_config",
        "output_format",
        "speed",
        "system",
        "thinking",
        "tool_choice",
        "tools",
    }
)
FIELDS = COUNTED | frozenset(
    {
        "container",
        "diagnostics",
        "inference_geo",
        "max_tokens",
        "metadata",
        "service_tier",
        "stop_sequences",
        "stream",
        "temperature",
        "top_k",
        "top_p",
    }
)
SAMPLING = frozenset({"temperature", "top_k", "top_p"})
VERSIONS = ("2023-01-01", "2023-06-01", "2026-10-21")
# From this version on: no sampling settings, no documents of the assistant's, no citations of the user's.
STRICTER = "2026-10-21"
LEAST_BUDGET = 1024
MOST_BREAKPOINTS = 4
LEAST_TOP_P = 0.95
THINKING_TYPES = ("adaptive", "between_tools", "disabled", "enabled")
TOOL_CHOICES = ("any", "auto", "none", "tool")
EFFORTS = ("low", "medium", "high", "xhigh", "max")
TOOL_NAME = re.compile(r"[a-zA-Z0-9_-]{1,128}")
# What the grammar of structured outputs does not know, by type.
UNSUPPORTED = {
    "integer": {"minimum", "maximum", "exclusiveMinimum", "exclusiveMaximum", "multipleOf"},
    "number": {"minimum", "maximum", "exclusiveMinimum", "exclusiveMaximum", "multipleOf"},
    "string": {"minLength", "maxLength"},
    "array": {"maxItems", "uniqueItems"},
}


def problem(body: JsonObject, *, counting: bool, version: str) -> str | None:
    """Return the first thing wrong with a request, None if nothing is; `counting` is for a count of its tokens."""
    return next(_problems(body, COUNTED if counting else FIELDS, strict=version >= STRICTER), None)


def _problems(body: JsonObject, known: frozenset[str], *, strict: bool) -> Iterator[str]:
    # In this order: each part may rely on what those before it have found to be well.
    yield from _fields(body, known - SAMPLING if strict else known)
    yield from _settings(body)
    yield from _tools(body)
    yield from _thinking(body)
    yield from _format(body)
    yield from _breakpoints(body)
    yield from history_problems(body, strict=strict)


def _fields(body: JsonObject, known: frozenset[str]) -> Iterator[str]:
    for name, kind in (("model", str), ("messages", list), ("max_tokens", int)):
        if name not in known:
            continue
        if name not in body:
            yield f"{name}: Field required"
        elif not isinstance(body[name], kind) or isinstance(body[name], bool):
            yield f"{name}: Input should be a valid {kind.__name__}"
    for name in sorted(body.keys() - known):
        yield f"{name}: Extra inputs are not permitted"
    if body.get("max_tokens", 0) < 0:
        yield "max_tokens: Input should be greater than or equal to 0"


def _settings(body: JsonObject) -> Iterator[str]:
    for name in ("temperature", "top_p"):
        value = body.get(name)
        if value is not None and not (isinstance(value, int | float) and 0 <= value <= 1):
            yield f"{name}: range: 0..1"
    top_k = body.get("top_k")
    if top_k is not None and not (isinstance(top_k, int) and top_k >= 0):
        yield "top_k: Input should be greater than or equal to 0"
    stop = body.get("stop_sequences") or []
    if not isinstance(stop, list) or not all(isinstance(word, str) for word in stop):
        yield "stop_sequences: Input should be a valid list of strings"
    elif not all(word.strip() for word in stop):
        yield "stop_sequences: each stop sequence must contain non-whitespace"
    effort = (body.get("output_config") or {}).get("effort")
    if effort is not None and effort not in EFFORTS:
        yield f"output_config.effort: Input should be one of {', '.join(EFFORTS)}"


def _tools(body: JsonObject) -> Iterator[str]:
    tools = body.get("tools") or []
    for at, tool in enumerate(tools):
        yield from _tool(f"tools.{at}", tool)
    names = [tool["name"] for tool in tools]
    if len(set(names)) < len(names):
        yield "tools: Tool names must be unique."
    choice = body.get("tool_choice")
    if choice is None:
        return
    if choice.get("type") not in TOOL_CHOICES:
        yield f"tool_choice: Input tag '{choice.get('type')}' does not match any of the expected tags: {', '.join(TOOL_CHOICES)}"
    if not tools and choice["type"] != "none":
        yield "tool_choice: may only be specified while providing tools"
    if choice["type"] == "tool" and choice.get("name") not in names:
        yield f"Tool '{choice.get('name')}' not found in provided tools"


def _tool(where: str, tool: JsonObject) -> Iterator[str]:
    if "name" not in tool:
        yield f"{where}.name: Field required"
    if tool.get("type", "custom") != "custom":
        return
    where = f"{where}.custom"
    if not TOOL_NAME.fullmatch(tool["name"]):
        yield f"{where}.name: String should match pattern '^{TOOL_NAME.pattern}$'"
    for name in tool.keys() - _TOOL_FIELDS:
        yield f"{where}.{name}: Extra inputs are not permitted"
    schema = tool.get("input_schema")
    if not isinstance(schema, dict):
        yield f"{where}.input_schema: Field required"
    elif schema.get("type") != "object":
        yield f"{where}.input_schema.type: Input should be 'object'"
    elif tool.get("strict"):
        yield from _schema(f"{where}.input_schema", schema)


_TOOL_FIELDS = frozenset(
    {
        "allowed_callers",
        "cache_control",
        "defer_loading",
        "description",
        "eager_input_streaming",
        "input_examples",
        "input_schema",
        "name",
        "strict",
        "type",
    }
)


def _thinking(body: JsonObject) -> Iterator[str]:
    thinking = body.get("thinking") or {}
    kind = thinking.get("type", "disabled")
    if kind not in THINKING_TYPES:
        yield f"thinking: Input tag '{kind}' does not match any of the expected tags: {', '.join(THINKING_TYPES)}"
    if kind == "enabled":
        yield from _budget(body, thinking)
    if kind not in ("enabled", "adaptive"):
        return
    if body.get("temperature", 1) != 1:
        yield "`temperature` may only be set to 1 when thinking is enabled."
    if body.get("top_k") is not None:
        yield "`top_k` must be unset when thinking is enabled."
    if (body.get("top_p") or 1) < LEAST_TOP_P:
        yield "`top_p` must be greater than or equal to 0.95 or unset when thinking is enabled."
    if (body.get("tool_choice") or {}).get("type") in ("any", "tool"):
        yield "Thinking may not be enabled when tool_choice forces tool use."


def _budget(body: JsonObject, thinking: JsonObject) -> Iterator[str]:
    budget = thinking.get("budget_tokens")
    if not isinstance(budget, int):
        yield "thinking.enabled.budget_tokens: Field required"
    elif budget < LEAST_BUDGET:
        yield f"thinking.enabled.budget_tokens: Input should be greater than or equal to {LEAST_BUDGET}"
    elif body.get("max_tokens", budget + 1) <= budget:
        yield "`max_tokens` must be greater than `thinking.budget_tokens`."


def _format(body: JsonObject) -> Iterator[str]:
    wanted = (body.get("output_config") or {}).get("format")
    if wanted is None:
        return
    where = "output_config.format"
    if wanted.get("type") != "json_schema":
        yield f"{where}.type: Input should be 'json_schema'"
    elif not isinstance(wanted.get("schema"), dict):
        yield f"{where}.schema: Field required"
    else:
        yield from _schema(f"{where}.schema", wanted["schema"])


def _schema(where: str, schema: JsonObject) -> Iterator[str]:
    kind = schema.get("type")
    if kind == "object" and schema.get("additionalProperties") is not False:
        yield f"{where}: For 'object' type, 'additionalProperties' must be explicitly set to false"
    wrong = sorted(schema.keys() & UNSUPPORTED.get(kind, set())) if isinstance(kind, str) else []
    if wrong:
        yield f"{where}: For '{kind}' type, properties {', '.join(wrong)} are not supported"
    below = [*(schema.get("properties") or {}).values(), *(schema.get("$defs") or {}).values(), *(schema.get("anyOf") or [])]
    for part in [*below, schema.get("items")]:
        if isinstance(part, dict):
            yield from _schema(where, part)


def _breakpoints(body: JsonObject) -> Iterator[str]:
    found = _count_breakpoints([body.get("system"), body.get("tools"), body["messages"]])
    if found > MOST_BREAKPOINTS:
        yield f"A maximum of {MOST_BREAKPOINTS} blocks with cache_control may be provided. Found {found}."


def _count_breakpoints(value: object) -> int:
    if isinstance(value, list):
        return sum(map(_count_breakpoints, value))
    if not isinstance(value, dict):
        return 0
    return bool(value.get("cache_control")) + _count_breakpoints(value.get("content"))
