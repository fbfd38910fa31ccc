"""Budget: a limit of what may be spent: which calls count, for how long, and what happens at its end. All money is in nano-USD."""

from collections.abc import Mapping
from dataclasses import dataclass, field
from datetime import datetime, timedelta
from typing import Final, Literal
from zoneinfo import ZoneInfo, ZoneInfoNotFoundError

Period = Literal["minute", "hour", "day", "week", "month"]

MOST_NANO_USD: Final = 10**17  # of a limit or an adjustment, 100 million dollars: dozens of them still add up to an integer of 64 bits
OF_FILE: Final = "file-"  # how the etags of budgets begin that the configuration file says
_MICRO: Final = 1_000_000
_BUCKETS: Final = 60  # of a rolling window: what was spent leaves it in so many steps
_FIXED_US: Final = {"minute": 60 * _MICRO, "hour": 3600 * _MICRO}


@dataclass(frozen=True, slots=True)
class Spender:
    """On whose account an attempt is made, and at which model."""

    tenant: str
    provider: str
    model: str  # the vendor's name of it
    principal: str = ""
    api_key_id: str = ""
    chain: str = ""
    labels: Mapping[str, str] = field(default_factory=dict)


@dataclass(frozen=True, slots=True)
class Scope:
    """Which attempts count: those for which everything that is set holds. Empty: any."""

    tenant: str = ""
    principal: str = ""
    api_key_id: str = ""
    chain: str = ""
    model: str = ""  # "provider/model", or "provider/*"
    labels: Mapping[str, str] = field(default_factory=dict)

    def holds(self, spender: Spender) -> bool:
        """Whether an attempt of this spender counts."""
        return (
            self.tenant in ("", spender.tenant)
            and self.principal in ("", spender.principal)
            and self.api_key_id in ("", spender.api_key_id)
            and self.chain in ("", spender.chain)
            and self.model in ("", f"{spender.provider}/{spender.model}", f"{spender.provider}/*")
            and all(spender.labels.get(key) == value for key, value in self.labels.items())
        )


@dataclass(frozen=True, slots=True)
class Calendar:
    """From midnight to midnight, or the like, in a time zone."""

    period: Period
    zone: str = "UTC"

    def bucket_us(self, now_us: int) -> int:
        """Where spending of this moment is added: the begin of the window."""
        width_us = _FIXED_US.get(self.period)
        if width_us is not None:  # zones are whole minutes from UTC, and an hour's budget begins anew every hour anywhere
            return now_us - now_us % width_us
        return _micros(self._begin(self._local(now_us)))

    def since_us(self, now_us: int) -> int:
        """Spending in buckets from this one on counts."""
        return self.bucket_us(now_us)

    def ends_us(self, now_us: int) -> int | None:
        """When spending starts again from nothing."""
        width_us = _FIXED_US.get(self.period)
        if width_us is not None:
            return now_us - now_us % width_us + width_us
        begin = self._begin(self._local(now_us))
        if self.period == "month":
            return _micros((begin + timedelta(days=32)).replace(day=1))
        return _micros(begin + timedelta(days=7 if self.period == "week" else 1))

    def _local(self, now_us: int) -> datetime:
        return datetime.fromtimestamp(now_us / _MICRO, ZoneInfo(self.zone))

    def _begin(self, local: datetime) -> datetime:
        """The midnight, by the clock on the wall: days with a change of the clock are longer or shorter."""
        midnight = local.replace(hour=0, minute=0, second=0, microsecond=0, fold=0)
        if self.period == "week":
            return midnight - timedelta(days=midnight.weekday())
        return midnight.replace(day=1) if self.period == "month" else midnight


@dataclass(frozen=True, slots=True)
class Rolling:
    """Always the time just passed. What was spent counts for that long, and up to a sixtieth of it longer: never shorter."""

    duration_s: int

    def bucket_us(self, now_us: int) -> int:
        """Where spending of this moment is added."""
        return now_us - now_us % self._width_us

    def since_us(self, now_us: int) -> int:
        """Spending in buckets from this one on counts."""
        return self.bucket_us(now_us - self.duration_s * _MICRO)

    def ends_us(self, now_us: int) -> int | None:
        """When the oldest bucket that may hold something leaves the window."""
        return self.since_us(now_us) + self._width_us + self.duration_s * _MICRO

    @property
    def _width_us(self) -> int:
        return self.duration_s * _MICRO // _BUCKETS


@dataclass(frozen=True, slots=True)
class Lifetime:
    """One sum for good."""

    def bucket_us(self, now_us: int) -> int:  # noqa: ARG002 - the shape of a window
        """All in one."""
        return 0

    def since_us(self, now_us: int) -> int:  # noqa: ARG002 - the shape of a window
        """From the first."""
        return 0

    def ends_us(self, now_us: int) -> int | None:  # noqa: ARG002 - the shape of a window
        """Never."""
        return None


@dataclass(frozen=True, slots=True)
class PerCall:
    """Each call by itself: nothing is added up, so no store knows of it."""

    def bucket_us(self, now_us: int) -> int:
        """None: as a lifetime that begins now."""
        return now_us

    def since_us(self, now_us: int) -> int:
        """Nothing before counts."""
        return now_us

    def ends_us(self, now_us: int) -> int | None:
        """At once."""
        return now_us


Window = Calendar | Rolling | Lifetime | PerCall


@dataclass(frozen=True, slots=True)
class Alert:
    """When somebody is told."""

    percent: int  # of the limit, 1 to 1000, spent and held together
    channel: str = ""  # empty: only a log event and a metric tell


@dataclass(frozen=True, slots=True)
class Budget:
    """A limit of what may be spent."""

    budget_id: str
    scope: Scope
    window: Window
    limit_nano_usd: int
    hard: bool = True  # refuse what does not fit; otherwise only tell
    alerts: tuple[Alert, ...] = ()
    paused: bool = False  # count, but neither refuse nor tell
    name: str = ""
    created_us: int = 0
    updated_us: int = 0
    etag: str = ""

    @property
    def configured(self) -> bool:
        """The configuration file says it: nobody else may change it."""
        return self.etag.startswith(OF_FILE)

    @property
    def binds(self) -> bool:
        """Whether calls are refused for it."""
        return self.hard and not self.paused


@dataclass(frozen=True, slots=True)
class Balance:
    """What of a budget is spent, held and left in the window under way."""

    limit_nano_usd: int
    adjusted_nano_usd: int
    spent_nano_usd: int
    held_nano_usd: int
    window_start_us: int
    reset_us: int | None  # None: never
    reached_percents: tuple[int, ...] = ()
    unpriced_calls: int = 0
    as_of_us: int = 0

    @property
    def free_nano_usd(self) -> int:
        """What a new call may cost; below zero when overspent."""
        return self.unspent_nano_usd - self.held_nano_usd

    @property
    def unspent_nano_usd(self) -> int:
        """What a new call may cost once all holds are given back unused."""
        return self.limit_nano_usd + self.adjusted_nano_usd - self.spent_nano_usd


def known_zone(name: str) -> bool:
    """Whether a time zone of this name is in the IANA database, as this machine has it."""
    try:
        ZoneInfo(name)
    except (ZoneInfoNotFoundError, ValueError, OSError):  # also of a folder: "Europe"
        return False
    return True


def _micros(moment: datetime) -> int:
    return int(moment.timestamp()) * _MICRO
