"""Tokens: how long a prompt is for one of OpenAI's models, counted here with its own vocabulary."""

import asyncio
import importlib
import re
import threading
from collections.abc import Callable, Iterable, Iterator
from dataclasses import dataclass, field
from typing import Final

from promptwire import v1 as pb
from promptwire_server.providers.families import family_of
from promptwire_server.providers.measure import measured

_VOCABULARY: Final = "promptwire_server.providers.vocabulary"  # not imported at the top: an idle server is to stay small
_QUICK: Final = 8192  # characters that are counted in a fraction of a millisecond: a thread would cost more
_SLICE: Final = 32_768  # characters at once: tiktoken panics on a million spaces
_NEAR: Final = 1024  # characters before the end of a slice in which a good place to cut is looked for
# After a letter or digit and before a space or such a sign no pattern of the vocabularies holds text together.
_SEAM: Final = re.compile(r"[^\W_](?=[\s,.;:!?，。、！？])")  # noqa: RUF001 - full-width signs are what is meant


@dataclass(frozen=True, slots=True)
class Count:
    """How long a prompt is."""

    input_tokens: int
    estimated: bool  # what stands around the words is not published, or was not looked into
    method: str  # "tiktoken:o200k_base"


Encode = Callable[[str], list[int]]


@dataclass(slots=True)
class _Vocabularies:
    """Those that were needed, kept for the life of the process: each takes half a second and up to 50 MB."""

    at_hand: dict[str, Encode | None] = field(default_factory=dict)  # by name; None: no package carries it
    loading: threading.Lock = field(default_factory=threading.Lock)

    def get(self, name: str) -> Encode | None:
        """The vocabulary, loaded by the first thread that comes while the others wait."""
        with self.loading:
            if name not in self.at_hand:
                encoding = importlib.import_module(_VOCABULARY).encoding(name)
                self.at_hand[name] = None if encoding is None else encoding.encode_ordinary
            return self.at_hand[name]


# The one exception to "no state in modules": data of packages that never changes, which every provider shares.
_VOCABULARIES: Final = _Vocabularies()


async def count(request: pb.ChatRequest, model: str) -> Count | None:
    """Tokens of the prompt for a model, by the vendor's name of it.

    None: it is none of OpenAI's, or no installed package carries its vocabulary; then only an estimate helps. The first count for a
    vocabulary takes half a second. Never touches the network.
    """
    family = family_of(model)
    if family is None:
        return None
    found = measured(request, family)
    at_hand = _VOCABULARIES.at_hand
    if family.ranks in at_hand and sum(map(len, found.texts)) <= _QUICK:
        tokens = _counted(family.ranks, found.texts)
    else:
        tokens = await asyncio.to_thread(_counted, family.ranks, found.texts)
    if tokens is None:
        return None
    return Count(found.tokens + tokens, not found.exact, f"tiktoken:{family.encoding}")


def _counted(ranks: str, texts: Iterable[str]) -> int | None:
    encode = _VOCABULARIES.get(ranks)
    if encode is None:
        return None
    return sum(len(encode(piece)) for text in texts for piece in slices(text, _SLICE))


def slices(text: str, most: int) -> Iterator[str]:
    """The text in pieces of at most `most` characters that have as many tokens together as the whole.

    Where there is no good place to cut, as in one endless word, a cut may add a token.
    """
    start = 0
    while len(text) - start > most:
        end = start + most
        ends = [found.end() for found in _SEAM.finditer(text, max(start, end - _NEAR), end + 1)]
        cut = ends[-1] if ends else end
        yield text[start:cut]
        start = cut
    yield text[start:]
