"""Which provider is built from which settings."""

from pathlib import Path

import pytest

from promptwire_server.core.clock import SystemClock
from promptwire_server.core.secret import Secret
from promptwire_server.providers.adapter import Adapter
from promptwire_server.providers.echo import Echo
from promptwire_server.providers.registry import EchoSettings, ScriptSettings, Settings, build
from promptwire_server.providers.script import Scripted
from promptwire_server.providers.settings import HttpSettings
from promptwire_server.providers.vendors import VENDORS, vendor_of
from tests.unit.providers.support import make_ids


def test_each_kind_of_settings_builds_its_provider(tmp_path: Path) -> None:
    file = tmp_path / "s.yaml"
    file.write_text("default: {say: hi}")
    table: list[tuple[Settings, type]] = [
        (EchoSettings(), Echo),
        (ScriptSettings(file), Scripted),
        (HttpSettings(dialect="openai", base_url="http://127.0.0.1:1/v1"), Adapter),
    ]
    for settings, kind in table:
        provider = build("mine", settings, clock=SystemClock(), ids=make_ids())
        assert type(provider) is kind
        assert provider.name == "mine"


def test_a_vendor_is_known_by_its_name_or_its_address() -> None:
    made = build("openai", HttpSettings(dialect="openai", api_key=Secret("sk")), clock=SystemClock(), ids=make_ids())
    assert isinstance(made, Adapter)
    assert vendor_of("mine", HttpSettings(dialect="openai", base_url="https://api.openai.com/v1/")) is VENDORS[0]
    assert vendor_of("openai", HttpSettings(dialect="openai")) is VENDORS[0]
    assert vendor_of("mine", HttpSettings(dialect="openai", vendor="openai", base_url="http://127.0.0.1:8000/v1")) is VENDORS[0]
    assert vendor_of("openai", HttpSettings(dialect="openai", base_url="http://127.0.0.1:8000/v1")) is None
    assert vendor_of("mine", HttpSettings(dialect="openai", base_url="http://127.0.0.1:8000/v1")) is None


def test_a_vendor_keeps_its_facts_wherever_it_is_reached() -> None:
    vendor = vendor_of("groq", HttpSettings(dialect="openai", base_url="http://egress.example/groq"))
    assert vendor is not None
    assert vendor.name == "groq"


def test_an_address_is_needed_where_none_is_known() -> None:
    with pytest.raises(ValueError, match=r"providers\.mine\.base_url: is needed"):
        build("mine", HttpSettings(dialect="openai"), clock=SystemClock(), ids=make_ids())


def test_keys_do_not_show_themselves() -> None:
    assert "sk-secret" not in repr(HttpSettings(dialect="openai", api_key=Secret("sk-secret")))


async def test_configured_models_are_listed_without_asking() -> None:
    provider = build(
        "mine", HttpSettings(dialect="openai", base_url="http://127.0.0.1:1/v1", models=("a", "b")), clock=SystemClock(), ids=make_ids()
    )
    assert [(model.name, model.source) for model in await provider.models()] == [("mine/a", "configuration"), ("mine/b", "configuration")]
