"""The vendors' usual variables (OPENAI_API_KEY and its kind): with one of them set, a provider is there without any file."""

from collections.abc import Iterable, Mapping, Sequence
from typing import Protocol

from promptwire_server.config.settings import Origin
from promptwire_server.config.tree import Tree

DIALECTS = ("openai", "echo", "script")  # what this version speaks
_BUILT_IN = ("echo", "script")  # their kind is their usual name


class Vendor(Protocol):
    """What is known of a vendor; `providers/registry.py` has the rows."""

    @property
    def name(self) -> str:
        """As in "groq/llama-3.3-70b-versatile"."""
        ...

    @property
    def dialect(self) -> str:
        """The kind of provider that speaks to it, e.g. "openai"."""
        ...

    @property
    def base_url(self) -> str:
        """Where it is; empty when every account has its own."""
        ...

    @property
    def key_variables(self) -> Sequence[str]:
        """Variables that its own programs read the key from, first choice first; none when it needs no key."""
        ...

    @property
    def url_variables(self) -> Sequence[str]:
        """Variables that its own programs read the address from."""
        ...

    @property
    def default_model(self) -> str:
        """A model to ask when none is named; empty when there is no obvious one."""
        ...


def variable_names(vendors: Iterable[Vendor]) -> set[str]:
    """All variables of all vendors."""
    return {name for vendor in vendors for name in (*vendor.key_variables, *vendor.url_variables)}


def add_vendors(tree: Tree, vendors: Iterable[Vendor], environ: Mapping[str, str], secrets: Mapping[str, str]) -> list[str]:
    """Complete the providers section from the vendors' variables; returns notices. A provider that is set to null stays off."""
    providers = tree.section("providers")
    for name in _BUILT_IN:
        _imply_kind(tree, name, name)
    notices = []
    for vendor in vendors:
        if vendor.name in providers and providers[vendor.name] is None:
            continue
        if vendor.dialect not in DIALECTS:
            notices += [
                f"{variable} is set, but this version does not speak to {vendor.name} yet: no provider was made of it"
                for variable in vendor.key_variables
                if variable in environ or variable in secrets
            ]
            continue
        _add(tree, vendor, environ, secrets)
    return notices


def _add(tree: Tree, vendor: Vendor, environ: Mapping[str, str], secrets: Mapping[str, str]) -> None:
    at = ("providers", vendor.name)
    written = tree.section(*at)
    if "api_key" not in written and "api_key_file" not in written:
        _put_first(tree, (*at, "api_key"), vendor.key_variables, environ, secrets)
    if "base_url" not in written:
        _put_first(tree, (*at, "base_url"), vendor.url_variables, environ, secrets)
    _imply_kind(tree, vendor.name, vendor.dialect)


def _put_first(tree: Tree, path: tuple[str, ...], names: Iterable[str], environ: Mapping[str, str], secrets: Mapping[str, str]) -> None:
    for name in names:
        for source, kind in ((environ, "environment"), (secrets, "secret file")):
            if text := source.get(name, "").strip():
                tree.put(path, text, Origin(kind, name))
                return


def _imply_kind(tree: Tree, name: str, kind: str) -> None:
    """Of a provider with a known name, `kind` need not be written."""
    section = tree.get(("providers", name))
    if isinstance(section, dict):
        section.setdefault("kind", kind)
