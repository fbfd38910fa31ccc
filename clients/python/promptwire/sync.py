"""The sync client: the same methods as the async one, without await. Calls block their thread; one client serves many threads."""

from promptwire._sync.client import Promptwire
from promptwire._sync.streams import ChainStream, ChatStream, Stream
from promptwire._sync.stubs import Stubs

__all__ = ["ChainStream", "ChatStream", "Promptwire", "Stream", "Stubs"]
