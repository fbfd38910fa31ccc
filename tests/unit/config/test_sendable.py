"""Credentials and headers that HTTP cannot carry, and references to stores that there are not, are told at start without their value."""

import pytest

from promptwire_server.config.sendable import UNSENDABLE
from tests.unit.config.conftest import Bare, Configured

SECRET = "hunter2"


@pytest.mark.parametrize("bad", ["\\n", "\\r", "\\0", "\\e", "\\x7f", "\\x85", "\\u20ac"])
@pytest.mark.parametrize(
    ("section", "path"),
    [
        ('{kind: openai, base_url: http://x, api_key: "BAD"}', "api_key"),
        ('{kind: openai, base_url: http://x, api_key: k, api_keys: ["BAD"]}', "api_keys[0]"),
        ('{kind: openai, base_url: http://x, headers: {x-team: "BAD"}}', "headers.x-team"),
        ('{kind: openai, base_url: http://x, organization: "BAD"}', "organization"),
        ('{kind: anthropic, base_url: http://x, api_key: k, beta: [fine, "BAD"]}', "beta[1]"),
        ('{kind: azure, base_url: http://x, token: "BAD"}', "token"),
    ],
)
def test_what_no_header_can_carry_is_told_without_its_value(load: Configured, section: str, path: str, bad: str) -> None:
    (fault,) = load.faults(f"providers: {{x: {section.replace('BAD', f'{SECRET}{bad}b')}}}")
    assert f"providers.x.{path}: {UNSENDABLE}" in fault
    assert SECRET not in fault


def test_a_key_of_the_environment_is_judged_too(load: Configured) -> None:
    (fault,) = load.faults("", {"OPENAI_API_KEY": f"{SECRET}\nb"})
    assert f"providers.openai.api_key: {UNSENDABLE}" in fault
    assert "OPENAI_API_KEY" in fault
    assert SECRET not in fault


def test_a_file_with_two_lines_is_no_key(load: Configured) -> None:
    (load.directory / "key").write_text(f"{SECRET}\nother\n")
    (fault,) = load.faults("providers: {x: {kind: openai, base_url: http://x, api_key_file: key}}")
    assert "providers.x.api_key_file" in fault
    assert UNSENDABLE in fault
    assert SECRET not in fault


def test_the_line_break_at_the_end_of_a_file_is_none_of_the_key(load: Configured) -> None:
    (load.directory / "key").write_text("sk-1\n")
    assert "x" in load("providers: {x: {kind: openai, base_url: http://x, api_key_file: key, headers: {x-team: Søk}}}").providers


@pytest.mark.parametrize(
    ("name", "problem"), [("x team", "no name of a header"), ("x:", "no name"), ("Host", "connection"), ("content-length", "connection")]
)
def test_names_that_are_none_or_the_connections_own_are_refused(load: Configured, name: str, problem: str) -> None:
    (fault,) = load.faults(f'providers: {{x: {{kind: openai, base_url: http://x, headers: {{"{name}": v}}}}}}')
    assert f"providers.x.headers.{name}" in fault
    assert problem in fault


@pytest.mark.parametrize("key", ["api_key: 'gcp-sm:prod#k'", "api_key: k, api_keys: ['op:vault/x#y']", "headers: {x-a: 'gcp-sm:prod#k'}"])
def test_a_reference_to_a_store_that_is_not_there_is_no_key(load: Configured, key: str) -> None:
    (fault,) = load.faults(f"providers: {{x: {{kind: openai, base_url: http://x, {key}}}}}")
    assert "no such secret store; known: vault, aws-sm" in fault


def test_a_callers_key_is_no_such_reference_either(load: Configured) -> None:
    faults = load.faults("auth: {api_keys: [{name: a, key: 'gcp-sm:production/gateway#key'}]}")
    assert [fault for fault in faults if "auth.api_keys[0].key" in fault and "no such secret store" in fault]


def test_an_address_in_a_header_is_no_reference(load: Configured) -> None:
    assert "x" in load("providers: {x: {kind: openai, base_url: http://x, headers: {referer: 'https://x.example/#top'}}}").providers


def test_a_variable_with_the_name_of_no_provider_is_not_judged(bare: Bare) -> None:
    assert "openai" not in bare({"SOMEBODYS_API_KEY": "a\nb"}).providers
