"""All secrets that are kept elsewhere: at start, and when files change."""

import sys
import threading
from pathlib import Path

import pytest

from promptwire_server.config.environment import read_secret
from promptwire_server.core.clock import Chance, SystemClock
from promptwire_server.core.secret import Secret
from promptwire_server.secrets import opening
from promptwire_server.secrets.custody import Custody
from promptwire_server.secrets.round import Key
from promptwire_server.secrets.settings import StoreSettings, VaultSettings
from promptwire_server.secrets.store import Unavailable
from tests.unit.secrets.conftest import key
from tests.unit.secrets.fake_vault import ROOT, FakeVault
from tests.unit.secrets.test_watch import Ear


def custody(settings: StoreSettings, *keys: Key) -> Custody:
    return Custody(settings, keys, clock=SystemClock(), chance=Chance())


def settings_of(vault: FakeVault, start_timeout_s: float = 30.0) -> StoreSettings:
    opens = VaultSettings(vault.address, Secret(ROOT), timeout_s=10.0)
    return StoreSettings(read=read_secret, vault=opens, start_timeout_s=start_timeout_s)


def test_all_secrets_are_fetched_and_a_path_is_asked_for_once(vault: FakeVault, tmp_path: Path) -> None:
    vault.put("kv/x", {"a": "sk-a", "b": "sk-b"})
    (tmp_path / "key").write_text("sk-file\n")
    keys = [key("vault:kv/x#a", "1"), key("vault:kv/x#b", "2"), key(f"file:{tmp_path}/key", "3")]
    assert custody(settings_of(vault), *keys).fetch() == []
    assert [each.credential.reveal() for each in keys] == ["sk-a", "sk-b", "sk-file"]
    assert vault.reads("kv/x") == 1


def test_every_fault_of_every_store_comes_at_once(vault: FakeVault, tmp_path: Path) -> None:
    vault.put("kv/x", {"a": "sk-a"})
    keys = [key("vault:kv/x#b", "1"), key("vault:kv/none#b", "2"), key(f"file:{tmp_path}/absent", "3"), key("vault:kv/x#a", "4")]
    problems = {problem.key.path[0]: problem.problem for problem in custody(settings_of(vault), *keys).fetch()}
    assert "no field `b`" in problems.pop("1")
    assert "nothing there" in problems.pop("2")
    assert "No such file" in problems.pop("3")
    assert problems == {}


def test_a_store_that_hangs_holds_up_the_start_for_a_bounded_time(vault: FakeVault, tmp_path: Path) -> None:
    (tmp_path / "key").write_text("sk-file\n")
    vault.open.clear()
    (problem,) = custody(settings_of(vault, start_timeout_s=0.05), key("vault:kv/x#a", "1"), key(f"file:{tmp_path}/key", "2")).fetch()
    assert problem.key.path == ("1",)
    assert problem.problem == "the store did not answer within 0.05 s; check where it is, and whether it runs"


def test_a_file_that_is_replaced_is_taken_over(tmp_path: Path) -> None:
    """As Kubernetes does it: the directory behind a link is exchanged."""
    for name, text in (("one", "sk-1"), ("two", "sk-2")):
        (tmp_path / name).mkdir()
        (tmp_path / name / "key").write_text(text)
    (tmp_path / "data").symlink_to("one")
    mine = key(f"file:{tmp_path}/data/key", "1")
    keeping = custody(StoreSettings(read=read_secret, refresh_interval_s=0.001), mine)
    assert keeping.fetch() == []
    ear = Ear()
    keeping.start(ear)
    (tmp_path / "next").symlink_to("two")
    (tmp_path / "next").rename(tmp_path / "data")
    assert ear.wait(1)
    keeping.stop()
    assert ear.kinds == ["rotated"]
    assert mine.credential.reveal() == "sk-2"


def test_nothing_runs_when_nothing_is_kept_elsewhere() -> None:
    before = threading.active_count()
    keeping = custody(StoreSettings(read=read_secret))
    assert keeping.fetch() == []
    keeping.start(Ear())
    assert threading.active_count() == before
    keeping.stop()


@pytest.mark.parametrize(("store", "library", "extra"), [("vault", "hvac", "vault"), ("aws-sm", "boto3", "aws")])
def test_a_missing_package_says_which_extra_installs_it(monkeypatch: pytest.MonkeyPatch, store: str, library: str, extra: str) -> None:
    monkeypatch.setitem(sys.modules, library, None)  # an import of it fails, as when it is not installed
    with pytest.raises(Unavailable) as caught:
        opening.opened(store, StoreSettings(read=read_secret))
    assert str(caught.value) == f"the package {library} is missing; `pip install 'promptwire-server[{extra}]'`"
