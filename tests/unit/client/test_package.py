"""The package: what it imports, what it shows, and that its sync half is up to date."""

import ast
import re
import shutil
import subprocess
import sys
import textwrap
from pathlib import Path

import promptwire
from promptwire import chainfile, errors, sync
from promptwire._async.client import Promptwire as AsyncPromptwire

ROOT = Path(__file__).parents[3]
PACKAGE = ROOT / "clients/python/promptwire"


def imported(path: Path) -> set[str]:
    """Top-level names of what a module imports."""
    found: set[str] = set()
    for node in ast.walk(ast.parse(path.read_text())):
        if isinstance(node, ast.Import):
            found |= {alias.name.partition(".")[0] for alias in node.names}
        elif isinstance(node, ast.ImportFrom):
            found.add((node.module or "").partition(".")[0])
    return found


def test_the_client_imports_what_its_distribution_declares_and_nothing_else() -> None:
    files = [path for path in PACKAGE.rglob("*.py") if not {"v1", "admin"} & set(path.parts)]
    outside = set().union(*(imported(path) for path in files)) - sys.stdlib_module_names
    assert outside == {"promptwire", "grpc", "google", "yaml"}


def test_the_sync_client_is_up_to_date() -> None:
    done = subprocess.run([sys.executable, ROOT / ".ci/unasync.py", "--check"], capture_output=True, text=True, check=False)
    assert done.returncode == 0, done.stdout + done.stderr


def test_a_sync_client_that_was_changed_by_hand_is_found(tmp_path: Path) -> None:
    """The check above can fail."""
    copy = tmp_path / "clients/python/promptwire"
    shutil.copytree(PACKAGE, copy, ignore=shutil.ignore_patterns("__pycache__"))
    (tmp_path / ".ci").mkdir()
    (tmp_path / ".ci/unasync.py").write_text((ROOT / ".ci/unasync.py").read_text())
    (tmp_path / "pyproject.toml").write_text((ROOT / "pyproject.toml").read_text())
    (copy / "_sync/client.py").write_text((copy / "_sync/client.py").read_text() + "# a change\n")
    done = subprocess.run([sys.executable, tmp_path / ".ci/unasync.py", "--check"], capture_output=True, text=True, check=False)
    assert (done.returncode, "client.py" in done.stdout, "streams.py" in done.stdout) == (1, True, False)


def blocks_of_readme() -> list[str]:
    """Its indented blocks."""
    text = (ROOT / "clients/python/README.md").read_text()
    return [textwrap.dedent(block) for block in re.findall(r"(?m)(?:^    .*\n|^\n(?=    ))+", text)]


def test_the_chain_in_the_readme_is_a_chain() -> None:
    (chain,) = [block for block in blocks_of_readme() if "# chain.yaml" in block]
    assert [step.id for step in chainfile.parse(chain).steps] == ["draft", "poem"]


def test_the_code_in_the_readme_is_python() -> None:
    code = [block for block in blocks_of_readme() if "client" in block]
    assert len(code) >= 5
    for block in code:
        compile(block, "README.md", "exec", flags=ast.PyCF_ALLOW_TOP_LEVEL_AWAIT)


def test_the_readme_names_every_error() -> None:
    text = (ROOT / "clients/python/README.md").read_text()
    known = {name for name, each in vars(errors).items() if isinstance(each, type) and issubclass(each, errors.PromptwireError)}
    assert {name for name in known if f"`{name}`" not in text} <= {"Aborted"}


def test_both_clients_have_the_same_methods() -> None:
    names = {name.removeprefix("a") if name == "aclose" else name for name in vars(AsyncPromptwire) if not name.startswith("_")}
    assert names == {name for name in vars(sync.Promptwire) if not name.startswith("_")}


def test_the_sync_half_has_no_trace_of_the_other() -> None:
    for path in (PACKAGE / "_sync").glob("*.py"):
        text = "\n".join(path.read_text().splitlines()[1:])  # the first line says where it comes from
        assert not re.findall(r"\b(?:async|asyncio|await|aio|aclose|anext)\b", text), path.name


def test_what_is_promised_is_there() -> None:
    assert promptwire.SyncPromptwire is sync.Promptwire
    assert all(hasattr(promptwire, name) for name in promptwire.__all__)
    assert promptwire.Delta("a") + "b" == "ab"
    assert type(promptwire.Delta("a").text) is str
