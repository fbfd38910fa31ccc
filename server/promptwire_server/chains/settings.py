"""Settings of runs."""

import asyncio
from collections.abc import Awaitable, Callable
from dataclasses import dataclass
from typing import Final


@dataclass(frozen=True, slots=True)
class RunSettings:
    """Bounds that every run has, and the pauses between attempts at a step."""

    first_pause_s: float = 0.1  # doubled with every further attempt
    longest_pause_s: float = 2.0
    max_size_bytes: int = 32 * 1024 * 1024  # of the results of all steps of a run together: they are kept until its end
    max_visits: int = 20_000  # steps of a run, those passed over counted
    longest_slice_s: float = 0.005  # steps that never wait let others have their turn after this long
    sleep: Callable[[float], Awaitable[None]] = asyncio.sleep


DEFAULT_RUN_SETTINGS: Final = RunSettings()
