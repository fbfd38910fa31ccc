"""Price: writes into every answer what it cost, and into attempts that failed. Stands before each provider, where the model is known."""

from collections.abc import Iterable

from promptwire import v1 as pb
from promptwire_server.core.call import Call
from promptwire_server.core.handler import Handler
from promptwire_server.core.price import Price, add_price
from promptwire_server.core.reply import Ending, Reply
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
        if facts.price is None:
            return await self._inner(call)
        bill = _Bill(call, target.provider, facts.price)
        try:
            reply = await self._inner(call)
        except BaseException:
            bill.failed()
            raise
        reply.attend(bill)
        if call.stream:  # a whole answer that is there cannot fail any more
            reply.on_done(bill.done)
        return reply


def price_attempts(attempts: Iterable[pb.Attempt], provider: str, price: Price) -> None:
    """Write into attempts at a provider what they cost, as far as they are known to have spent anything."""
    for attempt in attempts:
        if attempt.provider == provider and attempt.HasField("usage") and not attempt.HasField("cost"):
            add_price(attempt.cost, attempt.usage, price)


class _Bill:
    """Writes the cost into the answer on its way out, and where there is none, into the attempts."""

    __slots__ = ("_attempts", "_made", "_price", "_provider")

    def __init__(self, call: Call, provider: str, price: Price) -> None:
        self._attempts = call.trail.attempts
        self._made = len(self._attempts)  # before: others know what those cost
        self._provider = provider
        self._price = price

    def failed(self) -> None:
        """There was no answer."""
        price_attempts(self._attempts[self._made :], self._provider, self._price)

    def done(self, ending: Ending) -> None:
        """The answer has ended."""
        if ending.response is None:
            self.failed()

    def started(self, event: pb.ChatStarted) -> None:
        """A stream begins: what it costs is known at its end."""

    def first_delta(self) -> None:
        """No concern of the price."""

    def complete(self, response: pb.ChatResponse) -> None:
        """The answer is there, with its usage. A vendor that says itself what it charged is believed."""
        if not response.cost.HasField("total_nano_usd"):
            add_price(response.cost, response.usage, self._price)
