"""From a valid file to Settings: secret files read, defaults that depend on other keys filled in, names resolved."""

import difflib
from collections.abc import Collection, Iterable, Mapping
from pathlib import Path
from typing import TypeVar

from promptwire_server.config.aliases import check_aliases
from promptwire_server.config.check import MIN_KEY_CHARACTERS, too_short
from promptwire_server.config.environment import read_secret
from promptwire_server.config.fault import Fault
from promptwire_server.config.limits import idle_limits
from promptwire_server.config.model import ApiKey, Auth, File, Server
from promptwire_server.config.providers import Custom, Echo, Provider, Remote
from promptwire_server.config.remotes import idle_timeouts
from promptwire_server.config.routing import Alias
from promptwire_server.config.sendable import UNSENDABLE, sendable
from promptwire_server.config.settings import KeyPath, Settings
from promptwire_server.config.tree import Tree
from promptwire_server.config.vendors import Vendor
from promptwire_server.core.secret import Credential, Reference, Secret

_ECHO_MODEL = "echo"

R = TypeVar("R", bound=Remote)


class Completion:
    """Turns one File into Settings. Faults go to the tree."""

    def __init__(self, file: File, tree: Tree, vendors: Iterable[Vendor], environ: Mapping[str, str]) -> None:
        self._file = file
        self._tree = tree
        self._vendors = {vendor.name: vendor for vendor in vendors}
        self._environ = environ

    def settings(self, path: Path | None, notices: Iterable[str], broken: Collection[str] = ()) -> Settings:
        """The whole; of use only when the tree has no faults. What rests on a `broken` section is not judged."""
        providers = self._providers()
        if not {"providers", "models"} & set(broken):
            self._check_targets(providers)
        return Settings(
            server=self._server(),
            auth=self._auth(),
            state_dir=self._state_dir(),
            default_model=self._default_model(providers),
            models=dict(self._file.models),
            providers=providers,
            logs=self._file.logs,
            cache=self._file.cache,
            tenants=dict(self._file.tenants),
            limits=tuple(self._file.limits),
            stores=self._file.stores,
            resilience=self._file.resilience,
            secrets=self._file.secrets,
            dedup=self._file.dedup,
            idempotency=self._file.idempotency,
            budgets=dict(self._file.budgets),
            alerts=self._file.alerts,
            holds=self._file.holds,
            usage=self._file.usage,
            model_facts=dict(self._file.model_facts),
            path=path,
            notices=(*notices, *self._unused_facts(providers), *self._idle_limits(), *idle_timeouts(providers)),
            origins=dict(self._tree.origins),
        )

    def _server(self) -> Server:
        server = self._file.server
        if server.listen.loopback and not self._tree.has(("server", "drain", "pre_drain")):
            server = server.model_copy(update={"drain": server.drain.model_copy(update={"pre_drain_s": 0.0})})
        if server.max_connection_age_grace_s is None:
            server = server.model_copy(update={"max_connection_age_grace_s": server.max_call_duration_s})
        return server

    def _auth(self) -> Auth:
        keys = [self._api_key(key, position) for position, key in enumerate(self._file.auth.api_keys)]
        return Auth(api_keys=keys)

    def _api_key(self, key: ApiKey, position: int) -> ApiKey:
        if key.key_file is None:
            return key
        path = ("auth", "api_keys", str(position), "key_file")
        secret = self._secret(key.key_file, path)
        if secret is not None and len(secret) < MIN_KEY_CHARACTERS:
            self._fault(path, too_short(len(secret)))
        return key.model_copy(update={"key": secret})

    def _providers(self) -> dict[str, Provider]:
        providers: dict[str, Provider] = {}
        for name, provider in self._file.providers.items():
            if provider is not None:
                providers[name] = self._remote(name, provider) if isinstance(provider, Remote) else provider
        if "echo" not in self._file.providers:
            providers["echo"] = Echo(kind="echo")
        return providers

    def _remote(self, name: str, provider: R) -> R:
        vendor = self._vendor_of(name, provider)
        base_url = provider.base_url or (vendor.base_url if vendor else "")
        at = ("providers", name)
        if not base_url:
            self._fault((*at, "base_url"), _no_address(name, vendor))
        found: dict[str, Secret | str | None] = {"base_url": base_url.rstrip("/")}
        for key in ("api_key", "token"):
            file: Path | None = getattr(provider, f"{key}_file", None)
            if file is not None:
                found[key] = self._sendable(file, (*at, f"{key}_file"))
        shown = any(getattr(provider, key, None) is not None for key in ("api_key", "api_key_file", "token", "token_file"))
        if not (shown or provider.api_keys) and vendor and vendor.key_variables and base_url == (vendor.base_url or base_url):
            variable = f", or set {vendor.key_variables[0]}" if vendor.name == name else ""
            self._fault(at, f"has no key: write `api_key` or `api_key_file`{variable}")
        return provider.model_copy(update=found)

    def _vendor_of(self, name: str, provider: Remote) -> Vendor | None:
        """The row of the vendor that is named, else of the one whose name it has and whose dialect it speaks."""
        vendor = self._vendors.get(provider.vendor or name)
        if provider.vendor is not None:
            at = ("providers", name, "vendor")
            if vendor is None:
                self._fault(at, f'no vendor is called "{provider.vendor}"; there are {", ".join(sorted(self._vendors))}')
            elif vendor.dialect != provider.kind:
                self._fault(at, f"{provider.vendor} speaks {vendor.dialect}; write kind: {vendor.dialect}, or another vendor")
        if vendor is not None and vendor.dialect == provider.kind:
            return vendor
        return None if provider.kind == "openai" else self._vendors.get(provider.kind)  # which everybody speaks

    def _check_targets(self, providers: Mapping[str, Provider]) -> None:
        for path, problem in check_aliases(self._file.models, lambda model: _problem(model, providers, {})):
            self._fault(self._as_written(("models", *path)), problem)
        named: dict[KeyPath, str | None] = {("default_model",): self._file.default_model}
        named["cache", "similar", "model"] = self._file.cache.similar.model
        for path, model in named.items():
            if model and (problem := _problem(model, providers, self._file.models)):
                self._fault(path, problem)

    def _as_written(self, path: KeyPath) -> KeyPath:
        """The path without what a short form leaves out: `fast: openai/gpt-4o-mini` has no `targets`, nor has a list of models."""
        _, name, *inner = path
        written = self._tree.get(("models", name))
        if isinstance(written, str):
            return ("models", name)
        return ("models", name, *inner[1:]) if isinstance(written, list) and inner[:1] == ["targets"] else path

    def _unused_facts(self, providers: Mapping[str, Provider]) -> Iterable[str]:
        """Facts that nothing will ask for. No fault: a file of facts may serve servers with different providers."""
        for name in self._file.model_facts:
            if problem := _problem(name, providers, {}):
                yield f"model_facts is of no use: {problem}"

    def _idle_limits(self) -> Iterable[str]:
        """Limits of callers that do not exist. No fault: they may come; and certificates name callers that nobody has listed."""
        if self._file.server.tls.client_ca_file is not None or not self._file.auth.api_keys:
            return []
        return idle_limits(self._file.limits, {key.name: key.tenant or "" for key in self._file.auth.api_keys})

    def _default_model(self, providers: Mapping[str, Provider]) -> str:
        if self._file.default_model:
            return self._file.default_model
        for name, provider in providers.items():
            if isinstance(provider, Remote | Custom):
                vendor = self._vendors.get(getattr(provider, "vendor", None) or name)
                model = provider.models[0] if provider.models else (vendor.default_model if vendor else "")
                if model:
                    return f"{name}/{model}"
        return f"echo/{_ECHO_MODEL}" if "echo" in providers else ""

    def _state_dir(self) -> Path:
        if self._file.state_dir is not None:
            return self._file.state_dir
        home = self._environ.get("XDG_STATE_HOME") or str(Path(self._environ.get("HOME") or Path.home()) / ".local" / "state")
        return Path(home) / "promptwire"

    def _secret(self, file: Path, path: KeyPath) -> Secret | None:
        try:
            return Credential(Reference("file", str(file)), read_secret(file))
        except ValueError as error:
            self._fault(path, str(error))
            return None

    def _sendable(self, file: Path, path: KeyPath) -> Secret | None:
        """The secret, which goes to a vendor in a header."""
        secret = self._secret(file, path)
        if secret is not None and not sendable(secret.reveal()):
            self._fault(path, f"{file} {UNSENDABLE}")
        return secret

    def _fault(self, path: KeyPath, message: str) -> None:
        self._tree.faults.append(Fault(path, message, self._tree.origin(path)))


def _no_address(name: str, vendor: Vendor | None) -> str:
    if vendor is None:
        return f'is required, since "{name}" is no vendor whose address is known'
    variable = f"; write it, or set {vendor.url_variables[0]}" if vendor.name == name and vendor.url_variables else ""
    return f"is required, since each account at {vendor.name} has an address of its own{variable}"


def _example(model: str, providers: Mapping[str, Provider]) -> str:
    """A name of the right shape that may well be the one that is meant."""
    return f"{next(iter(providers), 'openai')}/{model.strip('/') or 'gpt-4o-mini'}"


def _problem(model: str, providers: Mapping[str, Provider], aliases: Mapping[str, Alias]) -> str:
    """What is wrong with a model's name; empty when nothing is."""
    if model in aliases:
        return ""
    name, slash, rest = model.partition("/")
    if not slash or not rest:
        if not aliases:
            return f'"{model}" must be "provider/model", such as "{_example(model, providers)}"'
        near = difflib.get_close_matches(model, aliases, n=1)
        hint = f'; did you mean "{near[0]}"?' if near else ""
        return f'"{model}" is neither an alias of `models` nor "provider/model"{hint}'
    provider = providers.get(name)
    if provider is None:
        return f'"{model}": no provider is called "{name}"; there are {", ".join(sorted(providers)) or "none"}'
    if isinstance(provider, Remote | Custom) and provider.models and rest not in provider.models:
        return f'"{model}" is not among providers.{name}.models'
    return ""
