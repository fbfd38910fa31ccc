"""Words and tokens: the arithmetic of this provider's language.

A token is a word together with the space before it, so joined tokens are the text.
"""

import hashlib
import re
from collections.abc import Iterator
from itertools import count, islice

VOCABULARY = (
    "amber",
    "basin",
    "cedar",
    "delta",
    "ember",
    "fjord",
    "grove",
    "harbor",
    "island",
    "jasper",
    "kelp",
    "lagoon",
    "meadow",
    "nectar",
    "olive",
    "prairie",
    "quartz",
    "river",
    "summit",
    "timber",
    "umber",
    "valley",
    "willow",
    "xenon",
    "yarrow",
    "zephyr",
    "café",
    "naïve",
    "übung",
    "日本",
    "дело",
    "λόγος",
)
TOKEN = re.compile(r"\s*\S+(?:\s+\Z)?|\s+")


def word_stream(seed: str) -> Iterator[str]:
    """Yield words for ever, the same for the same seed."""
    for block in count():
        digest = hashlib.sha256(f"{block}:{seed}".encode("utf-8", "replace")).digest()
        for byte in digest:
            yield VOCABULARY[byte % len(VOCABULARY)]


def words(seed: str, n: int) -> str:
    return " ".join(islice(word_stream(seed), n))


def tokenise(text: str) -> tuple[str, ...]:
    """Split a text into tokens; joined again they are the text."""
    return tuple(TOKEN.findall(text))


def count_tokens(text: str) -> int:
    return len(tokenise(text))
