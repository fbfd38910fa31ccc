"""The configuration file as a tree of typed keys: the one place that names every key, its default, its meaning and an example."""

from pathlib import Path
from typing import Annotated, Literal

from pydantic import BeforeValidator, Field

from promptwire_server.config.admission import Admission, Tenant
from promptwire_server.config.budgets import Alerts, Budget
from promptwire_server.config.limits import Limit
from promptwire_server.config.model_facts import ModelFacts, ModelName
from promptwire_server.config.money import Holds
from promptwire_server.config.providers import Provider
from promptwire_server.config.resilience import Resilience
from promptwire_server.config.routing import Alias, AliasTarget, as_alias
from promptwire_server.config.sameness import Dedup, Idempotency
from promptwire_server.config.secret_stores import Secrets
from promptwire_server.config.section import Bytes, Listen, Name, Seconds, SecretText, Section
from promptwire_server.config.similar import Similar
from promptwire_server.config.stores import Stores
from promptwire_server.config.units import Address

_MAX_MESSAGE_BYTES = (1 << 31) - 1  # gRPC counts them in 32 bits
_MIN_KEY_CHARACTERS = 20  # an API key of fewer characters can be guessed


class Tls(Section):
    """Certificates of the gRPC port."""

    cert_file: Path | None = Field(
        None, description="Certificate chain, PEM. Together with key_file.", examples=["/etc/promptwire/tls.crt"]
    )
    key_file: Path | None = Field(None, description="Private key, PEM. Together with cert_file.", examples=["/etc/promptwire/tls.key"])
    client_ca_file: Path | None = Field(
        None,
        description="Authorities of client certificates, PEM. When set, clients must present one (mTLS).",
        examples=["/etc/promptwire/ca.crt"],
    )
    reload_interval_s: Seconds = Field(
        30.0, alias="reload_interval", description="How often the files are looked at for renewed certificates.", examples=["30s"]
    )

    @property
    def enabled(self) -> bool:
        """The port speaks TLS."""
        return self.cert_file is not None


class Drain(Section):
    """How the server goes away on SIGTERM."""

    pre_drain_s: Seconds = Field(
        5.0,
        alias="pre_drain",
        description="Health says NOT_SERVING for this long while calls are still taken, so that balancers notice. Default on loopback: 0s.",
        examples=["5s"],
    )
    grace_s: Seconds = Field(
        30.0, alias="grace", description="How long calls under way may take to end before they are cut.", examples=["30s"]
    )


class Streaming(Section):
    """How deltas travel."""

    join_window_s: Seconds = Field(
        0.02,
        alias="join_window",
        description="Under load, deltas that arrive within this time travel as one message. 0s: never joined.",
        examples=["20ms"],
    )
    join_above_streams: int = Field(8, ge=0, description="Deltas are joined only while more streams than this are open.", examples=[8])
    write_stall_timeout_s: Seconds = Field(
        60.0,
        alias="write_stall_timeout",
        description="A client that reads nothing for this long is cut off, and its upstream released.",
        examples=["60s"],
    )


class Keepalive(Section):
    """Pings on HTTP/2 connections, and how long connections live."""

    interval_s: Seconds = Field(30.0, alias="interval", description="A silent connection is pinged this often.", examples=["30s"])
    timeout_s: Seconds = Field(
        10.0, alias="timeout", description="A peer that leaves a ping unanswered for this long is dead.", examples=["10s"]
    )
    min_client_interval_s: Seconds = Field(
        10.0, alias="min_client_interval", description="Clients that ping more often are sent away.", examples=["10s"]
    )


class Server(Section):
    """The gRPC port and what surrounds it."""

    listen: Listen = Field(
        Address("127.0.0.1", 50051),
        description="Address of the gRPC port: host:port, [::]:port or unix:/path.",
        examples=["127.0.0.1:50051", "[::]:50051"],
    )
    health_listen: Listen | None = Field(
        Address("127.0.0.1", 50052),
        description="Plaintext port of its own for grpc.health.v1, for probes. null: none.",
        examples=["0.0.0.0:50052", None],
    )
    metrics_listen: Listen | None = Field(
        Address("127.0.0.1", 9464),
        description="HTTP port of /metrics (Prometheus), /healthz and /readyz. null: none.",
        examples=["0.0.0.0:9464", None],
    )
    workers: int = Field(1, ge=1, le=256, description="Processes that share the gRPC port.", examples=[1, 4])
    insecure_bind: bool = Field(
        False,  # noqa: FBT003 - pydantic's first parameter is the default
        description="DANGER: listen beyond this machine without API keys and TLS; whoever reaches it can read prompts and spend money.",
        examples=[False],
    )
    tls: Tls = Field(Tls.model_validate({}), description="Certificates of the gRPC port.")
    reflection: bool = Field(True, description="Let grpcurl and its kind ask for the contract.", examples=[True])  # noqa: FBT003
    channelz: bool = Field(False, description="Serve grpc.channelz.v1 for debugging connections.", examples=[False])  # noqa: FBT003
    max_request_bytes: Bytes = Field(16 << 20, le=_MAX_MESSAGE_BYTES, description="Largest request message.", examples=["16MiB"])
    max_response_bytes: Bytes = Field(64 << 20, le=_MAX_MESSAGE_BYTES, description="Largest response message.", examples=["64MiB"])
    max_call_duration_s: Seconds = Field(
        600.0, alias="max_call_duration", description="Longest time of a call, also when the client sets no deadline.", examples=["10m"]
    )
    max_concurrent_calls: int = Field(
        1024, ge=1, le=1_000_000, description="Questions to models at the same time at most; more wait, or are sent away.", examples=[1024]
    )
    admission: Admission = Field(Admission.model_validate({}), description="Who is let in when not all can be.")
    max_streams_per_connection: int = Field(
        1000,
        ge=1,
        le=1_000_000,
        description="RPCs at the same time on one HTTP/2 connection; more are refused without a word. Bounds what a reset flood costs.",
        examples=[1000],
    )
    max_connection_age_s: Seconds = Field(
        1800.0,
        alias="max_connection_age",
        description="Clients are asked to reconnect after this long, so that replicas share the load.",
        examples=["30m"],
    )
    max_connection_age_grace_s: Seconds | None = Field(
        None,
        alias="max_connection_age_grace",
        description="How long calls of an aged connection may take to end. Default: max_call_duration.",
        examples=["10m"],
    )
    drain: Drain = Field(Drain.model_validate({}), description="How the server goes away on SIGTERM.")
    streaming: Streaming = Field(Streaming.model_validate({}), description="How deltas travel.")
    keepalive: Keepalive = Field(Keepalive.model_validate({}), description="Pings on HTTP/2 connections.")


class ApiKey(Section):
    """A credential of a program that calls this server."""

    name: Name = Field(description="Who this is, for logs and audit. Unique.", examples=["search-backend"])
    tenant: Name | None = Field(
        "default",
        description="The tenant that the key belongs to. null: none, which makes it an operator's key: it may see and steer the server.",
        examples=["default", "shop", None],
    )
    key: SecretText | None = Field(
        None, description=f"The key, at least {_MIN_KEY_CHARACTERS} characters. Either this or key_file.", examples=["${SEARCH_KEY}"]
    )
    key_file: Path | None = Field(None, description="A file that holds the key. Either this or key.", examples=["/run/secrets/search-key"])
    max_priority: Literal["critical", "high", "normal", "low"] = Field(
        "high",
        description="The most urgent priority that its calls may have; more urgent ones are served with this.",
        examples=["critical"],
    )


class Auth(Section):
    """Who may call."""

    api_keys: list[ApiKey] = Field(default_factory=list, description="Keys that are let in. Without any, everybody on loopback is.")


class Logs(Section):
    """What is written to standard error."""

    level: Literal["debug", "info", "warning", "error"] = Field(
        "info", description="The least severe level that is written.", examples=["info"]
    )
    format: Literal["auto", "json", "pretty"] = Field(
        "auto", description="auto: pretty on a terminal, JSON lines otherwise.", examples=["json"]
    )


class Cache(Section):
    """Whether the same question is answered with the answer that was given before."""

    default: Literal["bypass", "read_write"] = Field(
        "bypass", description="What holds for requests that do not say. They may: ChatRequest.cache.", examples=["read_write"]
    )
    ttl_s: Seconds = Field(3600.0, alias="ttl", description="How long an answer is fresh, unless its request says.", examples=["1h"])
    stale_s: Seconds = Field(
        0.0,
        alias="stale_while_revalidate",
        description="How long behind its ttl an answer is served still, while a new one is fetched: paid for by the tenant who meets it.",
        examples=["10m"],
    )
    store: Literal["memory", "redis", "both"] = Field(
        "memory",
        description="Where answers are kept. redis: in stores.redis, for all replicas; both: there, and copies in memory for 30 seconds.",
        examples=["both"],
    )
    max_bytes: Bytes = Field(
        64 << 20, description="Memory for answers, of each worker; those of least use go first. 0: none are kept there.", examples=["64MiB"]
    )
    max_answer_bytes: Bytes = Field(4 << 20, alias="max_answer", description="The largest answer that is kept.", examples=["4MiB"])
    tool_calls: bool = Field(
        True,  # noqa: FBT003 - pydantic's first parameter is the default
        description="Whether answers are kept that call tools. They come again with the same ids.",
        examples=[False],
    )
    similar: Similar = Field(Similar.model_validate({}), description="Whether answers to similar questions may do.")


class Usage(Section):
    """What is written down about every attempt."""

    journal: bool = Field(
        True,  # noqa: FBT003 - pydantic's first parameter is the default
        description="Keep the ledger in state_dir: who asked which model, how each attempt ended, tokens, cost. No prompts, no answers.",
        examples=[True],
    )


class File(Section):
    """Configuration of the Promptwire server."""

    server: Server = Field(Server.model_validate({}), description="The gRPC port and what surrounds it.")
    auth: Auth = Field(Auth.model_validate({}), description="Who may call.")
    state_dir: Path | None = Field(
        None,
        description="Where state is kept. Default: $XDG_STATE_HOME/promptwire, or ~/.local/state/promptwire.",
        examples=["/var/lib/promptwire"],
    )
    secrets_dir: Path | None = Field(
        None,
        description='A directory of files that hold a value each, named like variables ("providers__openai__api_key", "OPENAI_API_KEY").',
        examples=["/run/secrets"],
    )
    secrets: Secrets = Field(
        Secrets.model_validate({}),
        description="Where keys are that are written as vault:mount/path#field or aws-sm:name#field.",
    )
    default_model: str | None = Field(
        None,
        description="The model of requests that name none: an alias or provider/model. Default: the first provider's, else echo/echo.",
        examples=["fast", "openai/gpt-4o-mini"],
    )
    models: dict[Name, Annotated[Alias, BeforeValidator(as_alias, json_schema_input_type=str | list[str | AliasTarget] | Alias)]] = Field(
        default_factory=dict,
        description="Aliases: a name of your own for one model, or for several, with a strategy that says which is asked.",
        examples=[{"fast": "openai/gpt-4o-mini", "best": {"targets": ["openai/gpt-4o", "groq/llama-3.3-70b-versatile"]}}],
    )
    model_facts: dict[ModelName, ModelFacts] = Field(
        default_factory=dict,
        description="What you know of a model better than its vendor's list and the published prices do, by provider/model.",
        examples=[{"openai/gpt-4o-mini": {"input_usd_per_1m": "0.15", "output_usd_per_1m": "0.60", "context_window": 128000}}],
    )
    providers: dict[Name, Provider | None] = Field(
        default_factory=dict,
        description="Who is asked. `echo` is always there unless it is set to null.",
        examples=[{"openai": {"kind": "openai", "api_key": "${OPENAI_API_KEY}"}, "echo": None}],
    )
    tenants: dict[Name, Tenant] = Field(
        default_factory=dict, description="What holds for single tenants, by name.", examples=[{"shop": {"weight": 2.0}}]
    )
    limits: list[Limit] = Field(
        default_factory=list,
        description="How often callers may ask, and how much at once.",
        examples=[[{"name": "search-team", "per": "key", "match": {"tenant": "search"}, "requests_per_minute": 600, "concurrency": 32}]],
    )
    stores: Stores = Field(Stores.model_validate({}), description="Where state is kept that several replicas share.")
    resilience: Resilience = Field(Resilience.model_validate({}), description="How failures of providers are met.")
    cache: Cache = Field(Cache.model_validate({}), description="Whether the same question is answered with what was answered before.")
    dedup: Dedup = Field(Dedup.model_validate({}), description="Whether identical questions under way are asked once.")
    idempotency: Idempotency = Field(Idempotency.model_validate({}), description="How requests with a request_id are answered once.")
    budgets: dict[Name, Budget] = Field(
        default_factory=dict,
        description="Limits of what may be spent, by name. Whoever may make budgets by the admin service cannot change these.",
        examples=[
            {"everything": {"limit_usd": "500.00", "alerts": [50, 80, 100]}, "shop": {"tenant": "shop", "window": "day", "limit_usd": "20"}}
        ],
    )
    alerts: Alerts = Field(Alerts.model_validate({}), description="Who is told when budgets come to their thresholds.")
    holds: Holds = Field(Holds.model_validate({}), description="How money is set aside for calls that hard budgets count.")
    usage: Usage = Field(Usage.model_validate({}), description="What is written down about every attempt.")
    logs: Logs = Field(Logs.model_validate({}), description="What is written to standard error.")
