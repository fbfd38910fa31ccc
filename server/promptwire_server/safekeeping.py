"""From the configuration's secrets that are kept elsewhere to their custody: fetched, or every fault at once."""

from pathlib import Path

from promptwire_server.config import secret_stores
from promptwire_server.config.check import MIN_KEY_CHARACTERS
from promptwire_server.config.credentials import kept
from promptwire_server.config.environment import read_secret
from promptwire_server.config.fault import ConfigError, Fault
from promptwire_server.config.settings import Settings
from promptwire_server.core.clock import Chance, SystemClock
from promptwire_server.core.secret import Secret
from promptwire_server.secrets.custody import Custody
from promptwire_server.secrets.round import Key
from promptwire_server.secrets.settings import AppRole, AwsSettings, Kubernetes, StoreSettings, VaultSettings


def fetched(settings: Settings) -> Custody:
    """The custody of all secrets that are kept elsewhere; each of them is known then. Blocks, for half a minute at most.

    Raises ConfigError with every secret that cannot be had.
    """
    found = kept(settings)
    origins = {item.path: item.origin for item in found}
    keys = [Key(item.path, item.credential, _least(item.path)) for item in found]
    custody = Custody(_stores(settings), keys, clock=SystemClock(), chance=Chance())
    problems = custody.fetch()
    if problems:
        raise ConfigError(
            [
                Fault(problem.key.path, f"cannot have {problem.key.credential.reference}: {problem.problem}", origins[problem.key.path])
                for problem in problems
            ]
        )
    return custody


def _least(path: tuple[str, ...]) -> int:
    """Keys of callers must not be guessed; those of vendors are as long as vendors make them."""
    return MIN_KEY_CHARACTERS if path[:1] == ("auth",) else 1


def _stores(settings: Settings) -> StoreSettings:
    secrets = settings.secrets
    aws = secrets.aws_sm
    return StoreSettings(
        read=read_secret,
        vault=_vault(secrets.vault),
        aws=AwsSettings(aws.region, aws.endpoint_url, aws.timeout_s),
        refresh_interval_s=secrets.refresh_interval_s,
    )


def _vault(vault: secret_stores.Vault) -> VaultSettings:
    return VaultSettings(
        address=vault.address or "",
        login=_login(vault),
        namespace=vault.namespace,
        ca_file=vault.ca_file,
        timeout_s=vault.timeout_s,
    )


def _login(vault: secret_stores.Vault) -> Secret | Path | AppRole | Kubernetes:
    if vault.approle is not None:
        role = vault.approle
        return AppRole(role.role_id, role.secret_id or role.secret_id_file, role.mount)
    if vault.kubernetes is not None:
        pod = vault.kubernetes
        return Kubernetes(pod.role, pod.token_file, pod.mount)
    return vault.token_file or vault.token or Secret("")
