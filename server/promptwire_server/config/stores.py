"""Keys of the configuration that say where state is kept that several replicas share."""

import re
from typing import Annotated, Literal
from urllib.parse import urlsplit

from pydantic import Field, PlainSerializer, PlainValidator, WithJsonSchema, model_validator

from promptwire_server.config.section import Seconds, Section, as_secret, shown_secret
from promptwire_server.core.secret import Credential, Secret

_SCHEMES = re.compile(r"(rediss?|unix)://\S+")
_LACKING = (
    'must be an address such as "redis://:password@redis.example.com:6379/0", "rediss://…" for TLS, or "unix:///run/redis.sock"; '
    "or say where that is kept: vault:path#field"
)


def postgres_url(value: object) -> Secret:
    """The address with its password. Raises ValueError, which does not quote it."""
    secret = as_secret(value)
    known = not (isinstance(secret, Credential) and not secret.known)
    if known and not secret.reveal().startswith(("postgresql://", "postgres://")):
        raise ValueError('must be an address such as "postgresql://user:password@db.example.com/promptwire"; or say where that is kept')
    return secret


def redis_url(value: object) -> Secret:
    """The address with its password. Raises ValueError, which does not quote it."""
    secret = as_secret(value)
    if not (isinstance(secret, Credential) and not secret.known) and not _sound(secret.reveal()):
        raise ValueError(_LACKING)
    return secret


def _sound(url: str) -> bool:
    if not _SCHEMES.fullmatch(url):
        return False
    try:
        parts = urlsplit(url)
        database = parts.path.lstrip("/")
        return parts.scheme == "unix" or (bool(parts.hostname) and parts.port != 0 and (not database or database.isdecimal()))
    except ValueError:  # a port that is none
        return False


def _shown(secret: Secret) -> str:
    """Where it is; who asks, and what else the address says, is masked."""
    if isinstance(secret, Credential):
        return shown_secret(secret)
    parts = urlsplit(secret.reveal())
    who, at, where = parts.netloc.rpartition("@")
    return f"{parts.scheme}://{'***' if who else ''}{at}{where}{parts.path}{'?***' if parts.query else ''}"


RedisUrl = Annotated[
    Secret,
    PlainValidator(redis_url),
    PlainSerializer(_shown, return_type=str),
    WithJsonSchema({"type": "string", "minLength": 1, "writeOnly": True}),
]


PostgresUrl = Annotated[
    Secret,
    PlainValidator(postgres_url),
    PlainSerializer(_shown, return_type=str),
    WithJsonSchema({"type": "string", "minLength": 1, "writeOnly": True}),
]


class RedisStore(Section):
    """A Redis server, 6.2 or newer."""

    url: RedisUrl = Field(
        description="Its address: redis://, rediss:// (TLS) or unix://, with user, password and database.",
        examples=["${REDIS_URL}", "rediss://:${REDIS_PASSWORD}@redis.example.com:6379/0", "unix:///run/redis.sock"],
    )
    timeout_s: Seconds = Field(
        0.25, alias="timeout", description="How long one command may take; beyond, a call goes on without it.", examples=["250ms"]
    )
    max_connections: int = Field(64, ge=1, le=10_000, description="Connections of each worker at most.", examples=[64])


class PostgresStore(Section):
    """A PostgreSQL server, 13 or newer. Needs the extra `postgres`."""

    url: PostgresUrl = Field(
        description="Its address: postgresql://, with user, password and database. Tables are made in the schema `promptwire`.",
        examples=["${POSTGRES_URL}", "postgresql://promptwire:${PGPASSWORD}@db.example.com/promptwire?sslmode=verify-full"],
    )
    timeout_s: Seconds = Field(
        1.0, alias="timeout", description="How long one decision may take; beyond, a call that a hard budget counts fails.", examples=["1s"]
    )


class Stores(Section):
    """Where state is kept that several replicas share. Without, each worker keeps its own."""

    redis: RedisStore | None = Field(
        None, description="For what is decided call by call: limits of callers.", examples=[{"url": "${REDIS_URL}"}]
    )
    postgres: PostgresStore | None = Field(None, description="For money.", examples=[{"url": "${POSTGRES_URL}"}])
    budgets: Literal["sqlite", "postgres", "redis"] = Field(
        "sqlite",
        description="Where budgets and the ledger are kept: in a file of state_dir, which the workers of one machine share; with "
        "stores.postgres, which any number of replicas share; or budgets with stores.redis, which they share, and the ledger in each "
        "machine's file.",
        examples=["postgres", "redis"],
    )

    @model_validator(mode="after")
    def _there(self) -> "Stores":
        if self.budgets != "sqlite" and getattr(self, self.budgets) is None:
            raise ValueError(
                f"budgets are to be kept in {self.budgets}, and there is none; write its address under stores.{self.budgets}.url"
            )
        return self
