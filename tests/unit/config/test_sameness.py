"""The sections `dedup` and `idempotency`: what people write for on and off."""

import jsonschema
import pytest
import yaml

from promptwire_server.config.schema import json_schema
from promptwire_server.config.show import dump
from tests.unit.config.conftest import Bare, Configured


@pytest.mark.parametrize(
    ("written", "meant"), [("on", "on"), ("off", "off"), ("true", "on"), ("false", "off"), ('"on"', "on"), ("'off'", "off"), ("yes", "on")]
)
def test_dedup_is_switched_with_and_without_quotes(load: Configured, written: str, meant: str) -> None:
    text = f"dedup: {{default: {written}}}"
    settings = load(text)
    assert settings.dedup.default == meant
    assert load(dump(settings)).dedup.default == meant
    jsonschema.validate(yaml.safe_load(text), json_schema())


@pytest.mark.parametrize("written", ["on", "true"])
def test_dedup_is_switched_by_a_variable(bare: Bare, written: str) -> None:
    assert bare({"PROMPTWIRE_DEDUP__DEFAULT": written}).dedup.default == "on"


def test_dedup_is_on_or_off(load: Configured) -> None:
    assert "'off' or 'on'" in load.faults("dedup: {default: 1}")[-1]


def test_answers_are_kept_for_some_time(load: Configured) -> None:
    assert "idempotency.ttl: must be more than 0" in load.faults("idempotency: {ttl: 0s}")[-1]
