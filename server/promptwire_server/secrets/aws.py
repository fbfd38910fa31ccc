"""AWS Secrets Manager, by boto3. Loaded only when something refers to it."""

import logging

from boto3.session import Session
from botocore import exceptions as boto
from botocore.config import Config

from promptwire_server.secrets.settings import AwsSettings, StoreSettings
from promptwire_server.secrets.store import Found, Unavailable, Unreadable

_ATTEMPTS = 2  # of one read; who asks comes again anyhow
_LONGEST_CODE = 64
# What is wrong with one secret, by the code of the answer.
_OF_SECRET = {
    "ResourceNotFoundException": "there is no secret of this name in this account and region; check secrets.aws_sm.region",
    "AccessDeniedException": "AWS denies it; allow secretsmanager:GetSecretValue on it, and kms:Decrypt if it has a key of its own",
    "DecryptionFailure": "AWS cannot decrypt it; allow kms:Decrypt with its key",
    "InvalidRequestException": "it is marked for deletion, or has no value yet",
    "InvalidParameterException": "AWS takes this for no name of a secret",
    "ValidationException": "AWS takes this for no name of a secret",
}
_BAD_CREDENTIALS = frozenset(
    {
        "UnrecognizedClientException",
        "InvalidClientTokenId",
        "InvalidSignatureException",
        "SignatureDoesNotMatch",
        "IncompleteSignature",
        "ExpiredTokenException",
        "ExpiredToken",
        "MissingAuthenticationToken",
        "MissingAuthenticationTokenException",
    }
)
_NO_CREDENTIALS = (
    boto.NoCredentialsError,
    boto.PartialCredentialsError,
    boto.CredentialRetrievalError,
    boto.TokenRetrievalError,
    boto.ProfileNotFound,
    boto.SSOError,
)


def open_store(settings: StoreSettings) -> "SecretsManager":
    """Secrets Manager as the settings say. Nothing is sent yet. Raises Unavailable when they are of no use."""
    return SecretsManager(settings.aws)


class SecretsManager:
    """The secrets of one account in one region."""

    def __init__(self, settings: AwsSettings) -> None:
        # At DEBUG it writes every answer, and so every secret, into the log.
        logging.getLogger("botocore").setLevel(logging.INFO)
        self._settings = settings
        try:
            self._client = Session().client(
                "secretsmanager",
                region_name=settings.region,
                endpoint_url=settings.endpoint_url,
                config=Config(
                    connect_timeout=settings.timeout_s,
                    read_timeout=settings.timeout_s,
                    retries={"mode": "standard", "total_max_attempts": _ATTEMPTS},
                ),
            )
        except (boto.BotoCoreError, ValueError) as error:
            raise Unavailable(_said(error, settings)) from None

    def read(self, name: str) -> Found:
        """See Store. The name may be an ARN. The current version is read."""
        try:
            answer = self._client.get_secret_value(SecretId=name)
        except boto.ClientError as error:
            raise _refused(str(error.response.get("Error", {}).get("Code", ""))) from None
        except (boto.BotoCoreError, OSError) as error:
            raise Unavailable(_said(error, self._settings)) from None
        text = answer.get("SecretString")
        if not isinstance(text, str):
            raise Unreadable("it is binary, and a key is a text; store it as SecretString")
        return Found(text)


def _refused(code: str) -> Unreadable:
    if code in _OF_SECRET:
        return Unreadable(_OF_SECRET[code])
    if code in _BAD_CREDENTIALS:
        return Unavailable("AWS does not take the credentials of this process; renew them")
    return Unavailable(f"AWS answered {code if code.isalnum() and len(code) <= _LONGEST_CODE else 'with an error'}; try again later")


def _said(error: Exception, settings: AwsSettings) -> str:  # noqa: PLR0911 - one line a kind
    """What is wrong with AWS as a whole, without words of the library, which may quote what was sent."""
    match error:
        case boto.NoRegionError():
            return "the region is not known; write secrets.aws_sm.region, or set AWS_REGION"
        case boto.InvalidRegionError():
            return "the region is no region; correct secrets.aws_sm.region"
        case boto.ConnectTimeoutError() | boto.ReadTimeoutError():
            return f"AWS did not answer within {settings.timeout_s:g} s; check secrets.aws_sm, or allow more with timeout"
        case boto.SSLError():
            return "the certificate of AWS is not acceptable; is there a proxy on the way?"
        case boto.EndpointConnectionError() | boto.HTTPClientError():
            return "AWS cannot be reached; check secrets.aws_sm.region and endpoint_url, and the network"
    if isinstance(error, _NO_CREDENTIALS):
        return "there are no credentials for AWS; give this process a role, or set AWS_ACCESS_KEY_ID and AWS_SECRET_ACCESS_KEY"
    return f"AWS cannot be asked ({type(error).__name__}); check secrets.aws_sm"
