"""The models that the Anthropic dialect lists, page by page."""

from collections.abc import Mapping
from dataclasses import dataclass

from tests.faults.fake_provider.reply import JsonObject

PAGE = 20
MOST = 1000


@dataclass(frozen=True, slots=True)
class _Model:
    id: str
    name: str
    created_at: str
    window: int
    output: int
    thinks: bool = True
    lifecycle: str = "active"


_MODELS = (
    _Model("fake-opus-5", "Fake Opus 5", "2026-05-20T00:00:00Z", 1_000_000, 128_000),
    _Model("fake-sonnet-5", "Fake Sonnet 5", "2026-02-17T00:00:00Z", 1_000_000, 64_000),
    _Model("fake-haiku-4-5-20251001", "Fake Haiku 4.5", "2025-10-01T00:00:00Z", 200_000, 64_000),
    _Model("fake", "Fake", "2025-05-14T00:00:00Z", 200_000, 32_000),
    _Model("fake-haiku-3", "Fake Haiku 3", "2024-03-07T00:00:00Z", 200_000, 4_096, thinks=False, lifecycle="deprecated"),
)


def one(name: str) -> JsonObject | str:
    """Return a model, or in a sentence why there is none."""
    found = next((model for model in _MODELS if model.id == name), None)
    return _info(found) if found else f"model: {name}"


def listed(query: Mapping[str, str]) -> JsonObject | str:
    """Return a page of models, or in a sentence what is wrong with the query."""
    limit = query.get("limit", str(PAGE))
    if not limit.isdigit() or not 1 <= int(limit) <= MOST:
        return f"limit: Input should be a valid integer from 1 to {MOST}"
    ids = [model.id for model in _MODELS]
    cursor = query.get("after_id") or query.get("before_id")
    if cursor and cursor not in ids:
        return f"{'after_id' if 'after_id' in query else 'before_id'}: Invalid cursor"
    return _page(query, int(limit), ids.index(cursor) if cursor else None)


def _page(query: Mapping[str, str], limit: int, at: int | None) -> JsonObject:
    if at is not None and "after_id" not in query:
        rest = _MODELS[:at]
        shown = rest[-limit:]
    else:
        rest = _MODELS[0 if at is None else at + 1 :]
        shown = rest[:limit]
    return {
        "data": [_info(model) for model in shown],
        "has_more": len(shown) < len(rest),
        "first_id": shown[0].id if shown else None,
        "last_id": shown[-1].id if shown else None,
    }


def _info(model: _Model) -> JsonObject:
    return {
        "type": "model",
        "id": model.id,
        "display_name": model.name,
        "created_at": model.created_at,
        "lifecycle": model.lifecycle,
        "line": next((line for line in ("opus", "sonnet", "haiku") if line in model.id), None),
        "deprecated_at": None if model.lifecycle == "active" else "2026-01-01T00:00:00Z",
        "retires_at": None,
        "max_input_tokens": model.window,
        "max_tokens": model.output,
        "capabilities": _capabilities(model),
    }


def _capabilities(model: _Model) -> JsonObject:
    yes, no, thinks = {"supported": True}, {"supported": False}, {"supported": model.thinks}
    return {
        "batch": yes,
        "citations": yes,
        "code_execution": no,
        "context_management": no,
        "effort": {**thinks, "low": thinks, "medium": thinks, "high": thinks, "xhigh": no, "max": no},
        "image_input": yes,
        "pdf_input": yes,
        "server_tools": {**yes, "web_search": yes, "code_execution": no},
        "structured_outputs": thinks,
        "thinking": {
            **thinks,
            "types": {"adaptive": thinks, "between_tools": no, "disabled": yes, "enabled": thinks},
        },
    }
