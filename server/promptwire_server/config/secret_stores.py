"""Keys of the configuration that say where Vault and AWS Secrets Manager are, and how the server may look into them."""

from pathlib import Path

from pydantic import Field

from promptwire_server.config.section import HttpAddress, PlainSecretText, Seconds, Section

_SERVICE_ACCOUNT = Path("/var/run/secrets/kubernetes.io/serviceaccount/token")


class AppRole(Section):
    """A role of Vault's for machines."""

    role_id: str = Field(min_length=1, description="The role's id.", examples=["5f3f83c7-6d5e-4e39-9a3b-2d4f0f3c1a77"])
    secret_id: PlainSecretText | None = Field(
        None, description="Its secret id. Either this or secret_id_file; neither when the role needs none.", examples=["${VAULT_SECRET_ID}"]
    )
    secret_id_file: Path | None = Field(
        None, description="A file that holds the secret id; read at each login.", examples=["/run/secrets/vault-secret-id"]
    )
    mount: str = Field("approle", min_length=1, description="Where the method is mounted, below auth/.", examples=["approle"])


class Kubernetes(Section):
    """A role of Vault's for pods."""

    role: str = Field(min_length=1, description="The role's name.", examples=["promptwire"])
    token_file: Path = Field(
        _SERVICE_ACCOUNT, description="The service account's token; read at each login.", examples=[str(_SERVICE_ACCOUNT)]
    )
    mount: str = Field("kubernetes", min_length=1, description="Where the method is mounted, below auth/.", examples=["kubernetes"])


class Vault(Section):
    """Where `vault:path#field` leads. One of token, token_file, approle and kubernetes opens it."""

    address: HttpAddress | None = Field(
        None, description="Where Vault is. Default: $VAULT_ADDR.", examples=["https://vault.example.com:8200"]
    )
    namespace: str | None = Field(None, description="Namespace of Vault Enterprise. Default: $VAULT_NAMESPACE.", examples=["team-search"])
    ca_file: Path | None = Field(
        None,
        description="Authorities of its certificate, PEM. Default: $VAULT_CACERT, else the usual ones.",
        examples=["/etc/vault/ca.crt"],
    )
    token: PlainSecretText | None = Field(None, description="A token. Default: $VAULT_TOKEN.", examples=["${VAULT_TOKEN}"])
    token_file: Path | None = Field(
        None, description="A file that holds a token, read each time: the sink of a Vault agent.", examples=["/run/vault/token"]
    )
    approle: AppRole | None = Field(
        None, description="Log in as a role for machines.", examples=[{"role_id": "5f3f83c7", "secret_id_file": "/run/secrets/id"}]
    )
    kubernetes: Kubernetes | None = Field(None, description="Log in as a role for pods.", examples=[{"role": "promptwire"}])
    timeout_s: Seconds = Field(5.0, alias="timeout", description="How long it may leave a request unanswered.", examples=["5s"])


class AwsSecretsManager(Section):
    """Where `aws-sm:name#field` leads. Credentials come from where AWS's own programs look: variables, profiles, roles of the machine."""

    region: str | None = Field(
        None, min_length=1, description="The region. Default: $AWS_REGION, else what the profile says.", examples=["eu-central-1"]
    )
    endpoint_url: HttpAddress | None = Field(
        None,
        description="Another address than the region's. Default: $AWS_ENDPOINT_URL_SECRETS_MANAGER, $AWS_ENDPOINT_URL.",
        examples=["https://vpce-1.secretsmanager.eu-central-1.vpce.amazonaws.com"],
    )
    timeout_s: Seconds = Field(5.0, alias="timeout", description="How long it may leave a request unanswered.", examples=["5s"])


class Secrets(Section):
    """Where secrets are that are written as references, and how often they are read anew."""

    refresh_interval_s: Seconds = Field(
        300.0,
        alias="refresh_interval",
        description="How often references are read anew; files with secrets each 30s, if that is more often. 0s: only at start.",
        examples=["5m"],
    )
    vault: Vault = Field(Vault.model_validate({}), description="HashiCorp Vault, for vault:mount/path#field. Needs the extra `vault`.")
    aws_sm: AwsSecretsManager = Field(
        AwsSecretsManager.model_validate({}), description="AWS Secrets Manager, for aws-sm:name#field. Needs the extra `aws`."
    )
