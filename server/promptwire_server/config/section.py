"""What every section of the configuration is made of: the base of sections, and values that people write with units or in secret."""

from typing import Annotated

from pydantic import BaseModel, ConfigDict, Field, PlainSerializer, PlainValidator, WithJsonSchema

from promptwire_server.config.units import Address, duration_text, seconds, size_bytes, size_text
from promptwire_server.core.secret import Secret

_NAME = r"^[A-Za-z0-9][A-Za-z0-9_.:-]{0,63}$"


def _secret(value: object) -> Secret:
    if isinstance(value, Secret):
        return value
    if not isinstance(value, str) or not value.strip():
        raise ValueError("must be a text in quotes, not empty")
    return Secret(value.strip())


def _text(value: object) -> str:
    if not isinstance(value, str):
        raise ValueError("must be a text")  # noqa: TRY004 - pydantic collects ValueError only
    return value


Seconds = Annotated[
    float,
    PlainValidator(seconds),
    PlainSerializer(duration_text, return_type=str),
    WithJsonSchema({"type": ["string", "number"], "pattern": r"^(\d+(\.\d+)?(us|ms|s|m|h|d)?)+$", "minimum": 0}),
]
Bytes = Annotated[
    int,
    PlainValidator(size_bytes),
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
    PlainSerializer(str, return_type=str),
    WithJsonSchema({"type": "string", "minLength": 1, "writeOnly": True}),
]
Name = Annotated[str, Field(pattern=_NAME)]


class Section(BaseModel):
    """A part of the file. Unknown keys are refused; nothing is changed once read."""

    model_config = ConfigDict(frozen=True, extra="forbid", hide_input_in_errors=True)
