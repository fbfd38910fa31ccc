"""HashiCorp Vault: key-value secrets of both versions, by hvac. Loaded only when something refers to it."""

from collections.abc import Iterator
from pathlib import Path

import hvac
from hvac.exceptions import Forbidden, InvalidPath, InvalidRequest, RateLimitExceeded, Unauthorized, VaultDown, VaultError
from requests import exceptions as http

from promptwire_server.core.secret import Secret
from promptwire_server.secrets.settings import AppRole, Kubernetes, Read, StoreSettings, VaultSettings
from promptwire_server.secrets.store import Found, Unavailable, Unreadable

_OF_VERSION_2 = {"data", "metadata"}  # what surrounds the fields there


def open_store(settings: StoreSettings) -> "Vault":
    """Vault as the settings say. Nothing is sent yet."""
    return Vault(settings.vault, settings.read)


class Vault:
    """One Vault, or one namespace of it. Logs in with the first read, and again when its token is not taken any more."""

    def __init__(self, settings: VaultSettings, read: Read) -> None:
        self._settings = settings
        self._read = read
        self._client = hvac.Client(
            settings.address,
            token="",  # without one, hvac would look in the environment and the home directory
            namespace=settings.namespace,
            verify=True if settings.ca_file is None else str(settings.ca_file),
            timeout=settings.timeout_s,
        )

    def read(self, name: str) -> Found:
        """See Store. The name is a path as Vault's HTTP has it; of version 2 the `data/` behind the mount may be left out."""
        try:
            return self._logged_in(name)
        except Forbidden:
            raise Unreadable("Vault denies it; let the policy of the token `read` this path, or give another token") from None
        except (VaultError, OSError) as error:  # requests' errors are OSErrors
            raise Unavailable(_said(error, self._settings)) from None

    def _logged_in(self, name: str) -> Found:
        fresh = not self._client.token or isinstance(self._settings.login, Path)  # an agent may write its token anew at any time
        if fresh:
            self._login()
        try:
            return self._found(name)
        except Forbidden:
            if fresh or isinstance(self._settings.login, Secret):
                raise
        self._login()  # the token may have ended
        return self._found(name)

    def _found(self, name: str) -> Found:
        denied: Forbidden | None = None
        for path in _paths(name):
            try:
                return _of_answer(self._client.adapter.get(f"/v1/{path}"))
            except InvalidPath as error:
                if not _warned(error):
                    break
            except Forbidden as error:
                denied = denied or error
        if denied is not None:
            raise denied
        raise Unreadable("Vault has nothing there; check the mount and the path, and secrets.vault.namespace")

    def _login(self) -> None:
        login = self._settings.login
        match login:
            case Secret():
                self._client.token = login.reveal()
            case Path():
                self._client.token = self._text(login, "token_file")
            case AppRole():
                secret_id = self._text(login.secret_id, "approle.secret_id_file") if isinstance(login.secret_id, Path) else login.secret_id
                told = secret_id.reveal() if isinstance(secret_id, Secret) else secret_id
                self._enter(login.mount, {"role_id": login.role_id, "secret_id": told}, "approle: check role_id and secret_id")
            case Kubernetes():
                token = self._text(login.token_file, "kubernetes.token_file")
                self._enter(login.mount, {"role": login.role, "jwt": token}, "kubernetes: check role, and what it is bound to")

    def _enter(self, mount: str, words: dict[str, str | None], hint: str) -> None:
        self._client.token = ""
        try:
            self._client.adapter.login(f"/v1/auth/{mount}/login", json={key: word for key, word in words.items() if word is not None})
        except (InvalidRequest, Unauthorized, Forbidden, InvalidPath):
            raise Unavailable(f"Vault refuses the login by secrets.vault.{hint}") from None
        except (KeyError, TypeError):
            raise Unavailable("what answers the login is not Vault; check secrets.vault.address") from None

    def _text(self, file: Path, key: str) -> str:
        try:
            return self._read(file)
        except ValueError as error:
            raise Unavailable(f"secrets.vault.{key}: {error}") from None


def _warned(error: InvalidPath) -> bool:
    """Vault says that nothing is there, and more: that this is no path in a mount of version 2."""
    return isinstance(error.json, dict) and bool(error.json.get("warnings"))


def _paths(name: str) -> Iterator[str]:
    yield name
    mount, _, rest = name.partition("/")
    if not rest.startswith("data/"):
        yield f"{mount}/data/{rest}"


def _of_answer(answer: object) -> Found:
    data = answer.get("data") if isinstance(answer, dict) else None
    if not isinstance(answer, dict) or not isinstance(data, dict):
        raise Unavailable("what answers is not Vault; check secrets.vault.address")
    inner = data.get("data")
    if set(data) == _OF_VERSION_2 and isinstance(inner, dict):
        return Found(fields=inner)
    lease_s = answer.get("lease_duration")
    return Found(fields=data, ttl_s=float(lease_s) if isinstance(lease_s, int) else 0.0)


def _said(error: VaultError | OSError, settings: VaultSettings) -> str:  # noqa: PLR0911 - one line a kind
    """What is wrong with Vault as a whole. Its own words, and those of the libraries, may quote what was sent."""
    match error:
        case VaultDown():
            return "Vault is sealed, or down for maintenance; unseal it"
        case RateLimitExceeded():
            return "Vault asks to be left alone for a while (429)"
        case VaultError():
            return f"Vault failed ({type(error).__name__}); its log says why"
        case http.SSLError():
            return "the certificate of Vault is not acceptable; check secrets.vault.ca_file and address"
        case http.Timeout():
            return f"Vault did not answer within {settings.timeout_s:g} s; check secrets.vault.address, or allow more with timeout"
        case http.ConnectionError():
            return f"Vault takes no connections at {settings.address}; check secrets.vault.address, and whether it runs"
    return f"Vault cannot be asked ({type(error).__name__}); check secrets.vault"
