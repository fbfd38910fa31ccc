"""The headers by which Anthropic knows an account, and which version of its API is meant."""

import re
from collections.abc import Iterable, Mapping

from promptwire_server.core.errors import InvalidRequest
from promptwire_server.providers.json_value import Json
from promptwire_server.providers.settings import HttpSettings

REQUEST_ID = "request-id"
BETA = "anthropic-beta"
# The last version with temperature, top_p and top_k: from 2026-10-21 on they are refused, whatever the model. Nothing else that we send
# differs between the two.
VERSION = "2023-06-01"
WITHOUT_SAMPLING = "2026-10-21"
_TOKEN_OF_A_LOGIN = "sk-ant-oat"  # noqa: S105 - a prefix, no secret
_BETA_NAME = re.compile(r"[A-Za-z0-9._-]{1,64}")
_MOST_BETAS = 16


def headers(settings: HttpSettings) -> Mapping[str, str]:
    """The credential and the version. Tokens of a login, and keys with the option `auth: bearer`, go as a bearer's."""
    known = {"anthropic-version": version_of(settings)}
    if settings.api_key is None:
        return known
    key = settings.api_key.reveal()
    if settings.options.get("auth") == "bearer" or key.startswith(_TOKEN_OF_A_LOGIN):
        return {**known, "authorization": f"Bearer {key}"}
    return {**known, "x-api-key": key}


def version_of(settings: HttpSettings) -> str:
    """The version of the API: the option `version`, or the usual one."""
    return settings.options.get("version") or VERSION


def betas_of(settings: HttpSettings) -> tuple[str, ...]:
    """The beta features that the operator wants in every call: the option `anthropic_beta`, separated by commas."""
    return tuple(name.strip() for name in settings.options.get("anthropic_beta", "").split(",") if name.strip())


def beta_header(always: Iterable[str], asked: Json, path: str) -> Mapping[str, str]:
    """The header of beta features: the operator's and the caller's. Raises InvalidRequest for names that are none."""
    if asked is not None and not (isinstance(asked, list) and len(asked) <= _MOST_BETAS):
        raise InvalidRequest.at(path, f"anthropic_beta must be a list of at most {_MOST_BETAS} names")
    names = list(always)
    for name in asked or ():
        if not isinstance(name, str) or not _BETA_NAME.fullmatch(name):
            raise InvalidRequest.at(path, "anthropic_beta has names of at most 64 letters, digits, . _ and -")
        names.append(name)
    return {BETA: ",".join(dict.fromkeys(names))} if names else {}
