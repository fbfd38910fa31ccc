"""What every section of the configuration is made of: the base of sections, and values that people write with units or in secret."""

import re
from typing import Annotated

from pydantic import AfterValidator, BaseModel, BeforeValidator, ConfigDict, Field, PlainSerializer, PlainValidator, WithJsonSchema

from promptwire_server.config.address import base, checked
from promptwire_server.config.reference import FileText, parsed
from promptwire_server.config.units import Address, duration_text, seconds, size_bytes, size_text
from promptwire_server.core.secret import Credential, Reference, Secret

_NAME = r"^[A-Za-z0-9][A-Za-z0-9_.:-]{0,63}$"
_HTTP = re.compile(r"https?://[^\s?#@]+")
_PROXY = re.compile(r"https?://([^\s/?#@]+@)?[^\s/?#@]+/?")
_USER_INFO = re.compile(r"//[^@]*@")


def _secret(value: object) -> Secret:
    if isinstance(value, Secret):
        return value
    if not isinstance(value, str) or not value.strip():
        raise ValueError("must be a text in quotes, not empty")
    text = value.strip()
    if (reference := parsed(text)) is not None:
        return Credential(reference)
    return Credential(Reference("file", value.file), text) if isinstance(value, FileText) else Secret(text)


def as_secret(value: object) -> Secret:
    """A secret, or where one is kept, as people write it. Raises ValueError."""
    return _secret(value)


def shown_secret(secret: Secret) -> str:
    """What people may see of it."""
    return _shown(secret)


def _plain_secret(value: object) -> Secret:
    secret = _secret(value)
    if isinstance(secret, Credential) and not secret.known:
        raise ValueError("must be the secret itself, since it opens the place where references lead; use a variable, or a file")
    return secret


def _shown(secret: Secret) -> str:
    """What people may see: where a secret is kept, but not what it is. What came from a file is shown beside it, by its `_file` key."""
    return str(secret.reference) if isinstance(secret, Credential) and secret.reference.store != "file" else str(secret)


def _proxy(value: object) -> Secret:
    if isinstance(value, Secret):
        return value
    if not isinstance(value, str) or not _PROXY.fullmatch(value.strip()):
        raise ValueError('must be an address such as "http://proxy.example.com:3128", with user:password@ before the host if it needs that')
    return Secret(checked(value.strip().rstrip("/")))


def _proxy_shown(secret: Secret) -> str:
    """Where it is; who asks is masked."""
    return _USER_INFO.sub("//***@", secret.reveal())


def _http_address(value: str) -> str:
    if not _HTTP.fullmatch(value):
        raise ValueError('must be an address such as "https://vault.example.com:8200", without a query or credentials')
    return checked(value).rstrip("/")


def _text(value: object) -> str:
    if not isinstance(value, str):
        raise ValueError("must be a text")  # noqa: TRY004 - pydantic collects ValueError only
    return value


Seconds = Annotated[
    float,  # bounds of a Field hold for what has been read: a PlainValidator would swallow them
    BeforeValidator(seconds),
    PlainSerializer(duration_text, return_type=str),
    WithJsonSchema({"type": ["string", "number"], "pattern": r"^(\d+(\.\d+)?(us|ms|s|m|h|d)?)+$", "minimum": 0}),
]
Bytes = Annotated[
    int,
    BeforeValidator(size_bytes),
    PlainSerializer(size_text, return_type=str),
    WithJsonSchema({"type": ["string", "integer"], "pattern": r"^\d+(\.\d+)?\s*([kKmMgGtT]?[iI]?[bB])?$", "minimum": 0}),
]
Listen = Annotated[
    Address,
    PlainValidator(lambda value: value if isinstance(value, Address) else Address.parse(_text(value))),
    PlainSerializer(str, return_type=str),
    WithJsonSchema({"type": "string", "pattern": r"^(unix:.+|(\[[^\]]+\]|[^:]*):\d{1,5})$"}),
]
SecretText = Annotated[
    Secret,
    PlainValidator(_secret),
    PlainSerializer(_shown, return_type=str),
    WithJsonSchema({"type": "string", "minLength": 1, "writeOnly": True}),
]
PlainSecretText = Annotated[
    Secret,
    PlainValidator(_plain_secret),
    PlainSerializer(str, return_type=str),
    WithJsonSchema({"type": "string", "minLength": 1, "writeOnly": True}),
]
Proxy = Annotated[
    Secret,
    PlainValidator(_proxy),
    PlainSerializer(_proxy_shown, return_type=str),
    WithJsonSchema({"type": "string", "pattern": _PROXY.pattern}),
]
BaseUrl = Annotated[str, Field(pattern=r"^https?://[^\s?#@]+$"), AfterValidator(base)]
HttpAddress = Annotated[str, AfterValidator(_http_address)]
Name = Annotated[str, Field(pattern=_NAME)]


class Section(BaseModel):
    """A part of the file. Unknown keys are refused; nothing is changed once read."""

    model_config = ConfigDict(frozen=True, extra="forbid", hide_input_in_errors=True)
