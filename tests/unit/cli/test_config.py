"""`promptwire config`, and the flags of the server."""

import json
import subprocess
import sys
from pathlib import Path

import pytest

from promptwire_server.cli import command_first
from promptwire_server.cli.exits import CommandError, ExitCode
from promptwire_server.cli.settings import overrides_of
from tests.unit.cli.conftest import PROGRAM, Command


def test_check_tells_every_fault(command: Command, tmp_path: Path) -> None:
    file = tmp_path / "promptwire.yaml"
    file.write_text("server:\n  workers: many\n  lisen: 127.0.0.1:1\n")
    outcome = command("config", "check", str(file))
    assert (outcome.code, outcome.out) == (ExitCode.USAGE, "")
    assert outcome.err.startswith("error: the configuration cannot be used:\n")
    assert "server.workers: must be a whole number" in outcome.err
    assert "did you mean `listen`?" in outcome.err


def test_check_of_a_file_that_is_not_there(command: Command) -> None:
    outcome = command("config", "check", "/nowhere/promptwire.yaml")
    assert outcome.code == ExitCode.USAGE
    assert "/nowhere/promptwire.yaml" in outcome.err


@pytest.mark.parametrize("pair", ["server.workers", "=4", "server..workers=4", ".workers=4"])
def test_a_setting_that_is_none(pair: str) -> None:
    with pytest.raises(CommandError, match="is no setting"):
        overrides_of([pair])


def test_a_setting_that_begins_like_a_list_must_be_one() -> None:
    with pytest.raises(CommandError, match="begins like a list"):
        overrides_of(["models.fast.targets=[a"])


def test_settings_are_texts_lists_or_nothing() -> None:
    pairs = ["a=1", "b=x=y", "c=[p, q]", "d=null", 'e={"k": 1}', "f="]
    assert overrides_of(pairs) == {"a": "1", "b": "x=y", "c": ["p", "q"], "d": None, "e": {"k": 1}, "f": None}


def test_paths_are_taken_from_the_working_directory(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.chdir(tmp_path)
    assert overrides_of(["server.tls.cert_file=tls.crt"]) == {"server.tls.cert_file": str(tmp_path / "tls.crt")}


def test_check_of_a_good_file(command: Command, tmp_path: Path) -> None:
    file = tmp_path / "promptwire.yaml"
    file.write_text("server:\n  workers: 2\n")
    outcome = command("config", "check", str(file))
    assert (outcome.code, outcome.out) == (ExitCode.OK, f"{file}: good\n")


def test_show_has_what_is_in_effect_and_where_from(command: Command) -> None:
    outcome = command("config", "show", "--set", "server.workers=3")
    assert outcome.code == ExitCode.OK
    assert "  workers: 3  # flag server.workers\n" in outcome.out


def test_show_masks_keys(command: Command, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("OPENAI_API_KEY", "sk-0123456789abcdefghij")
    outcome = command("config", "show")
    assert outcome.code == ExitCode.OK
    assert "openai:" in outcome.out
    assert "0123456789" not in outcome.out + outcome.err


def test_schema_is_json(command: Command) -> None:
    assert "server" in json.loads(command("config", "schema").out)["properties"]


@pytest.mark.parametrize(
    ("given", "meant"),
    [
        (["--target", "h:1", "chat", "hi"], ["chat", "--target", "h:1", "hi"]),
        (["--api-key=k", "--target", "h:1", "models"], ["models", "--api-key=k", "--target", "h:1"]),
        (["chat", "--target", "h:1"], ["chat", "--target", "h:1"]),
        (["--help"], ["--help"]),
        (["--target"], ["--target"]),
        ([], []),
    ],
)
def test_options_of_the_server_may_stand_before_the_command(given: list[str], meant: list[str]) -> None:
    assert command_first(given) == meant


@pytest.mark.parametrize(
    ("flags", "told"),
    [
        (("--set", "server"), "error: --set 'server' is no setting"),
        (("--listen", "nowhere"), "server.listen"),
        (("--workers", "none"), "server.workers: must be a whole number"),
        (("--log-level", "loud"), "logs.level: must be one of"),
        (("--listen", "0.0.0.0:0"), "server.listen"),
        (("--config", "/nowhere.yaml"), "/nowhere.yaml"),
    ],
)
def test_serve_refuses_what_is_wrong_before_it_starts(command: Command, flags: tuple[str, ...], told: str) -> None:
    outcome = command("serve", *flags)
    assert (outcome.code, outcome.out) == (ExitCode.USAGE, "")
    assert told in outcome.err
    assert "Traceback" not in outcome.err


def test_the_server_loads_nothing_of_the_tool() -> None:
    code = f"{PROGRAM.replace('sys.exit(main())', 'main()')}; print(*sys.modules)"
    done = subprocess.run([sys.executable, "-c", code, "serve", "--set", "no"], capture_output=True, text=True, check=True)
    loaded = set(done.stdout.split())
    assert "promptwire_server.app" in loaded
    assert not {"cyclopts", "pygments", "rich.console", "promptwire_server.cli.tool"} & loaded
