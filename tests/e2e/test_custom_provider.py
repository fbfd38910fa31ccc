"""A provider of the operator's own, in a real server: found by its entry point, whole and streamed."""

import asyncio
import subprocess
import sys
from pathlib import Path

import pytest

from promptwire import Promptwire
from tests.e2e import process
from tests.e2e.conftest import Serve
from tests.e2e.process import ROOT

PACKAGE = Path(__file__).parent / "custom_provider"
ENVIRON = {"PYTHONPATH": f"{ROOT}:{PACKAGE}"}
LOUD = {"kind": "custom", "entry_point": "shouter", "options": {"mark": "!!"}}


@pytest.mark.parametrize("workers", [1, 2])
async def test_the_example_answers(serve: Serve, workers: int) -> None:
    server = serve({"providers": {"loud": LOUD}, "server": {"workers": workers}}, environ=ENVIRON)
    async with Promptwire(server.target) as client:
        answer = await client.chat("hello there", model="loud/any")
        assert (answer.text, answer.provider, answer.model) == ("HELLO THERE!!", "loud", "any")
        assert (answer.usage.input_tokens, answer.usage.output_tokens, answer.usage.estimated) == (2, 2, False)
        assert [text async for text in client.stream_chat("hello there", model="loud/any")] == ["HELLO ", "THERE!!"]
        assert "loud/shouter" in [model.name for model in await client.list_models()]


@pytest.mark.parametrize(
    ("section", "told"),
    [
        (
            {**LOUD, "entry_point": "whisperer"},
            'nothing that is installed has "whisperer" in the group promptwire.providers; there are shouter',
        ),
        ({**LOUD, "options": {"mark": 1}}, "providers.loud.options.mark: must be a text in quotes"),
    ],
)
async def test_what_cannot_be_made_is_told_at_start(tmp_path: Path, section: dict[str, object], told: str) -> None:
    path = process.write_config(tmp_path, process.merged(process.base_config(tmp_path), {"providers": {"loud": section}}))
    done = await asyncio.to_thread(
        subprocess.run,
        [sys.executable, "-m", "promptwire_server", "serve", "--config", str(path)],
        env=process.environment(tmp_path, ENVIRON),
        cwd=tmp_path,
        capture_output=True,
        text=True,
        timeout=60,
        check=False,
    )
    assert done.returncode != 0
    assert told in done.stderr.replace('\\"', '"'), done.stderr
    assert "Traceback" not in done.stderr
