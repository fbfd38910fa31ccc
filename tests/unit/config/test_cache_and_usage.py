"""The sections `cache` and `usage`: defaults, values, and what the layers make of them."""

from pathlib import Path

from promptwire import v1 as pb
from promptwire_server.config.load import load as load_settings
from promptwire_server.config.show import dump
from promptwire_server.convert import cache_settings, journal_file
from promptwire_server.layers.cache.cache import CacheSettings
from tests.unit.config.conftest import Bare, Configured


def test_without_a_word_the_cache_is_bypassed_and_usage_is_journaled(bare: Bare) -> None:
    settings = bare()
    assert cache_settings(settings) == CacheSettings(mode=pb.CacheSettings.MODE_BYPASS, ttl_s=3600, default_model=settings.default_model)
    assert settings.cache.max_bytes == 64 << 20
    assert journal_file(settings) == settings.state_dir / "usage.sqlite3"


def test_what_is_written_holds(load: Configured) -> None:
    settings = load("cache: {default: read_write, ttl: 5m, max_bytes: 1MiB}\nusage: {journal: false}")
    assert cache_settings(settings).mode == pb.CacheSettings.MODE_READ_WRITE
    assert cache_settings(settings).ttl_s == 300
    assert settings.cache.max_bytes == 1 << 20
    assert journal_file(settings) is None


def test_the_environment_reaches_them(bare: Bare) -> None:
    settings = bare({"PROMPTWIRE_CACHE__TTL": "2h", "PROMPTWIRE_USAGE__JOURNAL": "false"})
    assert settings.cache.ttl_s == 7200
    assert journal_file(settings) is None


def test_other_defaults_and_unknown_keys_are_refused_with_their_paths(load: Configured) -> None:
    faults = "\n".join(load.faults("cache: {default: always}\nusage: {journals: true}"))
    assert "cache.default" in faults
    assert "usage.journals" in faults


def test_what_is_shown_can_be_read_again(load: Configured, tmp_path: Path) -> None:
    shown = dump(load("cache: {default: read_write, ttl: 90s}\nusage: {journal: false}"))
    again = tmp_path / "again.yaml"
    again.write_text(shown)
    settings = load_settings(str(again), {"HOME": "/home/x"})
    assert (settings.cache.default, settings.cache.ttl_s, settings.usage.journal) == ("read_write", 90, False)
