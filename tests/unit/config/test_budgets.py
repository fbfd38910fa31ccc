"""The keys of budgets and alerts: values, faults, what is shown, what is masked."""

import pytest

from promptwire_server import config
from promptwire_server.core.budget import Alert, Budget, Calendar, Lifetime, PerCall, Rolling, Scope
from promptwire_server.exchequer import configured
from tests.unit.config.conftest import Bare, Configured

FULL = """
budgets:
  all: {limit_usd: "500.000000001", time_zone: Europe/Berlin, alerts: [50, 80, {percent: 100, channel: finance}]}
  shop: {tenant: shop, key: till, labels: {team: a}, window: {rolling: 7d}, limit_usd: 20, enforcement: soft}
  dear: {model: "openai/*", window: per_call, limit_usd: 0.1}
  ever: {chain: sum, principal: p, window: lifetime, limit_usd: "0"}
alerts:
  channels:
    finance: {webhook: "https://hooks.example.com/T0/secret", secret: whsec_c2VjcmV0, format: slack}
"""


def test_nothing_is_budgeted_without_a_word(bare: Bare) -> None:
    assert configured(bare()) == {}


def test_what_is_written_holds(load: Configured) -> None:
    alerts = (Alert(50), Alert(80), Alert(100, "finance"))
    assert configured(load(FULL)) == {
        "all": Budget("all", Scope(), Calendar("month", "Europe/Berlin"), 500_000_000_001, alerts=alerts),
        "shop": Budget("shop", Scope("shop", api_key_id="till", labels={"team": "a"}), Rolling(604_800), 20_000_000_000, hard=False),
        "dear": Budget("dear", Scope(model="openai/*"), PerCall(), 100_000_000),
        "ever": Budget("ever", Scope(principal="p", chain="sum"), Lifetime(), 0),
    }


def test_budgets_are_shown_as_they_can_be_written_and_secrets_are_not(load: Configured) -> None:
    shown = config.dump(load(FULL))
    assert "hooks.example.com" not in shown
    assert "whsec" not in shown
    assert "500.000000001" in shown
    written = shown.replace("webhook: '***'", "webhook: https://x.example.com").replace(
        "webhook: '********'", "webhook: https://x.example.com"
    )
    assert configured(load(written.replace("***", "https://x.example.com"))) == configured(load(FULL))


@pytest.mark.parametrize(
    ("text", "fault"),
    [
        ("budgets: {a: {}}", "budgets.a.limit_usd: is required"),
        ("budgets: {a: {limit_usd: ten}}", 'budgets.a.limit_usd: must be an amount of US dollars such as "500.00"'),
        ('budgets: {a: {limit_usd: "0.0000000001"}}', "budgets.a.limit_usd: has more than 9 decimals"),
        ("budgets: {a: {limit_usd: -1}}", "budgets.a.limit_usd: must be between 0 and"),
        ("budgets: {a: {limit_usd: 1, window: fortnight}}", "budgets.a.window"),
        ("budgets: {a: {limit_usd: 1, window: {rolling: 59s}}}", "must be whole seconds, from 1m to 366d"),
        ("budgets: {a: {limit_usd: 1, time_zone: Mars}}", "budgets.a.time_zone: must be a name of the IANA time zone database"),
        ("budgets: {a: {limit_usd: 1, model: fast}}", 'budgets.a.model: must be "provider/model", or "provider/*"'),
        ("budgets: {a: {limit_usd: 1, alerts: [0]}}", "budgets.a.alerts[0].percent"),
        ("budgets: {a: {limit_usd: 1, alerts: [50, 50]}}", "budgets.a.alerts[1]: is there already"),
        ("budgets: {a: {limit_usd: 1, alerts: [{percent: 5, channel: x}]}}", 'budgets.a.alerts[0].channel: "x" is no channel'),
        ("budgets: {a: {limit_usd: 1, window: per_call, alerts: [5]}}", "budgets.a.alerts: are of no use"),
        ("budgets: {a.b: {limit_usd: 1}}", "is no name of a budget"),
        ("alerts: {channels: {x: {webhook: ftp://x}}}", "alerts.channels.x.webhook: must be an address such as"),
        ("{budgets: {a: {limit_usd: 1}}, usage: {journal: false}, server: {workers: 2}}", "budgets: each worker would keep them by itself"),
    ],
)
def test_faults_say_what_to_do(load: Configured, text: str, fault: str) -> None:
    with pytest.raises(config.ConfigError) as raised:
        load(text)
    assert fault in str(raised.value)
