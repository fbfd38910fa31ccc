"""Entries for tests, each field with a value of its own."""

from promptwire_server.core.entry import Entry

PLAIN = Entry(
    ended_us=1_700_000_000_000_000,
    request_id="r",
    trace_id="t",
    principal="me",
    provider="openai",
    model="gpt-4o-mini",
    model_asked="fast",
    outcome="OK",
    served_from="PROVIDER",
    stream=True,
    input_tokens=1,
    output_tokens=2,
    cached_input_tokens=3,
    cache_write_5m_tokens=4,
    cache_write_1h_tokens=5,
    reasoning_tokens=6,
    input_audio_tokens=7,
    output_audio_tokens=8,
    input_image_tokens=9,
    output_image_tokens=10,
    estimated=True,
    cost_nano_usd=11,
    saved_nano_usd=12,
    duration_us=13,
    run_id="run",
    step_id="step",
    labels={"team": "search"},
)


def entry(*, request_id: str = "r", cost_nano_usd: int | None = 11, principal: str = "me", input_tokens: int = 1) -> Entry:
    return PLAIN._replace(request_id=request_id, cost_nano_usd=cost_nano_usd, principal=principal, input_tokens=input_tokens)
