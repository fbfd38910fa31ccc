"""Numbers, and the bound on their labels."""

import pytest

from promptwire import v1 as pb
from promptwire_server.layers.metrics import DURATION_S, Buckets, Metrics


def test_unknown_models_that_do_not_answer_share_one_label() -> None:
    metrics = Metrics([("openai", "gpt-4o")], ["openai"])
    for number in range(1000):
        metrics.of_model("openai", f"invented-{number}", answered=False).ended("NOT_FOUND", 0, 0.1)
    labels = {"provider": "openai", "model": "other", "outcome": "NOT_FOUND", "served_from": "UNSPECIFIED"}
    assert metrics.registry.get_sample_value("promptwire_chats_total", labels) == 1000


def test_models_that_answer_have_labels_up_to_a_bound() -> None:
    metrics = Metrics([("openai", "gpt-4o")], ["openai"])
    series = {id(metrics.of_model("openai", f"m-{number}", answered=True)) for number in range(1000)}
    assert 50 < len(series) < 200
    assert metrics.of_model("openai", "gpt-4o", answered=False) is metrics.of_model("openai", "gpt-4o", answered=True)


@pytest.mark.parametrize("name", ["m" * 129, "a\0b"])
def test_a_name_that_is_no_label_counts_as_other(name: str) -> None:
    metrics = Metrics([], ["openai"])
    metrics.of_model("openai", name, answered=True).ended("OK", 0, 0.1)
    labels = {"provider": "openai", "model": "other", "outcome": "OK", "served_from": "UNSPECIFIED"}
    assert metrics.registry.get_sample_value("promptwire_chats_total", labels) == 1


def test_providers_that_are_not_configured_share_one_label() -> None:
    metrics = Metrics([], ["openai"])
    assert metrics.of_model("nobody", "x", answered=True) is metrics.of_model("else", "y", answered=True)


def test_buckets_count_values_up_to_and_including_their_bound() -> None:
    buckets = Buckets((1.0, 2.0))
    for value in (0.5, 1.0, 1.5, 2.0, 9.0):
        buckets.add(value)
    assert buckets.cumulated() == ([("1.0", 2), ("2.0", 4), ("+Inf", 5)], 14.0)
    assert list(DURATION_S) == sorted(DURATION_S)


def test_requests_are_counted_by_method_status_and_reason() -> None:
    metrics = Metrics()
    metrics.rpc_finished("ChatService/Chat", 0, "")
    metrics.rpc_finished("ChatService/Chat", 14, "OVERLOADED")
    metrics.rpc_finished("ChatService/Chat", 14, "OVERLOADED")
    labels = {"rpc": "ChatService/Chat", "code": "UNAVAILABLE", "reason": "OVERLOADED"}
    assert metrics.registry.get_sample_value("promptwire_requests_total", labels) == 2
    assert metrics.registry.get_sample_value("promptwire_requests_total", {**labels, "code": "OK", "reason": ""}) == 1


def test_tokens_are_counted_by_direction() -> None:
    metrics = Metrics([("openai", "m")], ["openai"])
    usage = pb.Usage(
        input_tokens=9, output_tokens=5, cached_input_tokens=4, cache_write_5m_tokens=2, cache_write_1h_tokens=1, reasoning_tokens=3
    )
    metrics.of_model("openai", "m", answered=True).took(usage, pb.Cost(total_nano_usd=7))
    counted = {
        direction: metrics.registry.get_sample_value(
            "promptwire_tokens_total", {"provider": "openai", "model": "m", "direction": direction}
        )
        for direction in ("input", "output", "cached_input", "cache_write", "reasoning")
    }
    assert counted == {"input": 9, "output": 5, "cached_input": 4, "cache_write": 3, "reasoning": 3}


def test_two_sets_of_metrics_do_not_meet() -> None:
    one, other = Metrics(), Metrics()
    one.attempted("openai", "OK")
    labels = {"provider": "openai", "outcome": "OK"}
    assert other.registry.get_sample_value("promptwire_upstream_attempts_total", labels) is None


def test_the_process_is_measured_too() -> None:
    assert Metrics().registry.get_sample_value("process_resident_memory_bytes")
