"""A small fake of Vault's HTTP: secrets of both versions, namespaces, tokens with policies, logins; sealed or slow on demand."""

import contextlib
import itertools
import json
import threading
from collections.abc import Iterator, Mapping
from dataclasses import dataclass, field
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from typing import Any

Json = dict[str, Any]
ROOT = "hvs.root"
HOLD_S = 30.0
_V1_LEASE_S = 2_764_800  # what Vault says of a secret of version 1 that says nothing itself
_MISPLACED = "Invalid path for a versioned K/V secrets engine. See the API docs for the appropriate API endpoints to use."


@dataclass(frozen=True)
class Request:
    """What a client sent."""

    method: str
    path: str
    token: str
    namespace: str


@dataclass
class FakeVault:
    """State of the fake. `secret/` is of version 2, `kv/` of version 1."""

    address: str = ""
    secrets: dict[tuple[str, str], Json] = field(default_factory=dict)  # (namespace, path without data/) -> fields
    policies: dict[str, tuple[str, ...]] = field(default_factory=lambda: {ROOT: ("",)})  # token -> beginnings of paths it may read
    roles: dict[str, str] = field(default_factory=dict)  # role id or role -> secret id or JWT
    role_paths: tuple[str, ...] = ("",)
    requests: list[Request] = field(default_factory=list)
    status: int = 0  # answers everything with this
    raw: bytes = b""  # answers everything with this, as 200
    open: threading.Event = field(default_factory=threading.Event)  # while it is not set, no request is answered
    numbers: Iterator[int] = field(default_factory=lambda: itertools.count(1))

    def put(self, path: str, fields: Mapping[str, object], namespace: str = "") -> None:
        self.secrets[namespace, path] = dict(fields)

    def allow(self, token: str, *beginnings: str) -> None:
        self.policies[token] = beginnings

    def revoke_all(self) -> None:
        self.policies.clear()

    def reads(self, path: str) -> int:
        return sum(request.path == f"/v1/{path}" for request in self.requests)

    def logins(self) -> int:
        return sum(request.method == "POST" for request in self.requests)

    def answer(self, request: Request, body: Json) -> tuple[int, Json]:
        if self.status:
            return self.status, {"errors": ["Vault is sealed"] if self.status == 503 else ["failed as told"]}
        path = request.path.removeprefix("/v1/")
        if request.method == "POST" and path.startswith("auth/") and path.endswith("/login"):
            return self._login(body)
        if not any(path.startswith(beginning) for beginning in self.policies.get(request.token, ())):
            return 403, {"errors": ["1 error occurred:\n\t* permission denied\n\n"]}
        return self._read(request.namespace, path)

    def _login(self, body: Json) -> tuple[int, Json]:
        role = body.get("role_id") or body.get("role") or ""
        word = body.get("secret_id") or body.get("jwt") or ""
        if self.roles.get(role) != word:
            return 400, {"errors": ["invalid role or secret ID"]}
        token = f"hvs.login-{next(self.numbers)}"
        self.allow(token, *self.role_paths)
        return 200, {"auth": {"client_token": token, "lease_duration": 1200, "renewable": True}, "data": None}

    def _read(self, namespace: str, path: str) -> tuple[int, Json]:
        mount, _, rest = path.partition("/")
        if mount == "secret" and not rest.startswith("data/"):
            return 404, {"errors": [], "warnings": [_MISPLACED]}
        fields = self.secrets.get((namespace, f"{mount}/{rest.removeprefix('data/')}"))
        if fields is None:
            return 404, {"errors": []}
        if mount == "secret":
            metadata = {"version": 1, "deletion_time": "", "destroyed": False}
            return 200, {"lease_id": "", "lease_duration": 0, "data": {"data": fields, "metadata": metadata}}
        ttl = fields.get("ttl")
        return 200, {"lease_id": "", "lease_duration": int(str(ttl)) if ttl else _V1_LEASE_S, "data": fields}


class _Handler(BaseHTTPRequestHandler):
    vault: FakeVault

    def do_GET(self) -> None:
        self._answer({})

    def do_POST(self) -> None:
        self._answer(json.loads(self.rfile.read(int(self.headers.get("content-length", 0))) or b"{}"))

    def _answer(self, body: Json) -> None:
        asked = Request(self.command, self.path, self.headers.get("X-Vault-Token", ""), self.headers.get("X-Vault-Namespace", ""))
        self.vault.requests.append(asked)
        self.vault.open.wait(HOLD_S)
        status, answer = (200, {}) if self.vault.raw else self.vault.answer(asked, body)
        data = self.vault.raw or json.dumps(answer).encode()
        with contextlib.suppress(ConnectionError):  # a client that ran out of patience
            self.send_response(status)
            self.send_header("content-type", "application/json")
            self.send_header("content-length", str(len(data)))
            self.end_headers()
            self.wfile.write(data)

    def log_message(self, format: str, *args: object) -> None:  # noqa: A002 - the standard library's name
        pass


@contextlib.contextmanager
def running() -> Iterator[FakeVault]:
    """A fake on a port that the system chooses."""
    vault = FakeVault()
    vault.open.set()
    server = ThreadingHTTPServer(("127.0.0.1", 0), type("Handler", (_Handler,), {"vault": vault}))
    server.daemon_threads = True
    vault.address = f"http://127.0.0.1:{server.server_address[1]}"
    thread = threading.Thread(target=server.serve_forever, kwargs={"poll_interval": 0.01}, daemon=True)
    thread.start()
    try:
        yield vault
    finally:
        vault.open.set()
        server.shutdown()
        server.server_close()
        thread.join()
