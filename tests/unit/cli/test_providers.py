"""`promptwire providers`, and the table that the README has of it."""

import re
from pathlib import Path

from promptwire_server.cli.exits import ExitCode
from promptwire_server.cli.providers import table
from promptwire_server.providers.vendors import VENDORS
from tests.unit.cli.conftest import Command

README = Path(__file__).parents[3] / "README.md"
CONFIG = """
providers:
  fast: {vendor: groq, api_key: x}
  groq: {api_key: x}
  mine: {kind: openai, base_url: http://127.0.0.1:1/v1}
"""


def test_the_readme_has_the_table_that_the_code_gives() -> None:
    found = re.search(r"<!-- providers: make docs -->\n(.*?)<!-- end -->", README.read_text(encoding="utf-8"), re.DOTALL)
    assert found is not None
    assert found[1] == table(), "vendors or what they offer have changed; run: make docs"


def test_each_vendor_is_in_the_table_once() -> None:
    named = [name for line in table().splitlines()[2:] for name in line.split("|")[1].strip().split(", ")]
    assert sorted(named) == sorted(vendor.name for vendor in VENDORS)


def test_vendors_are_listed_with_their_keys_and_under_which_names_they_are_configured(command: Command, tmp_path: Path) -> None:
    (tmp_path / "p.yaml").write_text(CONFIG)
    outcome = command("providers", str(tmp_path / "p.yaml"))
    lines = {line.split("\t")[0]: line.split("\t") for line in outcome.out.splitlines()}
    assert outcome.code == ExitCode.OK
    assert lines["groq"][1:5] == ["openai", "fast, groq", "GROQ_API_KEY, GROQ_BASE_URL", "https://api.groq.com/openai/v1"]
    assert "tools" in lines["groq"][5]
    assert lines["mine"][1:3] == ["openai", "mine"]
    assert lines["mistral"][2] == ""


def test_a_faulty_configuration_is_told(command: Command, tmp_path: Path) -> None:
    (tmp_path / "p.yaml").write_text("providers: {x: {vendor: nobody, kind: openai}}")
    outcome = command("providers", str(tmp_path / "p.yaml"))
    assert outcome.code == ExitCode.USAGE
    assert 'no vendor is called "nobody"' in outcome.err


def test_the_table_is_there_without_any_configuration(command: Command) -> None:
    assert command("providers", "--markdown").out == table()
