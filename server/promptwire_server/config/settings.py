"""Settings: the whole configuration, checked, with every default filled in and the origin of every value."""

from collections.abc import Mapping
from dataclasses import dataclass, field
from pathlib import Path

from promptwire_server.config.admission import Tenant
from promptwire_server.config.budgets import Alerts, Budget
from promptwire_server.config.limits import Limit
from promptwire_server.config.model import Auth, Cache, Logs, Server, Usage
from promptwire_server.config.model_facts import ModelFacts
from promptwire_server.config.money import Holds
from promptwire_server.config.providers import Provider
from promptwire_server.config.resilience import Resilience
from promptwire_server.config.routing import Alias
from promptwire_server.config.sameness import Dedup, Idempotency
from promptwire_server.config.secret_stores import Secrets
from promptwire_server.config.stores import Stores

KeyPath = tuple[str, ...]  # e.g. ("auth", "api_keys", "0", "key")


@dataclass(frozen=True, slots=True)
class Origin:
    """Where a value came from."""

    kind: str  # "file", "environment", "secret file" or "flag"; what is a default has no origin
    name: str = ""  # the file, the variable or the flag
    line: int = 0  # in the file, from 1; 0 when it does not apply

    def __str__(self) -> str:
        where = f"{self.name}:{self.line}" if self.line else self.name
        return f"{self.kind} {where}".strip()


@dataclass(frozen=True, slots=True)
class Settings:
    """The effective configuration. Secret files are read, paths are absolute, provider defaults filled in from their vendor's row."""

    server: Server
    auth: Auth  # every key is there, whether it came from key or key_file
    state_dir: Path
    default_model: str  # an alias or "provider/model" that exists
    models: Mapping[str, Alias]
    providers: Mapping[str, Provider]  # those switched on, `echo` among them unless switched off
    logs: Logs
    cache: Cache = field(default_factory=lambda: Cache.model_validate({}))
    dedup: Dedup = field(default_factory=lambda: Dedup.model_validate({}))
    idempotency: Idempotency = field(default_factory=lambda: Idempotency.model_validate({}))
    budgets: Mapping[str, Budget] = field(default_factory=dict)
    alerts: Alerts = field(default_factory=lambda: Alerts.model_validate({}))
    holds: Holds = field(default_factory=lambda: Holds.model_validate({}))
    usage: Usage = field(default_factory=lambda: Usage.model_validate({}))
    tenants: Mapping[str, Tenant] = field(default_factory=dict)
    limits: tuple[Limit, ...] = ()
    stores: Stores = field(default_factory=lambda: Stores.model_validate({}))
    resilience: Resilience = field(default_factory=lambda: Resilience.model_validate({}))
    secrets: Secrets = field(default_factory=lambda: Secrets.model_validate({}))
    model_facts: Mapping[str, ModelFacts] = field(default_factory=dict)  # by "provider/model"
    path: Path | None = None  # the file that was read
    notices: tuple[str, ...] = ()  # what the operator should know at start
    origins: Mapping[KeyPath, Origin] = field(default_factory=dict)
