"""The models of the Ollama dialect: those listed, those loaded, and what each can do."""

import hashlib

from tests.faults.fake_provider.reply import JsonObject

MODIFIED_AT = "2025-10-14T09:26:53.589793238+02:00"
EXPIRES_AT = "2318-10-04T09:26:53.589793238+02:00"
VERSION = "0.13.5"
SIZE = 4_661_224_676
ARCHITECTURE = "fake"
CONTEXT = {"fake": 131_072, "fake-mini": 8_192, "fake-embedding": 2_048}
EVERYTHING = ("completion", "tools", "insert", "vision", "thinking")
CAPABILITIES = {"fake": EVERYTHING, "fake-mini": ("completion",), "fake-embedding": ("embedding",)}
EMBEDDING_SIZE = 1_024


def capabilities(name: str) -> tuple[str, ...]:
    """Return what a model can do; one that is not listed can do everything."""
    return CAPABILITIES.get(_untagged(name), EVERYTHING)


def listed() -> JsonObject:
    return {"models": [_entry(name) | {"modified_at": MODIFIED_AT, "details": _details(name)} for name in CONTEXT]}


def loaded() -> JsonObject:
    more = {"expires_at": EXPIRES_AT, "size_vram": SIZE, "context_length": CONTEXT["fake"]}
    return {"models": [_entry("fake") | {"details": _details("fake")} | more]}


def shown(name: str) -> JsonObject | None:
    """Return all about a model, None if there is no such model."""
    name = _untagged(name)
    if name not in CONTEXT:
        return None
    return {
        "license": "MIT",
        "modelfile": f"FROM {name}",
        "parameters": 'stop                           "<|im_end|>"',
        "template": "{{ .Prompt }}",
        "details": _details(name),
        "model_info": {
            "general.architecture": ARCHITECTURE,
            "general.parameter_count": 8_030_261_312,
            f"{ARCHITECTURE}.context_length": CONTEXT[name],
            f"{ARCHITECTURE}.embedding_length": EMBEDDING_SIZE,
        },
        "capabilities": list(CAPABILITIES[name]),
        "modified_at": MODIFIED_AT,
    }


def _untagged(name: str) -> str:
    return name.removesuffix(":latest")


def _entry(name: str) -> JsonObject:
    digest = hashlib.sha256(name.encode()).hexdigest()
    return {"name": f"{name}:latest", "model": f"{name}:latest", "size": SIZE, "digest": digest}


def _details(name: str) -> JsonObject:
    return {
        "parent_model": "",
        "format": "gguf",
        "family": ARCHITECTURE,
        "families": [ARCHITECTURE],
        "parameter_size": "8.0B" if name == "fake" else "334M",
        "quantization_level": "Q4_K_M",
    }
