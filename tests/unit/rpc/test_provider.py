"""ProviderService over the real desk: what the operator sees, what he may do, and that nobody else may."""

from collections.abc import Callable, Mapping

import pytest

from promptwire import v1 as pb
from promptwire.admin import v1 as admin
from promptwire_server.core.call import ANONYMOUS, Principal, Target
from promptwire_server.core.clock import Chance, ManualClock
from promptwire_server.core.errors import InvalidRequest, NotFound, PolicyDenied
from promptwire_server.core.standing import Standing
from promptwire_server.layers.breaker import BreakerSettings
from promptwire_server.layers.breakers import Breakers
from promptwire_server.layers.desk import Desk, Place
from promptwire_server.layers.roster import Roster
from promptwire_server.layers.verdict import Verdict
from promptwire_server.rpc.provider import ProviderService
from tests.unit.rpc.exchanges import FakeExchange

OPERATOR = Principal(tenant="", name="ops", operator=True)
FAST, SLOW = Target("acme", "fast"), Target("acme", "slow")


class Visit:
    """A call under way."""

    evicted = False

    def evict(self, error: Exception) -> None:
        self.evicted = True


class Timers:
    """An event loop's call_later that rings when told."""

    def __init__(self) -> None:
        self.due: dict[float, Callable[[], None]] = {}

    def later(self, delay_s: float, then: Callable[[], None]) -> "Timers":
        self.due[delay_s] = then
        return self

    def cancel(self) -> None:
        self.due.clear()


class Office:
    """The service and what is behind it."""

    def __init__(self) -> None:
        self.clock = ManualClock(1000.0)
        self.timers = Timers()
        self.roster = Roster(self.clock, ["acme", "beta", "echo"], [FAST, SLOW])
        self.breakers = Breakers(BreakerSettings(consecutive_failures=2), self.clock, Chance(), [FAST, SLOW])
        places = {"acme": Place("openai", "https://api.acme.example:443", 64)}
        self.kept: list[tuple[str, Standing]] = []
        self.revived: list[str] = []  # providers whose keys are tried again
        self.desk = Desk(
            self.roster,
            self.breakers,
            places,
            clock=self.clock,
            later=self.timers.later,
            keep=self._keep,
            revive=self.revived.append,
            instance_id="srv-1",
        )
        self.audited: list[tuple[str, Mapping[str, str]]] = []
        self.service = ProviderService(self.desk, lambda *event: self.audited.append(event))
        self.exchange = FakeExchange(principal=OPERATOR)

    async def _keep(self, name: str, standing: Standing) -> None:
        self.kept.append((name, standing))

    def succeed(self, target: Target, took_s: float = 1.0, first_s: float | None = None) -> None:
        vitals = self.roster.of(target)
        if first_s is None:
            vitals.answered(took_s, self.clock.now_s)
        else:
            vitals.began(first_s, self.clock.now_s)
            vitals.ended(took_s, self.clock.now_s)
        self.breakers.enter(target, 1e9).settle(Verdict.WELL)

    def fail(self, target: Target, *, limited: bool = False) -> None:
        self.roster.of(target).failed(pb.Attempt(provider=target.provider, model=target.model), limited=limited)
        self.breakers.enter(target, 1e9).settle(Verdict.LIMITED if limited else Verdict.BROKEN)

    async def get(self, name: str = "acme") -> admin.Provider:
        return (await self.service.GetProvider(admin.GetProviderRequest(name=name), self.exchange)).provider

    async def listed(self, **request: object) -> list[str]:
        response = await self.service.ListProviders(admin.ListProvidersRequest(**request), self.exchange)  # type: ignore[arg-type] # the test's
        return [provider.name for provider in response.providers]

    async def set_enabled(self, **request: object) -> admin.Provider:
        message = admin.SetProviderEnabledRequest(name="acme", **request)  # type: ignore[arg-type] # the test's
        return (await self.service.SetProviderEnabled(message, self.exchange)).provider


@pytest.fixture
def office() -> Office:
    return Office()


@pytest.mark.parametrize("principal", [ANONYMOUS, Principal("acme", "app"), Principal("", "shadow")])
@pytest.mark.parametrize("method", ["ListProviders", "GetProvider", "ResetBreaker", "SetProviderEnabled"])
async def test_nobody_but_an_operator_may(office: Office, principal: Principal, method: str) -> None:
    request = getattr(admin, f"{method}Request")()  # nor does he learn what is wrong with it
    with pytest.raises(PolicyDenied, match="operator's credential"):
        await getattr(office.service, method)(request, FakeExchange(principal=principal))
    assert office.audited == []


async def test_a_provider_that_nobody_called_says_what_configuration_does(office: Office) -> None:
    provider = await office.get()
    assert (provider.name, provider.dialect, provider.endpoint, provider.max_in_flight_count) == (
        "acme",
        "openai",
        "https://api.acme.example:443",
        64,
    )
    assert (provider.mode, provider.health) == (admin.PROVIDER_MODE_ENABLED, admin.PROVIDER_HEALTH_UNSPECIFIED)
    assert [target.model for target in provider.targets] == ["fast", "slow"]
    absent = ("mode_change_time", "last_success_time")
    assert [field for field in absent if provider.HasField(field)] == []
    assert (provider.stats.window.ToSeconds(), provider.stats.call_count, provider.stats.HasField("latency")) == (300, 0, False)
    assert not (await office.get("echo")).HasField("max_in_flight_count")


async def test_how_calls_went_is_told_of_each_target_and_of_all_together(office: Office) -> None:
    office.succeed(FAST, 1.0, 0.5)
    office.succeed(FAST, 3.0)
    office.succeed(SLOW, 8.0)
    office.fail(SLOW, limited=True)
    office.roster.of(SLOW).in_flight = 2
    provider = await office.get()
    fast, slow = provider.targets
    assert (fast.stats.call_count, fast.stats.latency.sample_count, fast.stats.latency.mean.ToSeconds()) == (2, 2, 2)
    assert (fast.stats.time_to_first_token.max.ToMilliseconds(), slow.stats.HasField("time_to_first_token")) == (500, False)
    assert (slow.stats.failure_count, slow.stats.rate_limited_count, slow.in_flight_count) == (1, 1, 2)
    stats = provider.stats
    assert (stats.call_count, stats.failure_count, stats.latency.max.ToSeconds(), stats.latency.mean.ToSeconds()) == (4, 1, 8, 4)
    assert provider.last_success_time.ToSeconds() == int(office.clock.time())


async def test_the_last_errors_are_the_newest_of_all_targets(office: Office) -> None:
    for number in range(30):
        office.clock.advance(1)
        office.roster.of(FAST if number % 2 else SLOW).failed(pb.Attempt(model=str(number)), limited=False)
    errors = (await office.get()).last_errors
    assert [error.attempt.model for error in errors] == [str(number) for number in range(29, 9, -1)]
    assert errors[0].time.ToSeconds() == int(office.clock.time())


async def test_health_is_the_worst_that_recent_calls_show(office: Office) -> None:
    async def health() -> str:
        return admin.ProviderHealth.Name((await office.get()).health).removeprefix("PROVIDER_HEALTH_")

    office.succeed(FAST)
    assert await health() == "HEALTHY"
    office.fail(SLOW)
    assert await health() == "DEGRADED"
    office.fail(SLOW)
    assert (await health(), office.breakers.open(SLOW)) == ("DEGRADED", True)
    office.fail(FAST)
    office.fail(FAST)
    assert await health() == "UNHEALTHY"
    office.clock.advance(1)
    office.breakers.enter(FAST, 1e9)  # a probe
    assert await health() == "DEGRADED"


async def test_one_failure_in_a_hundred_is_healthy(office: Office) -> None:
    for _ in range(99):
        office.succeed(FAST)
    office.fail(FAST)
    assert (await office.get()).health == admin.PROVIDER_HEALTH_HEALTHY


async def test_a_breaker_tells_its_state_and_when_it_tries_again(office: Office) -> None:
    office.fail(FAST)
    breaker = (await office.get()).targets[0].breaker
    assert (breaker.state, breaker.consecutive_failure_count, breaker.window_call_count, breaker.window_failure_count) == (
        admin.BREAKER_STATE_CLOSED,
        1,
        1,
        1,
    )
    assert not breaker.HasField("probe_time")
    office.clock.advance(5)
    office.fail(FAST)
    breaker = (await office.get()).targets[0].breaker
    assert (breaker.state, breaker.state_change_time.ToSeconds()) == (admin.BREAKER_STATE_OPEN, int(office.clock.time()))
    assert 0 < breaker.probe_time.ToNanoseconds() / 1e9 - office.clock.time() <= 1


async def test_a_model_that_callers_named_has_its_place_too(office: Office) -> None:
    office.fail(Target("acme", "another"))
    assert [target.model for target in (await office.get()).targets] == ["another", "fast", "slow"]


async def test_resetting_closes_one_breaker_or_all_and_is_audited(office: Office) -> None:
    for target in (FAST, FAST, SLOW, SLOW):
        office.fail(target)
    request = admin.ResetBreakerRequest(name="acme", model="fast", reason="they fixed it", request_id="mine")
    response = await office.service.ResetBreaker(request, office.exchange)
    assert [target.breaker.state for target in response.provider.targets] == [admin.BREAKER_STATE_CLOSED, admin.BREAKER_STATE_OPEN]
    assert (response.instance_id, office.exchange.request_id) == ("srv-1", "mine")
    assert office.revived == []
    await office.service.ResetBreaker(admin.ResetBreakerRequest(name="acme"), office.exchange)
    assert not office.breakers.open(SLOW)
    assert office.revived == ["acme"]
    assert office.audited[0] == (
        "breaker.reset",
        {"principal": "ops", "request_id": "mine", "provider": "acme", "model": "fast", "reason": "they fixed it"},
    )
    assert office.audited[1][1]["model"] == "all"


@pytest.mark.parametrize(("name", "model"), [("nobody", ""), ("acme", "fats")])
async def test_what_is_not_there_cannot_be_reset(office: Office, name: str, model: str) -> None:
    with pytest.raises(NotFound, match=r"acme"):
        await office.service.ResetBreaker(admin.ResetBreakerRequest(name=name, model=model), office.exchange)
    assert office.audited == []


async def test_a_provider_is_drained_then_off_then_on_again(office: Office) -> None:
    visit = Visit()
    visits = office.roster.post("acme").visits
    visits.add(visit)
    drained = await office.set_enabled(enabled=False, reason="they raised prices")
    assert (drained.mode, drained.mode_reason, drained.in_flight_count) == (admin.PROVIDER_MODE_DRAINING, "they raised prices", 1)
    assert (visit.evicted, office.timers.due) == (False, {})
    changed = drained.mode_change_time.ToSeconds()
    visits.clear()
    office.clock.advance(60)
    off = await office.get()
    assert (off.mode, off.mode_change_time.ToSeconds()) == (admin.PROVIDER_MODE_DISABLED, changed)
    on = await office.set_enabled(enabled=True)
    assert (on.mode, on.mode_reason, on.mode_change_time.ToSeconds()) == (admin.PROVIDER_MODE_ENABLED, "", changed + 60)
    assert [event for event, _ in office.audited] == ["provider.disabled", "provider.enabled"]


async def test_what_takes_longer_than_the_drain_is_ended(office: Office) -> None:
    visit = Visit()
    office.roster.post("acme").visits.add(visit)
    await office.set_enabled(enabled=False, drain_timeout={"seconds": 30})
    assert [standing.clear_by_s for _, standing in office.kept] == [office.clock.time() + 30]
    office.timers.due.pop(30.0)()
    assert visit.evicted


async def test_what_another_process_has_set_holds_here_and_its_drain_ends_at_the_same_time(office: Office) -> None:
    visit = Visit()
    office.roster.post("acme").visits.add(visit)
    standing = Standing(enabled=False, reason="elsewhere", changed_s=office.clock.time(), clear_by_s=office.clock.time() + 30)
    office.clock.advance(10)
    office.desk.apply({"acme": standing})
    office.desk.apply({"acme": standing})  # it is read again
    assert ((await office.get()).mode_reason, list(office.timers.due)) == ("elsewhere", [20.0])
    office.desk.apply({"acme": Standing()})
    assert (office.timers.due, visit.evicted, office.kept) == ({}, False, [])


async def test_a_drain_of_zero_ends_everything_at_once(office: Office) -> None:
    visit = Visit()
    office.roster.post("acme").visits.add(visit)
    await office.set_enabled(enabled=False, drain_timeout={})
    assert visit.evicted


async def test_a_provider_that_a_new_configuration_brings_back_is_still_out_of_use(office: Office) -> None:
    office.desk.apply({"gamma": Standing(enabled=False)})
    office.roster.name(["acme", "gamma"], [])
    office.desk.renew({"gamma": Place("openai")})
    assert ((await office.get("gamma")).mode, (await office.get("gamma")).dialect) == (admin.PROVIDER_MODE_DISABLED, "openai")


@pytest.mark.parametrize(
    ("request_", "fields"),
    [
        ({}, ["enabled"]),
        ({"enabled": True, "drain_timeout": {"seconds": 1}}, ["drain_timeout"]),
        ({"enabled": False, "drain_timeout": {"seconds": -1}}, ["drain_timeout"]),
        ({"enabled": False, "drain_timeout": {"seconds": 86_401}}, ["drain_timeout"]),
        ({"enabled": False, "request_id": "x" * 65, "reason": "y" * 1025}, ["request_id", "reason"]),
    ],
)
async def test_what_is_unclear_changes_nothing(office: Office, request_: dict[str, object], fields: list[str]) -> None:
    with pytest.raises(InvalidRequest) as caught:
        await office.set_enabled(**request_)
    assert [violation.field for violation in caught.value.violations] == fields
    assert (office.roster.enabled("acme"), office.audited) == (True, [])


async def test_pages_have_every_provider_once_in_order(office: Office) -> None:
    request, pages = admin.ListProvidersRequest(page_size=2), []
    while True:
        response = await office.service.ListProviders(request, office.exchange)
        pages.append([provider.name for provider in response.providers])
        request.page_token = response.next_page_token
        if not request.page_token:
            break
    assert pages == [["acme", "beta"], ["echo"]]


async def test_lists_can_be_of_some_modes_and_healths(office: Office) -> None:
    office.succeed(FAST)
    office.desk.apply({"beta": Standing(enabled=False), "gone": Standing(enabled=False)})
    assert await office.listed(modes=[admin.PROVIDER_MODE_DISABLED, admin.PROVIDER_MODE_DRAINING]) == ["beta"]
    assert await office.listed(healths=[admin.PROVIDER_HEALTH_HEALTHY]) == ["acme"]
    assert await office.listed(healths=[admin.PROVIDER_HEALTH_UNSPECIFIED], modes=[admin.PROVIDER_MODE_ENABLED]) == ["echo"]


@pytest.mark.parametrize(
    ("request_", "field"),
    [
        ({"modes": [0]}, "modes[0]"),
        ({"modes": [1, 9]}, "modes[1]"),
        ({"healths": [9]}, "healths[0]"),
        ({"page_size": -1}, "page_size"),
        ({"page_token": "!"}, "page_token"),
    ],
)
async def test_lists_of_nonsense_are_refused(office: Office, request_: dict[str, object], field: str) -> None:
    with pytest.raises(InvalidRequest) as caught:
        await office.listed(**request_)
    assert [violation.field for violation in caught.value.violations] == [field]


@pytest.mark.parametrize("method", ["GetProvider", "ResetBreaker", "SetProviderEnabled"])
async def test_a_provider_has_to_be_named_and_to_be_there(office: Office, method: str) -> None:
    request = {"enabled": True} if method == "SetProviderEnabled" else {}
    call = getattr(office.service, method)
    make = getattr(admin, f"{method}Request")
    with pytest.raises(InvalidRequest, match="name: is required"):
        await call(make(**request), office.exchange)
    with pytest.raises(NotFound, match="this server has acme, beta, echo"):
        await call(make(name="nobody", **request), office.exchange)
