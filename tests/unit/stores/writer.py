"""A process that journals one entry after the other and says when each is safe, until it is killed."""

import sys
from pathlib import Path

from promptwire_server.core.clock import SystemClock
from promptwire_server.stores.sqlite.journal import Journal
from tests.unit.stores.entries import entry


def main(file: Path, name: str, count: int) -> None:
    """Print the number of each entry that has been flushed; `count` 0 is for ever."""
    journal = Journal(file, clock=SystemClock(), report=lambda fields: print(fields, file=sys.stderr))
    journal.start()
    number = 0
    while not count or number < count:
        journal.append(name, entry(request_id=f"{name}-{number}"))
        if journal.flush(30):
            print(number, flush=True)
        number += 1
    journal.close()


if __name__ == "__main__":
    main(Path(sys.argv[1]), sys.argv[2], int(sys.argv[3]))
