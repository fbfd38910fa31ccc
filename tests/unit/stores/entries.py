"""Rows of the ledger for tests, each field with a value of its own."""

from promptwire_server.core.ledger import Amounts, Entry, Tokens

PLAIN = Entry(
    tenant="shop",
    kind=1,
    at_us=1_700_000_000_000_000,
    principal="me",
    api_key_id="key",
    provider="openai",
    model="gpt-4o-mini",
    model_asked="fast",
    rpc="promptwire.v1.ChatService/Chat",
    request_id="r",
    attempt=2,
    run_id="run",
    chain="chain",
    chain_version=3,
    step_id="step",
    step_path="fanout/step",
    batch_id="batch",
    served_from=1,
    failure=b"\x08\x02",
    tokens=Tokens(1, 2, 3, 4, 5, 6, 7, 8, 9, 10),
    estimated=True,
    units={"web_search": 2},
    amounts=Amounts(11, 12, 13, 14, 15, 16, 17),
    price_source="operator",
    latency_us=18,
    labels={"team": "search"},
    budgets=("all", "shop"),
    corrects=19,
    adjustment_nano_usd=20,
    provider_request_id="vendor",
    trace_id="t",
    hold_id="hold",
)


def entry(*, request_id: str = "r", cost_nano_usd: int | None = 11, principal: str = "me", input_tokens: int = 1) -> Entry:
    tokens = Tokens(input_tokens, 2)
    return PLAIN._replace(request_id=request_id, amounts=Amounts(cost_nano_usd), principal=principal, tokens=tokens)
