"""Secrets by reference: a server starts with keys from Vault, AWS and files, and follows when they change there."""

import hashlib
import json
import subprocess
import sys
from collections.abc import Iterator, Mapping
from pathlib import Path
from typing import Any

import pytest
import yaml

from promptwire import Promptwire, errors
from promptwire_server.config.credentials import LOGINS
from tests.e2e import moto_server, process
from tests.e2e.conftest import Serve
from tests.e2e.moto_server import Account
from tests.e2e.process import Server
from tests.faults.fake_provider.process import FakeProvider
from tests.unit.secrets import fake_vault
from tests.unit.secrets.fake_vault import ROOT, FakeVault

OFTEN = {"refresh_interval": "20ms"}


@pytest.fixture
def vault() -> Iterator[FakeVault]:
    with fake_vault.running() as running:
        yield running


@pytest.fixture
def aws(monkeypatch: pytest.MonkeyPatch) -> Iterator[Account]:
    with moto_server.running(monkeypatch) as running:
        yield running


def environ(vault: FakeVault) -> dict[str, str]:
    return {"VAULT_ADDR": vault.address, "VAULT_TOKEN": ROOT}


def digest(key: str) -> str:
    return hashlib.sha256(key.encode()).hexdigest()


async def ask(server: Server, *models: str, key: str | None = None) -> None:
    async with Promptwire(server.target, api_key=key) as client:
        for model in models:
            await client.chat("Hello", model=model)


async def keys_seen(fake: FakeProvider, marker: str) -> list[str]:
    return [entry["key_sha256"] for entry in await fake.aledger(model=marker)]


async def test_keys_come_from_vault_and_from_aws(serve: Serve, fake: FakeProvider, vault: FakeVault, aws: Account, marker: str) -> None:
    vault.put("secret/openai", {"api_key": "sk-vault-2", "team": "search"})
    vault.put("kv/openai", {"api_key": "sk-vault-1"})
    aws.client.create_secret(Name="prod/openai", SecretString=json.dumps({"key": "sk-aws"}))
    aws.client.create_secret(Name="plain", SecretString="sk-aws-plain")
    references = {
        "two": "vault:secret/data/openai#api_key",
        "one": "vault:kv/openai#api_key",
        "field": "aws-sm:prod/openai#key",
        "plain": "aws-sm:plain",
    }
    headers = {"x-team": "vault:secret/data/openai#team"}
    providers = {name: process.openai(fake.base_url, reference, headers=headers) for name, reference in references.items()}
    server = serve({"providers": providers}, environ={**environ(vault), **aws.environ})
    await ask(server, *(f"{name}/{marker}~ok" for name in references))
    entries = await fake.aledger(model=marker, seen=4)
    assert [entry["key_sha256"] for entry in entries] == list(map(digest, ["sk-vault-2", "sk-vault-1", "sk-aws", "sk-aws-plain"]))
    assert {entry["headers"]["x-team"] for entry in entries} == {"search"}
    assert vault.reads("secret/data/openai") == 1, "asked once for five keys"


async def test_a_key_that_is_rotated_in_vault_is_used_from_the_next_call_on(
    serve: Serve, fake: FakeProvider, vault: FakeVault, marker: str
) -> None:
    vault.put("secret/openai", {"api_key": "sk-before"})
    providers = {"openai": process.openai(fake.base_url, "vault:secret/data/openai#api_key")}
    server = serve({"providers": providers, "secrets": OFTEN}, environ=environ(vault))
    model = f"openai/{marker}~ok"
    await ask(server, model)
    vault.put("secret/openai", {"api_key": "sk-after"})
    server.log.wait("secret.rotated", path="providers.openai.api_key", kept="vault:secret/data/openai#api_key")
    await ask(server, model)
    assert await keys_seen(fake, marker) == [digest("sk-before"), digest("sk-after")]


async def test_a_key_that_is_rotated_in_aws_or_in_a_file_is_used_from_the_next_call_on(
    serve: Serve, fake: FakeProvider, aws: Account, marker: str, tmp_path: Path
) -> None:
    aws.client.create_secret(Name="x", SecretString="sk-aws-1")
    file = tmp_path / "key"
    file.write_text("sk-file-1")
    providers = {
        "cloud": process.openai(fake.base_url, "aws-sm:x"),
        "mount": {"kind": "openai", "base_url": fake.base_url, "api_key_file": str(file)},
    }
    server = serve({"providers": providers, "secrets": OFTEN}, environ=aws.environ)
    models = f"cloud/{marker}~ok", f"mount/{marker}~ok"
    await ask(server, *models)
    aws.client.put_secret_value(SecretId="x", SecretString="sk-aws-2")
    (tmp_path / "new").write_text("sk-file-2\n")
    (tmp_path / "new").rename(file)
    server.log.wait("secret.rotated", path="providers.cloud.api_key")
    server.log.wait("secret.rotated", path="providers.mount.api_key_file")
    await ask(server, *models)
    assert await keys_seen(fake, marker) == list(map(digest, ["sk-aws-1", "sk-file-1", "sk-aws-2", "sk-file-2"]))


async def test_the_keys_of_callers_are_rotated_too(serve: Serve, vault: FakeVault) -> None:
    before, after = "caller-before-0123456789", "caller-after-0123456789"
    vault.put("kv/callers", {"search": before})
    auth = {"api_keys": [{"name": "search", "key": "vault:kv/callers#search"}]}
    server = serve({"auth": auth, "secrets": OFTEN}, environ=environ(vault))
    await ask(server, "echo/echo", key=before)
    vault.put("kv/callers", {"search": after})
    server.log.wait("secret.rotated", path="auth.api_keys[0].key")
    await ask(server, "echo/echo", key=after)
    with pytest.raises(errors.CredentialInvalid):
        await ask(server, "echo/echo", key=before)


async def test_a_store_that_fails_later_keeps_the_key_and_warns_once(
    serve: Serve, fake: FakeProvider, vault: FakeVault, marker: str
) -> None:
    vault.put("kv/openai", {"api_key": "sk-kept"})
    providers = {"openai": process.openai(fake.base_url, "vault:kv/openai#api_key")}
    server = serve({"providers": providers, "secrets": OFTEN}, environ=environ(vault))
    vault.status = 503
    (warning,) = server.log.wait("secret.failing")
    assert (warning["level"], warning["path"]) == ("warning", "providers.openai.api_key")
    assert warning["error"] == "Vault is sealed, or down for maintenance; unseal it"
    asked = len(vault.requests)
    process.until(lambda: len(vault.requests) > asked + 3, what="another few looks")
    await ask(server, f"openai/{marker}~ok")
    assert await keys_seen(fake, marker) == [digest("sk-kept")]
    vault.status = 0
    server.log.wait("secret.recovered", path="providers.openai.api_key")
    assert len(server.log.events("secret.failing")) == 1
    assert not server.log.events("secret.rotated")


async def test_a_role_for_machines_opens_vault(serve: Serve, fake: FakeProvider, vault: FakeVault, marker: str, tmp_path: Path) -> None:
    vault.put("kv/openai", {"api_key": "sk-by-role"}, namespace="team")
    vault.roles["promptwire"] = "word"
    (tmp_path / "word").write_text("word\n")
    opens = {"address": vault.address, "namespace": "team"}
    role = {"role_id": "promptwire", "secret_id_file": str(tmp_path / "word")}
    providers = {"openai": process.openai(fake.base_url, "vault:kv/openai#api_key")}
    server = serve({"providers": providers, "secrets": {"vault": {**opens, "approle": role}}})
    await ask(server, f"openai/{marker}~ok")
    assert await keys_seen(fake, marker) == [digest("sk-by-role")]


async def test_workers_fetch_and_follow_each_by_itself(serve: Serve, fake: FakeProvider, vault: FakeVault, marker: str) -> None:
    vault.put("kv/openai", {"api_key": "sk-before"})
    providers = {"openai": process.openai(fake.base_url, "vault:kv/openai#api_key")}
    server = serve({"providers": providers, "secrets": OFTEN, "server": {"workers": 2}}, environ=environ(vault))
    await ask(server, f"openai/{marker}~ok")
    vault.put("kv/openai", {"api_key": "sk-after"})
    server.log.wait("secret.rotated", count=2)
    await ask(server, f"openai/{marker}~ok")
    assert await keys_seen(fake, marker) == [digest("sk-before"), digest("sk-after")]


async def test_no_secret_is_written_anywhere(serve: Serve, fake: FakeProvider, vault: FakeVault, aws: Account, marker: str) -> None:
    vault.put("kv/openai", {"api_key": "first-in-the-vault"})
    aws.client.create_secret(Name="x", SecretString="first-in-the-cloud")
    providers = {
        "one": process.openai(fake.base_url, "vault:kv/openai#api_key"),
        "two": process.openai(fake.base_url, "aws-sm:x"),
    }
    settings = {"providers": providers, "secrets": OFTEN, "logs": {"level": "debug"}}
    server = serve(settings, environ={**environ(vault), **aws.environ})
    vault.put("kv/openai", {"api_key": "second-in-the-vault"})
    aws.client.put_secret_value(SecretId="x", SecretString="second-in-the-cloud")
    server.log.wait("secret.rotated", count=2)
    await ask(server, f"one/{marker}~ok", f"two/{marker}~ok")
    assert server.stop() == 0
    for secret in ("in-the-vault", "in-the-cloud", ROOT):
        assert secret not in server.log.text


def _tried(tmp_path: Path, config: Mapping[str, Any], *command: str, **environ: str) -> "subprocess.CompletedProcess[str]":
    path = process.write_config(tmp_path, process.merged(process.base_config(tmp_path), config))
    return subprocess.run(
        [sys.executable, "-m", "promptwire_server", *command, "--config", str(path)],
        env=process.environment(tmp_path, environ),
        cwd=tmp_path,
        capture_output=True,
        text=True,
        timeout=60,
        check=False,
    )


@pytest.mark.parametrize("workers", [1, 2])
def test_every_secret_that_cannot_be_had_is_a_fault_with_its_path(tmp_path: Path, vault: FakeVault, aws: Account, workers: int) -> None:
    vault.put("kv/openai", {"api_key": "sk-vault", "caller": "caller"})
    vault.allow("hvs.narrow", "kv/openai", "kv/absent")
    references = {
        "field": "vault:kv/openai#apikey",
        "absent": "vault:kv/absent#key",
        "denied": "vault:kv/denied#key",
        "cloud": "aws-sm:absent#key",
    }
    faulty = {
        "providers": {name: process.openai("http://127.0.0.1:1/v1", reference) for name, reference in references.items()},
        "auth": {"api_keys": [{"name": "short", "key": "vault:kv/openai#caller"}]},
        "server": {"workers": workers},
    }
    done = _tried(tmp_path, faulty, "serve", **{**environ(vault), "VAULT_TOKEN": "hvs.narrow"}, **aws.environ)
    assert done.returncode == 2, done.stderr
    for fault in (
        "providers.field.api_key: cannot have vault:kv/openai#apikey: it has no field `apikey`; there are `api_key`, `caller`",
        "providers.absent.api_key: cannot have vault:kv/absent#key: Vault has nothing there",
        "providers.denied.api_key: cannot have vault:kv/denied#key: Vault denies it",
        "providers.cloud.api_key: cannot have aws-sm:absent#key: there is no secret of this name",
        "auth.api_keys[0].key: cannot have vault:kv/openai#caller: it is too easy to guess with 6 characters",
    ):
        assert done.stderr.count(fault) == 1, done.stderr
    assert "sk-vault" not in done.stderr
    assert "Traceback" not in done.stderr


def test_a_store_that_is_not_there_is_a_fault_after_a_bounded_time(tmp_path: Path, vault: FakeVault) -> None:
    vault.open.clear()
    faulty = {
        "providers": {"slow": process.openai("http://127.0.0.1:1/v1", "vault:kv/x#key"), "cloud": {**_cloud(), "api_key": "aws-sm:x"}},
        "secrets": {"vault": {"timeout": "50ms"}},
    }
    done = _tried(tmp_path, faulty, "serve", **environ(vault), AWS_EC2_METADATA_DISABLED="true")
    assert done.returncode == 2
    assert "providers.slow.api_key: cannot have vault:kv/x#key: Vault did not answer within 0.05 s" in done.stderr
    assert "providers.cloud.api_key: cannot have aws-sm:x: the region is not known; write secrets.aws_sm.region" in done.stderr


def _cloud() -> dict[str, Any]:
    return process.openai("http://127.0.0.1:1/v1")


def test_check_and_show_ask_no_store_and_show_the_reference(tmp_path: Path, vault: FakeVault) -> None:
    referring = {"providers": {"openai": process.openai("http://127.0.0.1:1/v1", "vault:kv/x#key")}}
    assert _tried(tmp_path, referring, "config", "check", **environ(vault)).returncode == 0
    shown = _tried(tmp_path, referring, "config", "show", **environ(vault))
    assert 'api_key: "vault:kv/x#key"' in shown.stdout
    assert ROOT not in shown.stdout + shown.stderr
    assert vault.requests == []
    lacking = _tried(tmp_path, referring, "config", "check")
    assert lacking.returncode == 2
    assert "secrets.vault.address: is required, since providers.openai.api_key is kept in Vault" in lacking.stderr
    assert f"secrets.vault: needs one of {', '.join(LOGINS)}" in lacking.stderr


def test_the_example_of_the_guide_is_a_good_configuration(tmp_path: Path) -> None:
    example = (process.ROOT / "server" / "README.md").read_text().partition("<!-- file: vaulted.yaml -->\n```yaml\n")[2].partition("```")[0]
    shown = _tried(tmp_path, yaml.safe_load(example), "config", "show")
    assert shown.returncode == 0, shown.stderr
    for reference in ("vault:secret/data/openai#api_key", "aws-sm:prod/local#key"):
        assert f'api_key: "{reference}"' in shown.stdout


def test_the_clients_of_stores_are_not_loaded_when_nothing_refers_to_them() -> None:
    """They cost tens of megabytes each."""
    code = "import sys, promptwire_server.app, promptwire_server.supervisor; print(*sys.modules)"
    loaded = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=True, timeout=60).stdout.split()
    assert not {"hvac", "boto3", "botocore", "requests"} & set(loaded)
