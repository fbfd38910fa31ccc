"""Several keys of one provider, and what may be asked of it."""

import pytest

from promptwire_server.config.credentials import kept
from promptwire_server.config.providers import Azure, OpenAI
from promptwire_server.config.show import dump
from promptwire_server.convert import provider_settings
from promptwire_server.core.limits import TargetLimits
from promptwire_server.core.secret import Secret
from promptwire_server.planning import provider_limits
from promptwire_server.providers.settings import HttpSettings
from tests.unit.config.conftest import Bare, Configured


def section_of(load: Configured, text: str, environ: dict[str, str] | None = None) -> OpenAI:
    section = load(text, environ).providers["openai"]
    assert isinstance(section, OpenAI)
    return section


def test_further_keys_stand_beside_the_first(load: Configured) -> None:
    settings = load("providers: {openai: {api_key: one, api_keys: [two, '${THIRD}']}}", {"THIRD": "three"})
    found = provider_settings(settings)["openai"]
    assert isinstance(found, HttpSettings)
    assert found.keys == (Secret("one"), Secret("two"), Secret("three"))


def test_a_list_of_keys_is_enough(load: Configured) -> None:
    section = section_of(load, "providers: {openai: {api_keys: [one, two]}}")
    assert section.api_key is None


def test_what_is_written_keeps_the_usual_variable_out(load: Configured) -> None:
    section = section_of(load, "providers: {openai: {api_keys: [one, two]}}", {"OPENAI_API_KEY": "another"})
    assert section.api_key is None


def test_an_empty_list_is_no_key(load: Configured) -> None:
    (fault,) = load.faults("providers: {openai: {api_keys: []}}")
    assert "providers.openai: has no key" in fault


def test_keys_may_be_kept_elsewhere(load: Configured) -> None:
    settings = load(
        "providers: {openai: {api_key: one, api_keys: [two, 'vault:secret/data/openai#third']}}",
        {"VAULT_ADDR": "http://v", "VAULT_TOKEN": "t"},
    )
    assert [found.path for found in kept(settings)] == [("providers", "openai", "api_keys", "1")]


def test_keys_are_masked_where_they_are_shown(load: Configured) -> None:
    text = dump(load("providers: {openai: {api_keys: [sk-one, sk-two]}}"))
    assert "sk-" not in text
    assert text.count('"***"') == 2


def test_keys_may_come_from_a_variable(load: Configured) -> None:
    section = section_of(load, "", {"PROMPTWIRE_PROVIDERS__OPENAI__API_KEYS": '["one", "two"]'})
    assert section.api_keys == [Secret("one"), Secret("two")]


@pytest.mark.parametrize(
    ("keys", "at"),
    [
        ("api_key: one, api_keys: [two, one]", "api_keys[1]"),
        ("api_keys: [one, two, two]", "api_keys[2]"),
        ("api_keys: ['vault:a/b#c', 'vault:a/b#d', 'vault:a/b#c']", "api_keys[2]"),
    ],
)
def test_a_key_that_stands_there_twice_is_a_fault(load: Configured, keys: str, at: str) -> None:
    faults = load.faults(f"providers: {{openai: {{{keys}}}}}", {"VAULT_ADDR": "http://v", "VAULT_TOKEN": "t"})
    assert [fault for fault in faults if "stands there before" in fault] == [
        f"providers.openai.{at}: is a key that stands there before; each goes once, `api_key` included (file DIR/p:1)"
    ]


def test_azure_shows_a_token_or_keys(load: Configured) -> None:
    (fault,) = load.faults("providers: {azure: {base_url: 'https://x.openai.azure.com', token: t, api_keys: [one]}}")
    assert "has both a key and a token" in fault
    (fault,) = load.faults(
        "providers: {azure: {base_url: 'https://x.openai.azure.com', token: 'vault:a/b#c', api_key: 'vault:a/b#d'}}",
        {"VAULT_ADDR": "http://v", "VAULT_TOKEN": "t"},
    )
    assert "has both a key and a token" in fault
    section = load("providers: {azure: {base_url: 'https://x.openai.azure.com', api_keys: [one]}}").providers["azure"]
    assert isinstance(section, Azure)


def test_a_provider_as_a_whole_has_limits_beside_those_of_its_targets(load: Configured) -> None:
    settings = load(
        """
        providers: {openai: {api_key: one, max_in_flight: 7, requests_per_minute: 500, tokens_per_minute: 90000}}
        models: {fast: {targets: [{model: openai/gpt-4o-mini, requests_per_minute: 60}]}}
        """
    )
    limits = provider_limits(settings)
    assert limits["openai"].whole == TargetLimits(7, 500, 90000)
    assert limits["openai"].models == {"gpt-4o-mini": TargetLimits(requests_per_minute=60)}
    assert not limits["echo"].whole.any


def test_each_of_several_workers_has_its_part_of_the_limits(load: Configured) -> None:
    settings = load(
        """
        server: {workers: 4}
        providers: {openai: {api_key: one, max_in_flight: 2, requests_per_minute: 402}}
        models: {fast: {targets: [{model: openai/gpt-4o-mini, tokens_per_minute: 1000}]}}
        """
    )
    limits = provider_limits(settings)["openai"]
    assert limits.whole == TargetLimits(max_in_flight=1, requests_per_minute=100)
    assert limits.models == {"gpt-4o-mini": TargetLimits(tokens_per_minute=250)}


def test_without_a_file_there_are_no_limits(bare: Bare) -> None:
    assert not any(limits.whole.any or limits.models for limits in provider_limits(bare({"OPENAI_API_KEY": "one"})).values())
