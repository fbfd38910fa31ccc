"""Which secrets of a configuration are kept elsewhere, and where Vault and AWS are when only the usual variables say so."""

from collections.abc import Iterator, Mapping
from dataclasses import dataclass

from pydantic import BaseModel

from promptwire_server.config.settings import KeyPath, Origin, Settings
from promptwire_server.config.tree import Tree, leaves
from promptwire_server.core.secret import Credential

# Keys -> variables that the vendors' own programs read, first choice first.
_VARIABLES: Mapping[str, Mapping[KeyPath, tuple[str, ...]]] = {
    "vault:": {
        ("secrets", "vault", "address"): ("VAULT_ADDR",),
        ("secrets", "vault", "namespace"): ("VAULT_NAMESPACE",),
        ("secrets", "vault", "ca_file"): ("VAULT_CACERT",),
        ("secrets", "vault", "token"): ("VAULT_TOKEN",),
    },
    "aws-sm:": {
        ("secrets", "aws_sm", "region"): ("AWS_REGION", "AWS_DEFAULT_REGION"),
        ("secrets", "aws_sm", "endpoint_url"): ("AWS_ENDPOINT_URL_SECRETS_MANAGER", "AWS_ENDPOINT_URL"),
    },
}
LOGINS = ("token", "token_file", "approle", "kubernetes")  # what opens Vault


@dataclass(frozen=True, slots=True)
class Kept:
    """A secret that is kept elsewhere."""

    path: KeyPath  # of the key that says where
    credential: Credential
    origin: Origin | None


def kept(settings: Settings) -> list[Kept]:
    """Every secret of the settings that is kept elsewhere: by reference, or in a file."""
    found = credentials({"auth": settings.auth, "providers": settings.providers, "stores": settings.stores, "alerts": settings.alerts})
    return [Kept(path, credential, _origin(path, settings.origins)) for path, credential in found]


def credentials(value: object, path: KeyPath = ()) -> Iterator[tuple[KeyPath, Credential]]:
    """Every credential within a section, a mapping or a list, with its key path."""
    match value:
        case Credential():
            yield path, value
        case BaseModel():
            for name, field in type(value).model_fields.items():
                key = f"{name}_file" if getattr(value, f"{name}_file", None) is not None else field.alias or name
                yield from credentials(getattr(value, name), (*path, key))
        case Mapping():
            for key, inner in value.items():
                yield from credentials(inner, (*path, str(key)))
        case list():
            for position, inner in enumerate(value):
                yield from credentials(inner, (*path, str(position)))


def add_usual_variables(tree: Tree, environ: Mapping[str, str]) -> None:
    """Say where the stores are that something refers to, from variables that their own programs read. What is written wins."""
    texts = [value for _, value in leaves(tree.values) if isinstance(value, str)]
    for beginning, variables in _VARIABLES.items():
        if any(text.lstrip().startswith(beginning) for text in texts):
            for path, names in variables.items():
                _add(tree, path, names, environ)


def _add(tree: Tree, path: KeyPath, names: tuple[str, ...], environ: Mapping[str, str]) -> None:
    written = LOGINS if path[-1] == "token" else path[-1:]
    if any(tree.has((*path[:-1], key)) for key in written):
        return
    for name in names:
        if text := environ.get(name, "").strip():
            tree.put(path, text, Origin("environment", name))
            return


def _origin(path: KeyPath, origins: Mapping[KeyPath, Origin]) -> Origin | None:
    return next((origins[path[:length]] for length in range(len(path), 0, -1) if path[:length] in origins), None)
