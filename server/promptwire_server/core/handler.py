"""The one interface of the request path. A provider is a Handler, so is the router, so is the whole gateway."""

from collections.abc import Awaitable, Callable

from promptwire_server.core.call import Call
from promptwire_server.core.reply import Reply

Handler = Callable[[Call], Awaitable[Reply]]
Layer = Callable[[Handler], Handler]


def stack(layers: list[Layer], innermost: Handler) -> Handler:
    """Wrap `innermost` in `layers`, the first of which is the outermost."""
    handler = innermost
    for layer in reversed(layers):
        handler = layer(handler)
    return handler
