"""Every name that operators see and build on: metrics, log events and their fields, spans. Changing one breaks somebody's dashboard."""

from typing import Final

# Metrics. Units are in the names; counters end in _total on the wire.
REQUESTS: Final = "promptwire_requests"
CHATS: Final = "promptwire_chats"
EMBEDS: Final = "promptwire_embeds"
CHATS_IN_FLIGHT: Final = "promptwire_chats_in_flight"
CHAT_DURATION: Final = "promptwire_chat_duration_seconds"
TIME_TO_FIRST: Final = "promptwire_chat_time_to_first_token_seconds"
TOKENS: Final = "promptwire_tokens"
COST: Final = "promptwire_cost_nano_usd"
WORKERS: Final = "promptwire_workers_ready"
WORKER_RESTARTS: Final = "promptwire_worker_restarts"
ATTEMPTS: Final = "promptwire_upstream_attempts"
PROVIDER_KEYS: Final = "promptwire_provider_keys"
BREAKER_STATE: Final = "promptwire_breaker_state"
TARGET_IN_FLIGHT: Final = "promptwire_target_in_flight"
ADMISSION_LIMIT: Final = "promptwire_admission_limit"
ADMISSION_IN_USE: Final = "promptwire_admission_in_use"
ADMITTED: Final = "promptwire_admission_admitted"
SHEDS: Final = "promptwire_admission_sheds"
LEASES_RECLAIMED: Final = "promptwire_admission_leases_reclaimed"
QUEUE_DEPTH: Final = "promptwire_queue_depth"
QUEUE_WAIT: Final = "promptwire_queue_wait_seconds"
TASKS: Final = "promptwire_event_loop_tasks"
CACHE_LOOKUPS: Final = "promptwire_cache_lookups"
CACHE_SAVED: Final = "promptwire_cache_saved_nano_usd"
CACHE_WRITES: Final = "promptwire_cache_writes"
CACHE_DROPS: Final = "promptwire_cache_drops"
CACHE_BYTES: Final = "promptwire_cache_bytes"
CACHE_ANSWERS: Final = "promptwire_cache_answers"
RATE_LIMITED: Final = "promptwire_rate_limited"
RATES_ALONE: Final = "promptwire_rate_limits_alone"  # decided by one process for itself
BUDGET_REACHED_COUNT: Final = "promptwire_budget_reached"
BUDGET_LIMIT: Final = "promptwire_budget_limit_nano_usd"
BUDGET_SPENT: Final = "promptwire_budget_spent_nano_usd"
BUDGET_HELD: Final = "promptwire_budget_held_nano_usd"
STORE_UP: Final = "promptwire_store_up"
OTHER_RPC: Final = "other"  # label of RPCs that the contract does not have: callers could make up any number
OTHER_MODEL: Final = "other"  # label of models beyond the bound

# Outcomes of a chat or an attempt, beside the names of pb.ErrorReason.
OK: Final = "OK"
CANCELLED: Final = "CANCELLED"
DEADLINE: Final = "DEADLINE"
INTERNAL: Final = "INTERNAL"

# Log events.
CHAT_FINISHED: Final = "chat.finished"
EMBED_FINISHED: Final = "embed.finished"
REFRESH_FINISHED: Final = "cache.refreshed"  # of an answer that was past its time; fields as for chat.finished
CACHE_PURGED: Final = "cache.purged"  # by whom: field "principal"
RPC_BUG: Final = "rpc.bug"
SERVER_STARTED: Final = "server.started"
SERVER_FAILED: Final = "server.failed"
SERVER_DRAINING: Final = "server.draining"
SERVER_STOPPED: Final = "server.stopped"
WORKER_DIED: Final = "worker.died"
WORKER_KILLED: Final = "worker.killed"
WORKER_STATE: Final = "worker.state"
JOURNAL_FAILING: Final = "journal.failing"
SECRET_ROTATED: Final = "secret.rotated"  # noqa: S105 - the name of an event
SECRET_FAILING: Final = "secret.failing"  # noqa: S105 - the name of an event: it cannot be read anew; the value read before is still in use
SECRET_RECOVERED: Final = "secret.recovered"  # noqa: S105 - the name of an event
BREAKER_CHANGED: Final = "breaker.changed"  # field "state": closed, half_open, open
KEY_CHANGED: Final = "key.changed"  # of a provider: field "number" says which of several, "state": working, resting, dead
BREAKER_RESET: Final = "breaker.reset"  # by an operator
PROVIDER_ENABLED: Final = "provider.enabled"  # by an operator
PROVIDER_DISABLED: Final = "provider.disabled"  # by an operator
PROVIDER_UNREACHABLE: Final = "provider.unreachable"  # its list of models cannot be had; ListModels shows an older one, or none
PROVIDER_REACHABLE: Final = "provider.reachable"  # it can again
STANDINGS_FAILING: Final = "standings.failing"  # who is out of use cannot be kept or read
PROBES_FAILING: Final = "probes.failing"  # health probes, by a bug of ours or of a provider's class
BUDGET_REACHED: Final = "budget.reached"  # a threshold of a budget, for the first time in its window
ALERT_LOST: Final = "alert.lost"  # a webhook was not told, and is not tried any more
BUDGET_CREATED: Final = "budget.created"  # by whom: field "principal"; so with the next three
BUDGET_CHANGED: Final = "budget.changed"
BUDGET_DELETED: Final = "budget.deleted"
BUDGET_ADJUSTED: Final = "budget.adjusted"
STORE_DOWN: Final = "store.down"  # out of reach; what happens meanwhile is written in the README, need by need
STORE_BACK: Final = "store.back"
CONFIG_NOTICE: Final = "config.notice"
CONFIG_RELOADED: Final = "config.reloaded"
CONFIG_REFUSED: Final = "config.refused"  # the one from before is still in use
LIBRARY: Final = "library"  # a line of a library's: grpc, asyncio, aiohttp

# Log fields.
PRINCIPAL: Final = "principal"  # who asked
REQUEST_ID: Final = "request_id"
TRACE_ID: Final = "trace_id"
RUN_ID: Final = "run_id"
STEP_ID: Final = "step_id"

# Spans, after OpenTelemetry's conventions for generative AI.
CHAT_SPAN: Final = "chat"
RUN_SPAN: Final = "invoke_workflow"
