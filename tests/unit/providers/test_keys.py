"""What is known of keys outlives a configuration, and is told: in the log, and as numbers."""

import gc

import pytest

from promptwire_server.core.call import Trail
from promptwire_server.core.clock import ManualClock, SystemClock
from promptwire_server.core.errors import Origin, PromptwireError, UpstreamAccount, UpstreamRateLimited
from promptwire_server.core.secret import Credential, Reference, Secret
from promptwire_server.providers.credentials import KeyRing
from promptwire_server.providers.key import Key
from promptwire_server.providers.keys import KeyNews, Keys
from promptwire_server.providers.lone_key import LoneKey
from promptwire_server.providers.registry import build
from promptwire_server.providers.settings import HttpSettings
from tests.unit.providers.listener import ANSWER, Received, json_answer, listening, sse_answer
from tests.unit.providers.support import ask, make_call, make_ids


def account() -> UpstreamAccount:
    return UpstreamAccount("no money", origin=Origin("openai", 401))


def limited(seconds: float = 5.0) -> UpstreamRateLimited:
    return UpstreamRateLimited("slow down", retry_after_s=seconds, origin=Origin("openai", 429))


class Configured:
    """Configurations of one provider, one after the other."""

    def __init__(self) -> None:
        self.clock = ManualClock(now_s=1000.0)
        self.news: list[KeyNews] = []
        self.keys = Keys(self.clock, self.news.append)
        self.ring = self.ring_of("sk-1", "sk-2")

    def ring_of(self, *values: str, provider: str = "openai") -> KeyRing:
        secrets = [Secret("".join(value)) for value in values]  # read anew: no object is the same
        return KeyRing(provider, secrets, lambda secret: {"authorization": f"Bearer {secret.reveal()}"}, self.keys)

    async def call(self, ring: KeyRing, **says: PromptwireError) -> list[str]:
        """What one call has shown to the vendor, which says this of these values."""
        shown: list[str] = []

        async def vendor(key: Key, _: PromptwireError | None) -> None:
            shown.append(key.headers()["authorization"].removeprefix("Bearer sk-"))
            if f"k{shown[-1]}" in says:
                raise says[f"k{shown[-1]}"]

        await ring.lend("gpt", Trail(), vendor)
        return shown

    def counted(self) -> dict[tuple[str, str], int]:
        return {(provider, state): count for provider, state, count in self.keys.counts() if count}


@pytest.fixture
def configured() -> Configured:
    return Configured()


async def test_a_key_that_died_is_dead_in_the_next_configuration(configured: Configured) -> None:
    assert await configured.call(configured.ring, k1=account()) == ["1", "2"]
    again = configured.ring_of("sk-1", "sk-2")
    assert [await configured.call(again) for _ in range(3)] == [["2"], ["2"], ["2"]]
    configured.clock.advance(30.0)
    assert await configured.call(again) == ["1"]
    assert [await configured.call(configured.ring) for _ in range(2)] == [["1"], ["2"]]  # which is draining, and hears of it too


async def test_a_key_that_rests_rests_in_the_next_configuration(configured: Configured) -> None:
    await configured.call(configured.ring, k1=limited(20.0))
    again = configured.ring_of("sk-1", "sk-2")
    assert [await configured.call(again) for _ in range(2)] == [["2"], ["2"]]


async def test_keys_are_known_by_their_value_and_not_by_their_place(configured: Configured) -> None:
    await configured.call(configured.ring, k1=account())
    again = configured.ring_of("sk-3", "sk-2", "sk-1")
    assert sorted([(await configured.call(again))[0] for _ in range(4)]) == ["2", "2", "3", "3"]


async def test_in_the_next_configuration_keys_take_turns_from_the_beginning(configured: Configured) -> None:
    for _ in range(101):
        await configured.call(configured.ring)
    again = configured.ring_of("sk-1", "sk-2", "sk-3")
    assert [(await configured.call(again))[0] for _ in range(6)] == ["1", "2", "3", "1", "2", "3"]


async def test_the_same_key_at_another_provider_is_another_account(configured: Configured) -> None:
    await configured.call(configured.ring, k1=account())
    assert await configured.call(configured.ring_of("sk-1", "sk-2", provider="other")) == ["1"]


async def test_a_secret_that_comes_back_is_as_it_was_left_while_anybody_has_it(configured: Configured) -> None:
    credential = Credential(Reference("vault", "secret/openai", "key"), "sk-old")
    ring = KeyRing("openai", [credential, Secret("sk-2")], lambda secret: {"authorization": f"Bearer {secret.reveal()}"}, configured.keys)
    keeper = configured.ring_of("sk-old", "sk-2")
    await configured.call(ring, kold=account())
    credential.renew("sk-new")
    assert (await configured.call(ring)) == ["new"]
    credential.renew("sk-old")
    assert [(await configured.call(ring))[0] for _ in range(2)] == ["2", "2"]
    assert keeper.states()["dead"] == 1


async def test_what_is_known_of_a_key_goes_with_its_last_user(configured: Configured) -> None:
    await configured.call(configured.ring, k1=account())
    configured.ring.close()
    del configured.ring
    gc.collect()
    assert await configured.call(configured.ring_of("sk-1", "sk-2")) == ["1"]


async def test_no_secret_is_kept_beside_the_keys(configured: Configured) -> None:
    await configured.call(configured.ring, k1=account())
    assert len(configured.keys._records) == 2
    assert "sk-" not in repr(dict(configured.keys._records))


async def test_what_becomes_of_a_key_is_told_once(configured: Configured) -> None:
    await configured.call(configured.ring, k1=account())
    assert configured.news == [KeyNews("openai", 1, "dead", 30.0, error="no money")]
    configured.clock.advance(30.0)
    await configured.call(configured.ring)
    assert configured.news[1:] == [KeyNews("openai", 1, "working")]
    with pytest.raises(UpstreamRateLimited):
        await configured.call(configured.ring, k1=limited(7.0), k2=limited(9.0))
    with pytest.raises(UpstreamRateLimited):
        await configured.call(configured.ring)
    assert sorted(configured.news[2:], key=lambda news: news.number) == [
        KeyNews("openai", 1, "resting", 7.0, "gpt"),
        KeyNews("openai", 2, "resting", 9.0, "gpt"),
    ]


async def test_a_refusal_of_a_secret_that_was_replaced_meanwhile_says_nothing_of_the_new_one(configured: Configured) -> None:
    credential = Credential(Reference("vault", "secret/openai", "key"), "sk-old")
    ring = KeyRing("openai", [credential, Secret("sk-2")], lambda secret: {"authorization": f"Bearer {secret.reveal()}"}, configured.keys)

    async def vendor(key: Key, _: PromptwireError | None) -> str:
        shown = key.headers()["authorization"]
        if shown == "Bearer sk-old":
            credential.renew("sk-new")
            ring.states()  # somebody looks
            raise account()
        return shown

    assert await ring.lend("gpt", Trail(), vendor) == "Bearer sk-2"
    assert configured.news == []
    assert await ring.lend("gpt", Trail(), vendor) == "Bearer sk-new"


async def test_an_operator_may_have_keys_tried_again_at_once(configured: Configured) -> None:
    await configured.call(configured.ring, k1=account())
    configured.keys.revive("other")
    assert await configured.call(configured.ring) == ["2"]
    configured.keys.revive("openai")
    assert configured.news[-1] == KeyNews("openai", 1, "working")
    assert await configured.call(configured.ring) == ["1"]


async def test_keys_are_counted_by_their_state(configured: Configured) -> None:
    assert configured.counted() == {("openai", "working"): 2}
    await configured.call(configured.ring, k1=limited(7.0))
    assert configured.counted() == {("openai", "working"): 1, ("openai", "resting"): 1}
    configured.clock.advance(7.0)
    await configured.call(configured.ring, k2=account())
    assert configured.counted() == {("openai", "working"): 1, ("openai", "dead"): 1}
    again = configured.ring_of("sk-1", "sk-2", "sk-3")
    configured.ring.close()  # the old one, which is no longer shown anyway
    assert configured.counted() == {("openai", "working"): 2, ("openai", "dead"): 1}
    again.close()
    assert configured.counted() == {}


async def test_a_key_that_cannot_be_sent_is_passed_over_like_a_dead_one(configured: Configured) -> None:
    ring = configured.ring_of("sk-bro\nken", "sk-2")
    assert [await configured.call(ring) for _ in range(3)] == [["2"], ["2"], ["2"]]
    assert configured.counted() == {("openai", "working"): 1, ("openai", "dead"): 1}
    (news,) = configured.news
    assert (news.number, news.state) == (1, "dead")
    assert "cannot be sent in a header" in news.error
    assert "bro" not in news.error


async def test_a_dead_key_is_asked_rather_than_one_that_cannot_be_sent(configured: Configured) -> None:
    ring = configured.ring_of("sk-bro\nken", "sk-2")
    for _ in range(2):
        with pytest.raises(UpstreamAccount, match="no money"):
            await configured.call(ring, k2=account())


async def test_when_no_key_can_be_sent_nobody_is_asked_and_it_is_said(configured: Configured) -> None:
    ring = configured.ring_of("sk-bro\nken", "sk-smile\N{GRINNING FACE}")
    with pytest.raises(UpstreamAccount, match="openai: each of its 2 keys has characters that cannot be sent") as caught:
        await configured.call(ring)
    assert not caught.value.retryable
    assert caught.value.elsewhere


async def test_a_key_is_used_once_it_was_corrected(configured: Configured) -> None:
    credential = Credential(Reference("vault", "secret/openai", "key"), "sk-bro\nken")
    ring = KeyRing("openai", [credential, Secret("sk-2")], lambda secret: {"authorization": f"Bearer {secret.reveal()}"}, configured.keys)
    await configured.call(ring)
    credential.renew("sk-1")
    assert await configured.call(ring) == ["1"]
    assert configured.counted() == {("openai", "working"): 2}


REFUSALS = {
    "limited": {"error": {"message": "slow down", "type": "rate_limit_error", "code": "rate_limit_exceeded"}},
    "empty": {"error": {"message": "no money", "type": "insufficient_quota", "code": "insufficient_quota"}},
}


@pytest.mark.parametrize("what", REFUSALS)
async def test_a_key_that_is_refused_within_a_success_is_not_asked_again(what: str) -> None:
    def vendor(request: Received) -> bytes:
        return sse_answer(REFUSALS[what]) if request.headers["authorization"] == "Bearer sk-1" else json_answer(ANSWER)

    async with listening(vendor) as listener:
        keys = Keys(SystemClock())
        settings = HttpSettings("openai", base_url=listener.origin, api_key=Secret("sk-1"), api_keys=[Secret("sk-2")])
        provider = build("openai", settings, clock=SystemClock(), ids=make_ids(), keys=keys)
        try:
            with pytest.raises((UpstreamRateLimited, UpstreamAccount)) as caught:
                await provider(make_call(stream=True))
            assert caught.value.retryable  # with the other key
            assert not caught.value.retry_after_s
            for _ in range(2):
                assert (await ask(provider, make_call())).text == "hello"
            assert {state for _, state, count in keys.counts() if count} == {"working", "resting" if what == "limited" else "dead"}
        finally:
            await provider.aclose()
    assert [request.headers["authorization"].removeprefix("Bearer ") for request in listener.received] == ["sk-1", "sk-2", "sk-2"]
    assert not list(keys.counts())


class Lone(Configured):
    """A provider with one key."""

    def __init__(self) -> None:
        super().__init__()
        self.ring.close()
        self.lone = LoneKey("openai", Secret("sk-1"), lambda _: {}, self.keys)

    async def ask(self, error: PromptwireError | None = None) -> None:
        async def vendor(_: None, __: None) -> None:
            if error is not None:
                raise error

        await self.lone.lend("gpt", Trail(), vendor)


async def test_the_only_key_is_always_asked_and_how_it_fares_is_told_once() -> None:
    lone = Lone()
    for _ in range(3):
        with pytest.raises(UpstreamAccount):
            await lone.ask(account())
    assert lone.counted() == {("openai", "dead"): 1}
    await lone.ask()
    assert lone.counted() == {("openai", "working"): 1}
    for _ in range(3):
        with pytest.raises(UpstreamRateLimited) as caught:
            await lone.ask(limited(7.0))
    assert caught.value.retry_after_s == 7.0
    assert lone.counted() == {("openai", "resting"): 1}
    told = [
        KeyNews("openai", 1, "dead", 30.0, error="no money"),
        KeyNews("openai", 1, "working"),
        KeyNews("openai", 1, "resting", 7.0, "gpt"),
    ]
    assert lone.news == told


async def test_the_only_key_hears_what_breaks_an_answer_off() -> None:
    lone = Lone()
    error = limited(9.0)
    assert lone.lone.listener(None, "gpt")(error) is error
    assert lone.counted() == {("openai", "resting"): 1}
    lone.lone.close()
    assert lone.counted() == {}
