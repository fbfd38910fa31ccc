"""Everything that is wrong is said at once, with key path and line."""

from pathlib import Path

import pytest

from promptwire_server import config
from tests.unit.config.conftest import Bare, Configured
from tests.unit.rpc.certificates import authority


def test_all_faults_come_in_one_message_in_the_order_of_the_file(load: Configured) -> None:
    faults = load.faults("""
        server:
          lisen: x
          workers: many
          max_call_duration: 3 parsecs
        auth:
          api_keys:
            - {name: a, key: short}
            - {name: a, key_file: absent}
        providers:
          openai: {api_key: "${ABSENT}"}
          x: {kind: opnai}
        logs: {level: loud}
        loggs: 1
        """)
    assert faults == [
        "server.lisen: there is no such key in server; did you mean `listen`? (file DIR/p:3)",
        "server.workers: must be a whole number (file DIR/p:4)",
        'server.max_call_duration: must be a duration such as "250ms", "30s" or "1h30m" (file DIR/p:5)',
        "auth.api_keys[0].key: is too easy to guess with 5 characters; use at least 20, e.g. from `openssl rand -hex 24` (file DIR/p:8)",
        'auth.api_keys[1].name: "a" is also the name of auth.api_keys[0]; names are unique (file DIR/p:9)',
        "auth.api_keys[1].key_file: cannot read DIR/absent: No such file or directory (file DIR/p:9)",
        "providers.openai.api_key: refers to ${ABSENT}, which is not set; set it, or write ${ABSENT:-default} (file DIR/p:11)",
        "providers.x: kind must be one of 'openai', 'anthropic', 'gemini', 'ollama', 'azure', 'custom', 'echo', 'script' (file DIR/p:12)",
        "logs.level: must be one of 'debug', 'info', 'warning' or 'error' (file DIR/p:13)",
        "loggs: there is no such key at the top; did you mean `logs`? (file DIR/p:14)",
    ]


def test_an_unknown_key_without_a_likely_one_lists_those_there_are(load: Configured) -> None:
    (fault,) = load.faults("logs: {zzz: 1}")
    assert fault.startswith("logs.zzz: there is no such key in logs; there are level, format (file")


def test_an_unknown_key_of_a_provider_is_found_among_those_of_its_kind(load: Configured) -> None:
    (fault,) = load.faults("providers: {o: {kind: openai, base_ur: http://x}}", {})[:1]
    assert "providers.o.base_ur" in fault
    assert "did you mean `base_url`?" in fault


@pytest.mark.parametrize(
    ("text", "expected"),
    [
        ("- a", "must hold keys such as `server:`"),
        ("just text", "must hold keys such as `server:`"),
        ("server: [", "is no YAML"),
        ("server: \x07", "is no YAML"),
        ("server: 5", "server: must be a section"),
        ("models: []", "models: must be a section"),
        ("auth: {api_keys: x}", "auth.api_keys: must be a list"),
        ("server: &a {tls: *a}", "an anchor may not hold itself"),
        ("server: {}\nserver: {}", "stands here twice; the first is on line 1"),
        ("default_model: ${A B}", 'has a "${" that names no variable'),
        ("server: {reflection: perhaps}", "server.reflection: must be true or false"),
        ("server: {workers: 0}", "server.workers: must be at least 1"),
        ("server: {listen: 5}", "server.listen: must be a text"),
        ("models: {fast: {targets: []}}", "models.fast.targets: needs at least one entry"),
        ("models: {'a b': x/y}", "models.a b: is no good name"),
        ("models: {a: echo/x, b/c: echo/x}", "is no good name"),
        ("providers: {x: {kind: script}}", "providers.x.file: is required"),
        (
            "providers: {x: {base_url: http://y}}",
            "providers.x: needs a `kind`: openai, anthropic, gemini, ollama, azure, ",
        ),
        ("providers: {x: {kind: openai}}", "providers.x.base_url: is required"),
        ("providers: {x: {kind: openai, base_url: 'ftp://y'}}", "providers.x.base_url: must be an address such as"),
        ("providers: {x: {kind: openai, base_url: 'http://u:p@y'}}", "providers.x.base_url: must be an address such as"),
        ("providers: {openai: {}}", "providers.openai: has no key: write `api_key` or `api_key_file`, or set OPENAI_API_KEY"),
        ("providers: {openai: {api_key: ''}}", "providers.openai.api_key: must be a text in quotes, not empty"),
        ("providers: {openai: {api_key: 123}}", "providers.openai.api_key: must be a text in quotes, not empty"),
        ("models: {fast: nobody/x}", 'models.fast: "nobody/x": no provider is called "nobody"; there are echo'),
        ("models: {fast: plain}", 'models.fast: "plain" must be "provider/model"'),
        ("default_model: fsat", 'default_model: "fsat" must be "provider/model", such as'),
        ("{default_model: fsat, models: {fast: echo/x}}", 'nor "provider/model"; did you mean "fast"?'),
        ("server: {tls: {cert_file: absent}}", "server.tls.key_file: is required beside cert_file"),
        ("server: {tls: {cert_file: absent, key_file: absent}}", "server.tls.cert_file: cannot read DIR/absent"),
        ("server: {tls: {client_ca_file: absent}}", "has no effect without cert_file"),
        ("server: {health_listen: '127.0.0.1:50051'}", "server.health_listen: is the same address as server.listen"),
        ("server: {metrics_listen: '0.0.0.0:50051'}", "server.metrics_listen: is the same address as server.listen"),
        ("server: {metrics_listen: 'unix:/x'}", 'server.metrics_listen: must be "host:port"'),
        ("server: {listen: 'unix:/x', workers: 2}", "server.workers: must be 1 on a Unix socket"),
        ("auth: {api_keys: [{name: a}]}", "auth.api_keys[0]: needs either `key` or `key_file`"),
        ("secrets_dir: absent", "secrets_dir: cannot read DIR/absent"),
    ],
)
def test_each_fault_says_where_and_what(load: Configured, text: str, expected: str) -> None:
    faults = load.faults(text)
    assert any(expected in fault for fault in faults), faults


def test_two_sources_of_one_key_are_a_fault(load: Configured) -> None:
    (load.directory / "key").write_text("k" * 20)
    faults = load.faults("""
        auth: {api_keys: [{name: a, key: kkkkkkkkkkkkkkkkkkkkkkkkk, key_file: key}]}
        providers: {openai: {api_key: x, api_key_file: key}}
        """)
    assert ["keep one" in fault for fault in faults] == [True, True]


def test_a_short_key_from_a_file_is_refused_too(load: Configured) -> None:
    (load.directory / "key").write_text("short\n")
    (fault,) = load.faults("auth: {api_keys: [{name: a, key_file: key}]}")
    assert "auth.api_keys[0].key_file: is too easy to guess with 5 characters" in fault


def test_an_absent_file_is_named(tmp_path: Path) -> None:
    with pytest.raises(config.ConfigError, match=r"cannot read the configuration file: No such file .*absent\.yaml"):
        config.load(str(tmp_path / "absent.yaml"), {})


def test_a_broken_section_does_not_blame_what_rests_on_it(load: Configured) -> None:
    faults = load.faults("""
        models: {fast: openai/x}
        default_model: fast
        providers: {openai: {kind: openai, max_connections: none}}
        """)
    assert [fault.partition(":")[0] for fault in faults] == ["providers.openai.max_connections"]


def test_no_fault_quotes_a_key(load: Configured) -> None:
    secret = "sk-verysecret"
    faults = load.faults(f"""
        auth: {{api_keys: [{{name: a, key: {secret}}}, {{name: "{secret} ", key: {secret}}}]}}
        providers: {{openai: {{api_key: [{secret}], organization: [{secret}]}}}}
        """)
    assert len(faults) >= 3
    assert secret not in "\n".join(faults)


DANGEROUS = [
    ("", "no API keys (auth.api_keys) and no TLS (server.tls)", "whoever reaches the port can spend your money at the providers and read"),
    ("auth: {api_keys: [{name: a, key: aaaaaaaaaaaaaaaaaaaaaaaaaa}]}", "no TLS (server.tls)", "would travel readable for everybody"),
]


@pytest.mark.parametrize(("rest", "lacking", "danger"), DANGEROUS)
@pytest.mark.parametrize("listen", ["0.0.0.0:50051", "[::]:50051", ":50051", "gateway.example.org:50051"])
def test_an_open_door_is_refused_with_its_danger_and_the_key(load: Configured, listen: str, rest: str, lacking: str, danger: str) -> None:
    (fault,) = load.faults(f"{rest}\nserver: {{listen: '{listen}'}}")
    assert f"there is {lacking}" in fault
    assert danger in fault
    assert "server.insecure_bind: true" in fault


def test_an_open_door_is_accepted_by_name(load: Configured) -> None:
    settings = load("server: {listen: '0.0.0.0:50051', insecure_bind: true}")
    assert not settings.server.listen.loopback


def test_keys_and_tls_close_the_door(load: Configured) -> None:
    pair = authority("gateway")
    (load.directory / "pem").write_bytes(pair.key_pem + pair.cert_pem)
    settings = load("""
        server: {listen: "0.0.0.0:50051", tls: {cert_file: pem, key_file: pem}}
        auth: {api_keys: [{name: a, key: aaaaaaaaaaaaaaaaaaaaaaaaaa}]}
        """)
    assert settings.server.tls.cert_file == load.directory / "pem"


def test_a_variable_that_is_nearly_one_is_a_fault(bare: Bare) -> None:
    with pytest.raises(config.ConfigError, match="PROMPTWIRE_SERVER_LISTEN names no setting; did you mean PROMPTWIRE_SERVER__LISTEN"):
        bare({"PROMPTWIRE_SERVER_LISTEN": "x"})


def test_an_unknown_key_in_a_variable_names_the_variable(bare: Bare) -> None:
    with pytest.raises(config.ConfigError, match=r"server\.lisen: .*did you mean `listen`\? \(environment PROMPTWIRE_SERVER__LISEN\)"):
        bare({"PROMPTWIRE_SERVER__LISEN": "127.0.0.1:1"})


@pytest.mark.parametrize(
    ("name", "value", "expected"),
    [
        ("PROMPTWIRE_SERVER__", "x", "names no setting"),
        ("PROMPTWIRE_AUTH__API_KEYS", "[{", "begins like a list or mapping but is none"),
        ("PROMPTWIRE_AUTH__API_KEYS__1__NAME", "x", "positions of a list are numbers from 0"),
    ],
)
def test_a_malformed_variable_is_a_fault(bare: Bare, name: str, value: str, expected: str) -> None:
    with pytest.raises(config.ConfigError, match=expected):
        bare({name: value})
