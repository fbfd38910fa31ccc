"""What only the whole configuration shows: keys that contradict each other, names that name nothing, an open door."""

import ssl
from collections.abc import Callable, Iterator
from pathlib import Path

from promptwire_server.config.budgets import budget_faults
from promptwire_server.config.credentials import LOGINS, credentials
from promptwire_server.config.fault import dotted
from promptwire_server.config.limits import limit_faults
from promptwire_server.config.model import File, Server
from promptwire_server.config.providers import Script
from promptwire_server.config.remotes import FILES, provider_keys, provider_tls, remotes
from promptwire_server.config.sendable import headers_are_sendable, stores_are_known
from promptwire_server.config.settings import KeyPath
from promptwire_server.config.units import Address, duration_text
from promptwire_server.core.secret import Credential

MIN_KEY_CHARACTERS = 20  # an API key of fewer can be guessed
Finding = tuple[KeyPath, str]
Check = Callable[[File], Iterator[Finding]]


def tls_pair(file: File) -> Iterator[Finding]:
    """A certificate needs its key, and the other way round."""
    tls = file.server.tls
    for have, lacking, key in (("cert_file", "key_file", tls.key_file), ("key_file", "cert_file", tls.cert_file)):
        if getattr(tls, have) is not None and key is None:
            yield ("server", "tls", lacking), f"is required beside {have}"
    if tls.client_ca_file is not None and not tls.enabled:
        yield ("server", "tls", "client_ca_file"), "has no effect without cert_file and key_file; add them, or remove it"


def files_exist(file: File) -> Iterator[Finding]:
    """Every file that is named can be read."""
    tls = file.server.tls
    named: list[tuple[KeyPath, Path | None]] = [
        (("server", "tls", name), getattr(tls, name)) for name in ("cert_file", "key_file", "client_ca_file")
    ]
    named.append((("secrets", "vault", "ca_file"), file.secrets.vault.ca_file))
    named += [(("providers", name, "file"), provider.file) for name, provider in file.providers.items() if isinstance(provider, Script)]
    named += [((*at, name), getattr(provider, name)) for at, provider in remotes(file) for name in FILES]
    for path, name in named:
        if name is None:
            continue
        try:
            with name.open("rb"):
                pass
        except OSError as error:
            yield path, f"cannot read {name}: {error.strerror or error}"


def tls_fits(file: File) -> Iterator[Finding]:
    """Certificate and key are what they should be, and belong together. Files that cannot be read are told of elsewhere."""
    tls = file.server.tls
    if tls.cert_file is None or tls.key_file is None:
        return
    try:
        ssl.SSLContext(ssl.PROTOCOL_TLS_SERVER).load_cert_chain(tls.cert_file, tls.key_file, password="")
    except ssl.SSLError as error:
        yield (
            ("server", "tls", "key_file"),
            f"{tls.key_file} and {tls.cert_file} are no PEM key and its certificate ({error.reason or 'unreadable'})",
        )
    except OSError:
        return


def ports_differ(file: File) -> Iterator[Finding]:
    """No two ports are the same."""
    server = file.server
    taken: list[tuple[str, Address]] = []
    for key in ("listen", "health_listen", "metrics_listen"):
        address: Address | None = getattr(server, key)
        if address is None:
            continue
        for other, its in taken:
            if _collide(address, its):
                yield ("server", key), f"is the same address as server.{other} ({address}); choose another port"
        taken.append((key, address))


def machines_speak_tcp(file: File) -> Iterator[Finding]:
    """Probes and scrapers come over TCP."""
    for key in ("health_listen", "metrics_listen"):
        address: Address | None = getattr(file.server, key)
        if address is not None and address.path:
            yield ("server", key), 'must be "host:port"; a Unix socket is only for server.listen'


def workers_share_a_port(file: File) -> Iterator[Finding]:
    """Several processes can share a TCP port, but no Unix socket."""
    if file.server.workers > 1 and file.server.listen.path:
        yield ("server", "workers"), "must be 1 on a Unix socket, which processes cannot share"


def concurrency_fits(file: File) -> Iterator[Finding]:
    """The floor of concurrency is not over its ceiling; the default gives way by itself."""
    server = file.server
    if "min_concurrent_calls" in server.admission.model_fields_set and server.admission.min_concurrent_calls > server.max_concurrent_calls:
        yield ("server", "admission", "min_concurrent_calls"), f"is more than server.max_concurrent_calls ({server.max_concurrent_calls})"


def door_is_closed(file: File) -> Iterator[Finding]:
    """Beyond loopback there are API keys and TLS, or the operator has accepted the danger by name."""
    server = file.server
    if server.listen.loopback or server.insecure_bind:
        return
    lacking = [
        name for name, there in (("API keys (auth.api_keys)", _authenticated(file)), ("TLS (server.tls)", server.tls.enabled)) if not there
    ]
    if lacking:
        message = (
            f"{server.listen} can be reached from other machines, and there is no {' and no '.join(lacking)}: "
            f"{_danger(server, authenticated=_authenticated(file))}. Add what is missing, listen on 127.0.0.1, "
            "or accept the danger with server.insecure_bind: true (as a flag: --danger-listen-without-auth-and-tls)"
        )
        yield ("server", "listen"), message


def api_keys(file: File) -> Iterator[Finding]:
    """Keys have one source, unique names, and are too long to guess."""
    names: dict[str, int] = {}
    for position, key in enumerate(file.auth.api_keys):
        at = ("auth", "api_keys", str(position))
        if (key.key is None) == (key.key_file is None):
            yield at, "needs either `key` or `key_file`" if key.key is None else "has both `key` and `key_file`; keep one"
        if key.key is not None and not isinstance(key.key, Credential) and len(key.key) < MIN_KEY_CHARACTERS:
            yield (*at, "key"), too_short(len(key.key))
        if key.name in names:
            yield (*at, "name"), f'"{key.name}" is also the name of auth.api_keys[{names[key.name]}]; names are unique'
        names.setdefault(key.name, position)


def vault_opens(file: File) -> Iterator[Finding]:
    """Where something refers to Vault, it is known where that is, and there is one way in."""
    vault = file.secrets.vault
    ways = [name for name in LOGINS if getattr(vault, name) is not None]
    if len(ways) > 1:
        yield ("secrets", "vault"), f"has {' and '.join(f'`{way}`' for way in ways)}; keep one"
    if vault.approle is not None and vault.approle.secret_id is not None and vault.approle.secret_id_file is not None:
        yield ("secrets", "vault", "approle"), "has both `secret_id` and `secret_id_file`; keep one"
    referring = [dotted(path) for path, credential in credentials(file) if credential.reference.store == "vault"]
    if not referring:
        return
    if vault.address is None:
        yield ("secrets", "vault", "address"), f"is required, since {referring[0]} is kept in Vault; write it, or set VAULT_ADDR"
    if not ways:
        yield ("secrets", "vault"), f"needs one of {', '.join(LOGINS)}, since {referring[0]} is kept in Vault; or set VAULT_TOKEN"


def times_fit(file: File) -> Iterator[Finding]:
    """Of the times of retries and breakers, the longest is not shorter than the first, and a window lasts."""
    retries, breaker = file.resilience.retries, file.resilience.breaker
    if retries.max_delay_s < retries.base_delay_s:
        yield ("resilience", "retries", "max_delay"), f"must not be less than base_delay ({duration_text(retries.base_delay_s)})"
    if breaker.window_s <= 0:
        yield ("resilience", "breaker", "window"), "must be more than 0s"
    if breaker.probe_cap_s < breaker.probe_after_s:
        yield ("resilience", "breaker", "probe_cap"), f"must not be less than probe_after ({duration_text(breaker.probe_after_s)})"


def limits_fit(file: File) -> Iterator[Finding]:
    """Limits of callers have unique names, and limit something."""
    yield from limit_faults(file.limits)


def cache_has_its_store(file: File) -> Iterator[Finding]:
    """Answers can be kept in Redis only where there is one."""
    if file.cache.store != "memory" and file.stores.redis is None:
        yield ("cache", "store"), f'is "{file.cache.store}", but there is no stores.redis; set its url, or choose "memory"'


def requests_have_their_store(file: File) -> Iterator[Finding]:
    """Requests with an id can be kept in Redis only where there is one."""
    if file.idempotency.store == "redis" and file.stores.redis is None:
        yield ("idempotency", "store"), 'is "redis", but there is no stores.redis; set its url, or choose "memory" or "file"'


def too_short(length: int) -> str:
    """That an API key can be guessed."""
    return f"is too easy to guess with {length} characters; use at least {MIN_KEY_CHARACTERS}, e.g. from `openssl rand -hex 24`"


# The sections that a check reads, and the check: it is left out when one of them is broken already.
def budgets_hold(file: File) -> Iterator[Finding]:
    """Budgets tell somebody who is there, and are kept in one place."""
    yield from budget_faults(file.budgets, file.alerts)
    if file.budgets and not file.usage.journal and file.server.workers > 1:
        yield ("budgets",), "each worker would keep them by itself, and spend all of them; set usage.journal: true, or server.workers: 1"


CHECKS: tuple[tuple[frozenset[str], Check], ...] = (
    (frozenset({"server"}), tls_pair),
    (frozenset({"server", "providers", "secrets"}), files_exist),
    (frozenset({"server"}), tls_fits),
    (frozenset({"server"}), ports_differ),
    (frozenset({"server"}), machines_speak_tcp),
    (frozenset({"server"}), workers_share_a_port),
    (frozenset({"server"}), concurrency_fits),
    (frozenset({"server", "auth"}), door_is_closed),
    (frozenset({"auth"}), api_keys),
    (frozenset({"providers"}), provider_keys),
    (frozenset({"providers"}), provider_tls),
    (frozenset({"providers"}), headers_are_sendable),
    (frozenset({"providers", "auth"}), stores_are_known),
    (frozenset({"secrets", "auth", "providers"}), vault_opens),
    (frozenset({"resilience"}), times_fit),
    (frozenset({"limits"}), limits_fit),
    (frozenset({"budgets", "alerts", "server", "usage"}), budgets_hold),
    (frozenset({"cache", "stores"}), cache_has_its_store),
    (frozenset({"idempotency", "stores"}), requests_have_their_store),
)


def _authenticated(file: File) -> bool:
    return bool(file.auth.api_keys) or file.server.tls.client_ca_file is not None


def _danger(server: Server, *, authenticated: bool) -> str:
    if not authenticated:
        return "whoever reaches the port can spend your money at the providers" + (
            "" if server.tls.enabled else " and read what others ask"
        )
    return "prompts, answers and API keys would travel readable for everybody on the way"


def _collide(one: Address, other: Address) -> bool:
    if one.path or other.path:
        return one.path == other.path
    anywhere = {"0.0.0.0", "::"}
    same_host = one.host == other.host or bool({one.host, other.host} & anywhere)
    return one.port == other.port != 0 and same_host
