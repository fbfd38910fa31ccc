"""Sections of providers: what each kind takes, what follows from a vendor's row, and what is wrong with one."""

from pathlib import Path
from typing import Any

import pytest

from promptwire_server import config
from promptwire_server.config.providers import KINDS, Azure, Custom, OpenAI, Remote
from promptwire_server.convert import provider_settings
from promptwire_server.core.secret import Secret
from promptwire_server.providers.custom import Settings as CustomSettings
from promptwire_server.providers.registry import KINDS as BUILT
from promptwire_server.providers.settings import HttpSettings
from promptwire_server.providers.upstream import Bounds, Tls
from promptwire_server.providers.vendors import VENDORS as ROWS
from tests.unit.config.conftest import Bare, Configured
from tests.unit.rpc.certificates import authority, issued


def http(settings: config.Settings, name: str) -> HttpSettings:
    found = provider_settings(settings)[name]
    assert isinstance(found, HttpSettings)
    return found


def remote(settings: config.Settings, name: str) -> Remote:
    found = settings.providers[name]
    assert isinstance(found, Remote)
    return found


def test_every_kind_that_can_be_built_can_be_configured() -> None:
    assert set(KINDS) == set(BUILT)


@pytest.mark.parametrize(
    ("section", "options"),
    [
        ("{kind: openai, base_url: http://x, organization: o, project: p}", {"organization": "o", "project": "p", "api": ""}),
        ("{kind: openai, base_url: http://x, api: responses}", {"organization": "", "project": "", "api": "responses"}),
        ("{kind: anthropic, base_url: http://x, beta: [a, b], auth: bearer}", {"version": "", "anthropic_beta": "a,b", "auth": "bearer"}),
        ("{kind: gemini, base_url: http://x}", {}),
        ("{kind: ollama}", {}),
        (
            "{kind: azure, base_url: http://x, api_key: k, api_version: 2024-10-21, deployments: {gpt-4o: eu}}",
            {"api_version": "2024-10-21", "api": "", "auth": "key", "deployment gpt-4o": "eu"},
        ),
        ("{kind: azure, base_url: http://x, token: t}", {"api_version": "", "api": "", "auth": "bearer"}),
    ],
)
def test_a_dialect_gets_what_only_its_kind_knows(load: Configured, section: str, options: dict[str, str]) -> None:
    assert http(load(f"providers: {{x: {section}}}"), "x").options == options


def test_all_that_is_reached_over_http_has_the_same_keys(load: Configured) -> None:
    pair = authority("ours")
    client = issued(pair, "us")
    for name, data in (("ca", pair.cert_pem), ("crt", client.cert_pem), ("key", client.key_pem)):
        (load.directory / name).write_bytes(data)
    settings = load("""
        providers:
          x:
            kind: gemini
            vendor: null
            base_url: http://x/v1/
            api_key: k
            headers: {x-team: search}
            models: [a]
            timeouts: {idle: 5s}
            bounds: {event: 1MiB, answer: 2MiB, stream: 3MiB}
            max_connections: 3
            proxy: http://me:hunter2@proxy:3128
            ca_file: ca
            cert_file: crt
            key_file: key
        """)
    found = http(settings, "x")
    assert (found.dialect, found.base_url, found.api_key, list(found.models)) == ("gemini", "http://x/v1", Secret("k"), ["a"])
    assert found.bounds == Bounds(line_bytes=1 << 20, event_bytes=1 << 20, body_bytes=2 << 20, stream_bytes=3 << 20)
    assert (found.timeouts.idle_s, found.max_connections, found.headers) == (5, 3, {"x-team": Secret("search")})
    assert found.proxy == Secret("http://me:hunter2@proxy:3128")
    assert found.tls == Tls(*(str(load.directory / name) for name in ("ca", "crt", "key")))


def test_who_asks_the_proxy_is_masked_and_where_it_is_shown(load: Configured) -> None:
    settings = load("providers: {ollama: {proxy: 'http://me:hunter2@proxy:3128'}, local: {kind: ollama, proxy: 'http://proxy:3128'}}")
    shown = config.dump(settings)
    assert 'proxy: "http://***@proxy:3128"' in shown
    assert 'proxy: "http://proxy:3128"' in shown
    assert "hunter2" not in f"{shown} {settings!r} {provider_settings(settings)!r}"


def test_the_kind_follows_from_the_vendor(load: Configured) -> None:
    settings = load("providers: {fast: {vendor: groq, api_key: k}, mine: {vendor: vllm, base_url: http://gpu/v1}, vllm: {}}")
    assert [remote(settings, name).kind for name in ("fast", "mine", "vllm")] == ["openai"] * 3
    assert remote(settings, "fast").base_url == "https://api.groq.com/openai/v1"
    assert http(settings, "mine").vendor == "vllm"
    assert remote(settings, "vllm").base_url == "http://127.0.0.1:8000/v1"


def test_a_row_is_all_that_a_vendor_needs(tmp_path: Path) -> None:
    """The real rows: each key variable alone makes the provider, at the vendor's address."""
    for vendor in ROWS:
        for variable in vendor.key_variables if vendor.base_url else ():
            settings = config.load(None, {"HOME": str(tmp_path), variable: "k"}, vendors=ROWS)
            assert http(settings, vendor.name).base_url == vendor.base_url
            assert not settings.notices
            if vendor.default_model:
                assert settings.default_model == f"{vendor.name}/{vendor.default_model}"


def test_the_dialects_own_vendor_stands_in_for_an_account_of_another_name(load: Configured) -> None:
    settings = load("providers: {second: {kind: ollama}}")
    assert remote(settings, "second").base_url == "http://127.0.0.1:11434"


AZURE = {"AZURE_OPENAI_API_KEY": "k", "AZURE_OPENAI_ENDPOINT": "https://eu.openai.azure.com/openai/v1/"}


def azure(settings: config.Settings) -> Azure:
    found = settings.providers["azure"]
    assert isinstance(found, Azure)
    return found


def test_azure_follows_from_its_variables(bare: Bare) -> None:
    section = azure(bare({**AZURE, "OPENAI_API_VERSION": "2024-10-21"}))
    assert (section.base_url, section.api_version, section.secret) == ("https://eu.openai.azure.com", "2024-10-21", Secret("k"))


def test_a_key_of_azure_without_its_address_is_only_mentioned(bare: Bare) -> None:
    settings = bare({"AZURE_OPENAI_API_KEY": "k", "OPENAI_API_VERSION": "2024-10-21"})
    assert "azure" not in settings.providers
    assert settings.notices == ("AZURE_OPENAI_API_KEY is set, but not AZURE_OPENAI_ENDPOINT; without it azure cannot be asked",)


def test_a_token_of_entra_may_be_a_variable_or_a_file(bare: Bare, load: Configured) -> None:
    endpoint = {"AZURE_OPENAI_ENDPOINT": "https://eu.openai.azure.com"}
    assert azure(bare({**endpoint, "AZURE_OPENAI_AD_TOKEN": "t"})).secret == Secret("t")
    (load.directory / "token").write_text("from-file\n")
    section = azure(load("providers: {azure: {base_url: http://x, token_file: token}}"))
    assert (section.secret, section.options()["auth"]) == (Secret("from-file"), "bearer")


def test_a_key_wins_over_a_token_that_is_only_a_variable(bare: Bare) -> None:
    section = azure(bare({**AZURE, "AZURE_OPENAI_AD_TOKEN": "t"}))
    assert (section.secret, section.token) == (Secret("k"), None)


def test_a_class_of_the_operators_is_given_its_options(load: Configured) -> None:
    settings = load("providers: {mine: {kind: custom, entry_point: e, options: {key: sk-secret, volume: '11'}, models: [a]}}")
    assert isinstance(settings.providers["mine"], Custom)
    found = provider_settings(settings)["mine"]
    assert isinstance(found, CustomSettings)
    assert (found.entry_point, {name: value.reveal() for name, value in found.options.items()}) == (
        "e",
        {"key": "sk-secret", "volume": "11"},
    )
    assert settings.default_model == "mine/a"
    assert "sk-secret" not in config.dump(settings) + repr(settings)


@pytest.mark.parametrize(
    ("section", "expected"),
    [
        ("{vendor: nobody, kind: openai, base_url: http://x}", 'x.vendor: no vendor is called "nobody"; there are azure, groq, ollama'),
        ("{vendor: groq, kind: anthropic, base_url: http://x}", "x.vendor: groq speaks openai; write kind: openai"),
        ("{kind: gemini}", "x.base_url: is required"),
        ("{kind: azure}", "x.base_url: is required"),
        ("{kind: azure, base_url: http://x}", "providers.x: has no key: write `api_key` or `api_key_file`"),
        ("{kind: azure, base_url: http://x, token: t, api_key: k}", "providers.x: has both a key and a token; keep one"),
        ("{kind: azure, base_url: http://x, token: t, token_file: absent}", "providers.x: has both `token` and `token_file`; keep one"),
        ("{kind: azure, base_url: http://x, api_key: k, api_version: 'a b'}", "x.api_version: must be"),
        ("{kind: openai, base_url: http://x, api: both}", "x.api: must be one of 'auto', 'chat' or 'responses'"),
        ("{kind: openai, base_url: http://x, proxy: 'proxy:3128'}", 'x.proxy: must be an address such as "http://proxy.example.com:3128"'),
        ("{kind: openai, base_url: http://x, ca_file: absent}", "x.ca_file: cannot read DIR/absent"),
        ("{kind: openai, base_url: http://x, ca_file: p}", "x.ca_file: DIR/p has no PEM certificates"),
        ("{kind: openai, base_url: http://x, cert_file: p}", "x.key_file: is required beside cert_file"),
        ("{kind: openai, base_url: http://x, cert_file: p, key_file: p}", "x.key_file: DIR/p and DIR/p are no PEM key and its certificate"),
        ("{kind: openai, base_url: http://x, deployments: {}}", "x.deployments: there is no such key"),
        ("{kind: custom}", "x.entry_point: is required"),
        ("{kind: custom, entry_point: e, options: {volume: 11}}", "x.options.volume: must be a text in quotes"),
        ("{kind: custom, entry_point: e, base_url: http://x}", "x.base_url: there is no such key"),
    ],
)
def test_each_fault_of_a_provider_says_where_and_what(load: Configured, section: str, expected: str) -> None:
    faults = load.faults(f"providers: {{x: {section}}}")
    assert any(expected in fault for fault in faults), faults


def test_no_fault_quotes_the_password_of_a_proxy(load: Configured) -> None:
    assert "hunter2" not in "".join(load.faults("providers: {x: {kind: openai, base_url: http://x, proxy: 'ftp://me:hunter2@p'}}"))


def test_what_is_shown_is_a_configuration_again(load: Configured) -> None:
    text = "providers: {vllm: {}, mine: {kind: custom, entry_point: e}, local: {kind: ollama}}"
    first = load(text)
    again = load(config.dump(first))
    assert again.providers == first.providers


def test_another_name_than_the_vendors_takes_no_variable_of_it(load: Configured) -> None:
    faults: Any = load.faults("providers: {work: {vendor: groq}}", {"GROQ_API_KEY": "k"})
    assert faults == ["providers.work: has no key: write `api_key` or `api_key_file` (file DIR/p:1)"]
    assert isinstance(load("providers: {groq: {}}", {"GROQ_API_KEY": "k"}).providers["groq"], OpenAI)


@pytest.mark.parametrize(
    ("timeouts", "told"),
    [
        ("{total: 5s, first_token: 1m}", True),
        ("{total: 1m, first_token: 5s}", False),
        ("{total: 5s}", False),
        ("{first_token: 20m}", False),
    ],
)
def test_a_timeout_that_never_passes_is_told(load: Configured, timeouts: str, *, told: bool) -> None:
    notices = load(f"providers: {{p: {{kind: openai, base_url: 'http://127.0.0.1:1/v1', timeouts: {timeouts}}}}}").notices
    said = "providers.p.timeouts.first_token (1m) is of no use: total (5s) has passed before"
    assert (said in notices) is told
    assert any("timeouts" in notice for notice in notices) is told


def test_connecting_takes_time(load: Configured) -> None:
    faults = load.faults("providers: {p: {kind: openai, base_url: 'http://127.0.0.1:1/v1', timeouts: {connect: 0s}}}")
    assert any("providers.p.timeouts.connect: must be more than 0" in fault for fault in faults)
