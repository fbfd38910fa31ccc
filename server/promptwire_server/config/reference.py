"""References in place of secrets: `vault:mount/path#field`, `aws-sm:name#field`."""

import re
from collections.abc import Mapping

from promptwire_server.core.secret import Reference


class FileText(str):
    """The text of a secret file, which knows the file: it may be replaced while the server runs."""

    __slots__ = ("file",)
    file: str

    @classmethod
    def of(cls, text: str, file: str) -> "FileText":
        """The text, and where it was read."""
        it = cls(text)
        it.file = file
        return it


_SEGMENT = r"(?!\.{1,2}(?:/|$))[^\s/?#%]+"  # "." and ".." would lead elsewhere in an address
_VAULT = re.compile(rf"{_SEGMENT}(?:/{_SEGMENT})+")
_AWS = re.compile(r"[A-Za-z0-9/_+=.@:-]{1,2048}")  # a name or an ARN, as AWS allows them
_FIELD = re.compile(r"[^\s#]+")
STORES: Mapping[str, re.Pattern[str]] = {"vault": _VAULT, "aws-sm": _AWS}


def parsed(text: str) -> Reference | None:
    """The reference; None for a text that is none. Raises ValueError for one that is misspelt, without repeating it."""
    store, colon, rest = text.partition(":")
    if not colon or store not in STORES:
        return None
    name, sharp, field = rest.rpartition("#") if "#" in rest else (rest, "", "")
    if store == "vault" and not (_VAULT.fullmatch(name) and _FIELD.fullmatch(field)):
        raise ValueError('begins with "vault:" but is no reference; write vault:mount/path#field, as in vault:secret/data/openai#api_key')
    if store == "aws-sm" and not (_AWS.fullmatch(name) and (_FIELD.fullmatch(field) or not sharp)):
        raise ValueError('begins with "aws-sm:" but is no reference; write aws-sm:name#field, or aws-sm:name for a secret that is no JSON')
    return Reference(store, name, field)
