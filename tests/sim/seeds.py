"""Seeds: plays many histories, and says how to play the one that broke again."""

import os
import traceback
from collections.abc import Iterable

from tests.sim.history import Violation, play
from tests.sim.worlds import history

REPLAY = "PROMPTWIRE_SIM_SEED"


class Broke(AssertionError):
    """A history broke."""


def replayed() -> int | None:
    """The one seed that was asked for; None: none was."""
    seed = os.environ.get(REPLAY)
    return None if seed is None else int(seed)


def play_seed(seed: int) -> str:
    """Its story. Raises Broke, whatever went wrong."""
    try:
        return play(history(seed)).story()
    except Exception as error:
        what = "" if isinstance(error, Violation) else f"{''.join(traceback.format_exception(error))}\n"
        raise Broke(f"seed {seed}; to play it again: {REPLAY}={seed} make sim\n{what}{error}") from error


def broken_seeds(seeds: Iterable[int]) -> list[Broke]:
    """Those that broke."""
    found = []
    for seed in seeds:
        try:
            play_seed(seed)
        except Broke as broke:
            found.append(broke)
    return found
