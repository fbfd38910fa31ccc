"""Schema: the tables, in a schema of their own, as steps from each version to the next. A step that was released is never changed."""

from typing import Final, cast

from psycopg import AsyncConnection, sql

from promptwire_server.core.store import StoreDown

_LOCK: Final = 0x70776D6967  # of the advisory lock: no two processes change the tables at once
_BEGIN = """
CREATE SCHEMA IF NOT EXISTS promptwire;
CREATE TABLE IF NOT EXISTS promptwire.version (version INTEGER NOT NULL);
"""

_LEDGER = """
CREATE TABLE promptwire.ledger (
    entry BIGINT GENERATED ALWAYS AS IDENTITY PRIMARY KEY, written_us BIGINT NOT NULL,
    tenant TEXT NOT NULL, kind INTEGER NOT NULL, at_us BIGINT NOT NULL, principal TEXT NOT NULL, api_key_id TEXT NOT NULL,
    provider TEXT NOT NULL, model TEXT NOT NULL, model_asked TEXT NOT NULL, rpc TEXT NOT NULL,
    request_id TEXT NOT NULL, attempt INTEGER NOT NULL, run_id TEXT NOT NULL, chain TEXT NOT NULL, chain_version BIGINT,
    step_id TEXT NOT NULL, step_path TEXT NOT NULL, batch_id TEXT NOT NULL, served_from INTEGER NOT NULL, failure BYTEA NOT NULL,
    input_tokens BIGINT NOT NULL, output_tokens BIGINT NOT NULL, cached_input_tokens BIGINT NOT NULL,
    cache_write_5m_tokens BIGINT NOT NULL, cache_write_1h_tokens BIGINT NOT NULL, reasoning_tokens BIGINT NOT NULL,
    input_audio_tokens BIGINT NOT NULL, output_audio_tokens BIGINT NOT NULL,
    input_image_tokens BIGINT NOT NULL, output_image_tokens BIGINT NOT NULL, estimated BOOLEAN NOT NULL, units TEXT NOT NULL,
    total_nano_usd BIGINT, input_nano_usd BIGINT, cached_input_nano_usd BIGINT, cache_write_nano_usd BIGINT,
    output_nano_usd BIGINT, other_nano_usd BIGINT, saved_nano_usd BIGINT, price_source TEXT NOT NULL,
    latency_us BIGINT NOT NULL, labels TEXT NOT NULL, budgets TEXT NOT NULL, corrects BIGINT NOT NULL, adjustment_nano_usd BIGINT,
    provider_request_id TEXT NOT NULL, trace_id TEXT NOT NULL, hold_id TEXT NOT NULL
);
CREATE INDEX ledger_by_tenant ON promptwire.ledger (tenant, at_us);
CREATE INDEX ledger_by_time ON promptwire.ledger (at_us);
CREATE INDEX ledger_by_hold ON promptwire.ledger (hold_id) WHERE hold_id != '';
"""

# Who changes what is spent or held of a budget locks its row in `budgets` first.
_BUDGETS = """
CREATE TABLE promptwire.budgets (budget_id TEXT PRIMARY KEY, definition BYTEA NOT NULL);
CREATE TABLE promptwire.spending (
    budget_id TEXT NOT NULL, bucket_us BIGINT NOT NULL, spent_nano_usd BIGINT NOT NULL DEFAULT 0,
    adjusted_nano_usd BIGINT NOT NULL DEFAULT 0, unpriced BIGINT NOT NULL DEFAULT 0, PRIMARY KEY (budget_id, bucket_us)
);
CREATE TABLE promptwire.holds (
    hold_id TEXT PRIMARY KEY, owner TEXT NOT NULL, made_us BIGINT NOT NULL, nano_usd BIGINT NOT NULL, intent TEXT NOT NULL,
    parent TEXT NOT NULL
);
CREATE TABLE promptwire.held (
    budget_id TEXT NOT NULL, hold_id TEXT NOT NULL, nano_usd BIGINT NOT NULL, taken_nano_usd BIGINT NOT NULL, -- from the parent
    PRIMARY KEY (budget_id, hold_id)
);
CREATE INDEX held_by_hold ON promptwire.held (hold_id);
CREATE TABLE promptwire.owners (owner TEXT PRIMARY KEY, alive_us BIGINT NOT NULL);
CREATE TABLE promptwire.alerts (
    budget_id TEXT NOT NULL, bucket_us BIGINT NOT NULL, percent INTEGER NOT NULL, PRIMARY KEY (budget_id, bucket_us, percent)
);
"""

# What operators have asked for, by their own ids, so that money is not given twice. Kept as long as the ledger.
_OFFICE = """
CREATE TABLE promptwire.office (
    account TEXT NOT NULL, request_id TEXT NOT NULL, digest TEXT NOT NULL, at_us BIGINT NOT NULL, answer BYTEA NOT NULL,
    PRIMARY KEY (account, request_id)
);
"""

MIGRATIONS: Final = (_LEDGER + _BUDGETS + _OFFICE,)


async def migrate(connection: AsyncConnection) -> None:
    """Bring the tables to our version. Raises StoreDown when they are a newer server's, and psycopg.Error."""
    async with connection.transaction():
        await connection.execute("SELECT pg_advisory_xact_lock(%s)", (_LOCK,))
        await connection.execute(_BEGIN)
        found = await (await connection.execute("SELECT version FROM promptwire.version")).fetchone()
        version = cast("int", found[0]) if found else 0
        if version > len(MIGRATIONS):
            raise StoreDown(f"its schema has version {version}, and this server knows {len(MIGRATIONS)}: it was written by a newer one")
        if version == len(MIGRATIONS):
            return
        for migration in MIGRATIONS[version:]:
            await connection.execute(sql.SQL(migration))
        await connection.execute("DELETE FROM promptwire.version")
        await connection.execute("INSERT INTO promptwire.version VALUES (%s)", (len(MIGRATIONS),))
