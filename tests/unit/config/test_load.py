"""Where values come from, and which wins."""

import json
import pickle
from pathlib import Path

import jsonschema
import pytest
import yaml

from promptwire_server import config
from promptwire_server.config.providers import Ollama, OpenAI
from promptwire_server.core.secret import Secret
from tests.unit.config.conftest import Bare, Configured


def openai(settings: config.Settings, name: str = "openai") -> OpenAI:
    provider = settings.providers[name]
    assert isinstance(provider, OpenAI)
    return provider


def test_nothing_at_all_is_a_whole_configuration(bare: Bare) -> None:
    settings = bare()
    assert str(settings.server.listen) == "127.0.0.1:50051"
    assert settings.default_model == "echo/echo"
    assert list(settings.providers) == ["echo"]
    assert settings.state_dir == Path("/home/x/.local/state/promptwire")
    assert settings.server.drain.pre_drain_s == 0
    assert settings.server.max_connection_age_grace_s == settings.server.max_call_duration_s


def test_an_empty_file_is_one_too(load: Configured) -> None:
    assert load("# nothing\n").default_model == "echo/echo"


def test_the_file_may_be_named_by_the_environment(load: Configured) -> None:
    load.path.write_text("logs: {level: debug}")
    assert config.load(None, {"PROMPTWIRE_CONFIG": str(load.path)}).logs.level == "debug"


def test_flags_win_over_variables_over_secret_files_over_the_file(load: Configured) -> None:
    for name in ("server__workers", "server__max_concurrent_calls", "server__join", "readme"):
        (load.directory / name).write_text("2")
    (load.directory / "server__join").unlink()
    text = f"""
        secrets_dir: {load.directory}
        server: {{workers: 1, max_concurrent_calls: 1, max_streams_per_connection: 1, keepalive: {{interval: 1s}}}}
        """
    environ = {"PROMPTWIRE_SERVER__WORKERS": "3", "PROMPTWIRE_SERVER__MAX_STREAMS_PER_CONNECTION": "3"}
    server = load(text, environ, server__max_streams_per_connection=4).server
    assert (server.workers, server.max_concurrent_calls, server.max_streams_per_connection, server.keepalive.interval_s) == (3, 2, 4, 1)


def test_a_loopback_server_drains_at_once_unless_told_otherwise(load: Configured) -> None:
    assert load("server: {drain: {grace: 1s}}").server.drain.pre_drain_s == 0
    assert load("server: {drain: {pre_drain: 3s}}").server.drain.pre_drain_s == 3
    assert load("server: {listen: ':1', insecure_bind: true}").server.drain.pre_drain_s == 5


@pytest.mark.parametrize("value", ["null", "", "~"])
def test_a_variable_can_switch_a_port_off(bare: Bare, value: str) -> None:
    assert bare({"PROMPTWIRE_SERVER__METRICS_LISTEN": value}).server.metrics_listen is None


def test_variables_write_lists_by_position_or_as_json(bare: Bare) -> None:
    key = "1" * 30  # digits stay a text
    one = bare({"PROMPTWIRE_AUTH__API_KEYS__0__NAME": "a", "PROMPTWIRE_AUTH__API_KEYS__0__KEY": key})
    other = bare({"PROMPTWIRE_AUTH__API_KEYS": json.dumps([{"name": "a", "key": key}])})
    assert one.auth == other.auth
    assert one.auth.api_keys[0].key == Secret(key)


def test_the_links_of_kubernetes_and_the_variables_of_the_client_are_left_alone(bare: Bare) -> None:
    links = {
        "PROMPTWIRE_SERVICE_HOST": "10.0.0.1",
        "PROMPTWIRE_SERVER_PORT_50051_TCP_ADDR": "10.0.0.1",
        "PROMPTWIRE_SERVER_SERVICE_PORT_GRPC": "50051",
        "PROMPTWIRE_PORT": "tcp://10.0.0.1:50051",
    }
    assert bare(links).notices == ()
    assert len(bare({"PROMPTWIRE_API_KEY": "of the client"}).notices) <= 1


def test_references_are_replaced_and_numbers_stay_numbers(load: Configured) -> None:
    text = """
        server: {workers: "${WORKERS:-4}", metrics_listen: "${METRICS:-null}"}
        state_dir: ${STATE:-}
        default_model: echo/$${x}-${NAME}
        """
    with_default = load(text, {"NAME": "n"})
    assert (with_default.server.workers, with_default.server.metrics_listen) == (4, None)
    assert with_default.default_model == "echo/${x}-n"
    assert load("server: {workers: '${WORKERS:-4}'}", {"WORKERS": "2"}).server.workers == 2
    assert load("server: {workers: '${WORKERS:-4}'}", {"WORKERS": ""}).server.workers == 4


def test_anchors_and_merge_keys_work(load: Configured) -> None:
    settings = load("""
        providers:
          a: &a {kind: openai, base_url: "http://a/v1", api_key: x}
          b: {<<: *a, base_url: "http://b/v1"}
        """)
    assert (openai(settings, "a").base_url, openai(settings, "b").base_url) == ("http://a/v1", "http://b/v1")


def test_relative_paths_start_at_the_file(load: Configured) -> None:
    (load.directory / "key").write_text("  sk-from-file\n")
    settings = load("""
        state_dir: state
        providers: {openai: {api_key_file: key}}
        """)
    assert settings.state_dir == load.directory / "state"
    assert openai(settings).api_key == Secret("sk-from-file")


def test_the_state_directory_follows_the_desktop_standard(bare: Bare) -> None:
    assert bare({"XDG_STATE_HOME": "/state"}).state_dir == Path("/state/promptwire")


def test_a_vendors_variable_makes_a_provider(bare: Bare) -> None:
    settings = bare({"OPENAI_API_KEY": "sk-1"})
    assert openai(settings).base_url == "https://api.openai.com/v1"
    assert openai(settings).api_key == Secret("sk-1")
    assert settings.default_model == "openai/gpt-4o-mini"


def test_a_vendors_address_may_come_from_its_variable(bare: Bare) -> None:
    settings = bare({"OPENAI_API_KEY": "sk-1", "OPENAI_BASE_URL": "http://proxy/v1/", "OLLAMA_HOST": "http://localhost:11434/v1"})
    assert openai(settings).base_url == "http://proxy/v1"
    ollama = settings.providers["ollama"]
    assert isinstance(ollama, Ollama)
    assert (ollama.base_url, ollama.api_key) == ("http://localhost:11434/v1", None)


def test_what_is_written_wins_over_a_vendors_variable(load: Configured) -> None:
    settings = load("providers: {openai: {api_key: mine, models: [gpt-4o]}}", {"OPENAI_API_KEY": "other"})
    assert openai(settings).api_key == Secret("mine")
    assert settings.default_model == "openai/gpt-4o"


def test_null_switches_a_provider_off(load: Configured) -> None:
    settings = load("providers: {openai: null, echo: null}", {"OPENAI_API_KEY": "sk-1"})
    assert dict(settings.providers) == {}
    assert settings.default_model == ""


def test_a_vendors_key_may_be_a_secret_file(load: Configured) -> None:
    (load.directory / "GROQ_API_KEY").write_text("gsk-1\n")
    settings = load(f"secrets_dir: {load.directory}")
    assert openai(settings, "groq").api_key == Secret("gsk-1")


def test_a_targets_model_must_be_among_those_that_the_provider_lists(load: Configured) -> None:
    text = "models: {fast: openai/b}\nproviders: {openai: {api_key: x, models: [a]}}"
    assert '"openai/b" is not among providers.openai.models' in load.faults(text)[0]


def test_an_alias_is_one_target_or_several(load: Configured) -> None:
    models = load("models: {one: echo/a, two: {targets: [echo/a, echo/b]}}\ndefault_model: two").models
    assert [[target.model for target in models[name].targets] for name in ("one", "two")] == [["echo/a"], ["echo/a", "echo/b"]]


def test_secrets_do_not_show_themselves(bare: Bare) -> None:
    settings = bare({"OPENAI_API_KEY": "sk-hidden", "PROMPTWIRE_PROVIDERS__OPENAI__HEADERS": '{"x-key": "sk-hidden"}'})
    assert "sk-hidden" not in f"{settings!r} {settings} {config.dump(settings)}"
    assert openai(settings).headers["x-key"].reveal() == "sk-hidden"


def test_a_secret_is_not_pickled() -> None:
    with pytest.raises(TypeError, match="not pickled"):
        pickle.dumps(Secret("x"))


def test_equal_secrets_are_equal_and_others_are_not() -> None:
    assert Secret("a") == Secret("a") != Secret("b")
    assert Secret("a") != "a"
    assert hash(Secret("a")) == hash(Secret("a"))


def test_the_dump_names_the_origin_of_every_value(load: Configured) -> None:
    settings = load("server: {workers: 2}", {"OPENAI_API_KEY": "sk-1"}, logs__level="debug")
    lines = config.dump(settings).replace(str(load.directory), "DIR").splitlines()
    assert "  workers: 2  # file DIR/p:1" in lines
    assert '  level: "debug"  # flag logs.level' in lines
    assert '    api_key: "***"  # environment OPENAI_API_KEY' in lines
    assert '  listen: "127.0.0.1:50051"  # default' in lines


def test_the_dump_is_a_configuration_of_the_same_effect(load: Configured) -> None:
    text = "models: {one: echo/a}\nserver: {max_call_duration: 90s, max_request_bytes: 5kB}\nauth: {api_keys: [{name: a, key_file: key}]}"
    (load.directory / "key").write_text("k" * 30)
    first = load(text)
    shown = yaml.safe_load(config.dump(first))
    shown["auth"]["api_keys"][0]["key"] = None
    again = load(yaml.safe_dump(shown))
    assert (again.server, again.auth, again.models, again.providers) == (first.server, first.auth, first.models, first.providers)


def test_the_dump_keeps_echo_off(load: Configured) -> None:
    shown = config.dump(load("providers: {echo: null}"))
    assert dict(load(shown).providers) == {}


def test_the_schema_is_valid_and_takes_what_the_loader_takes(load: Configured) -> None:
    schema = config.json_schema()
    jsonschema.Draft202012Validator.check_schema(schema)
    assert schema["$schema"] == "https://json-schema.org/draft/2020-12/schema"
    document = yaml.safe_load("""
        server: {listen: "[::1]:1", metrics_listen: null, max_call_duration: 1h30m, max_request_bytes: 16MiB}
        models: {fast: openai/x, best: {targets: [openai/x]}}
        providers: {openai: {kind: openai, api_key: "x"}, echo: null, demo: {kind: script, file: demo.yaml}}
        """)
    jsonschema.validate(document, schema)
    with pytest.raises(jsonschema.ValidationError):
        jsonschema.validate({"server": {"lisen": "x"}}, schema)


def test_every_key_of_the_schema_is_described_and_has_an_example() -> None:
    schema = config.json_schema()
    definitions = schema["$defs"]
    assert isinstance(definitions, dict)
    bare_keys = []
    for holder, definition in {**definitions, "": schema}.items():
        assert isinstance(definition, dict)
        properties = definition.get("properties", {})
        assert isinstance(properties, dict)
        for key, described in properties.items():
            assert isinstance(described, dict)
            reference = str(described.get("$ref", ""))
            is_section = bool(reference) or key == "api_keys"
            explained = definitions[reference.rpartition("/")[2]] if reference else described
            assert isinstance(explained, dict)
            if "description" not in explained or ("examples" not in described and not is_section):
                bare_keys.append(f"{holder}.{key}")
    assert bare_keys == []
