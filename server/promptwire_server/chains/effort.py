"""Effort: how long a chain may take to compile, counted in tokens before anything is compiled."""

from typing import Final

from jinja2 import Environment, TemplateSyntaxError

# A token takes up to 20 µs to compile, during which nobody else is served: together a fifth of a second.
MOST_TOKENS: Final = 10_000
MOST_CHARS: Final = 512 * 1024  # plain text is cheap, but kept
_EACH: Final = 5  # what a template costs that has no code at all
_LEXER: Final = Environment(autoescape=False)  # noqa: S701 - counts tokens, renders nothing


class Effort:
    """What the templates and expressions of one chain have cost so far."""

    def __init__(self) -> None:
        self._tokens = 0
        self._chars = 0

    def allows(self, source: str, *, expression: bool) -> bool:
        """Whether this may be compiled too; once something may not, nothing more may."""
        self._chars += len(source)
        if self._chars <= MOST_CHARS and self._tokens <= MOST_TOKENS:
            self._tokens += _EACH + _tokens(f"{{{{{source}}}}}" if expression else source, MOST_TOKENS - self._tokens)
        return self._chars <= MOST_CHARS and self._tokens <= MOST_TOKENS


def _tokens(source: str, most: int) -> int:
    """How many tokens the source has; when it has more than `most`, or an error in it, how many were counted until then."""
    count = 0
    try:
        for _ in _LEXER.lex(source):
            count += 1
            if count > most:
                break
    except (TemplateSyntaxError, ValueError):  # what the compiler will say better
        pass
    return count
