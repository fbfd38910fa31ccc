"""Families: which of OpenAI's models reads which vocabulary, and what its messages, tools and images take besides their words.

The numbers are those that OpenAI has published: of messages and tools in its cookbook ("How to count tokens with tiktoken"), of images in
its guide to vision.
"""

from dataclasses import dataclass
from typing import Final


@dataclass(frozen=True, slots=True)
class Tiles:
    """Images are cut into squares of 512 pixels."""

    base: int  # tokens of every image; all of it when looked at closely is not wished
    tile: int  # tokens of each square


@dataclass(frozen=True, slots=True)
class Patches:
    """Images are cut into squares of 32 pixels, at most 1536."""

    thousandths: int  # tokens of a thousand squares


@dataclass(frozen=True, slots=True)
class Family:
    """What counting needs to know."""

    encoding: str  # as OpenAI calls it
    ranks: str  # the vocabulary that it reads: encodings may differ in special tokens only
    image: Tiles | Patches | None = None  # None: takes none
    exact: bool = True  # what a message takes besides its words is published; newer models add lines that are not
    tool: int = 7  # tokens of a tool besides its words; cl100k's models take more


_TILES: Final = Tiles(85, 170)
_O200K: Final = Family("o200k_base", "o200k_base", _TILES)
_CL100K: Final = Family("cl100k_base", "cl100k_base", tool=10)


def _reasoning(image: Tiles | Patches | None) -> Family:
    return Family("o200k_base", "o200k_base", image, exact=False)


# By how the model's name begins, the more special first.
_FAMILIES: Final = (
    ("gpt-4o-mini", Family("o200k_base", "o200k_base", Tiles(2833, 5667))),
    ("gpt-4o", _O200K),
    ("chatgpt-4o", _O200K),
    ("gpt-4.1-mini", Family("o200k_base", "o200k_base", Patches(1620))),
    ("gpt-4.1-nano", Family("o200k_base", "o200k_base", Patches(2460))),
    ("gpt-4.1", _O200K),
    ("gpt-4.5", _O200K),
    ("gpt-5-mini", _reasoning(Patches(1620))),
    ("gpt-5-nano", _reasoning(Patches(2460))),
    ("gpt-5", _reasoning(Tiles(70, 140))),
    ("gpt-5.", _reasoning(Tiles(70, 140))),
    ("o4-mini", _reasoning(Patches(1720))),
    ("o1", _reasoning(Tiles(75, 150))),
    ("o3", _reasoning(Tiles(75, 150))),
    ("gpt-oss", Family("o200k_harmony", "o200k_base", exact=False)),
    ("gpt-4-turbo", Family("cl100k_base", "cl100k_base", _TILES, tool=10)),
    ("gpt-4", _CL100K),
    ("gpt-3.5", _CL100K),
    ("gpt-35", _CL100K),  # as Azure spells it
)


_OWNERS: Final = frozenset({"", "openai", "models"})  # before the last "/", where others offer its models


def family_of(model: str) -> Family | None:
    """The family of a model; None when it is not OpenAI's, or too new to be known. Also as others offer it ("openai/gpt-4o"), and tuned."""
    owner, _, name = model.lower().rpartition("/")
    if owner.rpartition("/")[2] not in _OWNERS:
        return None
    name = name.removeprefix("ft:")
    return next((family for beginning, family in _FAMILIES if _begins(name, beginning)), None)


def _begins(name: str, beginning: str) -> bool:
    return name == beginning or name.startswith(beginning if beginning.endswith(".") else (f"{beginning}-", f"{beginning}:"))
