"""Promptwire: typed chat and prompt chains over gRPC. Messages are in `promptwire.v1`, chain files in `promptwire.chainfile`."""

from promptwire._async.client import Promptwire
from promptwire._async.streams import ChainStream, ChatStream
from promptwire._channel import VERSION, Tls
from promptwire._sync.client import Promptwire as SyncPromptwire
from promptwire.chainfile import ChainFileError
from promptwire.delta import Delta
from promptwire.errors import PromptwireError

__all__ = ["ChainFileError", "ChainStream", "ChatStream", "Delta", "Promptwire", "PromptwireError", "SyncPromptwire", "Tls"]
__version__ = VERSION
