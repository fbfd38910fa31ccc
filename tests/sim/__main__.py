"""Plays many histories on all cores: python -m tests.sim [how many] [first seed]. With PROMPTWIRE_SIM_SEED only that one, told in full."""

import gc
import os
import sys
import time
from concurrent.futures import ProcessPoolExecutor

from tests.sim.seeds import broken_seeds, play_seed, replayed

_HISTORIES = 100_000
_AT_ONCE = 250
_MOST_SHOWN = 20


def _broken(first: int) -> list[str]:
    gc.set_threshold(20_000)
    return [str(broke) for broke in broken_seeds(range(first, first + _AT_ONCE))]


def main() -> int:
    seed = replayed()
    if seed is not None:
        broken_once = broken_seeds([seed])
        print(broken_once[0] if broken_once else play_seed(seed))
        return len(broken_once)
    count = int(sys.argv[1]) if len(sys.argv) > 1 else _HISTORIES
    first = int(sys.argv[2]) if len(sys.argv) > 2 else 0
    began_s = time.monotonic()
    broken: list[str] = []
    with ProcessPoolExecutor(os.cpu_count()) as processes:
        for number, found in enumerate(processes.map(_broken, range(first, first + count, _AT_ONCE)), 1):
            broken += found
            for each in found:
                print("\n" + "\n".join(each.splitlines()[:2]))
            done = min(count, number * _AT_ONCE)
            print(f"\r{done} histories, {len(broken)} broke, {done / (time.monotonic() - began_s):.0f}/s ", end="", flush=True)
    print()
    print("\n\n".join(broken[:_MOST_SHOWN]))
    return 1 if broken else 0


if __name__ == "__main__":
    sys.exit(main())
