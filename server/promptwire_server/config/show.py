"""The effective configuration for people: every key with its value, secrets masked, and where the value came from."""

import json
from collections.abc import Iterator

from promptwire_server.config.model import File
from promptwire_server.config.schema import Json
from promptwire_server.config.settings import KeyPath, Origin, Settings


def dump(settings: Settings) -> str:
    """The settings as YAML, with the origin of each value as a comment. Its output, secrets aside, is a configuration file."""
    file = File.model_construct(
        server=settings.server,
        auth=settings.auth,
        state_dir=settings.state_dir,
        secrets=settings.secrets,
        default_model=settings.default_model,
        models=dict(settings.models),
        model_facts=dict(settings.model_facts),
        providers=dict(settings.providers) if "echo" in settings.providers else {**settings.providers, "echo": None},
        tenants=dict(settings.tenants),
        limits=list(settings.limits),
        stores=settings.stores,
        resilience=settings.resilience,
        cache=settings.cache,
        dedup=settings.dedup,
        idempotency=settings.idempotency,
        budgets=dict(settings.budgets),
        alerts=settings.alerts,
        holds=settings.holds,
        usage=settings.usage,
        logs=settings.logs,
    )
    values: Json = file.model_dump(mode="json", by_alias=True)
    return "\n".join(_lines(values, (), settings, "")) + "\n"


def _lines(value: Json, path: KeyPath, settings: Settings, indent: str) -> Iterator[str]:
    if not isinstance(value, dict):
        return
    for key, inner in value.items():
        at = (*path, key)
        if isinstance(inner, dict) and inner:
            yield f"{indent}{_key(key)}:"
            yield from _lines(inner, at, settings, indent + "  ")
        elif isinstance(inner, list) and any(isinstance(item, dict) for item in inner):
            yield f"{indent}{_key(key)}:"
            yield from _items(inner, at, settings, indent + "  ")
        else:
            yield f"{indent}{_key(key)}: {json.dumps(inner, ensure_ascii=False)}  # {_origin(at, settings)}"


def _items(items: list[Json], path: KeyPath, settings: Settings, indent: str) -> Iterator[str]:
    for position, item in enumerate(items):
        if not isinstance(item, dict):
            yield f"{indent}- {json.dumps(item, ensure_ascii=False)}  # {_origin((*path, str(position)), settings)}"
            continue
        for number, line in enumerate(_lines(item, (*path, str(position)), settings, "")):
            yield f"{indent}{'  ' if number else '- '}{line}"


def _key(key: str) -> str:
    return key if key.replace("_", "").isalnum() and not key.isdigit() else json.dumps(key)


def _origin(path: KeyPath, settings: Settings) -> str:
    for length in range(len(path), 0, -1):
        found: Origin | None = settings.origins.get(path[:length])
        if found is not None:
            # What holds the value was written; the value itself only if it is known by its own path, or was given as a whole.
            return str(found) if length == len(path) or found.kind != "file" else "default"
    return "default"
