"""Settings of Redis, apart from what speaks to it: that is loaded only where it is used."""

from dataclasses import dataclass

from promptwire_server.core.secret import Secret

NAME = "redis"


@dataclass(frozen=True, slots=True)
class RedisSettings:
    """Where the server is, and how long it may take."""

    url: Secret  # redis://, rediss:// (TLS) or unix://, with user and password
    timeout_s: float = 0.25  # of a command, with opening a connection or waiting for one
    max_connections: int = 64
