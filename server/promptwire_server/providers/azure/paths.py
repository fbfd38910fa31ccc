"""Paths: where Azure has what OpenAI has, with versions that are dates and without."""

from dataclasses import dataclass
from urllib.parse import quote

_OF_DEPLOYMENTS = ("/chat/completions", "/embeddings")  # in dated versions the deployment stands in their path
_UNDATED = ("v1", "preview", "latest")


@dataclass(frozen=True, slots=True)
class Paths:
    """The paths of one version of the API: "v1" (or nothing) has no dates, any other does."""

    version: str = ""

    def of(self, path: str, deployment: str = "") -> str:
        """Where `path` of OpenAI's is, e.g. "/chat/completions". The deployment's name is quoted."""
        if not self.version or self.version in _UNDATED:
            return f"/openai/v1{path}" + (f"?api-version={self.version}" if self.version not in ("", "v1") else "")
        of = f"/deployments/{quote(deployment, safe='')}" if path in _OF_DEPLOYMENTS else ""
        return f"/openai{of}{path}?api-version={quote(self.version, safe='')}"
