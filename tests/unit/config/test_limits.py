"""The keys of callers' limits and of shared stores: values, faults, what is shown, what is masked."""

import pytest

from promptwire_server import config
from promptwire_server.layers.quota import Limit
from promptwire_server.sharing import caller_limits, redis_settings
from tests.unit.config.conftest import Bare, Configured

KEY = "pw-0123456789abcdef0123"
FULL = """
limits:
  - name: search-team
    per: [key, model, key]
    match: {tenant: search, model: [best, "openai/gpt-4o*"]}
    requests_per_minute: 600
    burst: 50
    tokens_per_minute: 200000
    concurrency: 32
  - {name: everybody, requests_per_minute: 6000}
"""


def test_nothing_is_limited_or_shared_without_a_word(bare: Bare) -> None:
    assert caller_limits(bare()) == []
    assert redis_settings(bare()) is None


def test_what_is_written_holds(load: Configured) -> None:
    match = {"tenant": ("search",), "model": ("best", "openai/gpt-4o*")}
    assert caller_limits(load(FULL)) == [
        Limit("search-team", ("key", "model"), match, 600, 50, 200_000, 32),  # type: ignore[arg-type]  # a Mapping's keys are invariant
        Limit("everybody", requests_per_minute=6000),
    ]


def test_limits_are_shown_as_they_can_be_written(load: Configured) -> None:
    first = load(FULL)
    shown = config.dump(first)
    assert f"burst: 50  # file {load.path}:7" in shown
    assert caller_limits(load(shown)) == caller_limits(first)


@pytest.mark.parametrize(
    ("text", "fault"),
    [
        ("limits: [{name: a}]", "limits[0]: limits nothing; it needs one of requests_per_minute, tokens_per_minute, concurrency"),
        ("limits: [{requests_per_minute: 1}]", "limits[0].name: is required"),
        ("limits: [{name: a, concurrency: 1, burst: 2}]", "limits[0].burst: has no effect without requests_per_minute"),
        ("limits: [{name: a, concurrency: 1}, {name: a, concurrency: 2}]", 'limits[1].name: "a" is also the name of limits[0]'),
        ("limits: [{name: a, requests_per_minute: 0}]", "limits[0].requests_per_minute: must be at least 1"),
        ("limits: [{name: a, requests_per_minute: 1, per: team}]", "limits[0].per[0]: must be one of 'tenant', 'key', 'user'"),
        ("limits: [{name: a, requests_per_minute: 1, match: {team: x}}]", "limits[0].match.team: there is no such key"),
        ("limits: [{name: a, rpm: 1}]", "limits[0].rpm: there is no such key in limits[0]"),
        ("limits: {name: a}", "limits: must be a list"),
        ("stores: {redis: {}}", "stores.redis.url: is required"),
        (
            "idempotency: {store: redis}",
            'idempotency.store: is "redis", but there is no stores.redis; set its url, or choose "memory" or "file"',
        ),
        ("stores: {redis: {url: 'http://x'}}", 'stores.redis.url: must be an address such as "redis://'),
        ("stores: {redis: {url: 'redis://:hunter2@'}}", "stores.redis.url: must be an address such as"),
        ("stores: {redis: {url: 'redis://x:port/0'}}", "stores.redis.url: must be an address such as"),
        ("stores: {redis: {url: 'redis://x/hunter2'}}", "stores.redis.url: must be an address such as"),
        ("stores: {redis: {url: 'redis://x', max_connections: 0}}", "stores.redis.max_connections: must be at least 1"),
    ],
)
def test_faults_name_their_keys_and_no_secrets(load: Configured, text: str, fault: str) -> None:
    told = "\n".join(load.faults(text))
    assert fault in told
    assert "hunter2" not in told


@pytest.mark.parametrize(
    ("url", "shown"),
    [
        ("redis://redis.example.com:6379/0", "redis://redis.example.com:6379/0"),
        ("rediss://app:hunter2@redis.example.com/1", "rediss://***@redis.example.com/1"),
        ("redis://:hunter2@[::1]:6379", "redis://***@[::1]:6379"),
        ("redis://redis.example.com?password=hunter2", "redis://redis.example.com?***"),
        ("unix://app:hunter2@/run/redis.sock?db=1", "unix://***@/run/redis.sock?***"),
        ("vault:secret/data/redis#url", "vault:secret/data/redis#url"),
    ],
)
def test_an_address_is_shown_without_what_it_keeps_secret(load: Configured, url: str, shown: str) -> None:
    vault = "secrets: {vault: {address: 'http://127.0.0.1:8200', token: x}}"
    settings = load(f"{vault}\nstores: {{redis: {{url: '{url}', timeout: 100ms}}}}")
    text = config.dump(settings)
    assert f'url: "{shown}"' in text
    assert "hunter2" not in text + repr(settings)
    found = redis_settings(settings)
    assert found is not None
    assert (found.timeout_s, found.max_connections) == (0.1, 64)


def test_a_variable_says_where_redis_is(bare: Bare) -> None:
    found = redis_settings(bare({"PROMPTWIRE_STORES__REDIS__URL": "redis://h:1/2"}))
    assert found is not None
    assert found.url.reveal() == "redis://h:1/2"


@pytest.mark.parametrize(("match", "told"), [("key: [backend, ghost]", "called ghost"), ("tenant: ghost", "of ghost"), ("key: 'g*'", "")])
def test_a_limit_of_nobody_is_noted_at_start(load: Configured, match: str, told: str) -> None:
    keys = f"auth: {{api_keys: [{{name: backend, tenant: shop, key: {KEY}}}]}}"
    notices = load(f"{keys}\nlimits: [{{name: a, concurrency: 1, match: {{{match}}}}}]").notices
    assert [told in notice and "limits[0].match." in notice for notice in notices] == ([True] if told else [])
