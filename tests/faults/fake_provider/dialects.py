"""The dialects that the provider speaks, each found by the path of a request."""

import re
from collections.abc import Callable
from dataclasses import dataclass

from tests.faults.fake_provider import (
    anthropic_dialect,
    gemini_dialect,
    huggingface_dialect,
    ollama_dialect,
    openai_dialect,
    responses_dialect,
)
from tests.faults.fake_provider.reply import Call, Reply


@dataclass(frozen=True, slots=True)
class Dialect:
    """One vendor's way to speak over HTTP."""

    path: re.Pattern[str]
    reply: Callable[[Call], Reply]
    # Where two vendors share a path: one of these headers makes it this one's.
    headers: frozenset[str] = frozenset()

    def claims(self, call: Call) -> bool:
        """Whether the request is of this dialect."""
        return bool(self.path.match(call.path)) and (not self.headers or not self.headers.isdisjoint(call.headers))


# The first that claims a request answers; what no other claims is OpenAI's.
_DIALECTS = (
    Dialect(re.compile(r"(/redirected)?/v1/messages(/|$)"), anthropic_dialect.reply),
    Dialect(re.compile(r"(/redirected)?/v1/models(/|$)"), anthropic_dialect.reply, anthropic_dialect.HEADERS),
    Dialect(gemini_dialect.PATH, gemini_dialect.reply),
    Dialect(gemini_dialect.SHARED, gemini_dialect.reply, gemini_dialect.HEADERS),
    Dialect(huggingface_dialect.PATH, huggingface_dialect.reply),
    Dialect(ollama_dialect.PATH, ollama_dialect.reply),
    Dialect(responses_dialect.PATH, responses_dialect.reply),
    Dialect(re.compile(""), openai_dialect.reply),
)


def reply(call: Call) -> Reply:
    """Return what the dialect of the request answers."""
    return next(dialect for dialect in _DIALECTS if dialect.claims(call)).reply(call)
