"""Which server a command talks to, and as whom."""

from dataclasses import dataclass, field
from pathlib import Path
from typing import Annotated

from cyclopts import Group, Parameter

from promptwire import Promptwire, Tls
from promptwire_server.cli.exits import CommandError

_GROUP = Group("Server", sort_key=100)
DEFAULT_TIMEOUT_S = 300.0

Seconds = Annotated[float, Parameter(help="Seconds to wait in all, retries included.", show_default=True, group=_GROUP)]


@Parameter(name="*", group=_GROUP)
@dataclass(frozen=True, kw_only=True)
class Connection:
    """The options that every command has which talks to a server."""

    target: Annotated[str, Parameter(env_var="PROMPTWIRE_TARGET", show_default=True, help="Address of the server, host:port.")] = (
        "127.0.0.1:50051"
    )
    api_key: Annotated[
        str | None,
        Parameter(env_var="PROMPTWIRE_API_KEY", help="Credential; better in the environment, where `ps` does not see it."),
    ] = field(default=None, repr=False)
    plaintext: Annotated[bool, Parameter(help="No TLS. Default: TLS everywhere but on this machine.")] = False
    tls_ca: Annotated[
        Path | None, Parameter(env_var="PROMPTWIRE_TLS_CA", help="Who may sign the server's certificate, PEM; implies TLS.")
    ] = None
    tls_cert: Annotated[Path | None, Parameter(help="This client's certificate, PEM, where the server asks for one.")] = None
    tls_key: Annotated[Path | None, Parameter(help="Its private key, PEM.")] = None

    def open(self, timeout_s: float = DEFAULT_TIMEOUT_S) -> Promptwire:
        """A client; nothing is sent yet. Raises CommandError."""
        try:
            return Promptwire(self.target, api_key=self.api_key, tls=self._tls(), timeout_s=timeout_s)
        except ValueError as error:
            raise CommandError(str(error), "see --target and --api-key") from None

    def _tls(self) -> Tls | bool | None:
        files = {"ca_file": self.tls_ca, "cert_file": self.tls_cert, "key_file": self.tls_key}
        given = {name: str(path) for name, path in files.items() if path is not None}
        if given and self.plaintext:
            raise CommandError("--plaintext and --tls-… exclude each other", "leave one out")
        if (self.tls_cert is None) != (self.tls_key is None):
            raise CommandError("--tls-cert and --tls-key go together", "give both")
        if given:
            return Tls(**given)
        return False if self.plaintext else None


HERE = Connection()
