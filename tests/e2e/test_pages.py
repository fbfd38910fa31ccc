"""The pages that newcomers read are short, lead somewhere, show nothing that nobody tried, and name every module there is."""

import re
from collections.abc import Iterator
from pathlib import Path

import pytest

from tests.e2e.process import ROOT
from tests.e2e.test_readme import BLOCKS

README = ROOT / "README.md"
GUIDE = ROOT / "server" / "README.md"
PACKAGE = ROOT / "server" / "promptwire_server"
LEAST_TESTED_LINES = 10
# What cannot be tried beside a running server: what makes the environment, and what starts servers.
STARTS = re.compile(r"make |git clone |cd |#|\.venv/bin/promptwire serve\b")


def test_enough_lines_of_the_readme_are_tried() -> None:
    assert sum(len(block.commands) for block in BLOCKS) >= LEAST_TESTED_LINES


def test_no_shell_line_of_the_readme_goes_untried_but_those_that_start_something() -> None:
    text = README.read_text(encoding="utf-8")
    unmarked = re.findall(r"^(?!<!-- tested).*\n```sh\n((?:(?!```).*\n)*)```$", text, re.MULTILINE)
    untried = [line for lines in unmarked for line in lines.splitlines() if line.strip()]
    assert untried, "the first block says how to start, and is not marked"
    assert [line for line in untried if not STARTS.match(line)] == []


@pytest.mark.parametrize(("page", "most"), [(README, 350), (GUIDE, 330)], ids=["README", "server"])
def test_a_page_is_short_enough_to_be_read(page: Path, most: int) -> None:
    assert len(page.read_text(encoding="utf-8").splitlines()) < most


@pytest.mark.parametrize(
    "page", [README, GUIDE, ROOT / "CHANGELOG.md", ROOT / "deploy" / "README.md"], ids=["README", "server", "CHANGELOG", "deploy"]
)
def test_links_lead_somewhere(page: Path) -> None:
    text = page.read_text(encoding="utf-8")
    links = [link for link in re.findall(r"\]\(([^)\s]+)\)", text) if "://" not in link]
    headings = {re.sub(r"[^\w -]", "", line.lstrip("# ")).lower().replace(" ", "-") for line in text.splitlines() if line.startswith("#")}
    assert [link for link in links if link.startswith("#") and link[1:] not in headings] == []
    assert [link for link in links if not link.startswith("#") and not (page.parent / link.partition("#")[0]).exists()] == []


def test_the_guide_of_the_server_names_every_module_and_none_that_is_gone() -> None:
    there = {path.relative_to(PACKAGE).with_suffix("").as_posix() for path in PACKAGE.rglob("*.py") if path.name != "__init__.py"}
    named = set(named_modules(GUIDE.read_text(encoding="utf-8")))
    assert there - named == set(), "server/README.md, The tree: say in a few words what these are for"
    assert named - there == set(), "server/README.md, The tree: these are gone"


def named_modules(guide: str) -> Iterator[str]:
    """The modules in bold in the section of the tree; a heading such as `### core/` says where those below it are."""
    folder = ""
    for line in guide.partition("## The tree")[2].partition("\n## ")[0].splitlines():
        if line.startswith("### "):
            folder = line.removeprefix("### ").removeprefix("promptwire_server/")
        for name in re.findall(r"\*\*(\w+)\*\*", line):
            yield f"{folder}{name}"


def test_modules_are_found_below_their_headings() -> None:
    guide = "## The tree\n### promptwire_server/\n**app** x\n### rpc/\n- **chat**, **tls** y\n## Next\n**not_this**\n"
    assert list(named_modules(guide)) == ["app", "rpc/chat", "rpc/tls"]
