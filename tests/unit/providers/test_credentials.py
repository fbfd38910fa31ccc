"""Which of several keys is asked, and what becomes of those that are refused."""

import asyncio
import random
from collections.abc import Mapping

import pytest

from promptwire_server.core.call import Trail
from promptwire_server.core.clock import ManualClock
from promptwire_server.core.errors import Origin, PromptwireError, UpstreamAccount, UpstreamFailed, UpstreamRateLimited
from promptwire_server.core.limits import Allowance
from promptwire_server.core.secret import Credential, Reference, Secret
from promptwire_server.providers.credentials import KeyRing
from promptwire_server.providers.key import Key
from promptwire_server.providers.keys import Keys

NOTHING_LEFT = (Allowance("requests", "requests", 0.0, 60.0, 60.0, 1.0),)


def account() -> UpstreamAccount:
    return UpstreamAccount("no money", origin=Origin("openai", 401))


def limited(seconds: float | None = 5.0) -> UpstreamRateLimited:
    return UpstreamRateLimited("slow down", retry_after_s=seconds, origin=Origin("openai", 429))


def headers(secret: Secret) -> Mapping[str, str]:
    return {"authorization": f"Bearer {secret.reveal()}"}


class Vendor:
    """Answers with the number of the key, or as it is told to."""

    def __init__(self, clock: ManualClock, keys: int = 3) -> None:
        self.clock = clock
        self.ring = KeyRing("openai", [Secret(f"sk-{number}") for number in range(1, keys + 1)], headers, Keys(clock))
        self.says: dict[int, PromptwireError] = {}
        self.asked: list[int] = []

    async def call(self, model: str = "gpt", trail: Trail | None = None) -> int:
        """One call; the number of the key that was let in."""
        self.asked = []

        async def ask(key: Key, _: PromptwireError | None) -> int:
            self.asked.append(key.number)
            if key.number in self.says:
                raise self.says[key.number]
            return key.number

        return await self.ring.lend(model, trail or Trail(), ask)


@pytest.fixture
def clock() -> ManualClock:
    return ManualClock(now_s=1000.0)


@pytest.fixture
def vendor(clock: ManualClock) -> Vendor:
    return Vendor(clock)


async def test_keys_take_turns(vendor: Vendor) -> None:
    assert [await vendor.call() for _ in range(6)] == [1, 2, 3, 1, 2, 3]


async def test_a_limited_key_rests_for_as_long_as_the_vendor_says_and_the_next_is_asked_at_once(vendor: Vendor, clock: ManualClock) -> None:
    vendor.says = {1: limited(5.0)}
    assert await vendor.call() == 2
    assert vendor.asked == [1, 2]
    vendor.says = {}
    clock.advance(4.9)
    assert [await vendor.call() for _ in range(3)] == [3, 2, 3]
    clock.advance(0.1)
    vendor.says = {2: limited(), 3: limited()}
    assert await vendor.call() == 1


async def test_a_key_rests_for_the_model_that_is_limited_only(vendor: Vendor) -> None:
    vendor.says = dict.fromkeys((1, 2, 3), limited(60.0))
    with pytest.raises(UpstreamRateLimited):
        await vendor.call("gpt")
    vendor.says = {}
    assert await vendor.call("other") == 1


async def test_a_key_that_was_limited_comes_after_those_that_were_not(vendor: Vendor, clock: ManualClock) -> None:
    vendor.says = {1: limited(1.0)}
    await vendor.call()
    vendor.says = {}
    clock.advance(2.0)
    assert [await vendor.call() for _ in range(4)] == [3, 2, 3, 2]
    clock.advance(60.0)
    assert await vendor.call() == 1


async def test_while_all_keys_rest_nobody_is_asked_and_the_soonest_is_told(vendor: Vendor, clock: ManualClock) -> None:
    vendor.says = {1: limited(9.0), 2: limited(4.0), 3: limited(7.0)}
    with pytest.raises(UpstreamRateLimited) as caught:
        await vendor.call()
    assert vendor.asked == [1, 2, 3]
    assert caught.value.retry_after_s == pytest.approx(4.0)
    clock.advance(1.0)
    with pytest.raises(UpstreamRateLimited, match="each of its 3 keys that work; try again in 3 s") as caught:
        await vendor.call()
    assert vendor.asked == []
    assert caught.value.retry_after_s == pytest.approx(3.0)
    assert caught.value.elsewhere


async def test_a_limit_without_a_time_lets_the_others_go_first(vendor: Vendor, clock: ManualClock) -> None:
    vendor.says = {1: limited(None)}
    await vendor.call()
    vendor.says = {}
    assert [await vendor.call() for _ in range(2)] == [3, 2]


async def test_a_key_with_nothing_left_rests_before_it_is_refused(vendor: Vendor, clock: ManualClock) -> None:
    vendor.ring.keys[0].hears("gpt", NOTHING_LEFT, clock.now_s)
    assert await vendor.call() == 2
    clock.advance(1.0)
    assert vendor.ring.keys[0].rest_s("gpt", clock.now_s) == 0.0


async def test_an_empty_account_is_out_for_a_while_that_grows(clock: ManualClock) -> None:
    vendor = Vendor(clock, keys=2)
    vendor.says = {1: account()}
    whiles = []
    for _ in range(9):
        assert await vendor.call() == 2
        assert vendor.asked == [1, 2]
        assert await vendor.call() == 2
        assert vendor.asked == [2]
        whiles.append(vendor.ring.keys[0].out_s(clock.now_s))
        clock.advance(whiles[-1])
    assert whiles == [30.0, 60.0, 120.0, 240.0, 480.0, 960.0, 1920.0, 3600.0, 3600.0]


async def test_an_account_that_works_again_is_as_good_as_any(clock: ManualClock) -> None:
    vendor = Vendor(clock, keys=2)
    vendor.says = {1: account()}
    await vendor.call()
    clock.advance(30.0)
    vendor.says = {}
    assert [await vendor.call() for _ in range(4)] == [1, 2, 1, 2]
    vendor.says = {1: account()}
    await vendor.call()
    assert vendor.ring.keys[0].out_s(clock.now_s) == 30.0


async def test_one_call_tries_a_broken_account_again_while_the_others_go_elsewhere(clock: ManualClock) -> None:
    vendor = Vendor(clock, keys=2)
    vendor.says = {1: account()}
    await vendor.call()
    clock.advance(30.0)
    asked: list[int] = []
    answered = asyncio.Event()

    async def ask(key: Key, _: PromptwireError | None) -> int:
        asked.append(key.number)
        if key.number == 1:
            await answered.wait()
        return key.number

    trying = asyncio.ensure_future(vendor.ring.lend("gpt", Trail(), ask))
    await asyncio.sleep(0)
    assert [await vendor.ring.lend("gpt", Trail(), ask) for _ in range(5)] == [2] * 5
    answered.set()
    assert await trying == 1
    assert asked.count(1) == 1


async def test_calls_that_were_under_way_when_an_account_broke_do_not_make_it_worse(clock: ManualClock) -> None:
    vendor = Vendor(clock, keys=2)
    break_now = asyncio.Event()

    async def ask(key: Key, _: PromptwireError | None) -> int:
        if key.number == 1:
            await break_now.wait()
            raise account()
        return 2

    calls = [asyncio.ensure_future(vendor.ring.lend("gpt", Trail(), ask)) for _ in range(20)]
    await asyncio.sleep(0)
    clock.advance(1.0)
    break_now.set()
    assert await asyncio.gather(*calls) == [2] * 20
    assert vendor.ring.keys[0].out_s(clock.now_s) == 30.0


async def test_when_all_accounts_are_broken_one_is_tried_and_its_error_stands(clock: ManualClock) -> None:
    vendor = Vendor(clock, keys=2)
    vendor.says = {1: account(), 2: account()}
    with pytest.raises(UpstreamAccount, match="no money"):
        await vendor.call()
    assert vendor.asked == [1, 2]
    clock.advance(1.0)
    with pytest.raises(UpstreamAccount, match="no money"):
        await vendor.call()
    assert len(vendor.asked) == 1
    vendor.says = {}
    assert await vendor.call() in (1, 2)


async def test_an_empty_account_beside_a_limited_one_means_come_back_later(clock: ManualClock) -> None:
    vendor = Vendor(clock, keys=2)
    vendor.says = {1: limited(6.0), 2: account()}
    with pytest.raises(UpstreamRateLimited, match="each of its 1 keys that work") as caught:
        await vendor.call()
    assert vendor.asked == [1, 2]
    assert caught.value.retry_after_s == pytest.approx(6.0)


async def test_a_call_makes_three_attempts_at_most(clock: ManualClock) -> None:
    vendor = Vendor(clock, keys=5)
    vendor.says = dict.fromkeys(range(1, 6), account())
    with pytest.raises(UpstreamAccount):
        await vendor.call()
    assert vendor.asked == [1, 2, 3]
    vendor.says.pop(5)
    assert await vendor.call() == 5
    assert vendor.asked == [4, 5]


async def test_when_the_attempts_are_used_up_the_keys_that_are_left_may_be_asked_at_once(clock: ManualClock) -> None:
    vendor = Vendor(clock, keys=4)
    vendor.says = dict.fromkeys((1, 2, 3), limited(20.0))
    with pytest.raises(UpstreamRateLimited) as caught:
        await vendor.call()
    assert caught.value.retry_after_s == 0.0
    assert await vendor.call() == 4


async def test_any_other_failure_is_the_providers(vendor: Vendor) -> None:
    vendor.says = {1: UpstreamFailed("broken", origin=Origin("openai", 500))}
    with pytest.raises(UpstreamFailed):
        await vendor.call()
    assert vendor.asked == [1]
    vendor.says = {}
    assert [await vendor.call() for _ in range(3)] == [2, 3, 1]


async def test_a_refusal_within_an_answer_is_not_asked_again_but_remembered(vendor: Vendor) -> None:
    vendor.says = {1: UpstreamAccount("no money", origin=Origin("openai"))}
    with pytest.raises(UpstreamAccount):
        await vendor.call()
    assert vendor.asked == [1]
    assert [await vendor.call() for _ in range(3)] == [2, 3, 2]


async def test_a_key_that_was_replaced_is_tried_at_once(clock: ManualClock) -> None:
    credential = Credential(Reference("vault", "secret/openai", "key"), "sk-old")
    ring = KeyRing("openai", [credential, Secret("sk-2")], headers, Keys(clock))
    shown: list[str] = []

    async def ask(key: Key, _: PromptwireError | None) -> str:
        shown.append(key.headers()["authorization"])
        if shown[-1] == "Bearer sk-old":
            raise account()
        return shown[-1]

    assert await ring.lend("gpt", Trail(), ask) == "Bearer sk-2"
    credential.renew("sk-new")
    assert await ring.lend("gpt", Trail(), ask) == "Bearer sk-new"
    assert shown == ["Bearer sk-old", "Bearer sk-2", "Bearer sk-new"]


async def test_a_key_never_shows_itself(vendor: Vendor) -> None:
    assert "sk-" not in repr(vendor.ring.keys)


async def test_models_that_callers_think_up_are_forgotten(vendor: Vendor, clock: ManualClock) -> None:
    key = vendor.ring.keys[0]
    for number in range(3000):
        key.rests(f"model-{number}", 60.0, clock.now_s)
    assert sum(bool(key.rest_s(f"model-{number}", clock.now_s)) for number in range(3000)) <= 1024


@pytest.mark.parametrize("seed", range(20))
async def test_whatever_the_vendor_says_a_key_that_would_work_is_found(seed: int) -> None:
    """Accounts break and recover, limits come and go: a call fails only when no key was free, or its attempts were used up."""
    chance = random.Random(seed)
    clock = ManualClock(now_s=chance.uniform(0, 1000))
    vendor = Vendor(clock, keys=chance.randint(2, 5))
    for _ in range(400):
        clock.advance(chance.choice([0.0, 0.1, 1.0, 10.0, 100.0]))
        refusals = [account(), limited(chance.uniform(0.1, 20)), limited(None)]
        vendor.says = {key.number: chance.choice(refusals) for key in vendor.ring.keys if chance.random() < 0.4}
        free = {key.number for key in vendor.ring.keys if not key.out_s(clock.now_s) and not key.rest_s("gpt", clock.now_s)}
        try:
            found = await vendor.call()
        except (UpstreamAccount, UpstreamRateLimited):
            assert free <= set(vendor.asked) or len(vendor.asked) == 3
        else:
            assert found not in vendor.says
        assert len(vendor.asked) == len(set(vendor.asked)) <= 3
