"""The keys of admission: defaults, values, faults, and what admission makes of them."""

import pytest

from promptwire import v1 as pb
from promptwire_server.convert import admission_settings, api_keys
from promptwire_server.layers.admission.settings import AdmissionSettings
from tests.unit.config.conftest import Bare, Configured

KEY = "pw-0123456789abcdef0123"


def test_without_a_word_the_ceiling_is_as_ever_and_the_limit_follows_latency(bare: Bare) -> None:
    found = admission_settings(bare({"PROMPTWIRE_SERVER__ADMISSION__MEMORY_LIMIT": "0"}))
    assert found == AdmissionSettings()
    assert (found.ceiling_calls, found.adaptive) == (1024, True)


def test_what_is_written_holds(load: Configured) -> None:
    settings = load(
        """
        server:
          workers: 2
          max_concurrent_calls: 64
          admission: {adaptive: false, min_concurrent_calls: 8, queue_calls: 32, max_wait: 2s, memory_limit: 1GiB}
        tenants: {shop: {weight: 2.5}}
        """
    )
    assert admission_settings(settings) == AdmissionSettings(
        ceiling_calls=64,
        floor_calls=8,
        adaptive=False,
        queue_calls=32,
        max_wait_s=2.0,
        weights={"shop": 2.5},
        memory_limit_bytes=1 << 29,  # of each worker
    )


@pytest.mark.parametrize(
    ("text", "path"),
    [
        ("server: {max_concurrent_calls: 4, admission: {min_concurrent_calls: 8}}", "server.admission.min_concurrent_calls"),
        ("server: {admission: {min_concurrent_calls: 0}}", "server.admission.min_concurrent_calls"),
        ("server: {admission: {max_wait: soon}}", "server.admission.max_wait"),
        ("server: {admission: {queues: 1}}", "server.admission.queues"),
        ("tenants: {shop: {weight: 0}}", "tenants.shop.weight"),
        (f"auth: {{api_keys: [{{name: a, key: {KEY}, max_priority: top}}]}}", "auth.api_keys[0].max_priority"),
    ],
)
def test_faults_name_their_keys(load: Configured, text: str, path: str) -> None:
    assert path in "\n".join(load.faults(text))


def test_a_low_ceiling_needs_no_word_about_the_floor(load: Configured) -> None:
    assert admission_settings(load("server: {max_concurrent_calls: 1}")).ceiling_calls == 1


def test_a_key_says_how_urgent_its_calls_may_be(load: Configured) -> None:
    keys = api_keys(load(f"auth: {{api_keys: [{{name: a, key: {KEY}}}, {{name: b, key: {KEY}b, max_priority: critical}}]}}"))
    assert [key.max_priority for key in keys] == [pb.PRIORITY_HIGH, pb.PRIORITY_CRITICAL]
