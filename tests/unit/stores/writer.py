"""A process that writes one row after the other and says when each is safe, until it is killed."""

import sys
from pathlib import Path

from promptwire_server.core.clock import SystemClock
from promptwire_server.stores.sqlite.database import Database
from promptwire_server.stores.sqlite.ledger import Ledger
from tests.unit.stores.entries import entry


def main(file: Path, name: str, count: int) -> None:
    """Print the number of each row that has been flushed; `count` 0 is for ever."""
    database = Database(file, clock=SystemClock(), report=lambda fields: print(fields, file=sys.stderr))
    ledger = Ledger(database, lambda: 1, lost=lambda count, why: print(count, why, file=sys.stderr))
    database.start()
    number = 0
    while not count or number < count:
        ledger.append([entry(request_id=f"{name}-{number}")])
        if database.flush(30):
            print(number, flush=True)
        number += 1
    database.close()


if __name__ == "__main__":
    main(Path(sys.argv[1]), sys.argv[2], int(sys.argv[3]))
