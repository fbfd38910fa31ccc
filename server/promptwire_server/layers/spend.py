"""Spend: an attempt is a hold and a row of the ledger. Prices, pays for and writes down every attempt at a provider."""

from collections.abc import Sequence
from typing import Final

from promptwire import v1 as pb
from promptwire_server.core.budget import Budget, Spender
from promptwire_server.core.call import Call, Target
from promptwire_server.core.clock import Clock
from promptwire_server.core.errors import BudgetExhausted, failure_of
from promptwire_server.core.facts import Facts
from promptwire_server.core.handler import Handler
from promptwire_server.core.ids import Ids
from promptwire_server.core.ledger import Entry
from promptwire_server.core.price import add_price
from promptwire_server.core.reply import Batch, Ending, Reply
from promptwire_server.layers.book import Book
from promptwire_server.layers.payment import Cashier, Paid
from promptwire_server.layers.recorder import Recorder
from promptwire_server.layers.rows import fresh, intent_of, row_of

_CHARACTERS: Final = 16  # that a token has at most on the average, also in deeply indented code, where blanks in a row are one
_TOKENS_A_SECOND: Final = 500  # that no model writes: of an answer that nobody saw
_CUT: Final = "the answer is longer than was asked of the model, and what was set aside for it is used up"


class Spend:
    """Stands before all that stands before a provider: money is set aside before anything else is, and given back after."""

    def __init__(self, inner: Handler, *, book: Book, cashier: Cashier, recorder: Recorder, ids: Ids, clock: Clock) -> None:
        self._inner = inner
        self._book = book
        self._cashier = cashier
        self._ids = ids
        self.purse = cashier.purse
        self.recorder = recorder
        self.clock = clock

    async def __call__(self, call: Call) -> Reply:
        """The inner answer, priced. Raises BudgetExhausted, PriceUnknown and BudgetStoreUnavailable before anything is asked."""
        target = call.target
        if target is None:
            return await self._inner(call)
        facts = self._book.at_hand(target) or await self._book.facts(target)
        budgets = () if self.purse.empty else self.purse.counting(_spender(call, target))
        bill = _Bill(self, call, target, facts, budgets)
        if budgets or call.request.HasField("max_cost_nano_usd"):
            hold_id = self._ids.request()
            bill.paid = await self._cashier.pay(call, target, facts, budgets, hold_id, bill.intent())
            call.trail.cost_nano_usd += bill.paid.nano_usd
        try:
            reply = await self._inner(bill.paid.call)
        except BaseException:
            bill.settle(None, answered=False)
            raise
        reply.attend(bill)
        reply.on_done(bill.done)
        if bill.paid.output_tokens and reply.flowing:
            reply.watch(_Meter(reply, bill.paid.output_tokens))
        return reply


class _Bill:
    """One attempt, or several with different keys: what it cost, and whose budgets it counts against."""

    __slots__ = ("_budgets", "_call", "_facts", "_layer", "_made", "_target", "paid")

    def __init__(self, layer: Spend, call: Call, target: Target, facts: Facts, budgets: Sequence[Budget]) -> None:
        self._layer = layer
        self._call = call
        self._target = target
        self._facts = facts
        self._budgets = budgets
        self._made = len(call.trail.attempts)
        self.paid = Paid(call)

    def intent(self) -> Entry:
        """The row as far as it is known before."""
        return intent_of(self._call, self._target, int(self._layer.clock.time() * 1e6))

    def started(self, event: pb.ChatStarted) -> None:
        """A stream begins: what it costs is known at its end."""

    def first_delta(self) -> None:
        """No concern of the bill."""

    def complete(self, response: pb.ChatResponse) -> None:
        """The answer is there, with its usage. A vendor that says itself what it charged is believed."""
        if self._facts.price is not None and not response.cost.HasField("total_nano_usd"):
            add_price(response.cost, response.usage, self._facts.price)

    def done(self, ending: Ending) -> None:
        """The answer has ended, however it did."""
        if isinstance(ending.error, BudgetExhausted):
            self._explain(ending.error)
        self.settle(ending.response)

    def settle(self, answer: pb.ChatResponse | None, *, answered: bool = True) -> None:
        """Price what was tried and failed, give the hold back, and have it all written down.

        Not `answered`: what answered in the meantime is an attempt beside this one, which has a bill of its own.
        """
        attempts = list(fresh(self._call, self._made, self._target, answered=answered))
        for _, attempt in attempts:
            if attempt.HasField("failure"):
                self._price_failed(attempt)
        at_us = int(self._layer.clock.time() * 1e6)
        if self.paid.nano_usd or self._budgets:
            self._pay(self._rows(attempts, answer, at_us))
        elif attempts:
            self._layer.recorder.add(lambda: self._rows(attempts, answer, at_us))

    def _explain(self, cut: BudgetExhausted) -> None:
        """Say in the trail why the attempt was cut off: the provider thinks that the caller went away."""
        for attempt in self._call.trail.attempts[self._made :]:
            if attempt.failure.reason == pb.ERROR_REASON_CANCELLED:
                attempt.failure.CopyFrom(failure_of(cut))

    def _price_failed(self, attempt: pb.Attempt) -> None:
        if self.paid.hold_id and attempt.usage.estimated:
            self._estimate(attempt)
        if self._facts.price is not None and attempt.HasField("usage") and not attempt.HasField("cost"):
            add_price(attempt.cost, attempt.usage, self._facts.price)

    def _estimate(self, attempt: pb.Attempt) -> None:
        """Put right what is a guess: nothing longer was asked for, and of an answer that nobody saw some may have been written."""
        most, usage = self.paid.output_tokens, attempt.usage
        if not self._call.stream:
            unseen = int(attempt.latency.ToMicroseconds() * _TOKENS_A_SECOND // 1_000_000)
            usage.output_tokens = max(usage.output_tokens, min(most, unseen))
        usage.output_tokens = min(usage.output_tokens, most)

    def _rows(self, attempts: Sequence[tuple[int, pb.Attempt]], answer: pb.ChatResponse | None, at_us: int) -> list[Entry]:
        intent = self.intent()._replace(budgets=tuple(budget.budget_id for budget in self._budgets))
        rows = []
        for number, attempt in attempts:
            answered = None if attempt.HasField("failure") else answer
            rows.append(row_of(intent, attempt, number, answered, self._facts.price, at_us))
        return rows

    def _pay(self, rows: list[Entry]) -> None:
        purse, hold_id = self._layer.purse, self.paid.hold_id
        self._call.trail.cost_nano_usd += sum(row.amounts.total or 0 for row in rows) - self.paid.nano_usd
        if hold_id:
            if rows:
                rows[-1] = rows[-1]._replace(hold_id=hold_id)  # the last is that which was let in
            purse.settle(hold_id, rows)
        elif self._budgets:
            purse.spend(rows)
        else:
            self._layer.recorder.add(lambda: rows)


class _Meter:
    """Cuts a stream whose model writes more than was asked of it: there is no money for it."""

    __slots__ = ("_characters", "_deltas", "_most", "_reply")

    def __init__(self, reply: Reply, most_tokens: int) -> None:
        self._reply = reply
        self._most = most_tokens
        self._characters = 0
        self._deltas = 0

    def __call__(self, batch: Batch) -> None:
        """Count what has come. A delta is a token at least, and so are sixteen characters."""
        for event in batch:
            if event.HasField("part_delta"):
                delta = event.part_delta
                self._deltas += 1
                self._characters += len(delta.text) + len(delta.reasoning) + len(delta.arguments_json)
        if max(self._deltas, self._characters // _CHARACTERS) > self._most:
            self._reply.cut(BudgetExhausted(_CUT))


def _spender(call: Call, target: Target) -> Spender:
    principal = call.principal
    return Spender(principal.tenant, target.provider, target.model, principal.name, principal.api_key_id, call.chain, call.request.labels)
