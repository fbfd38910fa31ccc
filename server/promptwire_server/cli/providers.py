"""`promptwire providers`: whom the server can ask, what each offers, and which are configured."""

from collections.abc import Mapping, Sequence
from typing import Annotated

from cyclopts import Parameter

from promptwire import v1 as pb
from promptwire_server import config as configuration
from promptwire_server.cli.config import File, Pairs
from promptwire_server.cli.exits import ExitCode
from promptwire_server.cli.render import print_table, write
from promptwire_server.cli.settings import complain_of, load
from promptwire_server.convert import provider_settings
from promptwire_server.providers.settings import HttpSettings
from promptwire_server.providers.vendors import VENDORS, Vendor, vendor_of

_COLUMNS = ("vendor", "kind", "configured as", "variables", "address", "offers")
_WIDE = {
    "tools": pb.CAPABILITY_TOOLS,
    "schema": pb.CAPABILITY_JSON_SCHEMA,
    "reasoning": pb.CAPABILITY_REASONING,
    "images": pb.CAPABILITY_IMAGE_INPUT,
    "audio": pb.CAPABILITY_AUDIO_INPUT,
    "documents": pb.CAPABILITY_DOCUMENT_INPUT,
    "embeddings": pb.CAPABILITY_EMBEDDINGS,
}  # what has a column in the README; chat and streaming are everybody's
_OFFERS: Mapping[str, "pb.Capability"] = _WIDE | {
    "video": pb.CAPABILITY_VIDEO_INPUT,
    "seed": pb.CAPABILITY_SEED,
    "logprobs": pb.CAPABILITY_LOGPROBS,
    "candidates": pb.CAPABILITY_CANDIDATES,
    "regex": pb.CAPABILITY_REGEX,
    "grammar": pb.CAPABILITY_GRAMMAR,
}


def providers(
    file: File = None,
    *,
    pairs: Pairs = (),
    markdown: Annotated[bool, Parameter(help="The table of the README: what each vendor offers, as Markdown.")] = False,
) -> int:
    """List whom the server can ask: what each offers, the variables that are read for it, and its name in the configuration."""
    if markdown:
        write(table())
        return ExitCode.OK
    try:
        settings = load(file, {}, pairs)
    except configuration.ConfigError as error:
        complain_of(error)
        return ExitCode.USAGE
    names = _configured(settings)
    others = [(name, kind, name, "", "", "") for name, kind in names.pop(None, ())]
    print_table(_COLUMNS, [*others, *(_row(vendor, [name for name, _ in names.get(vendor.name, ())]) for vendor in VENDORS)])
    return ExitCode.OK


def table() -> str:
    """What vendors offer, as a table in Markdown; those that offer the same share a row."""
    rows: dict[tuple[str, ...], list[str]] = {}
    for vendor in VENDORS:
        rows.setdefault(tuple("✓" if offer in vendor.capabilities else "" for offer in _WIDE.values()), []).append(vendor.name)
    lines = [f"| | {' | '.join(_WIDE)} |", f"|---{'|:-:' * len(_WIDE)}|"]
    lines += [f"| {', '.join(names)} | {' | '.join(offers)} |" for offers, names in rows.items()]
    return "\n".join(lines) + "\n"


def _configured(settings: configuration.Settings) -> dict[str | None, list[tuple[str, str]]]:
    """Name and kind of each provider of the settings, by its vendor; None: of no vendor."""
    found: dict[str | None, list[tuple[str, str]]] = {}
    for name, section in provider_settings(settings).items():
        vendor = vendor_of(name, section) if isinstance(section, HttpSettings) else None
        found.setdefault(vendor.name if vendor else None, []).append((name, settings.providers[name].kind))
    return found


def _row(vendor: Vendor, names: Sequence[str]) -> tuple[str, ...]:
    offered = [name for name, capability in _OFFERS.items() if capability in vendor.capabilities]
    return vendor.name, vendor.dialect, ", ".join(names), ", ".join(vendor.variables), vendor.base_url, ", ".join(offered)
