"""The dialects that the provider speaks, each found by the path of a request."""

import re
from collections.abc import Callable
from dataclasses import dataclass

from tests.faults.fake_provider import openai_dialect
from tests.faults.fake_provider.reply import Call, Reply


@dataclass(frozen=True, slots=True)
class Dialect:
    """One vendor's way to speak over HTTP."""

    path: re.Pattern[str]
    reply: Callable[[Call], Reply]


# The first whose path matches answers; what no other claims is OpenAI's.
_DIALECTS = (Dialect(re.compile(""), openai_dialect.reply),)


def reply(call: Call) -> Reply:
    """Return what the dialect of the path answers."""
    return next(dialect for dialect in _DIALECTS if dialect.path.match(call.path)).reply(call)
