"""BudgetService over the real bursar and a real purse: who may do what, every fault with its path, money that is given once."""

import asyncio
from collections.abc import AsyncIterator, Mapping
from pathlib import Path
from typing import Any

import pytest
from google.protobuf.duration_pb2 import Duration
from google.protobuf.field_mask_pb2 import FieldMask

from promptwire.admin import v1 as admin
from promptwire_server.core.call import Principal
from promptwire_server.core.clock import Chance, ManualClock
from promptwire_server.core.errors import (
    AlreadyExists,
    BudgetStoreUnavailable,
    EtagMismatch,
    InvalidRequest,
    NotFound,
    PolicyDenied,
    PromptwireError,
    RequestIdReused,
)
from promptwire_server.core.ids import Ids
from promptwire_server.layers.bursar import Bursar
from promptwire_server.rpc.budget import BudgetService
from promptwire_server.rpc.budget_check import Known
from promptwire_server.stores.sqlite.database import Database
from promptwire_server.stores.sqlite.purse import Purse
from tests.unit.rpc.exchanges import FakeExchange

OPERATOR = Principal(tenant="", name="ops", operator=True)
SHOP, SEARCH, NOBODY = Principal("shop", "till"), Principal("search", "crawler"), Principal("", "shadow")
LIFETIME = admin.BudgetWindow(lifetime=admin.LifetimeWindow())
HARD, SOFT = admin.BUDGET_ENFORCEMENT_HARD, admin.BUDGET_ENFORCEMENT_SOFT
NOW_S = 1_700_000_000


def budget(**fields: object) -> admin.Budget:
    """A budget that is right, with some fields of the test's."""
    base: dict[str, object] = {"budget_id": "b", "scope": {}, "limit_nano_usd": 1000, "window": LIFETIME, "enforcement": HARD}
    return admin.Budget(**base | fields)  # type: ignore[arg-type] # the test's


class Office:
    """The service and what is behind it."""

    def __init__(self, file: Path | None) -> None:
        self.clock = ManualClock(0.0)
        self.database = Database(file, clock=self.clock, report=print)
        self.database.start()
        self.purse = Purse(self.database, "p1", lambda: int(self.clock.time() * 1e6))
        self.audited: list[tuple[str, Mapping[str, str]]] = []
        known = Known(providers={"openai"}, channels={"team"})
        bursar = Bursar(self.purse, self.clock, Ids(self.clock, Chance()))
        self.service = BudgetService(bursar, lambda: known, lambda *event: self.audited.append(event))

    async def create(self, who: Principal = OPERATOR, request_id: str = "", **fields: object) -> admin.Budget:
        request = admin.CreateBudgetRequest(request_id=request_id, budget=budget(**fields))
        return (await self.service.CreateBudget(request, FakeExchange(principal=who))).budget

    async def get(self, who: Principal = OPERATOR, budget_id: str = "b") -> admin.Budget:
        return (await self.service.GetBudget(admin.GetBudgetRequest(budget_id=budget_id), FakeExchange(principal=who))).budget

    async def listed(self, who: Principal = OPERATOR, **fields: object) -> admin.ListBudgetsResponse:
        return await self.service.ListBudgets(admin.ListBudgetsRequest(**fields), FakeExchange(principal=who))  # type: ignore[arg-type] # the test's

    async def update(
        self, who: Principal = OPERATOR, *, paths: str, etag: str = "", request_id: str = "", **fields: object
    ) -> admin.Budget:
        mask = FieldMask(paths=paths.split())
        changed = admin.Budget(**{"budget_id": "b"} | fields)  # type: ignore[arg-type] # the test's
        request = admin.UpdateBudgetRequest(budget=changed, update_mask=mask, etag=etag, request_id=request_id)
        return (await self.service.UpdateBudget(request, FakeExchange(principal=who))).budget

    async def delete(self, who: Principal = OPERATOR, **fields: str) -> None:
        await self.service.DeleteBudget(admin.DeleteBudgetRequest(**{"budget_id": "b"} | fields), FakeExchange(principal=who))

    async def status(self, who: Principal = OPERATOR) -> admin.BudgetStatus:
        request = admin.GetBudgetStatusRequest(budget_id="b")
        return (await self.service.GetBudgetStatus(request, FakeExchange(principal=who))).status

    async def adjust(
        self, who: Principal = OPERATOR, *, request_id: str = "r1", amount: int = 500, reason: str = "sale"
    ) -> admin.AdjustBudgetResponse:
        request = admin.AdjustBudgetRequest(request_id=request_id, budget_id="b", amount_nano_usd=amount, reason=reason)
        return await self.service.AdjustBudget(request, FakeExchange(principal=who))


@pytest.fixture
async def office(tmp_path: Path) -> AsyncIterator[Office]:
    office = Office(tmp_path / "usage.sqlite3")
    yield office
    await asyncio.to_thread(office.database.close)


async def test_a_budget_is_made_read_changed_and_deleted(office: Office) -> None:
    scope = admin.BudgetScope(tenant="shop", model="openai/*", labels={"team": "search"})
    made = await office.create(scope=scope, display_name="Shop", alert_thresholds=[admin.AlertThreshold(percent=80, channel="team")])
    assert (made.scope, made.etag != "", made.create_time.seconds) == (scope, True, NOW_S)
    assert await office.get() == made
    office.clock.now_s += 5
    changed = await office.update(paths="limit_nano_usd paused alert_thresholds", limit_nano_usd=0, paused=True)
    assert (changed.limit_nano_usd, changed.paused, list(changed.alert_thresholds), changed.display_name) == (0, True, [], "Shop")
    assert (changed.HasField("limit_nano_usd"), changed.etag != made.etag, changed.update_time.seconds) == (True, True, NOW_S + 5)
    await office.delete()
    with pytest.raises(NotFound):
        await office.get()
    assert [event for event, _ in office.audited] == ["budget.created", "budget.changed", "budget.deleted"]


async def test_an_identifier_is_made_where_none_is_given(office: Office) -> None:
    assert (await office.create(budget_id="")).budget_id.startswith("budget-")


async def test_a_taken_identifier_is_refused(office: Office) -> None:
    await office.create()
    with pytest.raises(AlreadyExists, match="'b'"):
        await office.create(limit_nano_usd=5)
    assert (await office.get()).limit_nano_usd == 1000


async def test_a_tenant_makes_budgets_of_its_own_only(office: Office) -> None:
    assert (await office.create(SHOP)).scope.tenant == "shop"
    with pytest.raises(PolicyDenied, match=r"scope\.tenant"):
        await office.create(SHOP, budget_id="c", scope=admin.BudgetScope(tenant="search"))


async def test_somebody_elses_budget_looks_like_none(office: Office) -> None:
    await office.create(SHOP)
    for asked in (
        office.get(SEARCH),
        office.status(SEARCH),
        office.delete(SEARCH),
        office.adjust(SEARCH),
        office.update(SEARCH, paths="paused"),
    ):
        with pytest.raises(NotFound, match="no budget 'b'"):
            await asked
    assert not (await office.listed(SEARCH)).budgets
    assert (await office.get()).budget_id == "b"


async def test_a_budget_of_all_tenants_is_not_a_tenants(office: Office) -> None:
    await office.create()
    with pytest.raises(NotFound):
        await office.get(SHOP)


async def test_a_credential_of_nobody_may_nothing(office: Office) -> None:
    await office.create()
    for asked in (office.get(NOBODY), office.listed(NOBODY), office.create(NOBODY, budget_id="c"), office.adjust(NOBODY)):
        with pytest.raises(PolicyDenied):
            await asked


async def test_lists_have_pages_in_order(office: Office) -> None:
    for name in "cabd":
        await office.create(budget_id=name)
    first = await office.listed(page_size=3, include_status=True)
    assert [each.budget_id for each in first.budgets] == [each.budget_id for each in first.statuses] == ["a", "b", "c"]
    second = await office.listed(page_token=first.next_page_token)
    assert ([each.budget_id for each in second.budgets], second.next_page_token, list(second.statuses)) == (["d"], "", [])


@pytest.mark.parametrize(
    ("scope", "found"),
    [
        ({"tenant": "shop"}, "ab"),
        ({"labels": {"team": "x"}}, "b"),
        ({"tenant": "shop", "chain_name": "sum"}, ""),
        ({"model": "openai/*"}, "c"),
    ],
)
async def test_a_list_can_be_of_a_scope(office: Office, scope: dict[str, object], found: str) -> None:
    await office.create(budget_id="a", scope=admin.BudgetScope(tenant="shop"))
    await office.create(budget_id="b", scope=admin.BudgetScope(tenant="shop", labels={"team": "x", "env": "y"}))
    await office.create(budget_id="c", scope=admin.BudgetScope(model="openai/*"))
    assert "".join(each.budget_id for each in (await office.listed(scope=scope)).budgets) == found


async def test_a_change_of_what_others_have_changed_is_refused(office: Office) -> None:
    seen = (await office.create()).etag
    await office.update(paths="limit_nano_usd", limit_nano_usd=2000, etag=seen)
    with pytest.raises(EtagMismatch):
        await office.update(paths="limit_nano_usd", limit_nano_usd=3000, etag=seen)
    with pytest.raises(EtagMismatch):
        await office.delete(etag=seen)
    assert (await office.get()).limit_nano_usd == 2000


async def test_changes_at_once_of_different_fields_all_hold(office: Office) -> None:
    await office.create()
    await asyncio.gather(
        office.update(paths="limit_nano_usd", limit_nano_usd=7),
        office.update(paths="paused", paused=True),
        office.update(paths="display_name", display_name="x"),
    )
    now = await office.get()
    assert (now.limit_nano_usd, now.paused, now.display_name) == (7, True, "x")


async def test_money_is_given_once_however_often_it_is_asked_for(office: Office) -> None:
    await office.create()
    answers = await asyncio.gather(*(office.adjust() for _ in range(20)))
    assert {answer.adjustment.adjustment_id for answer in answers} == {answers[0].adjustment.adjustment_id}
    status = await office.status()
    assert (status.adjusted_nano_usd, status.remaining_nano_usd) == (500, 1500)
    await office.adjust(request_id="r2", amount=-200)
    assert (await office.status()).adjusted_nano_usd == 300
    assert answers[0].adjustment.created_by == "ops"


async def test_a_request_id_with_another_body_is_refused(office: Office) -> None:
    await office.create()
    await office.adjust()
    with pytest.raises(RequestIdReused):
        await office.adjust(amount=600)
    assert (await office.status()).adjusted_nano_usd == 500


async def test_request_ids_are_each_tenants_own(office: Office) -> None:
    await office.create(SHOP)
    await office.adjust()
    await office.adjust(SHOP)
    assert (await office.status()).adjusted_nano_usd == 1000


async def test_repeated_requests_get_the_answer_of_the_first(office: Office) -> None:
    made = await office.create(request_id="c1", budget_id="")
    assert await office.create(request_id="c1", budget_id="") == made
    await office.create()
    changed = await office.update(paths="paused", paused=True, etag=(await office.get()).etag, request_id="u1")
    assert (await office.update(paths="paused", paused=False)).paused is False
    with pytest.raises(RequestIdReused):
        await office.update(paths="paused", paused=True, request_id="u1")
    assert changed.paused
    await office.delete(request_id="d1")
    await office.delete(request_id="d1")
    with pytest.raises(NotFound):
        await office.delete(request_id="d2")


async def test_adjustments_stand_in_the_ledger_of_the_budgets_tenant(office: Office) -> None:
    await office.create(SHOP)
    given = (await office.adjust()).adjustment
    rows = await office.database.decide(
        lambda connection: connection.execute("SELECT entry, tenant, kind, adjustment_nano_usd FROM ledger").fetchall()
    )
    assert rows == [(int(given.adjustment_id), "shop", 4, 500)]


async def test_adjustments_beyond_counting_are_refused(office: Office) -> None:
    await office.create()
    for number in range(10):
        await office.adjust(request_id=f"r{number}", amount=10**17)
    with pytest.raises(InvalidRequest, match="amount_nano_usd"):
        await office.adjust(request_id="last", amount=10**17)


async def test_a_status_says_what_is_left_and_until_when(office: Office) -> None:
    day = admin.BudgetWindow(calendar=admin.CalendarWindow(period=admin.CalendarWindow.PERIOD_DAY, time_zone="Europe/Berlin"))
    await office.create(window=day, limit_nano_usd=0)
    status = await office.status()
    assert (status.exhausted, status.remaining_nano_usd, status.HasField("spent_nano_usd")) == (True, 0, True)
    assert status.window_start_time.ToJsonString() == "2023-11-13T23:00:00Z"  # at 22:13:20 UTC of the day after
    assert status.reset_time.seconds - status.window_start_time.seconds == 86_400


WRONG = [
    ({"budget_id": "a b"}, "budget.budget_id"),
    ({"scope": None}, "budget.scope"),
    ({"scope": {"model": "fast"}}, "budget.scope.model"),
    ({"scope": {"model": "opanai/gpt-4o"}}, "budget.scope.model"),
    ({"scope": {"model": "openai/"}}, "budget.scope.model"),
    ({"scope": {"tenant": "x" * 257}}, "budget.scope.tenant"),
    ({"scope": {"labels": {"k": "v" * 65}}}, "budget.scope.labels.k"),
    ({"scope": {"labels": {f"k{n}": "v" for n in range(17)}}}, "budget.scope.labels"),
    ({"limit_nano_usd": None}, "budget.limit_nano_usd"),
    ({"limit_nano_usd": -1}, "budget.limit_nano_usd"),
    ({"limit_nano_usd": 2**63 - 1}, "budget.limit_nano_usd"),
    ({"window": None}, "budget.window"),
    ({"window": {"calendar": {}}}, "budget.window.calendar.period"),
    ({"window": {"calendar": {"period": 3, "time_zone": "Europe/Berlim"}}}, "budget.window.calendar.time_zone"),
    ({"window": {"calendar": {"period": 3, "time_zone": "Europe"}}}, "budget.window.calendar.time_zone"),
    ({"window": {"calendar": {"period": 3, "time_zone": "../etc/passwd"}}}, "budget.window.calendar.time_zone"),
    ({"window": {"rolling": {}}}, "budget.window.rolling.duration"),
    ({"window": {"rolling": {"duration": Duration(seconds=59)}}}, "budget.window.rolling.duration"),
    ({"window": {"rolling": {"duration": Duration(seconds=90, nanos=1)}}}, "budget.window.rolling.duration"),
    (
        {"window": {"rolling": {"duration": Duration(seconds=367 * 86_400)}}},
        "budget.window.rolling.duration",
    ),
    ({"enforcement": 0}, "budget.enforcement"),
    ({"enforcement": 9}, "budget.enforcement"),
    ({"display_name": "x" * 257}, "budget.display_name"),
    ({"alert_thresholds": [{"percent": 0}]}, "budget.alert_thresholds[0].percent"),
    ({"alert_thresholds": [{"percent": 50}, {"percent": 1001}]}, "budget.alert_thresholds[1].percent"),
    ({"alert_thresholds": [{"percent": 50}, {"percent": 50}]}, "budget.alert_thresholds[1]"),
    ({"alert_thresholds": [{"percent": 50, "channel": "pager"}]}, "budget.alert_thresholds[0].channel"),
    ({"alert_thresholds": [{"percent": number} for number in range(1, 18)]}, "budget.alert_thresholds"),
    ({"window": {"per_call": {}}, "alert_thresholds": [{"percent": 50}]}, "budget.alert_thresholds"),
]


@pytest.mark.parametrize(("fields", "path"), WRONG)
async def test_every_wrong_field_is_named(office: Office, fields: dict[str, Any], path: str) -> None:
    with pytest.raises(InvalidRequest) as raised:
        await office.create(**fields)
    assert [violation.field for violation in raised.value.violations] == [path]
    assert not (await office.listed()).budgets


async def test_all_faults_are_told_at_once(office: Office) -> None:
    with pytest.raises(InvalidRequest) as raised:
        await office.service.CreateBudget(admin.CreateBudgetRequest(budget={}, request_id="x" * 65), FakeExchange(principal=OPERATOR))
    paths = [violation.field for violation in raised.value.violations]
    assert paths == ["request_id", "budget.scope", "budget.window", "budget.limit_nano_usd", "budget.enforcement"]


@pytest.mark.parametrize("path", ["scope", "window", "etag", "nonsense", ""])
async def test_only_some_fields_can_be_changed(office: Office, path: str) -> None:
    await office.create()
    with pytest.raises(InvalidRequest, match="update_mask"):
        await office.update(paths=path)


@pytest.mark.parametrize(
    ("fields", "path"), [({"request_id": ""}, "request_id"), ({"amount": 0}, "amount_nano_usd"), ({"reason": ""}, "reason")]
)
async def test_an_adjustment_must_say_what_and_why(office: Office, fields: dict[str, object], path: str) -> None:
    await office.create()
    with pytest.raises(InvalidRequest) as raised:
        await office.adjust(**fields)  # type: ignore[arg-type] # the test's
    assert raised.value.violations[0].field == path


async def test_a_budget_of_the_configuration_is_changed_there(office: Office) -> None:
    made = await office.create()
    present = (await office.purse.every())[0]
    await office.purse.put(type(present)(**{name: getattr(present, name) for name in present.__slots__} | {"etag": f"file-{made.etag}"}))
    for asked in (office.update(paths="paused"), office.delete()):
        with pytest.raises(PolicyDenied, match=r"configuration file, budgets\.b"):
            await asked
    assert (await office.adjust()).status.adjusted_nano_usd == 500


async def test_a_store_that_does_not_answer_is_told(office: Office) -> None:
    await office.create()
    await asyncio.to_thread(office.database.close)
    for asked in (office.get(), office.create(budget_id="c"), office.delete(), office.adjust(), office.listed()):
        with pytest.raises(BudgetStoreUnavailable) as raised:
            await asked
        assert isinstance(raised.value, PromptwireError)
