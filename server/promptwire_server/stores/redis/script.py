"""Script: one decision in Lua, known to the server by its hash."""

import hashlib
from functools import cached_property


class Script:
    """Lua that runs as one step. It may touch only the keys that it is given, which share a hash tag, and writes by the server's clock."""

    def __init__(self, source: str) -> None:
        self.source = source

    @cached_property
    def sha(self) -> str:
        """What the server calls it: SHA-1 in hexadecimal, a name and no protection."""
        return hashlib.sha1(self.source.encode(), usedforsecurity=False).hexdigest()
