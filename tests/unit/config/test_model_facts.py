"""The section `model_facts`: exact prices, named faults, and what the book makes of it."""

from decimal import Decimal

import pytest

from promptwire import v1 as pb
from promptwire_server.config.model_facts import ModelFacts
from promptwire_server.config.show import dump
from tests.unit.config.conftest import Configured


@pytest.mark.parametrize("written", ["0.15", '"0.15"', "'0.150'"])
def test_a_price_is_exact_however_it_is_written(load: Configured, written: str) -> None:
    settings = load(f"model_facts: {{echo/echo: {{input_usd_per_1m: {written}}}}}")
    assert settings.model_facts["echo/echo"].input_usd_per_1m == Decimal("0.15")


@pytest.mark.parametrize(
    ("written", "fault"),
    [
        ("-1", "must be between 0 and 1000000 US dollars"),
        ("2000000", "must be between 0 and 1000000 US dollars"),
        (".inf", "must be between 0 and 1000000 US dollars"),
        ("0.0000001", "has more than 6 decimals"),
        ("$5", "without currency or unit"),
        ("true", "must be an amount of US dollars"),
        ("[1]", "must be an amount of US dollars"),
    ],
)
def test_what_is_no_amount_is_refused_with_its_path(load: Configured, written: str, fault: str) -> None:
    (found,) = load.faults(f"model_facts: {{echo/echo: {{output_usd_per_1m: {written}}}}}")
    assert found.startswith("model_facts.echo/echo.output_usd_per_1m: ")
    assert fault in found


@pytest.mark.parametrize("name", ["fast", "/x", "openai/"])
def test_facts_stand_under_provider_and_model(load: Configured, name: str) -> None:
    (found,) = load.faults(f'model_facts: {{"{name}": {{}}}}')
    assert found.startswith(f'model_facts.{name}: must be "provider/model"')


def test_unknown_keys_and_capabilities_and_limits_of_nothing_are_refused(load: Configured) -> None:
    faults = "\n".join(load.faults("model_facts: {echo/echo: {contxt_window: 5, context_window: 0, capabilities: [fly]}}"))
    assert "contxt_window: there is no such key in model_facts.echo/echo; did you mean `context_window`?" in faults
    assert "model_facts.echo/echo.context_window: must be at least 1" in faults
    assert "model_facts.echo/echo.capabilities[0]: must be one of 'chat'" in faults


def test_facts_that_nothing_asks_for_are_only_a_notice(load: Configured) -> None:
    settings = load("model_facts: {nobody/x: {context_window: 5}, echo/echo: {}}")
    assert settings.notices == ('model_facts is of no use: "nobody/x": no provider is called "nobody"; there are echo',)


def test_every_capability_of_the_contract_can_be_written() -> None:
    names = [name.removeprefix("CAPABILITY_").lower() for name in pb.Capability.keys() if name != "CAPABILITY_UNSPECIFIED"]  # noqa: SIM118
    assert ModelFacts.model_validate({"capabilities": names}).capabilities == names


def test_what_is_shown_can_be_read_again(load: Configured) -> None:
    settings = load("model_facts: {echo/echo: {input_usd_per_1m: 1.50, capabilities: [chat]}}")
    assert load(dump(settings)).model_facts == settings.model_facts
