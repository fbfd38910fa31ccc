"""Settings of providers that are reached over HTTP."""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field, replace

from promptwire_server.core.secret import Secret
from promptwire_server.providers.upstream import Bounds, Timeouts, Tls


@dataclass(frozen=True, slots=True)
class HttpSettings:
    """One account at one vendor, or one server of the operator's own."""

    dialect: str  # one of registry.DIALECTS
    vendor: str = ""  # a row of vendors.VENDORS; default: see vendors.vendor_of
    api_key: Secret | None = None
    api_keys: Sequence[Secret] = ()  # further ones, which take turns with it
    base_url: str | None = None  # default: the vendor's
    headers: Mapping[str, Secret] = field(default_factory=dict)  # besides the credential's
    models: Sequence[str] = ()  # to list, instead of asking the vendor
    options: Mapping[str, str] = field(default_factory=dict)  # what only this dialect knows, e.g. an organization or an API version
    timeouts: Timeouts = field(default_factory=Timeouts)
    bounds: Bounds = field(default_factory=Bounds)
    max_connections: int = 256
    proxy: Secret | None = None
    tls: Tls = field(default_factory=Tls)

    @property
    def keys(self) -> Sequence[Secret]:
        """All keys there are."""
        return (*(() if self.api_key is None else (self.api_key,)), *self.api_keys)

    def with_key(self, key: Secret | None) -> "HttpSettings":
        """The same with this key alone, or with none."""
        return replace(self, api_key=key, api_keys=())
