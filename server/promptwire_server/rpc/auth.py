"""From credential to Principal. Keys are compared by HMAC, so that neither memory nor timing gives one away."""

import hashlib
import hmac
import secrets
from collections.abc import Iterable, Mapping
from dataclasses import dataclass

from promptwire import v1 as pb
from promptwire_server.core.call import ANONYMOUS, Principal
from promptwire_server.core.errors import CredentialInvalid


@dataclass(frozen=True, slots=True)
class ApiKey:
    """A key and whose it is."""

    name: str
    tenant: str | None  # None: an operator's, of no tenant
    key: str
    max_priority: "pb.Priority" = pb.PRIORITY_HIGH

    def __repr__(self) -> str:
        return f"ApiKey(name={self.name!r}, tenant={self.tenant!r}, key=***)"


class Authenticator:
    """Knows the keys. Without any, and without client certificates, everybody is the anonymous principal of the default tenant."""

    def __init__(self, keys: Iterable[ApiKey] = (), *, certificates: bool = False, anonymous: Principal = ANONYMOUS) -> None:
        """`anonymous` is who everybody is then: an operator too where only this machine is listened to."""
        self.anonymous = anonymous
        self._pepper = secrets.token_bytes(32)
        self._principals: Mapping[bytes, Principal] = {}
        self._certificates = certificates
        self.renew(keys)

    def renew(self, keys: Iterable[ApiKey]) -> None:
        """Only these keys are let in from now on. Any thread may call it: callers meet the old ones or the new."""
        self._principals = {self._digest(key.key): _principal(key) for key in keys}

    @property
    def required(self) -> bool:
        """Calls need a credential."""
        return bool(self._principals) or self._certificates

    def principal(self, metadata: Mapping[str, str], certificate_name: str | None) -> Principal:
        """Who asks. Raises CredentialInvalid.

        By "authorization: Bearer KEY" or "x-api-key: KEY"; by client certificate only where there are no keys.
        """
        if not self._principals:
            return self._certified(certificate_name)
        key = _bearer(metadata)
        if not key:
            raise CredentialInvalid('no credential: send metadata "authorization: Bearer YOUR-KEY"')
        found = self._principals.get(self._digest(key))
        if found is None:
            raise CredentialInvalid("this API key is not known to this server; check the key, or ask the operator for one")
        return found

    def _certified(self, name: str | None) -> Principal:
        if name:
            return Principal(ANONYMOUS.tenant, name)
        if self._certificates:
            raise CredentialInvalid("the client certificate has no common name; use one that has")
        return self.anonymous

    def _digest(self, key: str) -> bytes:
        return hmac.digest(self._pepper, key.encode(), hashlib.sha256)


def _bearer(metadata: Mapping[str, str]) -> str:
    scheme, _, token = metadata.get("authorization", "").partition(" ")
    bearer = token.strip() if scheme.lower() == "bearer" else ""
    return bearer or metadata.get("x-api-key", "")


def _principal(key: ApiKey) -> Principal:
    return Principal(key.tenant or "", key.name, operator=key.tenant is None, api_key_id=key.name, max_priority=key.max_priority)
