"""`promptwire cache`."""

import pytest
from google.protobuf.json_format import Parse

from promptwire import v1 as pb
from promptwire.admin import v1 as admin
from promptwire_server.cli.exits import ExitCode
from tests.unit.cli.conftest import Command
from tests.unit.cli.fake_server import FakeServer

FAST = admin.CacheStats(
    entry_count=3, size_bytes=2048, hit_count=5, miss_count=3, write_count=3, saved_usage=pb.Usage(input_tokens=50, output_tokens=20)
)
ALL = admin.CacheStats(
    entry_count=4, size_bytes=3072, max_size_bytes=1 << 20, hit_count=6, stale_hit_count=1, similar_hit_count=2, eviction_count=7,
    saved_nano_usd=1_500_000,
)  # fmt: skip
TOLD = admin.GetCacheStatsResponse(
    stats=ALL, models=[admin.ModelCacheStats(model="acme/fast", stats=FAST)], store="memory", instance_id="srv-1"
)


@pytest.fixture(autouse=True)
def _told(server: FakeServer) -> None:
    server.script.cache = TOLD


@pytest.mark.parametrize("words", [[], ["stats"]])
def test_into_a_pipe_columns_are_tabs_a_model_a_line_and_all_of_them_last(ask: Command, words: list[str]) -> None:
    outcome = ask("cache", *words)
    header, *rows = (line.split("\t") for line in outcome.out.splitlines())
    assert header == ["model", "answers", "bytes", "hits", "stale", "similar", "misses", "kept", "dropped", "tokens saved", "saved"]
    assert rows == [
        ["acme/fast", "3", "2KiB", "5", "0", "0", "3", "3", "0", "70", ""],
        ["all", "4", "3KiB", "6", "1", "2", "0", "0", "7", "0", "$0.0015"],
    ]
    assert outcome.err == "kept in the memory of srv-1, which has room for 1MiB\n"


def test_json_is_all_of_it(ask: Command, server: FakeServer) -> None:
    assert Parse(ask("cache", "stats", "--json", "--tenant", "shop", "--model", "acme/*").out, admin.GetCacheStatsResponse()) == TOLD
    (request,) = server.requests
    assert request == admin.GetCacheStatsRequest(tenant="shop", model="acme/*", include_models=True)


@pytest.mark.parametrize(
    ("words", "selector"),
    [
        (["--all"], None),
        (["--model", "acme/*", "--older-than", "1d"], admin.CacheSelector(model="acme/*", min_age={"seconds": 86_400})),
        (["--tenant", "shop", "--key", "ab", "--namespace", "v1"], admin.CacheSelector(tenant="shop", key_prefix="ab", namespace="v1")),
    ],
)
def test_answers_are_dropped(ask: Command, server: FakeServer, words: list[str], selector: admin.CacheSelector | None) -> None:
    outcome = ask("cache", "purge", *words, "--reason", "why")
    (request,) = server.requests
    assert isinstance(request, admin.PurgeCacheRequest)
    assert (request.all, request.selector if selector else None, request.reason) == (selector is None, selector, "why")
    assert (outcome.code, outcome.out) == (ExitCode.OK, "dropped 3 answers, 2KiB\n")


def test_a_dry_run_says_that_nothing_was_dropped(ask: Command, server: FakeServer) -> None:
    assert ask("cache", "purge", "--all", "--dry-run").out == "3 answers, 2KiB would be dropped\n"
    (request,) = server.requests
    assert isinstance(request, admin.PurgeCacheRequest)
    assert request.dry_run


@pytest.mark.parametrize("words", [[], ["--all", "--model", "acme/*"], ["--older-than", "soon"]])
def test_a_purge_that_is_unclear_reaches_nobody(ask: Command, server: FakeServer, words: list[str]) -> None:
    assert ask("cache", "purge", *words).code == ExitCode.USAGE
    assert server.requests == []
