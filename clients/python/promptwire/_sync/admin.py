# Generated from _async by .ci/unasync.py: change it there, then run `make gen`.
"""Admin: what operators see of a server, and do there."""

from promptwire import _requests as requests
from promptwire._channel import Metadata
from promptwire._status import translated
from promptwire._sync.stubs import Stubs
from promptwire.admin import v1 as admin


class Admin:
    """The control plane, for a credential of no tenant. Lives as long as its client; all methods raise PromptwireError.

    Of a server with several replicas, the one that answers tells of itself: health, breakers, calls under way.
    """

    def __init__(self, stubs: Stubs, target: str, metadata: Metadata, timeout_s: float) -> None:
        self._stubs = stubs
        self._target = target
        self._metadata = metadata
        self._timeout_s = timeout_s

    def list_providers(self) -> list[admin.Provider]:
        """The providers by name, with the state of their models."""
        providers: list[admin.Provider] = []
        request = admin.ListProvidersRequest()
        with translated(self._target):
            while True:
                page = self._stubs.providers.ListProviders(request, timeout=self._timeout_s, metadata=self._metadata)
                providers.extend(page.providers)
                request.page_token = page.next_page_token
                if not request.page_token:
                    return providers

    def get_provider(self, name: str) -> admin.Provider:
        """One of them. Raises NotFound."""
        request = admin.GetProviderRequest(name=name)
        with translated(self._target):
            return (self._stubs.providers.GetProvider(request, timeout=self._timeout_s, metadata=self._metadata)).provider

    def reset_breaker(self, name: str, model: str = "", *, reason: str = "") -> admin.Provider:
        """Close the breaker of one model of a provider, or all of the provider's. Raises NotFound."""
        request = admin.ResetBreakerRequest(request_id=requests.new_request_id(), name=name, model=model, reason=reason)
        with translated(self._target, request.request_id):
            return (self._stubs.providers.ResetBreaker(request, timeout=self._timeout_s, metadata=self._metadata)).provider

    def enable_provider(self, name: str, *, reason: str = "") -> admin.Provider:
        """Use a provider again. Raises NotFound."""
        return self._set(admin.SetProviderEnabledRequest(name=name, enabled=True, reason=reason))

    def disable_provider(self, name: str, *, reason: str = "", drain_timeout_s: float | None = None) -> admin.Provider:
        """Send a provider no more calls. Raises NotFound.

        drain_timeout_s: how long calls under way may go on before they are ended; 0: not at all. Default: until they end by themselves.
        """
        drain = requests.duration(drain_timeout_s)
        return self._set(admin.SetProviderEnabledRequest(name=name, enabled=False, reason=reason, drain_timeout=drain))

    def _set(self, request: admin.SetProviderEnabledRequest) -> admin.Provider:
        request.request_id = requests.new_request_id()
        with translated(self._target, request.request_id):
            return (self._stubs.providers.SetProviderEnabled(request, timeout=self._timeout_s, metadata=self._metadata)).provider
