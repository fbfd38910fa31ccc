"""Rows: attempts as rows of the ledger."""

from collections.abc import Iterator, Sequence
from typing import Final

from promptwire import v1 as pb
from promptwire_server.core.call import Call, Target
from promptwire_server.core.ledger import SAVED, Amounts, Entry, Tokens
from promptwire_server.core.price import Price, add_price

_SHOWN_NAME: Final = 128  # characters of a name that the caller chose
_NO_USAGE: Final = pb.Usage()  # never changed
_RPC: Final = "promptwire.v1."


def intent_of(call: Call, target: Target, at_us: int) -> Entry:
    """The row of an attempt that is about to be made."""
    request, principal = call.request, call.principal
    return Entry(
        tenant=principal.tenant,
        at_us=at_us,
        principal=principal.name,
        api_key_id=principal.api_key_id,
        provider=target.provider,
        model=target.model[:_SHOWN_NAME],
        model_asked=request.model[:_SHOWN_NAME],
        rpc=_rpc(call),
        request_id=call.request_id,
        attempt=len(call.trail.attempts) + 1,
        run_id=call.run_id,
        chain=call.chain,
        step_id=call.step_id,
        labels=dict(request.labels),
        trace_id=call.trace_id,
    )


def row_of(intent: Entry, attempt: pb.Attempt, number: int, answer: pb.ChatResponse | None, price: Price | None, at_us: int) -> Entry:
    """The row of an attempt that has ended; of the one that answered, tokens and cost are those of the answer."""
    usage, cost = (attempt.usage, attempt.cost) if answer is None else (answer.usage, answer.cost)
    if not cost.HasField("total_nano_usd"):
        cost = _priced(usage, price, failed=answer is None)
    return intent._replace(
        at_us=at_us,
        attempt=number,
        served_from=pb.SERVED_FROM_PROVIDER,
        failure=attempt.failure.SerializeToString() if attempt.HasField("failure") else b"",
        tokens=tokens_of(usage),
        estimated=usage.estimated or cost.estimated,
        units=dict(usage.provider_units),
        amounts=amounts_of(cost),
        price_source=cost.price_source,
        latency_us=attempt.latency.ToMicroseconds(),
        provider_request_id=attempt.provider_request_id,
    )


def saved_row(call: Call, answer: pb.ChatResponse, at_us: int) -> Entry:
    """The row of a call that was answered without a provider: what it saved."""
    intent = intent_of(call, Target(answer.provider, answer.model), at_us)
    return intent._replace(
        kind=SAVED, attempt=0, served_from=answer.served_from, tokens=tokens_of(answer.usage), amounts=amounts_of(answer.cost),
        price_source=answer.cost.price_source,
    )  # fmt: skip


def tokens_of(usage: pb.Usage) -> Tokens:
    """Tokens as a row has them."""
    return Tokens(
        usage.input_tokens,
        usage.output_tokens,
        usage.cached_input_tokens,
        usage.cache_write_5m_tokens,
        usage.cache_write_1h_tokens,
        usage.reasoning_tokens,
        usage.input_audio_tokens,
        usage.output_audio_tokens,
        usage.input_image_tokens,
        usage.output_image_tokens,
    )


def amounts_of(cost: pb.Cost) -> Amounts:
    """Money as a row has it."""
    return Amounts(*(_amount(cost, f"{name}_nano_usd") for name in Amounts._fields))


def fresh(call: Call, since: int, target: Target, *, answered: bool) -> Iterator[tuple[int, pb.Attempt]]:
    """Attempts at a target that nobody has written down yet, with their numbers from 1; without `answered`, those that failed.

    Numbers are the places in the trail as it will be: whichever attempt answered comes behind the one beside it that was given up for it.
    """
    attempts: Sequence[pb.Attempt] = sorted(call.trail.attempts[since:], key=lambda attempt: not attempt.HasField("failure"))
    for number, attempt in enumerate(attempts, since + 1):
        mine = attempt.provider == target.provider and (answered or attempt.HasField("failure"))
        if mine and id(attempt) not in call.trail.written:
            call.trail.written.add(id(attempt))
            yield number, attempt


def _priced(usage: pb.Usage, price: Price | None, *, failed: bool) -> pb.Cost:
    """What the usage costs; of an attempt that failed before it used anything: nothing."""
    cost = pb.Cost()
    if price is not None:
        add_price(cost, usage, price)
    elif failed and usage == _NO_USAGE:
        cost.total_nano_usd = 0
    return cost


def _amount(cost: pb.Cost, name: str) -> int | None:
    return getattr(cost, name) if cost.HasField(name) else None


def _rpc(call: Call) -> str:
    """The RPC that asked, by what is known of the call; of a step of a chain, that of its chain."""
    if call.run_id:
        return f"{_RPC}ChainService/{'StreamChain' if call.stream else 'RunChain'}"
    if call.embed is not None:
        return f"{_RPC}EmbeddingService/Embed"
    return f"{_RPC}ChatService/{'StreamChat' if call.stream else 'Chat'}"
