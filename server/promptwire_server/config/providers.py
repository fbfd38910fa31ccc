"""Keys of the configuration that say who is asked: one section for each kind of provider."""

import re
from collections.abc import Mapping
from pathlib import Path
from typing import Annotated, Literal, TypeAlias, get_args

from pydantic import AfterValidator, Field

from promptwire_server.config.section import BaseUrl, Bytes, Proxy, Seconds, SecretText, Section
from promptwire_server.core.secret import Secret

_AZURE_PATH = re.compile(r"/openai(/v1)?/?$")


class Timeouts(Section):
    """How long an upstream may take."""

    connect_s: Seconds = Field(10.0, alias="connect", gt=0, description="Until the connection stands.", examples=["10s"])
    first_token_s: Seconds = Field(120.0, alias="first_token", description="Until the first event of an answer.", examples=["2m"])
    idle_s: Seconds = Field(60.0, alias="idle", description="Between two events; comments and pings do not count.", examples=["60s"])
    total_s: Seconds = Field(600.0, alias="total", description="The whole answer.", examples=["10m"])


class Bounds(Section):
    """How much an upstream may send."""

    event_bytes: Bytes = Field(8 << 20, alias="event", description="One event of a stream, so one image in base64.", examples=["8MiB"])
    answer_bytes: Bytes = Field(
        8 << 20, alias="answer", description="An answer that comes whole, or the pictures and sound of a stream.", examples=["8MiB"]
    )
    large_answer_bytes: Bytes = Field(
        64 << 20,
        alias="large_answer",
        description="The same where pictures or sound were asked for, and of vectors, 256 KiB a text at most.",
        examples=["64MiB"],
    )
    text_bytes: Bytes = Field(
        2 << 20,
        alias="text",
        description="What an answer says in words, reasoning and tool calls included, for each candidate that was asked for.",
        examples=["2MiB"],
    )
    stream_bytes: Bytes = Field(256 << 20, alias="stream", description="A stream, all of it.", examples=["256MiB"])


class Remote(Section):
    """What every provider has that is reached over HTTP."""

    kind: str
    vendor: str | None = Field(
        None,
        description="Whose habits it has: a name that `promptwire providers` lists. Default: the provider's name, or its address, tells. "
        "At an address of its own a provider called openai may be anybody's: there only `vendor: openai` says that it is OpenAI's.",
        examples=["vllm", "groq"],
    )
    base_url: BaseUrl | None = Field(
        None,
        description="Where it is, without the path of a method. Default: the vendor's.",
        examples=["https://api.openai.com/v1", "http://127.0.0.1:8000/v1"],
    )
    api_key: SecretText | None = Field(
        None, description="The operator's key at the vendor. Either this or api_key_file.", examples=["${OPENAI_API_KEY}"]
    )
    api_key_file: Path | None = Field(
        None, description="A file that holds the key. Either this or api_key.", examples=["/run/secrets/openai"]
    )
    api_keys: list[SecretText] = Field(
        default_factory=list,
        description="Further keys, of other accounts. All keys take turns; one that is limited or whose account is empty is passed over.",
        examples=[["${OPENAI_API_KEY_2}", "vault:secret/data/openai#third"]],
    )
    max_in_flight: int | None = Field(
        None,
        ge=1,
        le=1_000_000,
        description="Calls to all its models at the same time; each worker has its part. Default: any number.",
        examples=[100],
    )
    requests_per_minute: int | None = Field(
        None, ge=1, description="Requests to all its models within any minute. Default: any number.", examples=[5000]
    )
    tokens_per_minute: int | None = Field(
        None,
        ge=1,
        description="Tokens of prompts and answers, of all its models, within any minute. Default: any number.",
        examples=[2_000_000],
    )
    headers: dict[str, SecretText] = Field(
        default_factory=dict, description="Headers to add to every request.", examples=[{"x-team": "search"}]
    )
    models: list[str] = Field(
        default_factory=list,
        description="Models to list and to take; empty: any that the vendor knows.",
        examples=[["gpt-4o-mini", "gpt-4o"]],
    )
    timeouts: Timeouts = Field(Timeouts.model_validate({}), description="How long it may take.")
    bounds: Bounds = Field(Bounds.model_validate({}), description="How much it may send.")
    max_connections: int = Field(256, ge=1, le=65536, description="Connections to it at the same time.", examples=[256])
    proxy: Proxy | None = Field(
        None,
        description="An HTTP proxy on the way to it. Those in the environment are not used.",
        examples=["http://user:${PROXY_PASSWORD}@proxy.example.com:3128"],
    )
    ca_file: Path | None = Field(
        None, description="Authorities of its certificate, PEM, in place of the system's.", examples=["/etc/promptwire/ca.crt"]
    )
    cert_file: Path | None = Field(
        None, description="Certificate to show to it, PEM. Together with key_file.", examples=["/etc/promptwire/client.crt"]
    )
    key_file: Path | None = Field(None, description="Key of that certificate, PEM.", examples=["/etc/promptwire/client.key"])

    @property
    def secret(self) -> Secret | None:
        """What is shown to the vendor."""
        return self.api_key

    def options(self) -> Mapping[str, str]:
        """What only this kind knows, by the names under which its dialect reads it."""
        return {}


Api: TypeAlias = Literal["auto", "chat", "responses"]
_API = "Which of OpenAI's two APIs is asked. auto: chat completions, unless only the Responses API can answer."


class OpenAI(Remote):
    """A provider that speaks OpenAI's chat completions."""

    kind: Literal["openai"] = Field(description="The dialect it speaks.", examples=["openai"])
    organization: str | None = Field(None, description="Organization that is billed.", examples=["org-123"])
    project: str | None = Field(None, description="Project that is billed.", examples=["proj-123"])
    api: Api = Field("auto", description=_API, examples=["chat"])

    def options(self) -> Mapping[str, str]:
        """See Remote."""
        return {"organization": self.organization or "", "project": self.project or "", "api": _api(self.api)}


class Anthropic(Remote):
    """A provider that speaks Anthropic's messages."""

    kind: Literal["anthropic"] = Field(description="The dialect it speaks.", examples=["anthropic"])
    version: str | None = Field(
        None, description="Version of the API. Default: the one that this server was made for.", examples=["2023-06-01"]
    )
    beta: list[str] = Field(
        default_factory=list, description="Beta features to ask for with every request.", examples=[["context-1m-2025-08-07"]]
    )
    auth: Literal["key", "bearer"] = Field("key", description="How the key is shown: as x-api-key, or as a token.", examples=["bearer"])

    def options(self) -> Mapping[str, str]:
        """See Remote."""
        return {"version": self.version or "", "anthropic_beta": ",".join(self.beta), "auth": self.auth}


class Gemini(Remote):
    """A provider that speaks Gemini's generateContent."""

    kind: Literal["gemini"] = Field(description="The dialect it speaks.", examples=["gemini"])


class Ollama(Remote):
    """A provider that speaks Ollama's own API."""

    kind: Literal["ollama"] = Field(description="The dialect it speaks.", examples=["ollama"])


class Azure(Remote):
    """Models of OpenAI's, deployed at Azure. Its base_url is the endpoint of the resource."""

    kind: Literal["azure"] = Field(description="The dialect it speaks.", examples=["azure"])
    base_url: Annotated[BaseUrl, AfterValidator(lambda url: _AZURE_PATH.sub("", url))] | None = Field(
        None,
        description="The endpoint of the resource. Default: $AZURE_OPENAI_ENDPOINT.",
        examples=["https://example.openai.azure.com"],
    )
    api_version: str | None = Field(
        None,
        pattern=r"^[A-Za-z0-9.-]{1,64}$",
        description="Version of the API, a date. Default: v1, which has no dates. Or $OPENAI_API_VERSION.",
        examples=["2024-10-21", "preview"],
    )
    deployments: dict[str, str] = Field(
        default_factory=dict,
        description="Names of models, each with the deployment that answers; a model that is not here is a deployment of that name.",
        examples=[{"gpt-4o": "gpt-4o-eu"}],
    )
    api: Api = Field("auto", description=_API, examples=["chat"])
    token: SecretText | None = Field(
        None, description="A token of Microsoft Entra ID in place of a key. Default: $AZURE_OPENAI_AD_TOKEN.", examples=["${AZURE_TOKEN}"]
    )
    token_file: Path | None = Field(
        None, description="A file that holds the token; read again when it changes.", examples=["/run/secrets/azure-token"]
    )

    @property
    def secret(self) -> Secret | None:
        """See Remote."""
        return self.token or self.api_key

    def options(self) -> Mapping[str, str]:
        """See Remote."""
        named = {f"deployment {model}": deployment for model, deployment in self.deployments.items()}
        auth = "key" if self.token is None else "bearer"
        return {"api_version": self.api_version or "", "api": _api(self.api), "auth": auth, **named}


def _api(api: Api) -> str:
    return "" if api == "auto" else api


class Custom(Section):
    """A provider of the operator's own: a Python class."""

    kind: Literal["custom"] = Field(description="The dialect it speaks.", examples=["custom"])
    entry_point: str = Field(
        min_length=1, description='Its name in the group "promptwire.providers" of an installed package.', examples=["shouter"]
    )
    options: dict[str, SecretText] = Field(
        default_factory=dict, description="What the class is given; its own affair.", examples=[{"volume": "11"}]
    )
    models: list[str] = Field(
        default_factory=list,
        description="Models to list and to take; empty: any.",
        examples=[["loud"]],
    )


class Echo(Section):
    """A provider that answers with the question: for trials and tests."""

    kind: Literal["echo"] = Field(description="The dialect it speaks.", examples=["echo"])


class Script(Section):
    """A provider that answers from a YAML file: for demos and tests."""

    kind: Literal["script"] = Field(description="The dialect it speaks.", examples=["script"])
    file: Path = Field(description="The answers.", examples=["demo.yaml"])


_Sections = OpenAI | Anthropic | Gemini | Ollama | Azure | Custom | Echo | Script
Provider = Annotated[_Sections, Field(discriminator="kind")]
KINDS: tuple[str, ...] = tuple(get_args(section.model_fields["kind"].annotation)[0] for section in get_args(_Sections))
