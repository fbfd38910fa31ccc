"""The Prometheus text format, checked by its own parser."""

import pytest
from prometheus_client import CollectorRegistry, Counter, Gauge, Histogram
from prometheus_client.parser import text_string_to_metric_families

from promptwire_server.layers.exposition import merge, render
from promptwire_server.layers.metrics import Metrics

Samples = dict[tuple[str, tuple[tuple[str, str], ...]], float]


def samples(text: str) -> Samples:
    return {
        (sample.name, tuple(sorted(sample.labels.items()))): sample.value
        for family in text_string_to_metric_families(text)
        for sample in family.samples
    }


@pytest.fixture
def registry() -> CollectorRegistry:
    registry = CollectorRegistry()
    counter = Counter("calls", "How many.\nReally.", ["who"], registry=registry)
    counter.labels('a "b" \\ c\nd').inc(2)
    Gauge("depth", "How deep.", registry=registry).set(float("inf"))
    Histogram("took_seconds", "How long.", buckets=(0.5, 1), registry=registry).observe(0.7)
    return registry


def test_the_text_says_what_the_registry_holds(registry: CollectorRegistry) -> None:
    said = samples(render(registry.collect()))
    assert said[("calls_total", (("who", 'a "b" \\ c\nd'),))] == 2
    assert said[("depth", ())] == float("inf")
    assert [said[("took_seconds_bucket", (("le", bound),))] for bound in ("0.5", "1.0", "+Inf")] == [0, 1, 1]
    assert "# TYPE calls_total counter" in render(registry.collect())


def test_nothing_is_an_empty_text() -> None:
    assert render([]) == ""
    assert merge([]) == ""


def test_merged_samples_of_equal_name_and_labels_are_added_up() -> None:
    one, other = Metrics(), Metrics()
    one.rpc_finished("Chat", 0, "")
    other.rpc_finished("Chat", 0, "")
    other.rpc_finished("Chat", 14, "OVERLOADED")
    one.in_flight, other.in_flight = 3, 4
    for metrics in (one, other):
        metrics.of_model("", "", answered=True).ended("OK", 0, 0.1)
    said = samples(merge([one.text(), other.text()]))
    assert said[("promptwire_requests_total", (("code", "OK"), ("reason", ""), ("rpc", "Chat")))] == 2
    assert said[("promptwire_requests_total", (("code", "UNAVAILABLE"), ("reason", "OVERLOADED"), ("rpc", "Chat")))] == 1
    assert said[("promptwire_chats_in_flight", ())] == 7
    assert said[("promptwire_chat_duration_seconds_bucket", (("le", "+Inf"), ("model", ""), ("provider", "")))] == 2


def test_facts_of_the_program_are_not_added_up() -> None:
    text = Metrics().text()
    alone, merged = samples(text), samples(merge([text, text]))
    for key, value in alone.items():
        if key[0] in ("python_info", "process_start_time_seconds", "process_max_fds"):
            assert merged[key] == value
    assert any(key[0] == "process_start_time_seconds" for key in alone)


def test_merging_one_text_changes_no_sample() -> None:
    text = Metrics().text()
    assert samples(merge([text])) == samples(text)


def test_what_is_no_exposition_is_refused() -> None:
    with pytest.raises(ValueError, match=r".+"):
        merge(["<html>{{{"])


def test_a_store_is_up_when_every_worker_says_so() -> None:
    text = '# TYPE promptwire_store_up gauge\npromptwire_store_up{{store="redis"}} {}\n'
    assert samples(merge([text.format(1), text.format(1)]))[("promptwire_store_up", (("store", "redis"),))] == 1
    assert samples(merge([text.format(1), text.format(0)]))[("promptwire_store_up", (("store", "redis"),))] == 0
