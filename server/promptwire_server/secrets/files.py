"""Files: secrets in files of their own, which an orchestrator may replace."""

from pathlib import Path

from promptwire_server.secrets.settings import Read
from promptwire_server.secrets.store import Found, Unreadable


class Files:
    """The file system as a store. A name is a path."""

    def __init__(self, read: Read) -> None:
        self._read = read

    def read(self, name: str) -> Found:
        """See Store. Read as a whole each time: its time says too little, since Kubernetes swaps links to whole directories."""
        try:
            return Found(self._read(Path(name)))
        except ValueError as error:
            raise Unreadable(str(error)) from None
