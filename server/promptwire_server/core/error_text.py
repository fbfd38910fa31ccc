"""Error text: an error as JSON and back, for stores that hand it to another process or to a later time."""

import json
from collections.abc import Iterator
from dataclasses import asdict

from promptwire_server.core.errors import InternalError, Origin, PromptwireError, Violation


def to_text(error: PromptwireError) -> bytes:
    """The error as JSON: its class by name, and all that it says."""
    return json.dumps(
        {
            "kind": type(error).__name__,
            "message": error.message,
            "retry_after_s": error.retry_after_s,
            "origin": asdict(error.origin),
            "violations": [asdict(violation) for violation in error.violations],
            "metadata": error.metadata,
        }
    ).encode()


def from_text(text: bytes) -> PromptwireError:
    """The error again; of a class that this version does not have, an InternalError with its message. Raises ValueError for other text."""
    try:
        said = json.loads(text)
        kind = next((known for known in _kinds(PromptwireError) if known.__name__ == said["kind"]), InternalError)
        return kind(
            said["message"],
            retry_after_s=said["retry_after_s"],
            origin=Origin(**said["origin"]),
            violations=[Violation(**violation) for violation in said["violations"]],
            metadata=said["metadata"],
        )
    except (KeyError, TypeError) as error:
        raise ValueError("is no error as to_text writes it") from error


def _kinds(kind: type[PromptwireError]) -> Iterator[type[PromptwireError]]:
    yield kind
    for sub in kind.__subclasses__():
        yield from _kinds(sub)
