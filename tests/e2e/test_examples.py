"""The example configurations: good, complete, and answering without anybody's key."""

import subprocess
import sys
from collections.abc import Iterator
from pathlib import Path
from typing import Any, get_args

import pytest
import yaml
from pydantic import BaseModel

from promptwire import Promptwire
from promptwire import v1 as pb
from promptwire_server.config import resilience, routing
from promptwire_server.config.admission import Admission
from tests.e2e.conftest import Serve
from tests.e2e.process import ROOT, environment

EXAMPLES = ROOT / "deploy" / "examples"
ROUTING = EXAMPLES / "routing.yaml"
FILES = sorted(EXAMPLES.glob("*.yaml"))
SECTIONS: dict[str, tuple[type[BaseModel], ...]] = {
    "models": (
        routing.Alias,
        routing.AliasTarget,
        routing.AliasRule,
        routing.AliasArm,
        routing.AliasFallbacks,
        routing.AliasHedge,
        routing.AliasShadow,
    ),
    "resilience": (
        resilience.Resilience,
        resilience.Retries,
        resilience.Breaker,
        resilience.StreamProbe,
        resilience.HealthProbes,
    ),
    "server": (Admission,),
}


def read() -> dict[str, Any]:
    value = yaml.safe_load(ROUTING.read_text(encoding="utf-8"))
    assert isinstance(value, dict)
    return value


def keys_in(value: object) -> Iterator[str]:
    if isinstance(value, dict):
        yield from value
    children = value.values() if isinstance(value, dict) else value if isinstance(value, list) else ()
    for child in children:
        yield from keys_in(child)


@pytest.mark.parametrize("file", FILES, ids=lambda file: file.name)
def test_an_example_is_a_good_configuration(file: Path, tmp_path: Path) -> None:
    command = [sys.executable, "-m", "promptwire_server", "config", "check", str(file)]
    done = subprocess.run(command, env=environment(tmp_path, {}), capture_output=True, text=True, timeout=60, check=False)
    assert (done.returncode, done.stdout) == (0, f"{file}: good\n"), done.stderr
    assert done.stderr == ""


@pytest.mark.parametrize("section", SECTIONS)
def test_the_example_of_routing_shows_every_key_there_is(section: str) -> None:
    shown = set(keys_in(read()[section]))
    there = {field.alias or name for model in SECTIONS[section] for name, field in model.model_fields.items()}
    assert there - shown == set(), "deploy/examples/routing.yaml: show these, each with a comment"


def test_the_example_of_routing_shows_every_strategy() -> None:
    shown = {alias["strategy"] for alias in read()["models"].values() if isinstance(alias, dict) and "strategy" in alias}
    assert shown == set(get_args(routing.Strategy))


async def test_the_example_of_routing_answers_under_each_of_its_names(serve: Serve) -> None:
    config = read()
    server = serve(config)
    async with Promptwire(server.target) as client:
        for name in config["models"]:
            answer = await client.chat("Hello there", model=name)
            assert (answer.text, len(answer.attempts)) == ("Hello there", 1), name
            assert answer.attempts[0].chosen_because, name


async def test_the_rules_of_the_example_hold(serve: Serve) -> None:
    asked = {
        "rule 1": pb.ChatRequest(prompt="hi", labels={"region": "eu"}),
        "rule 2": pb.ChatRequest(prompt="hi", priority=pb.PRIORITY_LOW),
        "rule 3": pb.ChatRequest(prompt="word " * 2500),
        "rule 5": pb.ChatRequest(prompt="hi"),
    }
    server = serve(read())
    async with Promptwire(server.target) as client:
        answers = {rule: await client.chat(request) for rule, request in asked.items()}
    assert {rule: answer.attempts[0].chosen_because.startswith(f"{rule} of smart") for rule, answer in answers.items()} == dict.fromkeys(
        asked, True
    )
    assert (answers["rule 1"].variant, answers["rule 5"].variant in ("control", "trial")) == ("", True)
