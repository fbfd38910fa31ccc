"""Vendors: those with a name that people know. One of a known dialect is a row here, and that is all it needs."""

from collections.abc import Mapping
from dataclasses import dataclass, field

from promptwire import v1 as pb
from promptwire_server.providers.openai import known
from promptwire_server.providers.openai.facts import ANY, OPENAI, Facts
from promptwire_server.providers.openai.offered import capabilities_of
from promptwire_server.providers.settings import HttpSettings

_CHAT = frozenset(
    {
        pb.CAPABILITY_CHAT,
        pb.CAPABILITY_STREAMING,
        pb.CAPABILITY_TOOLS,
        pb.CAPABILITY_PARALLEL_TOOLS,
        pb.CAPABILITY_JSON_SCHEMA,
        pb.CAPABILITY_IMAGE_INPUT,
        pb.CAPABILITY_REASONING,
    }
)
# What a dialect offers at most; chat completions' facts tell it vendor by vendor.
_OF_DIALECT: Mapping[str, frozenset["pb.Capability"]] = {
    "anthropic": _CHAT | {pb.CAPABILITY_JSON_OBJECT, pb.CAPABILITY_DOCUMENT_INPUT, pb.CAPABILITY_PROMPT_CACHE},
    "gemini": _CHAT
    | {
        pb.CAPABILITY_JSON_OBJECT,
        pb.CAPABILITY_AUDIO_INPUT,
        pb.CAPABILITY_DOCUMENT_INPUT,
        pb.CAPABILITY_VIDEO_INPUT,
        pb.CAPABILITY_AUDIO_OUTPUT,
        pb.CAPABILITY_IMAGE_OUTPUT,
        pb.CAPABILITY_LOGPROBS,
        pb.CAPABILITY_CANDIDATES,
        pb.CAPABILITY_SEED,
        pb.CAPABILITY_EMBEDDINGS,
    },
    "ollama": _CHAT | {pb.CAPABILITY_JSON_OBJECT, pb.CAPABILITY_LOGPROBS, pb.CAPABILITY_SEED, pb.CAPABILITY_EMBEDDINGS},
}


@dataclass(frozen=True, slots=True)
class Vendor:
    """A vendor with a name that people know."""

    name: str
    dialect: str  # one of the registry's kinds
    base_url: str  # empty: every account has its own
    key_variables: tuple[str, ...] = ()  # environment variables that hold its key, first choice first; none: it needs no key
    url_variables: tuple[str, ...] = ()  # and its address
    url_suffix: str = ""  # what its own programs append to that
    more_variables: Mapping[str, tuple[str, ...]] = field(default_factory=dict)  # and other keys of its section
    default_model: str = ""
    facts: Facts = ANY  # of chat completions

    @property
    def variables(self) -> tuple[str, ...]:
        """All environment variables that are read for it."""
        return (*self.key_variables, *self.url_variables, *(name for names in self.more_variables.values() for name in names))

    @property
    def capabilities(self) -> frozenset["pb.Capability"]:
        """All that some model of the vendor's can do, through this server."""
        return _OF_DIALECT.get(self.dialect) or capabilities_of(self.facts)


def _openai(
    name: str, base_url: str, *key_variables: str, facts: Facts = ANY, model: str = "", url_variable: str = "", url_suffix: str = ""
) -> Vendor:
    """A vendor of chat completions."""
    url_variables = (url_variable,) if url_variable else ()
    return Vendor(name, "openai", base_url, key_variables, url_variables, url_suffix, default_model=model, facts=facts)


VENDORS = (
    Vendor(
        "openai",
        "openai",
        "https://api.openai.com/v1",
        ("OPENAI_API_KEY",),
        ("OPENAI_BASE_URL",),
        more_variables={"organization": ("OPENAI_ORG_ID",), "project": ("OPENAI_PROJECT_ID",)},
        default_model="gpt-4o-mini",
        facts=OPENAI,
    ),
    Vendor(
        "anthropic",
        "anthropic",
        "https://api.anthropic.com",
        ("ANTHROPIC_API_KEY",),
        ("ANTHROPIC_BASE_URL",),
        default_model="claude-haiku-4-5",
    ),
    Vendor(
        "gemini",
        "gemini",
        "https://generativelanguage.googleapis.com/v1beta",
        ("GEMINI_API_KEY", "GOOGLE_API_KEY"),
        ("GOOGLE_GEMINI_BASE_URL",),
        "/v1beta",
        default_model="gemini-2.5-flash",
    ),
    Vendor(
        "azure",
        "azure",
        "",
        ("AZURE_OPENAI_API_KEY",),
        ("AZURE_OPENAI_ENDPOINT",),
        more_variables={"api_version": ("OPENAI_API_VERSION",), "token": ("AZURE_OPENAI_AD_TOKEN",)},
        facts=known.AZURE,
    ),
    Vendor("ollama", "ollama", "http://127.0.0.1:11434", url_variables=("OLLAMA_HOST",)),
    _openai(
        "cerebras",
        "https://api.cerebras.ai/v1",
        "CEREBRAS_API_KEY",
        facts=known.CEREBRAS,
        model="gpt-oss-120b",
        url_variable="CEREBRAS_BASE_URL",
        url_suffix="/v1",
    ),
    _openai("cohere", "https://api.cohere.ai/compatibility/v1", "COHERE_API_KEY", "CO_API_KEY", facts=known.COHERE),
    _openai("deepseek", "https://api.deepseek.com", "DEEPSEEK_API_KEY", facts=known.DEEPSEEK, model="deepseek-chat"),
    _openai("fireworks", "https://api.fireworks.ai/inference/v1", "FIREWORKS_API_KEY", facts=known.FIREWORKS),
    _openai(
        "groq",
        "https://api.groq.com/openai/v1",
        "GROQ_API_KEY",
        facts=known.GROQ,
        model="llama-3.3-70b-versatile",
        url_variable="GROQ_BASE_URL",
        url_suffix="/openai/v1",
    ),
    _openai("huggingface", "https://router.huggingface.co/v1", "HF_TOKEN", "HUGGING_FACE_HUB_TOKEN", facts=known.HUGGING_FACE),
    _openai("mistral", "https://api.mistral.ai/v1", "MISTRAL_API_KEY", facts=known.MISTRAL, model="mistral-small-latest"),
    _openai("moonshot", "https://api.moonshot.ai/v1", "MOONSHOT_API_KEY", facts=known.MOONSHOT),
    _openai("nvidia", "https://integrate.api.nvidia.com/v1", "NVIDIA_API_KEY", facts=known.NVIDIA),
    _openai("openrouter", "https://openrouter.ai/api/v1", "OPENROUTER_API_KEY", facts=known.OPENROUTER, model="openrouter/auto"),
    _openai("perplexity", "https://api.perplexity.ai", "PERPLEXITY_API_KEY", "PPLX_API_KEY", facts=known.PERPLEXITY, model="sonar"),
    _openai("sambanova", "https://api.sambanova.ai/v1", "SAMBANOVA_API_KEY", facts=known.SAMBANOVA),
    _openai("together", "https://api.together.xyz/v1", "TOGETHER_API_KEY", facts=known.TOGETHER, url_variable="TOGETHER_BASE_URL"),
    _openai("xai", "https://api.x.ai/v1", "XAI_API_KEY", facts=known.XAI),
    _openai("zai", "https://api.z.ai/api/paas/v4", "ZAI_API_KEY", facts=known.ZAI),
    _openai("llamacpp", "http://127.0.0.1:8080/v1", facts=known.LLAMA_CPP),
    _openai("lmstudio", "http://127.0.0.1:1234/v1", facts=known.LM_STUDIO),
    _openai("tei", "http://127.0.0.1:8080/v1", facts=known.TEI),
    _openai("tgi", "http://127.0.0.1:8080/v1", facts=known.TGI),
    _openai("vllm", "http://127.0.0.1:8000/v1", facts=known.VLLM),
    _openai("vllm-guided", "http://127.0.0.1:8000/v1", facts=known.VLLM_GUIDED),  # before 0.11
)


def vendor_of(name: str, settings: HttpSettings) -> Vendor | None:
    """The row that the settings name, else the one with the provider's name, else the one at the address, else the dialect's own.

    A name that is also a dialect's does not tell at another address than the vendor's: there only `settings.vendor` does. None: ask for
    nothing that not everybody of the dialect has.
    """
    if settings.vendor:
        return _called(settings.vendor)
    rows = [vendor for vendor in VENDORS if vendor.dialect == settings.dialect]
    at = (settings.base_url or "").rstrip("/")
    called = next((vendor for vendor in rows if vendor.name == name), None)
    # A dialect's own name says nothing at another address: people point OPENAI_BASE_URL at whatever speaks it.
    if called is not None and (not at or at == called.base_url or called.name != called.dialect):
        return called
    # Of an address on this machine nobody knows who listens there.
    found = next((vendor for vendor in rows if vendor.key_variables and at and vendor.base_url == at), None)
    # Everybody speaks OpenAI's dialect; the others are spoken by those who named them.
    return found or (None if settings.dialect == "openai" else _called(settings.dialect))


def _called(name: str) -> Vendor | None:
    return next((vendor for vendor in VENDORS if vendor.name == name), None)
