"""Schema: the tables, as steps from each version to the next. A step that was released is never changed."""

from typing import Final

_FIRST = """
CREATE TABLE chats (
    tenant TEXT NOT NULL, ended_us INTEGER NOT NULL, request_id TEXT NOT NULL, trace_id TEXT NOT NULL, principal TEXT NOT NULL,
    provider TEXT NOT NULL, model TEXT NOT NULL, model_asked TEXT NOT NULL,
    outcome TEXT NOT NULL, served_from TEXT NOT NULL, stream INTEGER NOT NULL,
    input_tokens INTEGER NOT NULL, output_tokens INTEGER NOT NULL, cached_input_tokens INTEGER NOT NULL,
    cache_write_5m_tokens INTEGER NOT NULL, cache_write_1h_tokens INTEGER NOT NULL, reasoning_tokens INTEGER NOT NULL,
    input_audio_tokens INTEGER NOT NULL, output_audio_tokens INTEGER NOT NULL,
    input_image_tokens INTEGER NOT NULL, output_image_tokens INTEGER NOT NULL, estimated INTEGER NOT NULL,
    cost_nano_usd INTEGER, saved_nano_usd INTEGER, duration_us INTEGER NOT NULL,
    run_id TEXT NOT NULL, step_id TEXT NOT NULL, labels TEXT NOT NULL
) STRICT;
CREATE INDEX chats_by_tenant ON chats (tenant, ended_us);
"""

# One row an attempt takes the place of one row a question. Questions of before become rows; how they failed is lost, that they did is not.
_LEDGER = """
CREATE TABLE ledger (
    entry INTEGER PRIMARY KEY AUTOINCREMENT, written_us INTEGER NOT NULL,
    tenant TEXT NOT NULL, kind INTEGER NOT NULL, at_us INTEGER NOT NULL, principal TEXT NOT NULL, api_key_id TEXT NOT NULL,
    provider TEXT NOT NULL, model TEXT NOT NULL, model_asked TEXT NOT NULL, rpc TEXT NOT NULL,
    request_id TEXT NOT NULL, attempt INTEGER NOT NULL, run_id TEXT NOT NULL, chain TEXT NOT NULL, chain_version INTEGER,
    step_id TEXT NOT NULL, step_path TEXT NOT NULL, batch_id TEXT NOT NULL, served_from INTEGER NOT NULL, failure BLOB NOT NULL,
    input_tokens INTEGER NOT NULL, output_tokens INTEGER NOT NULL, cached_input_tokens INTEGER NOT NULL,
    cache_write_5m_tokens INTEGER NOT NULL, cache_write_1h_tokens INTEGER NOT NULL, reasoning_tokens INTEGER NOT NULL,
    input_audio_tokens INTEGER NOT NULL, output_audio_tokens INTEGER NOT NULL,
    input_image_tokens INTEGER NOT NULL, output_image_tokens INTEGER NOT NULL, estimated INTEGER NOT NULL, units TEXT NOT NULL,
    total_nano_usd INTEGER, input_nano_usd INTEGER, cached_input_nano_usd INTEGER, cache_write_nano_usd INTEGER,
    output_nano_usd INTEGER, other_nano_usd INTEGER, saved_nano_usd INTEGER, price_source TEXT NOT NULL,
    latency_us INTEGER NOT NULL, labels TEXT NOT NULL, budgets TEXT NOT NULL, corrects INTEGER NOT NULL, adjustment_nano_usd INTEGER,
    provider_request_id TEXT NOT NULL, trace_id TEXT NOT NULL, hold_id TEXT NOT NULL
) STRICT;
CREATE INDEX ledger_by_tenant ON ledger (tenant, at_us);
CREATE INDEX ledger_by_time ON ledger (at_us);
CREATE INDEX ledger_by_hold ON ledger (hold_id) WHERE hold_id != '';
INSERT INTO ledger SELECT
    NULL, ended_us, tenant, CASE WHEN served_from IN ('CACHE', 'DEDUP', 'IDEMPOTENCY') THEN 2 ELSE 1 END, ended_us, principal, '',
    provider, model, model_asked, '', request_id, provider != '', run_id, '', NULL, step_id, '', '',
    CASE served_from WHEN 'PROVIDER' THEN 1 WHEN 'CACHE' THEN 2 WHEN 'DEDUP' THEN 3 WHEN 'IDEMPOTENCY' THEN 4 ELSE 0 END,
    CASE outcome WHEN 'OK' THEN x'' ELSE x'0802' END,
    input_tokens, output_tokens, cached_input_tokens, cache_write_5m_tokens, cache_write_1h_tokens, reasoning_tokens,
    input_audio_tokens, output_audio_tokens, input_image_tokens, output_image_tokens, estimated, '{}',
    cost_nano_usd, NULL, NULL, NULL, NULL, NULL, saved_nano_usd, '', duration_us, labels, '[]', 0, NULL, '', trace_id, ''
    FROM chats ORDER BY ended_us;
DROP TABLE chats;
"""

# Spending is kept by buckets: of a calendar window there is one, of a rolling one sixty, of a lifetime one for good.
_BUDGETS = """
CREATE TABLE budgets (budget_id TEXT PRIMARY KEY, definition BLOB NOT NULL) STRICT;
CREATE TABLE spending (
    budget_id TEXT NOT NULL, bucket_us INTEGER NOT NULL, spent_nano_usd INTEGER NOT NULL DEFAULT 0,
    adjusted_nano_usd INTEGER NOT NULL DEFAULT 0, unpriced INTEGER NOT NULL DEFAULT 0,
    PRIMARY KEY (budget_id, bucket_us)
) STRICT, WITHOUT ROWID;
CREATE TABLE holds (
    hold_id TEXT PRIMARY KEY, owner TEXT NOT NULL, made_us INTEGER NOT NULL, nano_usd INTEGER NOT NULL, intent TEXT NOT NULL,
    parent TEXT NOT NULL
) STRICT, WITHOUT ROWID;
CREATE TABLE held (
    budget_id TEXT NOT NULL, hold_id TEXT NOT NULL, nano_usd INTEGER NOT NULL, taken_nano_usd INTEGER NOT NULL, -- from the parent
    PRIMARY KEY (budget_id, hold_id)
) STRICT, WITHOUT ROWID;
CREATE INDEX held_by_hold ON held (hold_id);
CREATE TABLE owners (owner TEXT PRIMARY KEY, alive_us INTEGER NOT NULL) STRICT, WITHOUT ROWID;
CREATE TABLE alerts (
    budget_id TEXT NOT NULL, bucket_us INTEGER NOT NULL, percent INTEGER NOT NULL, PRIMARY KEY (budget_id, bucket_us, percent)
) STRICT, WITHOUT ROWID;
"""

# Requests by the client's own ids, while they are answered and for a while after.
_REQUESTS = """
CREATE TABLE requests (
    tenant TEXT NOT NULL, name TEXT NOT NULL, body TEXT NOT NULL, owner TEXT NOT NULL, expires_us INTEGER NOT NULL, outcome BLOB,
    PRIMARY KEY (tenant, name)
) STRICT;
CREATE INDEX requests_by_end ON requests (expires_us);
"""

# What operators have asked for, by their own ids, so that money is not given twice. Kept as long as the ledger.
_OFFICE = """
CREATE TABLE office (
    account TEXT NOT NULL, request_id TEXT NOT NULL, digest TEXT NOT NULL, at_us INTEGER NOT NULL, answer BLOB NOT NULL,
    PRIMARY KEY (account, request_id)
) STRICT, WITHOUT ROWID;
"""

MIGRATIONS: Final = (_FIRST, _LEDGER + _BUDGETS, _REQUESTS, _OFFICE)
