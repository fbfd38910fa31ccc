"""Message: what a webhook is told, and the signature that proves who tells it."""

import base64
import binascii
import hashlib
import hmac
from collections.abc import Mapping
from dataclasses import dataclass
from datetime import UTC, datetime
from typing import Final, Literal

import orjson

from promptwire_server.core.money import dollars
from promptwire_server.core.purse import Reached
from promptwire_server.core.secret import Secret

Format = Literal["json", "slack"]
_PREFIX: Final = "whsec_"


@dataclass(frozen=True, slots=True)
class Channel:
    """A webhook."""

    url: Secret
    secret: Secret | None = None  # signs what is sent
    format: Format = "json"


@dataclass(frozen=True, slots=True)
class News:
    """A threshold that was reached."""

    news_id: str  # the same for all tries: whoever is told twice can tell
    at_us: int
    reached: Reached
    name: str = ""  # of the budget, for people


def body_of(news: News, form: Format) -> bytes:
    """What is sent."""
    reached = news.reached
    if form == "slack":
        return orjson.dumps({"text": _sentence(news)})
    data = {
        "budget_id": reached.budget_id,
        "display_name": news.name,
        "percent": reached.percent,
        "spent_nano_usd": reached.spent_nano_usd,
        "held_nano_usd": reached.held_nano_usd,
        "limit_nano_usd": reached.limit_nano_usd,
        "window_start_time": _time(reached.window_start_us),
    }
    return orjson.dumps({"type": "budget.reached", "timestamp": _time(news.at_us), "data": data})


def headers_of(news: News, body: bytes, channel: Channel, now_s: float) -> Mapping[str, str]:
    """Headers as Standard Webhooks has them; signed where there is a secret."""
    timestamp = str(int(now_s))
    headers = {"content-type": "application/json", "user-agent": "promptwire", "webhook-id": news.news_id, "webhook-timestamp": timestamp}
    if channel.secret is not None:
        headers["webhook-signature"] = f"v1,{signature(channel.secret.reveal(), news.news_id, timestamp, body)}"
    return headers


def signature(secret: str, news_id: str, timestamp: str, body: bytes) -> str:
    """HMAC-SHA256 of id, timestamp and body, in base64."""
    signed = f"{news_id}.{timestamp}.".encode() + body
    return base64.b64encode(hmac.new(_key(secret), signed, hashlib.sha256).digest()).decode()


def _key(secret: str) -> bytes:
    """The bytes of a secret: "whsec_" and base64 as Standard Webhooks has it, or just a text."""
    if secret.startswith(_PREFIX):
        try:
            return base64.b64decode(secret.removeprefix(_PREFIX), validate=True)
        except binascii.Error:
            pass
    return secret.encode()


def _sentence(news: News) -> str:
    reached = news.reached
    name = f"{news.name} ({reached.budget_id})" if news.name else reached.budget_id
    held = f", {dollars(reached.held_nano_usd)} held by calls under way" if reached.held_nano_usd else ""
    limit, spent = dollars(reached.limit_nano_usd), dollars(reached.spent_nano_usd)
    text = f"Budget {name} has come to {reached.percent} % of {limit}: {spent} spent{held}."
    return text.replace("&", "&amp;").replace("<", "&lt;").replace(">", "&gt;")  # which Slack would take for links and commands


def _time(at_us: int) -> str:
    return datetime.fromtimestamp(at_us / 1e6, UTC).isoformat(timespec="milliseconds").replace("+00:00", "Z")
