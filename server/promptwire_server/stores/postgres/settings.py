"""Settings of PostgreSQL, apart from what speaks to it: that is loaded only where it is used."""

from dataclasses import dataclass
from typing import Final

from promptwire_server.core.secret import Secret

NAME: Final = "postgres"


@dataclass(frozen=True, slots=True)
class PostgresSettings:
    """Where the server is, and how long it may take."""

    url: Secret  # postgresql://, with user and password
    timeout_s: float = 1.0  # of a decision
