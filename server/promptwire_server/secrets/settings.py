"""Where the stores of secrets are, how they are opened, and how often they are asked."""

from collections.abc import Callable
from dataclasses import dataclass, field
from pathlib import Path

from promptwire_server.core.secret import Secret

Read = Callable[[Path], str]  # the text of a secret file; raises ValueError that says what is wrong


@dataclass(frozen=True, slots=True)
class AppRole:
    """A role for machines."""

    role_id: str
    secret_id: Secret | Path | None  # a path is read at each login
    mount: str


@dataclass(frozen=True, slots=True)
class Kubernetes:
    """A role for pods."""

    role: str
    token_file: Path  # read at each login
    mount: str


@dataclass(frozen=True, slots=True)
class VaultSettings:
    """Where Vault is, and what opens it."""

    address: str = ""
    login: Secret | Path | AppRole | Kubernetes = field(default_factory=lambda: Secret(""))  # a token, a file with one, or a role
    namespace: str | None = None
    ca_file: Path | None = None
    timeout_s: float = 5.0  # of one request: to connect, and between two pieces of the answer


@dataclass(frozen=True, slots=True)
class AwsSettings:
    """Where Secrets Manager is; None is what AWS's own programs would take."""

    region: str | None = None
    endpoint_url: str | None = None
    timeout_s: float = 5.0  # as for Vault


@dataclass(frozen=True, slots=True)
class StoreSettings:
    """All of it."""

    read: Read
    vault: VaultSettings = field(default_factory=VaultSettings)
    aws: AwsSettings = field(default_factory=AwsSettings)
    refresh_interval_s: float = 300.0  # 0: only at start
    start_timeout_s: float = 30.0  # for all stores together, however slowly they answer
