"""The README keeps its word: what it marks as tested is done, as it stands there, in an empty directory beside a running server.

Marks are HTML comments, which a reader does not see, before a fenced block:

    <!-- file: NAME -->             the block is written to NAME before anything runs
    <!-- tested -->                 the block (sh or python) runs, beside a server without configuration
    <!-- tested on: NAME -->        the same, beside a server with the file NAME as its configuration
    <!-- tested; fails -->          the same, and is expected to fail
    <!-- output -->                 these lines come out of the block before, in this order, among others; … stands for any text
"""

import os
import re
import shutil
import subprocess
import sys
from collections.abc import Iterator, Mapping
from dataclasses import dataclass, field
from pathlib import Path

import pytest

from tests.e2e.conftest import SERVERS
from tests.e2e.process import ROOT, Server, environment

README = ROOT / "README.md"
GUIDE = ROOT / "server" / "README.md"
LEAST_TESTED_LINES = 10
README_LINES = 350
GUIDE_LINES = 250
BARE = "bare.yaml"  # an empty file: the server's own defaults
BIN = Path(sys.executable).parent
OPTIONAL_TOOLS = ("grpcurl", "curl", "openssl")
SEARCHED = os.pathsep.join([os.environ["PATH"], str(Path.home() / "go" / "bin"), str(ROOT / ".tools" / "bin")])
TRIAL_S = 60
_MARK = re.compile(r"<!-- (?P<kind>file|tested|output)(?: on)?(?:: (?P<name>[\w.-]+))?(?P<fails>; fails)? -->")


@dataclass
class Trial:
    """A block that is tried."""

    line: int  # in the README, from 1
    language: str
    text: str
    config: str
    fails: bool
    output: list[str] = field(default_factory=list)

    @property
    def commands(self) -> list[str]:
        """What a person would type, one by one: comments left out, continued lines joined."""
        joined = self.text.replace("\\\n", " ")
        return [line for line in joined.splitlines() if line.strip() and not line.startswith((" ", "#"))]


@dataclass
class Page:
    """What a Markdown file marks."""

    files: dict[str, str] = field(default_factory=dict)
    trials: list[Trial] = field(default_factory=list)
    strays: list[int] = field(default_factory=list)  # lines of marks that mark nothing


def read(text: str) -> Page:
    """The marked blocks of a text."""
    page = Page()
    lines = iter(enumerate(text.splitlines(), 1))
    for number, line in lines:
        if not line.startswith("<!--"):
            continue
        mark = _MARK.fullmatch(line.strip())
        _, fence = next(lines, (0, ""))
        if mark is None or not fence.startswith("```"):
            page.strays.append(number)
            continue
        _take(page, mark, fence.removeprefix("```"), _block(lines), number)
    return page


def _block(lines: Iterator[tuple[int, str]]) -> list[str]:
    block = []
    for _, line in lines:
        if line == "```":
            break
        block.append(line)
    return block


def _take(page: Page, mark: re.Match[str], language: str, block: list[str], number: int) -> None:
    text = "\n".join(block) + "\n"
    if mark["kind"] == "file":
        page.files[mark["name"]] = text
    elif mark["kind"] == "tested":
        page.trials.append(Trial(number, language, text, mark["name"] or BARE, fails=mark["fails"] is not None))
    else:
        page.trials[-1].output = [line for line in block if line.strip()]


PAGE = read(README.read_text(encoding="utf-8"))


def missing_line(expected: list[str], said: str) -> str | None:
    """The first expected line that does not come, in order, among what was said; white space counts as one blank."""
    rest = iter([" ".join(line.split()) for line in said.splitlines()])
    for line in expected:
        pattern = ".*".join(re.escape(" ".join(piece.split())) for piece in line.split("…"))
        if not any(re.fullmatch(r"\s*" + pattern.replace(".*", r"\s*.*\s*") + r"\s*", other) for other in rest):
            return line
    return None


def _write(folder: Path) -> None:
    for name, text in {**PAGE.files, BARE: "{}\n"}.items():
        (folder / name).write_text(text, encoding="utf-8")


def _beside(folder: Path, config: str, request: pytest.FixtureRequest) -> Iterator[Server]:
    """A server with a file of the README's; only its ports and its state are of the test's choosing."""
    ports = {f"PROMPTWIRE_SERVER__{name}": "127.0.0.1:0" for name in ("LISTEN", "HEALTH_LISTEN", "METRICS_LISTEN")}
    server = Server(folder / config, folder, {**ports, "PROMPTWIRE_STATE_DIR": str(folder / "state"), "PROMPTWIRE_LOGS__FORMAT": "json"})
    listed = request.config.stash[SERVERS]
    listed.append(server)
    try:
        server.wait_ready()
        yield server
    finally:
        server.stop()
        listed.remove(server)


@pytest.fixture(scope="module")
def bare(tmp_path_factory: pytest.TempPathFactory, request: pytest.FixtureRequest) -> Iterator[Server]:
    folder = tmp_path_factory.mktemp("bare")
    _write(folder)
    yield from _beside(folder, BARE, request)


@pytest.fixture
def beside(trial: Trial, bare: Server, tmp_path: Path, request: pytest.FixtureRequest) -> Iterator[Server]:
    """The server that the block is tried on, and the files of the README in the current directory."""
    _write(tmp_path)
    if trial.config == BARE:
        yield bare
    else:
        yield from _beside(tmp_path, trial.config, request)


def _placed(text: str, ports: Mapping[str, int]) -> str:
    """The text with the ports and the programs of this run in place of the usual ones."""
    for usual, name in (("50051", "port"), ("50052", "health_port"), ("9464", "metrics_port")):
        text = text.replace(f"127.0.0.1:{usual}", f"127.0.0.1:{ports[name]}")
    return text.replace(".venv/bin/", f"{BIN}/")


def _done(trial: Trial, server: Server, folder: Path) -> "subprocess.CompletedProcess[str]":
    text = _placed(trial.text, server.ports)
    command = [sys.executable, "-c", text] if trial.language == "python" else ["bash", "-euo", "pipefail", "-c", text]
    environ = {**environment(folder, {"PROMPTWIRE_TARGET": server.target}), "PATH": SEARCHED}
    return subprocess.run(
        command,
        cwd=folder,
        env=environ,
        stdin=subprocess.DEVNULL,
        stdout=subprocess.PIPE,
        stderr=subprocess.STDOUT,
        text=True,
        timeout=TRIAL_S,
        check=False,
    )


@pytest.mark.parametrize("trial", PAGE.trials, ids=[f"line {trial.line}" for trial in PAGE.trials])
def test_what_the_readme_shows_happens(trial: Trial, beside: Server, tmp_path: Path) -> None:
    absent = [tool for tool in OPTIONAL_TOOLS if re.search(rf"^{tool}\b", trial.text, re.MULTILINE) and not shutil.which(tool, path=SEARCHED)]
    if absent:
        pytest.skip(f"README.md:{trial.line} needs {', '.join(absent)}, which this machine has not")
    done = _done(trial, beside, tmp_path)
    assert (done.returncode != 0) == trial.fails, f"README.md:{trial.line} ended with {done.returncode}:\n{done.stdout}"
    missing = missing_line([_placed(line, beside.ports) for line in trial.output], done.stdout)
    assert missing is None, f"README.md:{trial.line} promises {missing!r}, but this came:\n{done.stdout}"


def test_the_readme_has_enough_tested_lines() -> None:
    lines = [command for trial in PAGE.trials if trial.language == "sh" for command in trial.commands]
    assert len(lines) >= LEAST_TESTED_LINES


def test_every_mark_of_the_readme_marks_a_block_that_can_run() -> None:
    assert PAGE.strays == []
    assert {trial.language for trial in PAGE.trials} <= {"sh", "python"}
    assert {trial.config for trial in PAGE.trials} <= {BARE, *PAGE.files}


def test_no_shell_line_of_the_readme_for_a_running_server_goes_untested() -> None:
    """What cannot run here are the commands that make the environment, and those that start servers."""
    tried = "".join(trial.text for trial in PAGE.trials)
    blocks = re.findall(r"^```sh\n(.*?)^```$", README.read_text(encoding="utf-8"), re.MULTILINE | re.DOTALL)
    untested = [line for block in blocks if block not in tried for line in block.splitlines() if line.strip()]
    starts = re.compile(r"make |git clone|cd |#|\S+=\S+ make |\.venv/bin/promptwire serve\b|\S+=\S+ \.venv/bin/promptwire serve\b")
    assert [line for line in untested if not starts.match(line)] == []


@pytest.mark.parametrize(("page", "most"), [(README, README_LINES), (GUIDE, GUIDE_LINES)], ids=["README", "server/README"])
def test_a_page_is_short_enough_to_be_read_and_its_links_lead_somewhere(page: Path, most: int) -> None:
    text = page.read_text(encoding="utf-8")
    assert len(text.splitlines()) < most
    links = [link.partition("#")[0] for link in re.findall(r"\]\(([^)\s]+)\)", text) if "://" not in link]
    assert [link for link in links if link and not (page.parent / link).exists()] == []


def test_the_guide_of_the_server_names_every_module_and_none_that_is_gone() -> None:
    package = ROOT / "server" / "promptwire_server"
    modules = {path.relative_to(package).with_suffix("").as_posix() for path in package.rglob("*.py")}
    there = {module for module in modules if not module.endswith("__init__")}
    section = GUIDE.read_text(encoding="utf-8").partition("## The tree")[2].partition("\n## ")[0]
    named = set(_tree(section))
    assert there - named == set(), "server/README.md, The tree: say in a few words what these are for"
    assert named - there == set(), "server/README.md, The tree: these are gone"


def _tree(section: str) -> Iterator[str]:
    """The modules named in `code` in the section; a heading `### folder/` says where those below it are."""
    folder = ""
    for line in section.splitlines():
        if line.startswith("### "):
            folder = line.removeprefix("### ").strip().strip("`").removeprefix("promptwire_server/")
        for name in re.findall(r"\*\*([a-z_0-9]+)\*\*", line):
            yield f"{folder}{name}"


def test_lines_are_found_in_order_and_missing_ones_are_named() -> None:
    assert missing_line(["a: 1", "c …"], 'x\n  a:  1\nb\nc "anything"\n') is None
    assert missing_line(["b", "a"], "a\nb\n") == "a"
    assert missing_line(["a"], "aa\n") == "a"


def test_marks_are_read() -> None:
    page = read("<!-- file: a.yaml -->\n```yaml\nx: 1\n```\n<!-- tested on: a.yaml; fails -->\n```sh\none \\\n  two\n# no\n```\n<!-- output -->\n```\nout\n```\n")
    assert page.files == {"a.yaml": "x: 1\n"}
    (trial,) = page.trials
    assert (trial.config, trial.fails, trial.output, len(trial.commands)) == ("a.yaml", True, ["out"], 1)
    assert read("<!-- tested -->\n\n```sh\nx\n```\n").strays == [1]
