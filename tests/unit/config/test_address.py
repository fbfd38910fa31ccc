"""Addresses of providers: those that lead nowhere are told at start, and variables mean what they mean to the vendors' own programs."""

import pytest

from promptwire_server import config
from promptwire_server.config.providers import Remote
from promptwire_server.providers.vendors import VENDORS as ROWS
from tests.unit.config.conftest import Bare, Configured


def address(settings: config.Settings, name: str) -> str | None:
    found = settings.providers[name]
    assert isinstance(found, Remote)
    return found.base_url


@pytest.mark.parametrize(
    ("text", "url"),
    [
        ("127.0.0.1:11434", "http://127.0.0.1:11434"),
        ("0.0.0.0:11434", "http://127.0.0.1:11434"),
        ("0.0.0.0", "http://127.0.0.1:11434"),
        ("[::]:1", "http://[::1]:1"),
        (":56789", "http://127.0.0.1:56789"),
        ("gpu-1", "http://gpu-1:11434"),
        ("gpu-1:8000/path/", "http://gpu-1:8000/path"),
        ("[fe80::1]", "http://[fe80::1]:11434"),
        ("https://ollama.example", "https://ollama.example"),
        ("http://0.0.0.0:11434/", "http://127.0.0.1:11434"),
    ],
)
def test_ollamas_variable_needs_neither_scheme_nor_port(bare: Bare, text: str, url: str) -> None:
    assert address(bare({"OLLAMA_HOST": text}), "ollama") == url


@pytest.mark.parametrize("text", ["127.0.0.1:99999", "me:hunter2@gpu-1", "[::1"])
def test_what_is_no_address_of_ollamas_is_told(load: Configured, text: str) -> None:
    (fault,) = load.faults("", {"OLLAMA_HOST": text})
    assert "providers.ollama.base_url" in fault
    assert "OLLAMA_HOST" in fault
    assert "hunter2" not in fault


@pytest.mark.parametrize("text", ["https://egress.example", "https://egress.example/", "https://egress.example/openai/v1"])
def test_a_variable_of_an_address_means_what_it_means_to_the_vendors_programs(bare: Bare, text: str) -> None:
    settings = bare({"GROQ_API_KEY": "k", "GROQ_BASE_URL": text})
    assert address(settings, "groq") == "https://egress.example/openai/v1"


@pytest.mark.parametrize(
    ("name", "variable", "path"),
    [
        ("groq", "GROQ_BASE_URL", "/openai/v1"),
        ("cerebras", "CEREBRAS_BASE_URL", "/v1"),
        ("together", "TOGETHER_BASE_URL", ""),
        ("gemini", "GOOGLE_GEMINI_BASE_URL", "/v1beta"),
        ("openai", "OPENAI_BASE_URL", ""),
        ("anthropic", "ANTHROPIC_BASE_URL", ""),
    ],
)
def test_what_the_vendors_programs_append_is_appended(name: str, variable: str, path: str) -> None:
    row = next(vendor for vendor in ROWS if vendor.name == name)
    settings = config.load(None, {"HOME": "/home/x", row.key_variables[0]: "k", variable: "https://egress.example"}, vendors=ROWS)
    assert address(settings, name) == f"https://egress.example{path}"


def test_a_variable_that_looks_like_an_address_and_is_not_read_is_told(load: Configured) -> None:
    text = "providers: {vllm: {}}"
    assert "VLLM_BASE_URL is set, but is not read; write providers.vllm.base_url" in load(text, {"VLLM_BASE_URL": "http://x"}).notices
    written = "providers: {vllm: {base_url: http://x}}"
    assert not [notice for notice in load(written, {"VLLM_BASE_URL": "http://x"}).notices if "VLLM_BASE_URL" in notice]


@pytest.mark.parametrize("url", ["http://127.0.0.1:99999/v1", "http://127.0.0.1:0/v1", "http://x:y/v1", "http://[::1/v1", "http://:80/v1"])
@pytest.mark.parametrize("kind", ["openai", "azure"])
def test_an_address_where_nothing_can_be_is_told(load: Configured, kind: str, url: str) -> None:
    (fault,) = load.faults(f"providers: {{x: {{kind: {kind}, api_key: k, base_url: '{url}'}}}}")
    assert "providers.x.base_url: is no address" in fault


def test_so_it_is_with_proxies(load: Configured) -> None:
    (fault,) = load.faults("providers: {x: {kind: openai, base_url: http://x, proxy: 'http://me:hunter2@p:99999'}}")
    assert "providers.x.proxy: is no address" in fault
    assert "hunter2" not in fault


@pytest.mark.parametrize(
    ("url", "method"),
    [
        ("https://x/v1/chat/completions", "/chat/completions"),
        ("https://x/v1/chat/completions/", "/chat/completions"),
        ("https://x/v1/responses", "/responses"),
        ("https://x/v1/messages", "/v1/messages"),
        ("https://x/v1beta/models/gemini-2.5-flash:generateContent", "/models/gemini-2.5-flash:generateContent"),
    ],
)
def test_the_path_of_a_method_is_to_be_left_out(load: Configured, url: str, method: str) -> None:
    (fault,) = load.faults(f"providers: {{x: {{kind: openai, base_url: '{url}'}}}}")
    assert f'providers.x.base_url: must not name a method: leave out "{method}"' in fault


def test_an_account_with_an_address_of_its_own_says_which_variable_holds_it(load: Configured) -> None:
    (fault,) = load.faults("providers: {azure: {api_key: k}}")
    assert "providers.azure.base_url: is required" in fault
    assert "AZURE_OPENAI_ENDPOINT" in fault
    (fault,) = load.faults("providers: {eu: {kind: azure, api_key: k}}")
    assert "AZURE_OPENAI_ENDPOINT" not in fault  # which is read for `azure` only
