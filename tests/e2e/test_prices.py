"""What models and answers cost, through a real server: the vendor's list, the operator's word on top, the cost in every answer."""

import subprocess
import sys
from decimal import Decimal

import pytest

from promptwire import Promptwire, errors
from promptwire import v1 as pb
from tests.e2e import process
from tests.e2e.conftest import Serve
from tests.e2e.process import Server
from tests.faults.fake_provider.process import FakeProvider

PRICED = "fake/fake"
TUNED = "fake/tuned~tokens=7"
FACTS = {
    PRICED: {"input_usd_per_1m": "0.15", "output_usd_per_1m": 0.6, "context_window": 128_000, "capabilities": ["chat", "tools"]},
    TUNED: {"input_usd_per_1m": "0.30", "output_usd_per_1m": "1.20", "request_usd": "0.001"},
    "nobody/x": {"context_window": 5},
}


@pytest.fixture
def priced(serve: Serve, fake: FakeProvider) -> Server:
    providers = {"fake": process.openai(fake.base_url), "dead": process.openai("http://127.0.0.1:9/v1")}
    return serve({"providers": providers, "model_facts": FACTS, "models": {"fast": PRICED}})


async def test_models_have_the_operator_s_facts_and_a_dead_vendor_hides_nobody(priced: Server) -> None:
    async with Promptwire(priced.target) as client:
        models = {model.name: model for model in await client.list_models()}
        one = await client.get_model(PRICED)
    assert one == models[PRICED]
    assert (one.source, one.context_window_tokens, one.price.source) == ("provider", 128_000, "operator")
    assert one.price.input_nano_usd_per_1k_tokens == 150_000
    assert list(one.capabilities) == [pb.CAPABILITY_CHAT, pb.CAPABILITY_TOOLS]
    assert models["fast"].price == one.price
    assert (models[TUNED].source, models[TUNED].price.request_nano_usd) == ("configuration", 1_000_000)
    assert models["echo/echo"].price == pb.Price(source="free")


async def test_a_model_that_nobody_lists_is_not_found(priced: Server) -> None:
    async with Promptwire(priced.target) as client:
        with pytest.raises(errors.NotFound, match='fake lists no model "nothing"'):
            await client.get_model("fake/nothing")


async def test_every_answer_says_what_it_cost_whole_or_streamed(priced: Server) -> None:
    async with Promptwire(priced.target) as client:
        answers = [await client.chat("a b c", model=TUNED), await client.stream_chat("a b c", model=TUNED).read()]
        free = await client.chat("a", model="echo/echo")
        unknown = await client.chat("a", model="fake/unheard-of")
    for answer in answers:
        usage, cost = answer.usage, answer.cost
        exact = (Decimal("0.30") * usage.input_tokens + Decimal("1.20") * usage.output_tokens) * 1000 + 1_000_000
        assert usage.output_tokens
        assert cost.total_nano_usd == exact
        assert cost.price_source == "operator"
    assert free.cost == pb.Cost(total_nano_usd=0, price_source="free")
    assert not unknown.HasField("cost")
    spent = sum(answer.cost.total_nano_usd for answer in answers)
    assert priced.metrics().sum("promptwire_cost_nano_usd_total") == spent


def test_the_command_line_shows_prices_and_limits(priced: Server) -> None:
    command = [sys.executable, "-m", "promptwire_server", "models", "--target", priced.target, "--provider", "fake"]
    shown = subprocess.run(command, capture_output=True, text=True, check=True, timeout=60).stdout
    rows = {row[0]: row for row in (line.split("\t") for line in shown.splitlines())}
    assert rows[PRICED] == [PRICED, PRICED, "tools", "128k", "$0.15", "$0.6"]


def test_facts_of_a_provider_that_is_not_there_are_told_at_the_start(priced: Server) -> None:
    (line,) = priced.log.wait("config.notice")
    assert 'model_facts is of no use: "nobody/x"' in line["message"]
