"""One provider's list: asked for once in a while, kept while the vendor is away, completed by who knows better."""

import asyncio

from promptwire import v1 as pb
from promptwire_server.core.clock import ManualClock
from promptwire_server.core.facts import Facts
from promptwire_server.core.price import OPERATOR, PUBLISHED, Price, Rates
from promptwire_server.layers.book import Account, Book
from promptwire_server.layers.shelf import Shelf
from promptwire_server.layers.tally import Line
from tests.unit.layers.vendors import Published, Vendor


def shelf(vendor: Vendor, clock: ManualClock, *, published: Facts | None = None, operator: Facts | None = None) -> Shelf:
    account = Account("https://openai", overrides={} if operator is None else {"mini": operator})
    book = Book({"openai": account}, Published({} if published is None else {"mini": published}), clock)
    return Shelf("openai", vendor, book=book, clock=clock, patience_s=0.05)


async def test_a_vendor_that_goes_away_and_comes_back_is_told_once_each(clock: ManualClock) -> None:
    lines: list[Line] = []
    vendor = Vendor()
    kept = Shelf("openai", vendor, book=Book({}, Published(), clock), clock=clock, log=lines.extend)
    await kept.models()
    clock.advance(60)
    await kept.models()
    assert lines == [("warning", "provider.unreachable", {"provider": "openai", "error": "down"})]
    vendor.names = ("openai/mini",)
    for _ in range(2):
        clock.advance(600)
        await kept.models()
    assert lines[1:] == [("info", "provider.reachable", {"provider": "openai"})]


async def test_a_vendor_that_never_answers_is_told(clock: ManualClock) -> None:
    lines: list[Line] = []
    silent = Vendor("openai/mini", gate=asyncio.Event())
    await Shelf("openai", silent, book=Book({}, Published(), clock), clock=clock, patience_s=0.01, log=lines.extend).models()
    assert lines == [("warning", "provider.unreachable", {"provider": "openai", "error": "no list in 0.01 s"})]


async def names(of: Shelf) -> list[str]:
    return [model.provider_model for model in await of.models()]


async def test_the_vendor_is_asked_once_in_five_minutes(clock: ManualClock) -> None:
    vendor = Vendor("openai/mini")
    kept = shelf(vendor, clock)
    await kept.models()
    clock.advance(299)
    await kept.models()
    assert vendor.times_asked == 1
    clock.advance(1)
    await kept.models()
    assert vendor.times_asked == 2


async def test_many_at_once_ask_once(clock: ManualClock) -> None:
    vendor = Vendor("openai/mini")
    kept = shelf(vendor, clock)
    lists = await asyncio.gather(*(kept.models() for _ in range(20)))
    assert vendor.times_asked == 1
    assert all(len(found) == 1 for found in lists)


async def test_who_leaves_while_asking_leaves_the_others_with_an_answer(clock: ManualClock) -> None:
    gate = asyncio.Event()
    vendor = Vendor("openai/mini", gate=gate)
    kept = Shelf("openai", vendor, book=Book({}, Published(), clock), clock=clock, patience_s=30)
    first = asyncio.create_task(kept.models())
    await vendor.asked.wait()
    second = asyncio.create_task(kept.models())
    first.cancel()
    await asyncio.wait([first])
    gate.set()
    assert [model.name for model in await second] == ["openai/mini"]


async def test_while_the_vendor_is_away_its_old_list_is_shown(clock: ManualClock) -> None:
    vendor = Vendor("openai/mini")
    kept = shelf(vendor, clock)
    await kept.models()
    vendor.names = ()
    clock.advance(301)
    assert await names(kept) == ["mini"]


async def test_a_vendor_that_is_away_is_not_asked_by_everybody(clock: ManualClock) -> None:
    vendor = Vendor()
    kept = shelf(vendor, clock)
    assert await names(kept) == []
    assert await names(kept) == []
    assert vendor.times_asked == 1
    vendor.names = ("openai/mini",)
    clock.advance(16)
    assert await names(kept) == ["mini"]


async def test_what_the_vendor_does_not_tell_the_price_list_does(clock: ManualClock) -> None:
    published = Facts(Price(Rates(input=150_000), PUBLISHED), 128_000)
    (model,) = await shelf(Vendor("openai/mini"), clock, published=published).models()
    assert model.context_window_tokens == 128_000
    assert model.price == pb.Price(input_nano_usd_per_1k_tokens=150_000, source="genai-prices")
    assert list(model.capabilities) == [pb.CAPABILITY_CHAT]


async def test_what_the_vendor_tells_holds_before_the_price_list(clock: ManualClock) -> None:
    vendor = Vendor("openai/mini", context_window_tokens=1000, price=pb.Price(input_nano_usd_per_1k_tokens=1, source="provider"))
    (model,) = await shelf(vendor, clock, published=Facts(Price(Rates(input=2), PUBLISHED), 2000)).models()
    assert (model.context_window_tokens, model.price.source) == (1000, "provider")


async def test_what_the_operator_says_holds_before_all(clock: ManualClock) -> None:
    vendor = Vendor("openai/mini", context_window_tokens=1000, max_output_tokens=10, price=pb.Price(input_nano_usd_per_1k_tokens=1))
    operator = Facts(Price(Rates(input=3), OPERATOR), 3000, 30, (pb.CAPABILITY_TOOLS,))
    published = Facts(Price(Rates(input=2, output=9), PUBLISHED))
    (model,) = await shelf(vendor, clock, published=published, operator=operator).models()
    assert (model.context_window_tokens, model.max_output_tokens, list(model.capabilities)) == (3000, 30, [pb.CAPABILITY_TOOLS])
    assert model.price == pb.Price(input_nano_usd_per_1k_tokens=3, output_nano_usd_per_1k_tokens=9, source="operator")


async def test_what_the_operator_knows_is_there_although_the_vendor_never_answered(clock: ManualClock) -> None:
    (model,) = await shelf(Vendor(), clock, operator=Facts(context_window_tokens=3000)).models()
    assert (model.name, model.source, model.context_window_tokens) == ("openai/mini", "configuration", 3000)


async def test_the_price_list_is_asked_for_all_models_at_once(clock: ManualClock) -> None:
    published = Published()
    book = Book({"openai": Account("https://openai")}, published, clock)
    await Shelf("openai", Vendor("openai/a", "openai/b"), book=book, clock=clock).models()
    assert published.asked == [("https://openai", ("a", "b"))]
