"""Settings of admission: how many at once, how many wait, for how long, with what shares."""

from collections.abc import Mapping
from dataclasses import dataclass, field


@dataclass(frozen=True, slots=True)
class AdmissionSettings:
    """How much is let in."""

    ceiling_calls: int = 1024  # worked on at the same time at most, whatever the latency
    floor_calls: int = 4  # so many always may be; the ceiling wins where it is lower
    adaptive: bool = True  # between floor and ceiling, by measured latency; else always the ceiling
    queue_calls: int = 1024  # that wait at most, of each priority: each may hold a request of megabytes
    max_wait_s: float = 10.0
    weights: Mapping[str, float] = field(default_factory=dict)  # of tenants, over 0; 1 where none is named
    memory_limit_bytes: int = 0  # of this process; 0: memory is no reason to refuse
