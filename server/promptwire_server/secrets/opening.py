"""Opening a store: its client library is loaded when something refers to it, and not before, since that costs tens of megabytes."""

from importlib import import_module
from typing import cast

from promptwire_server.secrets.files import Files
from promptwire_server.secrets.settings import StoreSettings
from promptwire_server.secrets.store import Found, Store, Unavailable

_CLIENTS = {"vault": ("hvac", "vault"), "aws-sm": ("boto3", "aws")}  # the library, and our extra that installs it


def opened(name: str, settings: StoreSettings) -> Store:
    """The store of that name. Raises Unavailable when its library is missing, or its settings are of no use."""
    if name == "file":
        return Files(settings.read)
    library, extra = _CLIENTS[name]
    try:
        import_module(library)
        module = import_module(f"promptwire_server.secrets.{extra}")
    except ImportError as error:
        what = "is missing" if error.name == library else f"cannot be loaded ({error.name})"
        raise Unavailable(f"the package {library} {what}; `pip install 'promptwire-server[{extra}]'`") from error
    return cast("Store", module.open_store(settings))


class Lazy:
    """A store that is opened by the first read, in the thread that reads. What failed is tried again."""

    def __init__(self, name: str, settings: StoreSettings) -> None:
        self._name = name
        self._settings = settings
        self._store: Store | None = None

    def read(self, name: str) -> Found:
        """See Store."""
        if self._store is None:
            self._store = opened(self._name, self._settings)
        return self._store.read(name)
