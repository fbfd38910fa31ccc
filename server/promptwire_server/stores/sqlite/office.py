"""Office: what operators have asked for by a request_id of theirs, and what came of it. Steps within a transaction of the file."""

from typing import cast

import apsw

from promptwire_server.core.purse import Once, Reused


def answer_of(connection: apsw.Connection, once: Once) -> bytes | None:
    """What came of the request; None when it was not made before. Raises Reused when its body was another."""
    if not once.request_id:
        return None
    kept = "SELECT digest, answer FROM office WHERE account = ? AND request_id = ?"
    found = connection.execute(kept, (once.account, once.request_id)).fetchone()
    if found is None:
        return None
    digest, answer = found
    if digest != once.digest:
        raise Reused
    return cast("bytes", answer)


def keep(connection: apsw.Connection, once: Once, answer: bytes, now_us: int) -> None:
    """Write down what came of a request."""
    if once.request_id:
        connection.execute("INSERT INTO office VALUES (?, ?, ?, ?, ?)", (once.account, once.request_id, once.digest, now_us, answer))
