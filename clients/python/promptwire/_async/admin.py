"""Admin: what operators see of a server, and do there."""

from collections.abc import AsyncIterator, Sequence

from google.protobuf.field_mask_pb2 import FieldMask

from promptwire import _requests as requests
from promptwire._async.stubs import Stubs
from promptwire._channel import Metadata
from promptwire._status import translated
from promptwire.admin import v1 as admin


class Admin:
    """The control plane, for a credential of no tenant; budgets, usage and the cache also for a tenant's, which reaches its own.

    Lives as long as its client; all methods raise PromptwireError.

    Of a server with several replicas, the one that answers tells of itself: health, breakers, calls under way.
    """

    def __init__(self, stubs: Stubs, target: str, metadata: Metadata, timeout_s: float) -> None:
        self._stubs = stubs
        self._target = target
        self._metadata = metadata
        self._timeout_s = timeout_s

    async def list_providers(self) -> list[admin.Provider]:
        """The providers by name, with the state of their models."""
        providers: list[admin.Provider] = []
        request = admin.ListProvidersRequest()
        with translated(self._target):
            while True:
                page = await self._stubs.providers.ListProviders(request, timeout=self._timeout_s, metadata=self._metadata)
                providers.extend(page.providers)
                request.page_token = page.next_page_token
                if not request.page_token:
                    return providers

    async def get_provider(self, name: str) -> admin.Provider:
        """One of them. Raises NotFound."""
        request = admin.GetProviderRequest(name=name)
        with translated(self._target):
            return (await self._stubs.providers.GetProvider(request, timeout=self._timeout_s, metadata=self._metadata)).provider

    async def reset_breaker(self, name: str, model: str = "", *, reason: str = "") -> admin.Provider:
        """Close the breaker of one model of a provider, or all of the provider's. Raises NotFound."""
        request = admin.ResetBreakerRequest(request_id=requests.new_request_id(), name=name, model=model, reason=reason)
        with translated(self._target, request.request_id):
            return (await self._stubs.providers.ResetBreaker(request, timeout=self._timeout_s, metadata=self._metadata)).provider

    async def enable_provider(self, name: str, *, reason: str = "") -> admin.Provider:
        """Use a provider again. Raises NotFound."""
        return await self._set(admin.SetProviderEnabledRequest(name=name, enabled=True, reason=reason))

    async def disable_provider(self, name: str, *, reason: str = "", drain_timeout_s: float | None = None) -> admin.Provider:
        """Send a provider no more calls. Raises NotFound.

        drain_timeout_s: how long calls under way may go on before they are ended; 0: not at all. Default: until they end by themselves.
        """
        drain = requests.duration(drain_timeout_s)
        return await self._set(admin.SetProviderEnabledRequest(name=name, enabled=False, reason=reason, drain_timeout=drain))

    async def _set(self, request: admin.SetProviderEnabledRequest) -> admin.Provider:
        request.request_id = requests.new_request_id()
        with translated(self._target, request.request_id):
            return (await self._stubs.providers.SetProviderEnabled(request, timeout=self._timeout_s, metadata=self._metadata)).provider

    async def create_budget(self, budget: admin.Budget, *, request_id: str = "") -> admin.Budget:
        """Make a budget. Raises InvalidRequest for each wrong field, Conflict when its budget_id is taken."""
        request = admin.CreateBudgetRequest(request_id=request_id or requests.new_request_id(), budget=budget)
        with translated(self._target, request.request_id):
            return (await self._stubs.budgets.CreateBudget(request, timeout=self._timeout_s, metadata=self._metadata)).budget

    async def get_budget(self, budget_id: str) -> admin.Budget:
        """A budget. Raises NotFound."""
        request = admin.GetBudgetRequest(budget_id=budget_id)
        with translated(self._target):
            return (await self._stubs.budgets.GetBudget(request, timeout=self._timeout_s, metadata=self._metadata)).budget

    async def list_budgets(self, *, scope: admin.BudgetScope | None = None) -> list[tuple[admin.Budget, admin.BudgetStatus]]:
        """The budgets by identifier, each with what of it is spent, held and left; those whose scope names all that `scope` does."""
        budgets: list[tuple[admin.Budget, admin.BudgetStatus]] = []
        request = admin.ListBudgetsRequest(scope=scope, include_status=True)
        with translated(self._target):
            while True:
                page = await self._stubs.budgets.ListBudgets(request, timeout=self._timeout_s, metadata=self._metadata)
                budgets.extend(zip(page.budgets, page.statuses, strict=True))
                request.page_token = page.next_page_token
                if not request.page_token:
                    return budgets

    async def update_budget(self, budget: admin.Budget, fields: Sequence[str], *, etag: str = "") -> admin.Budget:
        """Change these fields of the budget with this budget_id. Raises NotFound, and Conflict when `etag` is not its present one."""
        request = admin.UpdateBudgetRequest(
            request_id=requests.new_request_id(), budget=budget, update_mask=FieldMask(paths=fields), etag=etag
        )
        with translated(self._target, request.request_id):
            return (await self._stubs.budgets.UpdateBudget(request, timeout=self._timeout_s, metadata=self._metadata)).budget

    async def delete_budget(self, budget_id: str, *, etag: str = "") -> None:
        """Delete a budget; the ledger keeps its entries. Raises NotFound, and Conflict when `etag` is not its present one."""
        request = admin.DeleteBudgetRequest(request_id=requests.new_request_id(), budget_id=budget_id, etag=etag)
        with translated(self._target, request.request_id):
            await self._stubs.budgets.DeleteBudget(request, timeout=self._timeout_s, metadata=self._metadata)

    async def budget_status(self, budget_id: str) -> admin.BudgetStatus:
        """What of a budget is spent, held and left. Raises NotFound."""
        request = admin.GetBudgetStatusRequest(budget_id=budget_id)
        with translated(self._target):
            return (await self._stubs.budgets.GetBudgetStatus(request, timeout=self._timeout_s, metadata=self._metadata)).status

    async def adjust_budget(self, budget_id: str, amount_nano_usd: int, *, reason: str, request_id: str = "") -> admin.AdjustBudgetResponse:
        """Give a budget more, or below zero less, in the window under way. Given once a request_id, however often it is asked for."""
        request = admin.AdjustBudgetRequest(
            request_id=request_id or requests.new_request_id(), budget_id=budget_id, amount_nano_usd=amount_nano_usd, reason=reason
        )
        with translated(self._target, request.request_id):
            return await self._stubs.budgets.AdjustBudget(request, timeout=self._timeout_s, metadata=self._metadata)

    async def cache_stats(self, *, tenant: str = "", model: str = "") -> admin.GetCacheStatsResponse:
        """What the cache of answers holds and was good for, also model by model; `model`: "provider/model", or "provider/*"."""
        request = admin.GetCacheStatsRequest(tenant=tenant, model=model, include_models=True)
        with translated(self._target):
            return await self._stubs.cache.GetCacheStats(request, timeout=self._timeout_s, metadata=self._metadata)

    async def purge_cache(
        self, selector: admin.CacheSelector | None = None, *, dry_run: bool = False, reason: str = ""
    ) -> admin.PurgeCacheResponse:
        """Drop answers for which all of the selector holds; without one, all that the credential may reach. A dry run only counts."""
        request = admin.PurgeCacheRequest(request_id=requests.new_request_id(), dry_run=dry_run, reason=reason)
        if selector is None:
            request.all = True
        else:
            request.selector.CopyFrom(selector)
        with translated(self._target, request.request_id):
            return await self._stubs.cache.PurgeCache(request, timeout=self._timeout_s, metadata=self._metadata)

    async def query_usage(self, request: admin.QueryUsageRequest) -> admin.QueryUsageResponse:
        """Usage added up: all pages in one, from the one that the request names on."""
        asked = admin.QueryUsageRequest()
        asked.CopyFrom(request)
        with translated(self._target):
            answer = page = await self._stubs.usage.QueryUsage(asked, timeout=self._timeout_s, metadata=self._metadata)
            while page.next_page_token:
                asked.page_token = page.next_page_token
                page = await self._stubs.usage.QueryUsage(asked, timeout=self._timeout_s, metadata=self._metadata)
                answer.rows.extend(page.rows)
        answer.next_page_token = ""
        return answer

    async def export_usage(self, request: admin.ExportUsageRequest) -> AsyncIterator[admin.LedgerEntry]:
        """The entries of the ledger, oldest first. After an error, go on with `after_entry_id` of the last that came."""
        with translated(self._target):
            call = self._stubs.usage.ExportUsage(request, timeout=self._timeout_s, metadata=self._metadata)
            async for message in call:
                for entry in message.entries:
                    yield entry
