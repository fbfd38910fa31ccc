"""The vendors' usual variables (OPENAI_API_KEY and its kind): with one of them set, a provider is there without any file."""

from collections.abc import Iterable, Iterator, Mapping, Sequence
from typing import Protocol

from promptwire_server.config.address import from_variable
from promptwire_server.config.reference import FileText
from promptwire_server.config.settings import Origin
from promptwire_server.config.tree import Tree

_BUILT_IN = ("echo", "script")  # their kind is their usual name


class Vendor(Protocol):
    """What is known of a vendor; `providers/vendors.py` has the rows."""

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
    def url_suffix(self) -> str:
        """What its own programs append to the address that such a variable holds."""
        ...

    @property
    def more_variables(self) -> Mapping[str, Sequence[str]]:
        """Variables that its own programs read other settings from, by the key of its section."""
        ...

    @property
    def default_model(self) -> str:
        """A model to ask when none is named; empty when there is no obvious one."""
        ...


def variable_names(vendors: Iterable[Vendor]) -> set[str]:
    """All variables of these vendors."""
    return {
        name
        for vendor in vendors
        for names in (vendor.key_variables, vendor.url_variables, *vendor.more_variables.values())
        for name in names
    }


def add_vendors(tree: Tree, vendors: Sequence[Vendor], environ: Mapping[str, str], secrets: Mapping[str, str]) -> list[str]:
    """Complete the providers section from the vendors' variables; returns notices. A provider that is set to null stays off."""
    rows = {vendor.name: vendor for vendor in vendors}
    providers = tree.section("providers")
    for name in _BUILT_IN:
        _imply_kind(tree, name, name)
    for name in providers:
        vendor = rows.get(str(tree.section("providers", name).get("vendor")))
        if vendor is not None:
            _imply_kind(tree, name, vendor.dialect)
    off = {name for name, section in providers.items() if section is None}
    given = _Given(environ, secrets)
    return [notice for vendor in vendors if vendor.name not in off for notice in _add(tree, vendor, given)]


class _Given:
    """Variables, be they of the environment or secret files."""

    def __init__(self, environ: Mapping[str, str], secrets: Mapping[str, str]) -> None:
        self._sources = ((environ, "environment"), (secrets, "secret file"))

    def first(self, names: Iterable[str]) -> tuple[str, Origin] | None:
        """The first of these that is set, and where it came from."""
        for name in names:
            for source, kind in self._sources:
                text = source.get(name, "")
                if text.strip():
                    return text if isinstance(text, FileText) else text.strip(), Origin(kind, name)
        return None


def _add(tree: Tree, vendor: Vendor, given: _Given) -> list[str]:
    """Of a vendor whose accounts have an address each, a key alone is not enough: said as a notice."""
    at = ("providers", vendor.name)
    written = tree.section(*at)
    keys = ("api_key", "api_key_file", "api_keys", "token", "token_file")
    key = None if any(name in written for name in keys) else given.first(vendor.key_variables)
    url = None if "base_url" in written else given.first(vendor.url_variables)
    if key and not (url or vendor.base_url or written):
        variable = vendor.url_variables[0] if vendor.url_variables else f"providers.{vendor.name}.base_url"
        return [f"{key[1].name} is set, but not {variable}; without it {vendor.name} cannot be asked"]
    if key is not None:
        tree.put((*at, "api_key"), *key)
    if url is not None:
        tree.put((*at, "base_url"), from_variable(url[0], dialect=vendor.dialect, suffix=vendor.url_suffix), url[1])
    _imply_kind(tree, vendor.name, vendor.dialect)
    _add_more(tree, vendor, given)
    return list(_unread(tree, vendor, given))


def _add_more(tree: Tree, vendor: Vendor, given: _Given) -> None:
    """Other settings, of a provider that is there."""
    at = ("providers", vendor.name)
    section = tree.section(*at)
    for name, variables in vendor.more_variables.items() if section.get("kind") == vendor.dialect else ():
        shown = name == "token" and any(key in section for key in ("api_key", "api_key_file", "api_keys", "token_file"))
        if name not in section and not shown and (found := given.first(variables)):
            tree.put((*at, name), *found)


def _unread(tree: Tree, vendor: Vendor, given: _Given) -> Iterator[str]:
    """A notice of a variable that looks like the vendor's address, but that no program of the vendor's reads."""
    name = f"{vendor.name.upper().replace('-', '_')}_BASE_URL"
    section = tree.section("providers", vendor.name)
    if section and "base_url" not in section and name not in vendor.url_variables and given.first([name]):
        yield f"{name} is set, but is not read; write providers.{vendor.name}.base_url"


def _imply_kind(tree: Tree, name: str, kind: str) -> None:
    """Of a provider with a known name, `kind` need not be written."""
    section = tree.get(("providers", name))
    if isinstance(section, dict):
        section.setdefault("kind", kind)
