"""Vault by hvac, against a small fake of its HTTP."""

import logging
from dataclasses import replace
from pathlib import Path

import pytest

from promptwire_server.config.environment import read_secret
from promptwire_server.core.secret import Secret
from promptwire_server.secrets.settings import AppRole, Kubernetes, VaultSettings
from promptwire_server.secrets.store import Unavailable, Unreadable
from promptwire_server.secrets.vault import Vault
from tests.unit.secrets.fake_vault import ROOT, FakeVault

KEY = {"api_key": "sk-in-vault"}
PATIENT_S = 10.0


def opened(vault: FakeVault, login: Secret | Path | AppRole | Kubernetes | None = None, **more: object) -> Vault:
    settings = VaultSettings(address=vault.address, login=Secret(ROOT) if login is None else login, timeout_s=PATIENT_S)
    return Vault(replace(settings, **more), read_secret)  # type: ignore[arg-type]


@pytest.mark.parametrize(
    ("kept", "name"),
    [
        ("secret/openai", "secret/data/openai"),  # version 2, as its HTTP has it
        ("secret/openai", "secret/openai"),  # version 2, as its command line has it
        ("secret/team/openai", "secret/data/team/openai"),
        ("kv/openai", "kv/openai"),  # version 1
        ("kv/data", "kv/data"),
    ],
)
def test_a_field_is_read_from_either_version(vault: FakeVault, kept: str, name: str) -> None:
    vault.put(kept, KEY)
    assert opened(vault).read(name).pick("api_key") == "sk-in-vault"


def test_the_data_may_be_left_out_where_the_policy_has_it(vault: FakeVault) -> None:
    vault.put("secret/openai", KEY)
    vault.allow("hvs.narrow", "secret/data/openai")
    assert opened(vault, Secret("hvs.narrow")).read("secret/openai").pick("api_key") == "sk-in-vault"


def test_fields_of_version_1_may_be_called_data_and_metadata(vault: FakeVault) -> None:
    vault.put("kv/x", {"data": "sk-data", "metadata": "m"})
    assert opened(vault).read("kv/x").pick("data") == "sk-data"


def test_a_secret_of_version_1_says_how_long_it_holds(vault: FakeVault) -> None:
    vault.put("kv/x", {"api_key": "k", "ttl": "90"})
    vault.put("secret/x", KEY)
    assert opened(vault).read("kv/x").ttl_s == 90
    assert opened(vault).read("secret/x").ttl_s == 0


def test_the_namespace_is_named(vault: FakeVault) -> None:
    vault.put("secret/x", KEY, namespace="team")
    assert opened(vault, namespace="team").read("secret/data/x").pick("api_key") == "sk-in-vault"
    with pytest.raises(Unreadable, match=r"nothing there.*namespace"):
        opened(vault).read("secret/data/x")


def test_a_token_is_never_looked_for_in_the_environment(vault: FakeVault, monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> None:
    monkeypatch.setenv("VAULT_TOKEN", ROOT)
    monkeypatch.setenv("HOME", str(tmp_path))
    (tmp_path / ".vault-token").write_text(ROOT)
    with pytest.raises(Unreadable, match="denies"):
        opened(vault, Secret("hvs.other")).read("kv/x")
    assert {request.token for request in vault.requests} == {"hvs.other"}


def test_an_approle_logs_in_once_and_again_when_its_token_ends(vault: FakeVault) -> None:
    vault.put("kv/x", KEY)
    vault.roles["role"] = "word"
    store = opened(vault, AppRole("role", Secret("word"), "approle"))
    assert store.read("kv/x").pick("api_key") == store.read("kv/x").pick("api_key")
    assert vault.logins() == 1
    vault.revoke_all()
    assert store.read("kv/x").pick("api_key") == "sk-in-vault"
    assert vault.logins() == 2


def test_the_secret_id_of_a_file_is_read_at_each_login(vault: FakeVault, tmp_path: Path) -> None:
    vault.put("kv/x", KEY)
    file = tmp_path / "id"
    file.write_text("first\n")
    vault.roles["role"] = "first"
    store = opened(vault, AppRole("role", file, "machines"))
    store.read("kv/x")
    assert vault.requests[0].path == "/v1/auth/machines/login"
    vault.revoke_all()
    vault.roles["role"] = "second"
    file.write_text("second\n")
    assert store.read("kv/x").pick("api_key") == "sk-in-vault"


def test_a_pod_logs_in_with_its_service_account(vault: FakeVault, tmp_path: Path) -> None:
    vault.put("kv/x", KEY)
    vault.roles["promptwire"] = "a.b.c"
    (tmp_path / "token").write_text("a.b.c")
    assert opened(vault, Kubernetes("promptwire", tmp_path / "token", "kubernetes")).read("kv/x").pick("api_key") == "sk-in-vault"


def test_the_token_of_an_agent_is_read_each_time(vault: FakeVault, tmp_path: Path) -> None:
    vault.put("kv/x", KEY)
    file = tmp_path / "token"
    file.write_text(ROOT)
    store = opened(vault, file)
    store.read("kv/x")
    vault.revoke_all()
    vault.allow("hvs.second", "")
    file.write_text("hvs.second\n")
    assert store.read("kv/x").pick("api_key") == "sk-in-vault"


def test_a_login_that_is_refused_says_what_to_check(vault: FakeVault, tmp_path: Path) -> None:
    with pytest.raises(Unavailable, match=r"refuses the login by secrets\.vault\.approle: check role_id and secret_id") as caught:
        opened(vault, AppRole("role", Secret("wrong-word"), "approle")).read("kv/x")
    assert "wrong-word" not in str(caught.value)
    with pytest.raises(Unavailable, match=r"secrets\.vault\.kubernetes\.token_file: cannot read"):
        opened(vault, Kubernetes("role", tmp_path / "absent", "kubernetes")).read("kv/x")
    with pytest.raises(Unavailable, match=r"secrets\.vault\.token_file: .* is empty"):
        opened(vault, _empty(tmp_path)).read("kv/x")


def _empty(folder: Path) -> Path:
    file = folder / "empty"
    file.touch()
    return file


@pytest.mark.parametrize(
    ("name", "field", "words"),
    [
        ("kv/absent", "api_key", "nothing there; check the mount and the path"),
        ("secret/data/absent", "api_key", "nothing there"),
        ("kv/x", "apikey", "no field `apikey`; there are `api_key`, `number`"),
        ("kv/x", "number", "no text"),
    ],
)
def test_what_is_not_there_is_said(vault: FakeVault, name: str, field: str, words: str) -> None:
    vault.put("kv/x", {"api_key": "sk-in-vault", "number": 7})
    with pytest.raises(Unreadable, match=words) as caught:
        opened(vault).read(name).pick(field)
    assert not isinstance(caught.value, Unavailable), "the other secrets may be there"
    assert "sk-in-vault" not in str(caught.value)


def test_what_is_denied_says_so_and_the_others_are_asked(vault: FakeVault) -> None:
    vault.put("kv/x", KEY)
    vault.allow("hvs.narrow", "kv/other")
    with pytest.raises(Unreadable, match="denies it; let the policy") as caught:
        opened(vault, Secret("hvs.narrow")).read("kv/x")
    assert not isinstance(caught.value, Unavailable)


@pytest.mark.parametrize(
    ("status", "words"), [(503, "sealed"), (429, "left alone"), (500, "InternalServerError"), (502, "BadGateway"), (418, "UnexpectedError")]
)
def test_a_vault_that_fails_as_a_whole_is_said_to(vault: FakeVault, status: int, words: str) -> None:
    vault.status = status
    for login in (Secret(ROOT), AppRole("role", Secret("word"), "approle")):
        with pytest.raises(Unavailable, match=words):
            opened(vault, login).read("kv/x")


@pytest.mark.parametrize("body", [b"<html>", b"[]", b"{}", b'{"data": null}', b'{"data": 5}', b""])
def test_something_that_is_no_vault_is_found_out(vault: FakeVault, body: bytes) -> None:
    vault.raw = body or b" "
    vault.allow(ROOT, "")
    vault.put("kv/x", KEY)
    with pytest.raises(Unavailable, match=r"not Vault; check secrets\.vault\.address"):
        opened(vault).read("kv/x")
    with pytest.raises(Unavailable, match=r"not Vault; check secrets\.vault\.address"):
        opened(vault, AppRole("", Secret(""), "approle")).read("kv/x")


def test_a_vault_that_is_slow_is_given_up(vault: FakeVault) -> None:
    vault.open.clear()
    with pytest.raises(Unavailable, match=r"did not answer within 0\.05 s"):
        opened(vault, timeout_s=0.05).read("kv/x")


def test_a_vault_that_is_not_there_is_said_to_be_so(vault: FakeVault) -> None:
    with pytest.raises(Unavailable, match=r"takes no connections at http://127\.0\.0\.1:1; check secrets\.vault\.address"):
        opened(vault, address="http://127.0.0.1:1").read("kv/x")
    with pytest.raises(Unavailable, match="certificate"):
        opened(vault, address=vault.address.replace("http:", "https:")).read("kv/x")


def test_no_secret_is_logged_by_the_client(vault: FakeVault, caplog: pytest.LogCaptureFixture) -> None:
    caplog.set_level(logging.DEBUG)
    vault.put("kv/x", KEY)
    opened(vault).read("kv/x")
    assert "kv/x" in caplog.text, "something is logged, or this would prove nothing"
    assert "sk-in-vault" not in caplog.text
    assert ROOT not in caplog.text
