"""A provider of one's own, as small as it can be: it says louder what it hears.

Its package declares it in pyproject.toml (what stands beside this file in shouter-1.0.dist-info comes of that):

    [project.entry-points."promptwire.providers"]
    shouter = "shouter:Shouter"

and the server's configuration uses it:

    providers:
      loud: {kind: custom, entry_point: shouter, options: {mark: "!!"}}

Then `promptwire chat -m loud/any "hello there"` answers HELLO THERE!!
"""

from collections.abc import AsyncIterator, Mapping

from promptwire import v1 as pb


class Shouter:
    """Answers in capitals, a word at a time."""

    def __init__(self, options: Mapping[str, str]) -> None:
        self._mark = options.get("mark", "!")

    async def answer(self, request: pb.ChatRequest) -> AsyncIterator[str | pb.Usage]:
        """Yield pieces of text; what it took may be said as well, else it is estimated."""
        words = request.prompt.upper().split()
        for number, word in enumerate(words, start=1):
            yield word + (self._mark if number == len(words) else " ")
        yield pb.Usage(input_tokens=len(words), output_tokens=len(words))
