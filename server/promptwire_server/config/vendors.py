"""The vendors' usual variables (OPENAI_API_KEY and its kind): with one of them set, a provider is there without any file."""

from collections.abc import Iterable, Mapping, Sequence
from typing import Protocol

from promptwire_server.config.reference import FileText
from promptwire_server.config.settings import Origin
from promptwire_server.config.tree import Tree

DIALECTS = ("openai", "echo", "script")  # what this version speaks
# Variables that people have set and expect to be seen. Those of vendors with a row are; of the others the operator is told.
_EXPECTED = {
    "ANTHROPIC_API_KEY": "Anthropic",
    "AZURE_OPENAI_API_KEY": "Azure OpenAI",
    "CEREBRAS_API_KEY": "Cerebras",
    "COHERE_API_KEY": "Cohere",
    "DEEPSEEK_API_KEY": "DeepSeek",
    "FIREWORKS_API_KEY": "Fireworks",
    "GEMINI_API_KEY": "Gemini",
    "GOOGLE_API_KEY": "Gemini",
    "GROQ_API_KEY": "Groq",
    "MISTRAL_API_KEY": "Mistral",
    "OPENROUTER_API_KEY": "OpenRouter",
    "PERPLEXITY_API_KEY": "Perplexity",
    "TOGETHER_API_KEY": "Together",
    "XAI_API_KEY": "xAI",
}
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


def expected_names(vendors: Iterable[Vendor]) -> set[str]:
    """All variables that are looked at: of the vendors, and those that people expect to be."""
    return variable_names(vendors) | set(_EXPECTED)


def variable_names(vendors: Iterable[Vendor]) -> set[str]:
    """All variables of these vendors."""
    return {name for vendor in vendors for name in (*vendor.key_variables, *vendor.url_variables)}


def add_vendors(tree: Tree, vendors: Sequence[Vendor], environ: Mapping[str, str], secrets: Mapping[str, str]) -> list[str]:
    """Complete the providers section from the vendors' variables; returns notices. A provider that is set to null stays off."""
    providers = tree.section("providers")
    for name in _BUILT_IN:
        _imply_kind(tree, name, name)
    for vendor in vendors:
        if vendor.dialect in DIALECTS and not (vendor.name in providers and providers[vendor.name] is None):
            _add(tree, vendor, environ, secrets)
    seen = variable_names(vendor for vendor in vendors if vendor.dialect in DIALECTS)
    return [
        f"{variable} is set, but this version does not know {name} by itself; "
        "if it offers OpenAI's chat completions, configure a provider of kind openai with its base_url"
        for variable, name in _EXPECTED.items()
        if variable not in seen and (environ.get(variable) or variable in secrets)
    ]


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
            text = source.get(name, "")
            if text.strip():
                tree.put(path, text if isinstance(text, FileText) else text.strip(), Origin(kind, name))
                return


def _imply_kind(tree: Tree, name: str, kind: str) -> None:
    """Of a provider with a known name, `kind` need not be written."""
    section = tree.get(("providers", name))
    if isinstance(section, dict):
        section.setdefault("kind", kind)
