"""Every line that the pages tell people to type does what it promises, on a server like the one they tell them to start.

Marks in README.md and deploy/README.md, each before a fenced block: `tested` (a bare server), `tested; fails` (another exit code than 0),
`tested on: demo.yaml` (a server with that configuration), `file: NAME` (the block is that file), `output` (lines that
the block before must print; an ellipsis stands for anything).
"""

import os
import re
import shutil
import subprocess
import sys
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path

import pytest
import yaml

from tests.e2e import process
from tests.e2e.process import ROOT, Server

LEAST_BLOCKS = 5
README = "\n".join((ROOT / page).read_text() for page in ("README.md", "deploy/README.md"))
_BLOCK = re.compile(
    r"<!-- tested(?P<fails>; fails)?(?: on: (?P<config>\S+))? -->\s*```(?P<language>sh|python)\n(?P<lines>.*?)```"
    r"(?:\s*<!-- output -->\s*```\w*\n(?P<output>.*?)```)?",
    re.DOTALL,
)
_FILE = re.compile(r"<!-- file: (?P<name>\S+) -->\s*```\w*\n(?P<text>.*?)```", re.DOTALL)
_TOOLS = [Path(sys.executable).parent, ROOT / ".tools", Path.home() / "go" / "bin"]
# Port in the README -> which of the server's it is.
_PORTS = {"50051": "port", "50052": "health_port", "9464": "metrics_port"}


@dataclass(frozen=True, slots=True)
class Block:
    """Lines to type, and what they promise to say."""

    commands: tuple[str, ...]
    output: str
    config: str
    fails: bool

    def __str__(self) -> str:
        return self.commands[0][:50] if self.commands else "empty"


def blocks_of(text: str) -> list[Block]:
    return [
        Block(_commands(found["language"], found["lines"]), found["output"] or "", found["config"] or "", bool(found["fails"]))
        for found in _BLOCK.finditer(text)
    ]


def _commands(language: str, lines: str) -> tuple[str, ...]:
    """The lines as a person would type them: continued ones joined, comments and prompts left out. A program is one command."""
    if language == "python":
        return (f".venv/bin/python - <<'END'\n{lines}END",)
    typed = [line.strip().removeprefix("$ ") for line in lines.replace("\\\n", " ").splitlines()]
    return tuple(line for line in typed if line and not line.startswith("#"))


BLOCKS = blocks_of(README)


@pytest.fixture(scope="module")
def desk(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A folder as the reader has it: the virtual environment, and the files that the README shows."""
    folder = tmp_path_factory.mktemp("desk")
    (folder / ".venv").symlink_to(Path(sys.prefix))
    (folder / "deploy").symlink_to(ROOT / "deploy")
    for found in _FILE.finditer(README):
        (folder / found["name"]).write_text(found["text"])
    return folder


@pytest.fixture(scope="module")
def servers(desk: Path) -> Iterator[dict[str, Server]]:
    """A server for each configuration that a block wants; "" is the bare one."""
    running: dict[str, Server] = {}
    try:
        for name in sorted({block.config for block in BLOCKS}):
            config = yaml.safe_load((desk / name).read_text()) if name else {}
            path = process.write_config(
                desk, process.merged(process.base_config(desk), config), f"e2e-{name.replace('/', '-') or 'bare.yaml'}"
            )
            running[name] = Server(path, desk, {})
        for server in running.values():
            server.wait_ready()
        yield running
    finally:
        for server in running.values():
            server.stop()


def test_enough_of_the_readme_is_tested() -> None:
    assert "<!-- tested" not in README or len(BLOCKS) >= LEAST_BLOCKS
    assert README.count("<!-- tested") == len(BLOCKS), "a mark without a block behind it"


@pytest.mark.parametrize("block", BLOCKS, ids=str)
def test_what_the_readme_says_is_so(desk: Path, servers: dict[str, Server], block: Block) -> None:
    server = servers[block.config]
    path = os.pathsep.join([*map(str, _TOOLS), os.environ["PATH"]])
    environ = {**process.environment(desk, {}), "PATH": path, "PROMPTWIRE_TARGET": server.target}
    said = ""
    assert block.commands
    for command in block.commands:
        if (tool := command.split()[0]) in ("grpcurl", "curl", "openssl") and not shutil.which(tool, path=path):
            pytest.skip(f"{tool} is not installed")
        done = subprocess.run(
            ["bash", "-c", _aimed(command, server)], cwd=desk, env=environ, capture_output=True, text=True, timeout=60, check=False
        )
        assert (done.returncode != 0) == block.fails, f"{command}\n{done.stdout}{done.stderr}\n{server.log.tail()}"
        said += done.stdout + done.stderr
    missing = [line for line in block.output.splitlines() if line.strip() and not _printed(line, said)]
    assert not missing, f"{missing} not in\n{said}"


def _aimed(command: str, server: Server) -> str:
    for port, name in _PORTS.items():
        command = command.replace(f":{port}", f":{server.ports[name]}")
    return command


def _printed(promised: str, said: str) -> bool:
    """Whether one line was printed that has the promised pieces in their order. White space differs between tools."""
    pattern = ".*".join(re.escape(_plain(piece)) for piece in re.split(r"…|\.\.\.", promised))
    return any(re.search(pattern, _plain(line)) for line in said.splitlines())


def _plain(text: str) -> str:
    return re.sub(r"\s+", "", text)


def test_the_finder_of_blocks_finds_them() -> None:
    text = "x\n<!-- tested -->\n```sh\n# say\necho a \\\n  b\n```\n\n<!-- output -->\n```text\na …\n```\n"
    text += "<!-- tested; fails -->\n```sh\n$ false\n```\n<!-- tested on: x.yaml -->\n```sh\ntrue\n```\n"
    assert blocks_of(text) == [
        Block(("echo a    b",), "a …\n", "", fails=False),
        Block(("false",), "", "", fails=True),
        Block(("true",), "", "x.yaml", fails=False),
    ]
    assert _printed("a … c", "x\n a b  c")
    assert not _printed("a … c", "a\nc")
