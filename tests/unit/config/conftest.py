"""A configuration file from text, and vendors of our own."""

from collections.abc import Callable, Mapping
from dataclasses import dataclass, field
from pathlib import Path
from textwrap import dedent

import pytest

from promptwire_server import config
from promptwire_server.config.tree import Raw


@dataclass(frozen=True)
class Row:
    name: str
    dialect: str = "openai"
    base_url: str = ""
    key_variables: tuple[str, ...] = ()
    url_variables: tuple[str, ...] = ()
    url_suffix: str = ""
    more_variables: Mapping[str, tuple[str, ...]] = field(default_factory=dict)
    default_model: str = ""


VENDORS = (
    Row("openai", "openai", "https://api.openai.com/v1", ("OPENAI_API_KEY",), ("OPENAI_BASE_URL",), default_model="gpt-4o-mini"),
    Row("groq", "openai", "https://api.groq.com/openai/v1", ("GROQ_API_KEY",), ("GROQ_BASE_URL",), "/openai/v1"),
    Row("ollama", "ollama", "http://127.0.0.1:11434", (), ("OLLAMA_HOST",)),
    Row("vllm", "openai", "http://127.0.0.1:8000/v1"),
    Row(
        "azure",
        "azure",
        "",
        ("AZURE_OPENAI_API_KEY",),
        ("AZURE_OPENAI_ENDPOINT",),
        more_variables={"api_version": ("OPENAI_API_VERSION",), "token": ("AZURE_OPENAI_AD_TOKEN",)},
    ),
)


class Configured:
    """Loads text as a file in a directory of its own."""

    def __init__(self, directory: Path) -> None:
        self.directory = directory
        self.path = directory / "p"

    def __call__(self, text: str = "", environ: Mapping[str, str] | None = None, **overrides: Raw) -> config.Settings:
        self.path.write_text(dedent(text))
        flags = {key.replace("__", "."): value for key, value in overrides.items()}
        return config.load(str(self.path), {"HOME": "/home/x", **(environ or {})}, flags, vendors=VENDORS)

    def faults(self, text: str = "", environ: Mapping[str, str] | None = None, **overrides: Raw) -> list[str]:
        with pytest.raises(config.ConfigError) as caught:
            self(text, environ, **overrides)
        return str(caught.value).replace(str(self.directory), "DIR").splitlines()


@pytest.fixture
def load(tmp_path: Path) -> Configured:
    return Configured(tmp_path)


Bare = Callable[..., config.Settings]


@pytest.fixture
def bare() -> Bare:
    def without_file(environ: Mapping[str, str] | None = None) -> config.Settings:
        return config.load(None, {"HOME": "/home/x", **(environ or {})}, vendors=VENDORS)

    return without_file
