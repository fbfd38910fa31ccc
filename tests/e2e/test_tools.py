"""What people type: `buf curl` and grpcurl find the contract by reflection and call every method that is offered."""

import json
import shutil
import subprocess
import sys
from collections.abc import Callable, Sequence
from pathlib import Path
from typing import Any

import pytest

from tests.e2e.process import ROOT, Server

CHAIN = {"prompts": ["tell of {{ topic }}", "shorter: {{ output[-1] }}"], "inputs": {"topic": "tea"}}
Run = Callable[..., "subprocess.CompletedProcess[str]"]


def _found(name: str, *folders: Path) -> str | None:
    return next((str(folder / name) for folder in folders if (folder / name).exists()), None) or shutil.which(name)


BUF = _found("buf", Path(sys.executable).parent, ROOT / ".venv" / "bin")
GRPCURL = _found("grpcurl", ROOT / ".tools", Path.home() / "go" / "bin")


def _run(*command: str) -> "subprocess.CompletedProcess[str]":
    return subprocess.run(command, capture_output=True, text=True, timeout=60, check=False)


def _buf(server: Server, method: str, body: object, *flags: str) -> "subprocess.CompletedProcess[str]":
    if BUF is None:
        pytest.skip("buf is not installed: see CONTRIBUTING")
    url = f"http://{server.target}/{method}"
    return _run(BUF, "curl", "--http2-prior-knowledge", "--protocol", "grpc", *flags, "-d", json.dumps(body), url)


def _grpcurl(server: Server, method: str, body: object, *flags: str) -> "subprocess.CompletedProcess[str]":
    if GRPCURL is None:
        pytest.skip("grpcurl is not installed: go install github.com/fullstorydev/grpcurl/cmd/grpcurl@latest")
    return _run(GRPCURL, "-plaintext", *flags, "-d", json.dumps(body), server.target, method)


def _documents(text: str) -> list[dict[str, Any]]:
    """The JSON documents of a text, one after the other."""
    decoder, documents, at = json.JSONDecoder(), [], 0
    while at < len(text.rstrip()):
        value, at = decoder.raw_decode(text, at + len(text[at:]) - len(text[at:].lstrip()))
        documents.append(value)
    return documents


@pytest.fixture(params=[_buf, _grpcurl], ids=["buf curl", "grpcurl"])
def call(request: pytest.FixtureRequest) -> Run:
    run: Run = request.param
    return run


CALLS: Sequence[tuple[str, object, Callable[[list[dict[str, Any]]], bool]]] = [
    ("ChatService/Chat", {"prompt": "hi"}, lambda said: said[0]["text"] == "hi"),
    ("ChatService/Chat", {"messages": [{"parts": [{"text": "typed"}]}]}, lambda said: said[0]["text"] == "typed"),
    ("ChatService/StreamChat", {"chat": {"prompt": "one two"}}, lambda said: "finished" in said[-1] and "started" in said[0]),
    ("ChatService/CountTokens", {"chat": {"prompt": "one two"}}, lambda said: said[0]["inputTokens"] == "2"),
    ("ModelService/ListModels", {}, lambda said: "echo/echo" in [model["name"] for model in said[0]["models"]]),
    ("ModelService/GetModel", {"name": "echo/echo"}, lambda said: said[0]["model"]["provider"] == "echo"),
    ("SystemService/GetServerInfo", {}, lambda said: said[0]["contractVersion"] == "v1"),
    ("ChainService/RunChain", CHAIN, lambda said: said[0]["result"]["text"] == "shorter: tell of tea"),
    ("ChainService/StreamChain", {"run": CHAIN}, lambda said: said[-1]["event"]["runFinished"]["state"] == "RUN_STATE_SUCCEEDED"),
    ("ChainService/ValidateChain", {"run": CHAIN}, lambda said: said[0]["valid"] is True),
]


@pytest.mark.parametrize(("method", "body", "good"), CALLS, ids=[f"{method}-{number}" for number, (method, *_) in enumerate(CALLS)])
def test_a_line_that_people_type_is_answered(
    server: Server, call: Run, method: str, body: object, good: Callable[[list[dict[str, Any]]], bool]
) -> None:
    done = call(server, f"promptwire.v1.{method}", body)
    assert done.returncode == 0, done.stderr
    assert good(_documents(done.stdout)), done.stdout


def test_a_wrong_request_tells_where(server: Server, call: Run) -> None:
    done = call(server, "promptwire.v1.ChatService/Chat", {"messages": [{"parts": [{}]}]})
    said = done.stdout + done.stderr
    assert done.returncode != 0
    assert "messages[0].parts[0]" in said
    assert "invalid_argument" in said.lower().replace("invalidargument", "invalid_argument")


def test_grpcurl_lists_and_describes(server: Server) -> None:
    if GRPCURL is None:
        pytest.skip("grpcurl is not installed: go install github.com/fullstorydev/grpcurl/cmd/grpcurl@latest")
    listed = _run(GRPCURL, "-plaintext", server.target, "list")
    assert {"promptwire.v1.ChatService", "promptwire.v1.ChainService", "grpc.health.v1.Health"} <= set(listed.stdout.split())
    described = _run(GRPCURL, "-plaintext", server.target, "describe", "promptwire.v1.ChatRequest")
    assert "string prompt = 2" in described.stdout
    everything = _run(GRPCURL, "-plaintext", server.target, "describe")
    assert everything.returncode == 0, everything.stderr
    assert "grpc.reflection.v1.ServerReflection is a service" in everything.stdout
    health = _run(GRPCURL, "-plaintext", server.health_target, "grpc.health.v1.Health/Check")
    # The health port offers nothing but health, so not even reflection.
    assert health.returncode != 0


def test_grpcurl_checks_health_on_the_main_port(server: Server) -> None:
    if GRPCURL is None:
        pytest.skip("grpcurl is not installed: go install github.com/fullstorydev/grpcurl/cmd/grpcurl@latest")
    for method in ("Check", "List"):
        done = _run(GRPCURL, "-plaintext", server.target, f"grpc.health.v1.Health/{method}")
        assert done.returncode == 0, done.stderr
        assert "SERVING" in done.stdout
