"""Price: writes into every answer what it cost. Stands before each provider, where the model that is asked is known."""

from promptwire import v1 as pb
from promptwire_server.core.call import Call
from promptwire_server.core.handler import Handler
from promptwire_server.core.price import Price, add_price
from promptwire_server.core.reply import Reply
from promptwire_server.layers.book import Book


class Priced:
    """Prices the answers of one provider by the model that was asked."""

    def __init__(self, inner: Handler, *, book: Book) -> None:
        self._inner = inner
        self._book = book

    async def __call__(self, call: Call) -> Reply:
        """The inner answer. The price is looked up before, so that nothing is waited for once the upstream is open."""
        target = call.target
        if target is None:
            return await self._inner(call)
        facts = self._book.at_hand(target) or await self._book.facts(target)
        reply = await self._inner(call)
        if facts.price is not None:
            reply.attend(_Bill(facts.price))
        return reply


class _Bill:
    """Writes the cost into the answer on its way out."""

    __slots__ = ("_price",)

    def __init__(self, price: Price) -> None:
        self._price = price

    def started(self, event: pb.ChatStarted) -> None:
        """A stream begins: what it costs is known at its end."""

    def first_delta(self) -> None:
        """No concern of the price."""

    def complete(self, response: pb.ChatResponse) -> None:
        """The answer is there, with its usage. A vendor that says itself what it charged is believed."""
        if not response.cost.HasField("total_nano_usd"):
            add_price(response.cost, response.usage, self._price)
