"""What must hold of providers that are reached over HTTP: one source of each secret, files that are what they should be."""

import ssl
from collections.abc import Iterator, Mapping

from promptwire_server.config.model import File
from promptwire_server.config.providers import Azure, Remote
from promptwire_server.config.settings import KeyPath
from promptwire_server.config.units import duration_text
from promptwire_server.core.secret import Credential, Secret

Finding = tuple[KeyPath, str]
FILES = ("ca_file", "cert_file", "key_file")


def remotes(file: File) -> Iterator[tuple[KeyPath, Remote]]:
    """Those providers, each with where it stands."""
    for name, provider in file.providers.items():
        if isinstance(provider, Remote):
            yield ("providers", name), provider


def provider_keys(file: File) -> Iterator[Finding]:
    """A provider's secrets have one source each, and it shows one of them only."""
    for at, provider in remotes(file):
        if provider.api_key is not None and provider.api_key_file is not None:
            yield at, "has both `api_key` and `api_key_file`; keep one"
        yield from (((*at, *path), message) for path, message in _repeated(provider))
        if isinstance(provider, Azure):
            yield from ((at, message) for message in _tokens(provider))


def provider_tls(file: File) -> Iterator[Finding]:
    """Authorities, certificates and keys are such. Files that cannot be read are told of elsewhere."""
    for at, provider in remotes(file):
        for have, lacking in (("cert_file", "key_file"), ("key_file", "cert_file")):
            if getattr(provider, have) is not None and getattr(provider, lacking) is None:
                yield (*at, lacking), f"is required beside {have}"
        if provider.ca_file is not None and (why := _unusable_authorities(provider)):
            yield (*at, "ca_file"), f"{provider.ca_file} has no PEM certificates ({why})"
        if provider.cert_file is not None and provider.key_file is not None and (why := _unusable_pair(provider)):
            yield (*at, "key_file"), f"{provider.key_file} and {provider.cert_file} are no PEM key and its certificate ({why})"


def idle_timeouts(providers: Mapping[str, object]) -> Iterator[str]:
    """Of timeouts that were written, those that never pass since another one does before."""
    for name, provider in providers.items():
        times = provider.timeouts if isinstance(provider, Remote) else None
        if times is not None and {"total_s", "first_token_s"} <= times.model_fields_set and times.total_s < times.first_token_s:
            total, first = duration_text(times.total_s), duration_text(times.first_token_s)
            yield f"providers.{name}.timeouts.first_token ({first}) is of no use: total ({total}) has passed before"


def _repeated(provider: Remote) -> Iterator[Finding]:
    """Keys that stand there twice would be asked twice in a row when they are refused."""
    seen = [] if provider.api_key is None else [provider.api_key]
    for position, key in enumerate(provider.api_keys):
        if any(_same(key, other) for other in seen):
            yield ("api_keys", str(position)), "is a key that stands there before; each goes once, `api_key` included"
        seen.append(key)


def _same(key: Secret, other: Secret) -> bool:
    if isinstance(key, Credential) and isinstance(other, Credential):
        return key.reference == other.reference
    return key == other


def _tokens(provider: Azure) -> Iterator[str]:
    if provider.token is not None and provider.token_file is not None:
        yield "has both `token` and `token_file`; keep one"
    # An empty list is no key; of a secret that is not fetched yet, nobody may ask whether it is empty.
    has_key = provider.api_keys or not (provider.api_key is None and provider.api_key_file is None)
    if has_key and not (provider.token is None and provider.token_file is None):
        yield "has both a key and a token; keep one"


def _unusable_authorities(provider: Remote) -> str:
    try:
        ssl.SSLContext(ssl.PROTOCOL_TLS_CLIENT).load_verify_locations(provider.ca_file)
    except ssl.SSLError as error:
        return error.reason or "unreadable"
    except OSError:
        return ""
    return ""


def _unusable_pair(provider: Remote) -> str:
    try:
        ssl.SSLContext(ssl.PROTOCOL_TLS_CLIENT).load_cert_chain(str(provider.cert_file), str(provider.key_file), password="")
    except ssl.SSLError as error:
        return error.reason or "unreadable"
    except OSError:
        return ""
    return ""
