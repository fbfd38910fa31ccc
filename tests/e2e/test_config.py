"""Starting: what the configuration says is what runs, faults are all told at once, and an open door is refused."""

import asyncio
import subprocess
import sys
from collections.abc import Mapping
from pathlib import Path
from typing import Any

import pytest

from promptwire import Promptwire
from tests.e2e import process
from tests.e2e.conftest import Serve
from tests.faults.fake_provider.process import FakeProvider

SECRET = "sk-e2e-from-the-environment-0123456789"


def _refused(tmp_path: Path, config: Mapping[str, Any], *arguments: str, **environ: str) -> "subprocess.CompletedProcess[str]":
    """A server that must not start."""
    path = process.write_config(tmp_path, process.merged(process.base_config(tmp_path), config))
    return subprocess.run(
        [sys.executable, "-m", "promptwire_server", "serve", "--config", str(path), *arguments],
        env=process.environment(tmp_path, environ),
        cwd=tmp_path,
        capture_output=True,
        text=True,
        timeout=60,
        check=False,
    )


def test_all_faults_are_told_at_once_with_their_paths(tmp_path: Path) -> None:
    faulty = {
        "server": {"listen": "nowhere", "workerz": 2, "max_call_duration": "soon"},
        "models": {"fast": "nobody/none"},
        "logs": {"level": "loud"},
        "auth": {"api_keys": [{"name": "x", "key": "short"}]},
    }
    done = _refused(tmp_path, faulty)
    assert done.returncode == 2
    for path in ("server.listen", "server.workerz", "server.max_call_duration", "models.fast", "logs.level", "auth.api_keys[0].key"):
        assert path in done.stderr, done.stderr
    assert "workers" in done.stderr
    assert "short" not in done.stderr.replace("shorter", "")
    assert "Traceback" not in done.stderr


@pytest.mark.parametrize("address", ["0.0.0.0:0", "[::]:0"])
def test_an_open_door_is_refused_with_what_is_missing(tmp_path: Path, address: str) -> None:
    done = _refused(tmp_path, {"server": {"listen": address}})
    assert done.returncode == 2
    for word in ("server.listen", "API keys", "TLS", "127.0.0.1", "insecure_bind"):
        assert word in done.stderr


def test_keys_without_tls_are_refused_beyond_this_machine(tmp_path: Path) -> None:
    keys = {"api_keys": [{"name": "one", "key": "k" * 30}]}
    done = _refused(tmp_path, {"server": {"listen": "0.0.0.0:0"}, "auth": keys})
    assert done.returncode == 2
    assert "no TLS" in done.stderr
    assert "k" * 30 not in done.stderr


async def test_the_flag_that_names_the_danger_opens_the_door(serve: Serve) -> None:
    arguments = ["--danger-listen-without-auth-and-tls"]
    server = serve({"server": {"listen": "0.0.0.0:0", "drain": {"pre_drain": "0s"}}}, arguments=arguments)
    async with Promptwire(server.target) as client:
        assert (await client.chat("open")).text == "open"
    assert server.process.stdout is not None
    server.signal(15)
    banner = await asyncio.to_thread(server.process.stdout.read)
    assert "DANGER" in banner


async def test_the_environment_wins_over_the_file_and_flags_over_both(serve: Serve, fake: FakeProvider) -> None:
    environ = {
        "PROMPTWIRE_DEFAULT_MODEL": "quick",
        "PROMPTWIRE_MODELS": '{"quick": "mine/fake"}',
        "PROMPTWIRE_PROVIDERS__MINE__KIND": "openai",
        "PROMPTWIRE_PROVIDERS__MINE__BASE_URL": fake.base_url,
        "PROMPTWIRE_PROVIDERS__MINE__API_KEY": "${MY_KEY:-none}",
        "PROMPTWIRE_SERVER__REFLECTION": "true",
        "MY_KEY": SECRET,
    }
    server = serve({"default_model": "echo/echo"}, environ=environ, arguments=["--set", "server.reflection=false"])
    async with Promptwire(server.target) as client:
        response = await client.chat("environment")
        assert response.provider == "mine"
    assert SECRET not in server.log.text
    done = await asyncio.to_thread(
        subprocess.run, [sys.executable, "-c", _REFLECT, server.target], capture_output=True, text=True, check=False, timeout=30
    )
    assert "UNIMPLEMENTED" in done.stdout, done.stderr


_REFLECT = """
import sys, grpc
with grpc.insecure_channel(sys.argv[1]) as channel:
    call = channel.stream_stream("/grpc.reflection.v1.ServerReflection/ServerReflectionInfo")
    try:
        print(list(call(iter([b"\\x3a\\x00"]), timeout=10)))
    except grpc.RpcError as error:
        print(error.code().name)
"""


async def test_the_vendors_own_variables_are_enough(serve: Serve, fake: FakeProvider) -> None:
    server = serve(environ={"OPENAI_API_KEY": SECRET, "OPENAI_BASE_URL": fake.base_url})
    async with Promptwire(server.target) as client:
        response = await client.chat("vendor")
        assert response.provider == "openai"
        info = await client.server_info()
        assert info.default_model.startswith("openai/")
    assert SECRET not in server.log.text


async def test_a_vendor_is_asked_in_its_own_words_wherever_it_is(serve: Serve, fake: FakeProvider) -> None:
    config = {
        "providers": {"groq": {"base_url": fake.base_url}, "mine": {"vendor": "mistral", "base_url": fake.base_url, "api_key": SECRET}}
    }
    server = serve(config, environ={"GROQ_API_KEY": SECRET})
    async with Promptwire(server.target) as client:
        for model in ("groq/vendors", "mine/vendors"):
            answer = await client.chat("vendor", model=model, max_output_tokens=3, seed=7)
            assert (answer.provider, len(answer.text.split())) == (model.partition("/")[0], 3)
    groq, mistral = await fake.aledger(model="vendors", ended=2)
    assert (groq["body"]["max_completion_tokens"], groq["body"]["seed"]) == (3, 7)
    assert (mistral["body"]["max_tokens"], mistral["body"]["random_seed"]) == (3, 7)
    assert SECRET not in server.log.text


def test_an_unknown_variable_that_is_nearly_a_setting_is_a_fault(tmp_path: Path) -> None:
    done = _refused(tmp_path, {}, PROMPTWIRE_SERVER_LISTEN="127.0.0.1:1")
    assert done.returncode == 2
    assert "PROMPTWIRE_SERVER__LISTEN" in done.stderr


def test_a_missing_file_and_no_yaml_are_told(tmp_path: Path) -> None:
    (tmp_path / "bad.yaml").write_text("server: [")
    for name in ("nothing.yaml", "bad.yaml"):
        done = subprocess.run(
            [sys.executable, "-m", "promptwire_server", "serve", "--config", str(tmp_path / name)],
            env=process.environment(tmp_path, {}),
            capture_output=True,
            text=True,
            timeout=60,
            check=False,
        )
        assert done.returncode == 2
        assert name in done.stderr
        assert "Traceback" not in done.stderr


async def test_a_unix_socket_is_served(serve: Serve, tmp_path: Path) -> None:
    path = tmp_path / "s"
    serve({"server": {"listen": f"unix:{path}"}})
    async with Promptwire(f"unix:{path}") as client:
        assert (await client.chat("local")).text == "local"
