"""AWS Secrets Manager by boto3, against moto."""

import json
import logging
from collections.abc import Iterator
from typing import Any

import boto3
import pytest
from botocore.exceptions import ClientError
from botocore.stub import Stubber
from moto import mock_aws

from promptwire_server.secrets.aws import SecretsManager
from promptwire_server.secrets.settings import AwsSettings
from promptwire_server.secrets.store import Unavailable, Unreadable

REGION = "eu-central-1"


@pytest.fixture
def aws(monkeypatch: pytest.MonkeyPatch) -> Iterator[Any]:
    """The mocked account."""
    _without_aws(monkeypatch)
    monkeypatch.setenv("AWS_ACCESS_KEY_ID", "testing")
    monkeypatch.setenv("AWS_SECRET_ACCESS_KEY", "testing")
    with mock_aws():
        yield boto3.client("secretsmanager", region_name=REGION)


def _without_aws(monkeypatch: pytest.MonkeyPatch) -> None:
    for name in ("AWS_PROFILE", "AWS_REGION", "AWS_DEFAULT_REGION", "AWS_ACCESS_KEY_ID", "AWS_SECRET_ACCESS_KEY"):
        monkeypatch.delenv(name, raising=False)
    monkeypatch.setenv("AWS_EC2_METADATA_DISABLED", "true")
    monkeypatch.setenv("AWS_CONFIG_FILE", "/nowhere")
    monkeypatch.setenv("AWS_SHARED_CREDENTIALS_FILE", "/nowhere")


def opened(**more: Any) -> SecretsManager:
    return SecretsManager(AwsSettings(**{"region": REGION, "timeout_s": 10.0, **more}))


def test_a_field_of_a_json_secret_or_the_whole_text_is_read(aws: Any) -> None:
    aws.create_secret(Name="prod/openai", SecretString=json.dumps({"key": "sk-in-aws", "org": "o"}))
    whole = aws.create_secret(Name="prod/plain", SecretString="sk-plain")
    store = opened()
    assert store.read("prod/openai").pick("key") == "sk-in-aws"
    assert store.read("prod/plain").pick("") == "sk-plain"
    assert store.read(whole["ARN"]).pick("") == "sk-plain"


def test_the_current_version_is_read(aws: Any) -> None:
    aws.create_secret(Name="x", SecretString="first")
    store = opened()
    assert store.read("x").pick("") == "first"
    aws.put_secret_value(SecretId="x", SecretString="second")
    assert store.read("x").pick("") == "second"


@pytest.mark.parametrize(
    ("text", "field", "words"),
    [
        ('{"key": "sk-in-aws"}', "api_key", "no field `api_key`; there are `key`"),
        ("{}", "key", "no field `key`; it is empty"),
        ("sk-in-aws", "key", "no JSON object, so it has no fields; leave out what follows the #"),
        ('["sk-in-aws"]', "key", "no JSON object"),
        ('{"key": 7}', "key", "no text"),
    ],
)
def test_a_field_that_is_not_there_is_said(aws: Any, text: str, field: str, words: str) -> None:
    aws.create_secret(Name="x", SecretString=text)
    with pytest.raises(Unreadable, match=words) as caught:
        opened().read("x").pick(field)
    assert "sk-in-aws" not in str(caught.value)


def test_a_binary_secret_is_refused(aws: Any) -> None:
    aws.create_secret(Name="x", SecretBinary=b"\x00\x01")
    with pytest.raises(Unreadable, match="binary, and a key is a text; store it as SecretString"):
        opened().read("x")


def test_an_absent_or_deleted_secret_is_said(aws: Any) -> None:
    with pytest.raises(Unreadable, match=r"no secret of this name in this account and region; check secrets\.aws_sm\.region") as caught:
        opened().read("absent")
    assert not isinstance(caught.value, Unavailable), "the others may be there"
    aws.create_secret(Name="x", SecretString="first")
    aws.delete_secret(SecretId="x")
    with pytest.raises(Unreadable, match="marked for deletion"):
        opened().read("x")


@pytest.mark.parametrize(
    ("code", "words", "all_of_it"),
    [
        ("AccessDeniedException", "allow secretsmanager:GetSecretValue", False),
        ("DecryptionFailure", "allow kms:Decrypt", False),
        ("ExpiredTokenException", "does not take the credentials", True),
        ("UnrecognizedClientException", "does not take the credentials", True),
        ("ThrottlingException", "AWS answered ThrottlingException", True),
        ("<b>odd</b>", "AWS answered with an error", True),
    ],
)
def test_what_aws_refuses_says_what_to_do(aws: Any, code: str, words: str, *, all_of_it: bool) -> None:
    store = opened()
    with Stubber(store._client) as stubbed:
        stubbed.add_client_error("get_secret_value", code, "words of AWS that may quote something")
        with pytest.raises(Unreadable, match=words) as caught:
            store.read("x")
    assert isinstance(caught.value, Unavailable) == all_of_it
    assert "quote" not in str(caught.value)


def test_the_region_and_credentials_that_are_missing_are_said(monkeypatch: pytest.MonkeyPatch) -> None:
    _without_aws(monkeypatch)
    with pytest.raises(Unavailable, match=r"region is not known; write secrets\.aws_sm\.region, or set AWS_REGION"):
        opened(region=None)
    with pytest.raises(Unavailable, match="region is no region"):
        opened(region="not a region")
    with pytest.raises(Unavailable, match="no credentials for AWS; give this process a role"):
        opened().read("x")
    monkeypatch.setenv("AWS_PROFILE", "absent")
    with pytest.raises(Unavailable, match="no credentials"):
        opened()


def test_an_address_where_nobody_is_is_said(monkeypatch: pytest.MonkeyPatch) -> None:
    _without_aws(monkeypatch)
    monkeypatch.setenv("AWS_ACCESS_KEY_ID", "testing")
    monkeypatch.setenv("AWS_SECRET_ACCESS_KEY", "testing")
    with pytest.raises(Unavailable, match=r"cannot be reached; check secrets\.aws_sm\.region and endpoint_url"):
        opened(endpoint_url="http://127.0.0.1:1", timeout_s=0.5).read("x")


def test_no_secret_is_logged_by_the_client(aws: Any, caplog: pytest.LogCaptureFixture) -> None:
    caplog.set_level(logging.DEBUG)
    aws.create_secret(Name="x", SecretString="sk-made")
    store = opened()
    caplog.clear()
    assert store.read("x").pick("") == "sk-made"
    assert "sk-made" not in caplog.text


def test_the_mock_refuses_as_aws_does(aws: Any) -> None:
    with pytest.raises(ClientError, match="ResourceNotFoundException"):
        aws.get_secret_value(SecretId="absent")
