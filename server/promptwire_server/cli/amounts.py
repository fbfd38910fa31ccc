"""Amounts, times and labels as people write them on the command line."""

from collections.abc import Mapping, Sequence
from datetime import UTC, datetime
from decimal import Decimal, InvalidOperation
from zoneinfo import ZoneInfo

from google.protobuf.timestamp_pb2 import Timestamp

from promptwire_server.cli.exits import CommandError
from promptwire_server.config.units import seconds
from promptwire_server.core.budget import known_zone
from promptwire_server.core.money import NANO_PER_USD


def nano_usd(text: str, option: str) -> int:
    """Nano-USD of an amount in dollars, exact: "500", "$0.25", "-3.5". Raises CommandError."""
    try:
        amount = Decimal(text.strip().replace("$", "", 1).replace("_", "")) * NANO_PER_USD
        if amount != amount.to_integral_value():
            raise CommandError(f"{option} {text}: money is counted in billionths of a dollar", "write at most 9 digits behind the point")
        return int(amount)
    except (InvalidOperation, ValueError, OverflowError):
        raise CommandError(f"{option} {text}: is no amount", 'write dollars, e.g. "500" or "0.25"') from None


def moment(text: str, option: str, now_s: float, zone: str) -> Timestamp:
    """A time: "7d" is so long ago, "2026-11-01" a midnight, "2026-11-01T09:30" a minute of that zone. Raises CommandError."""
    try:
        at_s = now_s - seconds(text)
    except ValueError:
        at_s = _written(text, option, zone).timestamp()
    time = Timestamp()
    time.FromMicroseconds(int(at_s * 1e6))
    return time


def zone_of(name: str) -> ZoneInfo:
    """A time zone. Raises CommandError."""
    if not known_zone(name or "UTC"):
        raise CommandError(f"--time-zone {name}: is no time zone", 'write a name of the IANA database, e.g. "Europe/Berlin"')
    return ZoneInfo(name or "UTC")


def pairs(texts: Sequence[str], option: str) -> Mapping[str, str]:
    """Labels of "key=value". Raises CommandError."""
    found = {}
    for text in texts:
        key, equals, value = text.partition("=")
        if not key or not equals:
            raise CommandError(f"{option} {text}: is no key=value", f"write {option} team=search")
        found[key] = value
    return found


def time_of(time: Timestamp, zone: ZoneInfo, *, day: bool = False) -> str:
    """A time for people: the day, or also the minute."""
    local = datetime.fromtimestamp(time.seconds, UTC).astimezone(zone)
    return local.strftime("%Y-%m-%d" if day else "%Y-%m-%d %H:%M")


def _written(text: str, option: str, zone: str) -> datetime:
    try:
        written = datetime.fromisoformat(text)
    except ValueError:
        raise CommandError(f"{option} {text}: is no time", 'write how long ago ("7d", "12h") or a date ("2026-11-01")') from None
    return written if written.tzinfo is not None else written.replace(tzinfo=zone_of(zone))
