"""Delta: a piece of streamed text."""

from typing import Self


class Delta(str):
    """A piece of text, to print or join as it is. `restarts` tells that everything before it is void, as restart_policy allowed."""

    __slots__ = ("restarts",)

    restarts: bool

    def __new__(cls, text: str, *, restarts: bool = False) -> Self:
        """A piece of text."""
        delta = super().__new__(cls, text)
        delta.restarts = restarts
        return delta

    @property
    def text(self) -> str:
        """The text as a plain str."""
        return str.__str__(self)
