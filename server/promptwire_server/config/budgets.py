"""Keys of the configuration that say what may be spent, and who is told."""

import re
from collections.abc import Iterator, Mapping
from decimal import Decimal, InvalidOperation
from typing import Annotated, Final, Literal

from pydantic import AfterValidator, BeforeValidator, Field, PlainSerializer, PlainValidator, WithJsonSchema

from promptwire_server.config.section import Name, Seconds, SecretText, Section, as_secret, shown_secret
from promptwire_server.core.budget import MOST_NANO_USD, known_zone
from promptwire_server.core.secret import Credential, Secret

_NANO: Final = 1_000_000_000
_MOST_USD: Final = MOST_NANO_USD // _NANO
_HTTP: Final = re.compile(r"https?://[^\s/]+\S*")
_MODEL: Final = re.compile(r"[^/\s]+/\S+")
_SHORTEST_S, _LONGEST_S = 60, 366 * 86_400
_MOST_ALERTS: Final = 16


def _dollars(value: object) -> Decimal:
    """An exact amount; of a float, the digits that were written."""
    if isinstance(value, bool) or not isinstance(value, int | float | str | Decimal):
        raise ValueError('must be an amount of US dollars such as "500.00"')  # noqa: TRY004 - pydantic collects ValueError only
    try:
        amount = Decimal(str(value).strip())
    except InvalidOperation:
        raise ValueError('must be an amount of US dollars such as "500.00", without currency or unit') from None
    if not amount.is_finite() or not 0 <= amount <= _MOST_USD:
        raise ValueError(f"must be between 0 and {_MOST_USD} US dollars")
    if amount * _NANO != (amount * _NANO).to_integral_value():
        raise ValueError("has more than 9 decimals; money is counted in nano-dollars")
    return amount


def _zone(value: str) -> str:
    if not known_zone(value):
        raise ValueError('must be a name of the IANA time zone database, e.g. "Europe/Berlin"')
    return value


def _model(value: str) -> str:
    if not _MODEL.fullmatch(value):
        raise ValueError('must be "provider/model", or "provider/*"; aliases are refused, since they move')
    return value


def _rolling(value: float) -> float:
    if value != int(value) or not _SHORTEST_S <= value <= _LONGEST_S:
        raise ValueError("must be whole seconds, from 1m to 366d")
    return value


def _webhook(value: object) -> Secret:
    """The address; whoever has that of a Slack channel may write there. Raises ValueError, which does not quote it."""
    secret = as_secret(value)
    if not (isinstance(secret, Credential) and not secret.known) and not _HTTP.fullmatch(secret.reveal()):
        raise ValueError('must be an address such as "https://hooks.example.com/budgets"')
    return secret


def _alert(value: object) -> object:
    return {"percent": value} if isinstance(value, int) else value


class Rolling(Section):
    """Always the time just passed."""

    rolling_s: Annotated[Seconds, AfterValidator(_rolling)] = Field(
        alias="rolling", description="How long, from 1m to 366d.", examples=["7d"]
    )


class Alert(Section):
    """When somebody is told."""

    percent: int = Field(ge=1, le=1000, description="Per cent of the limit, spent and held together.", examples=[80])
    channel: Name | None = Field(
        None, description="Who is told: one of alerts.channels. Default: the log and a metric only.", examples=["finance"]
    )


class Budget(Section):
    """A limit of what may be spent, on calls for which everything holds that is set."""

    tenant: Name | None = Field(None, description="Only calls of this tenant.", examples=["shop"])
    principal: str | None = Field(None, max_length=256, description="Only calls of this principal.", examples=["search-backend"])
    key: str | None = Field(None, max_length=256, description="Only calls with this API key, by name.", examples=["search-backend"])
    chain: str | None = Field(None, max_length=256, description="Only calls of this chain.", examples=["summarise"])
    model: Annotated[str, AfterValidator(_model)] | None = Field(
        None, description="Only calls that this model answers: provider/model, or provider/*.", examples=["openai/*"]
    )
    labels: dict[str, str] = Field(
        default_factory=dict, max_length=16, description="Only calls with these labels.", examples=[{"team": "a"}]
    )
    window: Literal["minute", "hour", "day", "week", "month", "lifetime", "per_call"] | Rolling = Field(
        "month",
        description="When spending starts again from nothing. {rolling: 7d}: always the time just passed; per_call: each call by itself.",
        examples=["month", {"rolling": "7d"}, "per_call"],
    )
    time_zone: Annotated[str, AfterValidator(_zone)] = Field(
        "UTC", description="Whose midnight begins days, weeks and months.", examples=["Europe/Berlin"]
    )
    limit_usd: Annotated[
        Decimal,
        PlainValidator(_dollars),
        PlainSerializer(lambda value: format(value, "f"), return_type=str),
        WithJsonSchema({"type": ["string", "number"], "pattern": r"^\d+(\.\d{1,9})?$", "minimum": 0}),
    ] = Field(description="Most that the calls of a window may cost, in US dollars, exact.", examples=["500.00"])
    enforcement: Literal["hard", "soft"] = Field(
        "hard",
        description="hard: calls that do not fit are refused before they are made. soft: alerts tell, calls go on.",
        examples=["soft"],
    )
    alerts: list[Annotated[Alert, BeforeValidator(_alert, json_schema_input_type=int | Alert)]] = Field(
        default_factory=list,
        max_length=_MOST_ALERTS,
        description="When somebody is told, once a window: per cent of the limit, or with a channel.",
        examples=[[50, 80, {"percent": 100, "channel": "finance"}]],
    )


class Channel(Section):
    """A webhook that is called when a budget comes to a threshold."""

    webhook: Annotated[
        Secret,
        PlainValidator(_webhook),
        PlainSerializer(shown_secret, return_type=str),
        WithJsonSchema({"type": "string", "minLength": 1, "writeOnly": True}),
    ] = Field(description="Where it is, http:// or https://; masked, since some are secrets.", examples=["${FINANCE_WEBHOOK}"])
    secret: SecretText | None = Field(
        None,
        description='Signs each call (headers webhook-id, webhook-timestamp, webhook-signature): a text, or "whsec_" and base64.',
        examples=["${FINANCE_WEBHOOK_SECRET}"],
    )
    format: Literal["json", "slack"] = Field(
        "json", description="slack: a body that Slack and its kind show as a message.", examples=["slack"]
    )


class Alerts(Section):
    """Who is told when budgets come to their thresholds."""

    channels: dict[Name, Channel] = Field(
        default_factory=dict, description="Webhooks, by name.", examples=[{"finance": {"webhook": "${FINANCE_WEBHOOK}", "format": "slack"}}]
    )


def budget_faults(budgets: Mapping[str, Budget], alerts: Alerts) -> Iterator[tuple[tuple[str, ...], str]]:
    """Budgets tell somebody who is there, at a time that comes."""
    for name, budget in budgets.items():
        at = ("budgets", name)
        if "." in name or ":" in name:
            yield at, "is no name of a budget: letters, digits, _ and -"
        if budget.window == "per_call" and budget.alerts:
            yield (*at, "alerts"), "are of no use with window: per_call, where nothing is added up; remove them"
        for position, alert in enumerate(budget.alerts):
            path = (*at, "alerts", str(position))
            if alert.channel is not None and alert.channel not in alerts.channels:
                there = ", ".join(alerts.channels) or "none"
                yield (*path, "channel"), f'"{alert.channel}" is no channel; alerts.channels has {there}'
            if alert in budget.alerts[:position]:
                yield path, "is there already; remove one"
