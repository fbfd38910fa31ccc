"""What `--help` teaches."""

import pytest

from promptwire_server.cli.exits import ExitCode
from promptwire_server.cli.manual import PAGES
from tests.unit.cli.conftest import Command

COMMANDS = [page.name for page in PAGES]
GROUPED = [(page.name, part.name) for page in PAGES for part in page.parts]


@pytest.mark.parametrize("words", [*[(name,) for name in COMMANDS], *GROUPED], ids=" ".join)
def test_every_command_shows_examples_and_exit_codes(command: Command, words: tuple[str, ...]) -> None:
    outcome = command(*words, "--help")
    assert outcome.code == ExitCode.OK
    assert f"promptwire {' '.join(words)}" in outcome.out.partition("Examples:")[2]
    assert "Exit codes:" in outcome.out
    assert outcome.err == ""


@pytest.mark.parametrize("words", [(), ("--help",), ("-h",)])
def test_the_first_page_lists_every_command(command: Command, words: tuple[str, ...]) -> None:
    outcome = command(*words)
    assert outcome.code == ExitCode.OK
    assert all(f"│ {name} " in outcome.out for name in COMMANDS)
    assert "promptwire serve" in outcome.out


def test_help_never_shows_a_key(command: Command, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("PROMPTWIRE_API_KEY", "sk-secret-secret")
    outcome = command("chat", "--help")
    assert "PROMPTWIRE_API_KEY" in outcome.out
    assert "sk-secret" not in outcome.out


@pytest.mark.parametrize("name", COMMANDS)
def test_help_fits_eighty_columns(command: Command, name: str) -> None:
    assert max(map(len, command(name, "--help").out.splitlines())) <= 80
