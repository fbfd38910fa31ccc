"""Secrets by reference: how one is written, where its store is, what is shown of it."""

from pathlib import Path

import pytest

from promptwire_server import config
from promptwire_server.config.credentials import kept
from promptwire_server.config.providers import OpenAI
from promptwire_server.config.reference import parsed
from promptwire_server.config.settings import Origin
from promptwire_server.core.secret import Credential, Reference, Secret
from tests.unit.config.conftest import Bare, Configured

VAULT = {"VAULT_ADDR": "https://vault:8200", "VAULT_TOKEN": "hvs.secret"}
REFERRING = "providers: {openai: {api_key: 'vault:secret/data/openai#api_key'}}"


@pytest.mark.parametrize(
    ("text", "reference"),
    [
        ("vault:secret/data/openai#api_key", Reference("vault", "secret/data/openai", "api_key")),
        ("vault:kv/a.b/c_d-e@f#x:y", Reference("vault", "kv/a.b/c_d-e@f", "x:y")),
        ("aws-sm:prod/openai#key", Reference("aws-sm", "prod/openai", "key")),
        ("aws-sm:prod/openai", Reference("aws-sm", "prod/openai")),
        (
            "aws-sm:arn:aws:secretsmanager:eu-central-1:123456789012:secret:openai-AbCdEf#key",
            Reference("aws-sm", "arn:aws:secretsmanager:eu-central-1:123456789012:secret:openai-AbCdEf", "key"),
        ),
    ],
)
def test_a_reference_is_read_and_shown_as_it_is_written(text: str, reference: Reference) -> None:
    assert parsed(text) == reference
    assert str(reference) == text


@pytest.mark.parametrize("text", ["sk-1", "vault", "Vault:a/b#c", "sk:vault:a/b#c", "aws:x", ""])
def test_what_is_no_reference_is_a_secret(text: str) -> None:
    assert parsed(text) is None


@pytest.mark.parametrize(
    "text",
    [
        "vault:",
        "vault:sk-a-literal",
        "vault:secret/data/openai",
        "vault:secret/data/openai#",
        "vault:secret#field",
        "vault:/secret/x#field",
        "vault:secret//x#field",
        "vault:secret/../sys/raw#field",
        "vault:secret/./x#field",
        "vault:secret/%2e%2e/x#field",
        "vault:secret/x?version=1#field",
        "vault:secret/a b#field",
        "aws-sm:",
        "aws-sm:#key",
        "aws-sm:name#",
        "aws-sm:a name#key",
        "aws-sm:a#b#c",
    ],
)
def test_a_misspelt_reference_is_a_fault_that_does_not_repeat_it(load: Configured, text: str) -> None:
    (fault,) = load.faults(f"providers: {{openai: {{api_key: '{text}'}}}}")
    store = text.partition(":")[0]
    assert fault.startswith(f'providers.openai.api_key: begins with "{store}:" but is no reference; write {store}:')
    assert "literal" not in fault


def test_references_may_stand_wherever_secrets_do(load: Configured) -> None:
    text = """
        providers:
          openai: {api_key: "vault:kv/openai#key", headers: {x-team: "aws-sm:team", x-plain: plain}}
        auth:
          api_keys:
            - {name: a, key: "vault:kv/callers#a"}
            - {name: b, key: 0123456789012345678901234567890}
        """.replace("0123456789012345678901234567890", "'0123456789012345678901234567890'")
    found = kept(load(text, VAULT))
    assert [(item.path, str(item.credential.reference)) for item in found] == [
        (("auth", "api_keys", "0", "key"), "vault:kv/callers#a"),
        (("providers", "openai", "api_key"), "vault:kv/openai#key"),
        (("providers", "openai", "headers", "x-team"), "aws-sm:team"),
    ]
    assert [item.origin and item.origin.line for item in found] == [6, 3, 3]


def test_a_vendors_variable_may_hold_a_reference(bare: Bare) -> None:
    (item,) = kept(bare({"OPENAI_API_KEY": "aws-sm:openai#key"}))
    assert str(item.credential.reference) == "aws-sm:openai#key"
    assert item.origin == Origin("environment", "OPENAI_API_KEY")


def test_secrets_of_files_are_kept_there(load: Configured) -> None:
    (load.directory / "key").write_text("sk-in-file")
    (load.directory / "caller").write_text("c" * 30)
    settings = load("""
        providers: {openai: {api_key_file: key}}
        auth: {api_keys: [{name: a, key_file: caller}]}
        """)
    assert [(item.path, item.credential.reference.name) for item in kept(settings)] == [
        (("auth", "api_keys", "0", "key_file"), f"{load.directory}/caller"),
        (("providers", "openai", "api_key_file"), f"{load.directory}/key"),
    ]
    assert [item.credential.reveal() for item in kept(settings)] == ["c" * 30, "sk-in-file"]


def test_secrets_of_the_directory_of_secrets_are_kept_there(load: Configured) -> None:
    folder = load.directory / "secrets"
    folder.mkdir()
    (folder / "OPENAI_API_KEY").write_text("sk-in-directory\n")
    (folder / "providers__groq__api_key").write_text("gsk-in-directory\n")
    (folder / "providers__groq__headers__x-team").write_text("aws-sm:team")
    found = {item.path: str(item.credential.reference) for item in kept(load("secrets_dir: secrets"))}
    assert found == {
        ("providers", "openai", "api_key"): f"file:{folder}/OPENAI_API_KEY",
        ("providers", "groq", "api_key"): f"file:{folder}/providers__groq__api_key",
        ("providers", "groq", "headers", "x-team"): "aws-sm:team",
    }


def test_a_secret_that_was_not_fetched_is_nothing(load: Configured) -> None:
    provider = load(REFERRING, VAULT).providers["openai"]
    assert isinstance(provider, OpenAI)
    assert isinstance(provider.api_key, Credential)
    with pytest.raises(LookupError, match="vault:secret/data/openai#api_key was not fetched yet"):
        provider.api_key.reveal()


def test_show_has_the_reference_and_is_a_configuration_again(load: Configured) -> None:
    settings = load(REFERRING, VAULT)
    shown = config.dump(settings)
    assert 'api_key: "vault:secret/data/openai#api_key"  # file' in shown
    assert 'address: "https://vault:8200"  # environment VAULT_ADDR' in shown
    assert 'token: "***"  # environment VAULT_TOKEN' in shown
    ((item,),) = (kept(settings),)
    item.credential.renew("sk-fetched")
    assert config.dump(settings) == shown, "also when it is known"
    again = load(shown)
    assert [str(each.credential.reference) for each in kept(again)] == ["vault:secret/data/openai#api_key"]


def test_the_usual_variables_say_where_the_stores_are(bare: Bare, tmp_path: Path) -> None:
    authority = tmp_path / "ca"
    authority.touch()
    usual = {**VAULT, "VAULT_NAMESPACE": "team", "VAULT_CACERT": str(authority), "AWS_DEFAULT_REGION": "eu-west-1"}
    usual |= {"AWS_REGION": "eu-central-1", "AWS_ENDPOINT_URL": "http://aws:1", "AWS_ENDPOINT_URL_SECRETS_MANAGER": "http://sm:1"}
    headers = '{"a": "aws-sm:x", "b": "vault:kv/x#y"}'
    secrets = bare({"OPENAI_API_KEY": "sk-1", "PROMPTWIRE_PROVIDERS__OPENAI__HEADERS": headers, **usual}).secrets
    assert (secrets.vault.address, secrets.vault.namespace, secrets.vault.ca_file) == ("https://vault:8200", "team", authority)
    assert secrets.vault.token == Secret("hvs.secret")
    assert (secrets.aws_sm.region, secrets.aws_sm.endpoint_url) == ("eu-central-1", "http://sm:1")


def test_the_usual_variables_are_left_alone_when_nothing_refers_there(bare: Bare) -> None:
    secrets = bare({"VAULT_ADDR": "no address", "AWS_ENDPOINT_URL": "neither", "OPENAI_API_KEY": "sk-1"}).secrets
    assert (secrets.vault.address, secrets.aws_sm.endpoint_url) == (None, None)


def test_what_is_written_wins_over_the_usual_variables(load: Configured) -> None:
    (load.directory / "token").touch()
    secrets = load(f"{{{REFERRING}, secrets: {{vault: {{address: 'http://mine:1', token_file: token}}}}}}", VAULT).secrets
    assert secrets.vault.address == "http://mine:1"
    assert (secrets.vault.token, secrets.vault.token_file) == (None, load.directory / "token")


@pytest.mark.parametrize(
    ("secrets", "fault"),
    [
        ("{}", "secrets.vault.address: is required, since providers.openai.api_key is kept in Vault; write it, or set VAULT_ADDR"),
        ("{vault: {address: 'http://v'}}", "secrets.vault: needs one of token, token_file, approle, kubernetes, since providers.openai"),
        ("{vault: {address: 'v:8200', token: t}}", "secrets.vault.address: must be an address such as"),
        ("{vault: {address: 'http://u:p@v', token: t}}", "secrets.vault.address: must be an address such as"),
        ("{vault: {address: 'http://v', token: t, token_file: t}}", "secrets.vault: has `token` and `token_file`; keep one"),
        ("{vault: {address: 'http://v', token: t, ca_file: absent}}", "secrets.vault.ca_file: cannot read DIR/absent"),
        ("{vault: {address: 'http://v', token: 'aws-sm:x'}}", "secrets.vault.token: must be the secret itself, since it opens the place"),
        ("{vault: {address: 'http://v', approle: {secret_id: s}}}", "secrets.vault.approle.role_id: is required"),
        (
            "{vault: {address: 'http://v', approle: {role_id: r, secret_id: s, secret_id_file: f}}}",
            "secrets.vault.approle: has both `secret_id` and `secret_id_file`; keep one",
        ),
        ("{vault: {adress: 'http://v'}}", "secrets.vault.adress: there is no such key in secrets.vault; did you mean `address`?"),
        ("{refresh_interval: often}", "secrets.refresh_interval: must be a duration"),
    ],
)
def test_what_is_wrong_with_the_way_to_vault_is_said(load: Configured, secrets: str, fault: str) -> None:
    assert any(found.startswith(fault) for found in load.faults(f"{{{REFERRING}, secrets: {secrets}}}"))


def test_paths_of_the_secrets_section_start_at_the_file(load: Configured) -> None:
    settings = load("secrets: {vault: {token_file: t, approle: null}}")
    assert settings.secrets.vault.token_file == load.directory / "t"
    role = load("secrets: {vault: {approle: {role_id: r, secret_id_file: id}}}").secrets.vault.approle
    assert role is not None
    assert role.secret_id_file == load.directory / "id"
