"""Budgets of the configuration file on a real server: kept, changed with it, shown in metrics, told to a real webhook."""

import asyncio
import hashlib
import hmac
import json
import queue
import threading
import time
from base64 import b64encode
from collections.abc import Iterator
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer

import pytest

from promptwire import Promptwire, errors
from promptwire.admin import v1 as admin
from tests.e2e.conftest import Serve
from tests.e2e.process import Config

SECRET = "a secret of the test's, long enough"
WITHIN_S = 30.0
Call = tuple[dict[str, str], bytes]


class Hook(ThreadingHTTPServer):
    """A webhook that fails once."""

    def __init__(self) -> None:
        super().__init__(("127.0.0.1", 0), Answer)
        self.calls: queue.Queue[Call] = queue.Queue()
        self.count = 0


class Answer(BaseHTTPRequestHandler):
    server: Hook

    def do_POST(self) -> None:
        body = self.rfile.read(int(self.headers["content-length"]))
        self.server.count += 1
        self.server.calls.put(({key.lower(): value for key, value in self.headers.items()}, body))
        self.send_response(500 if self.server.count == 1 else 204)
        self.end_headers()

    def log_message(self, *_: object) -> None:
        """Nothing."""


@pytest.fixture
def hook() -> Iterator[Hook]:
    hook = Hook()
    thread = threading.Thread(target=hook.serve_forever, daemon=True)
    thread.start()
    yield hook
    hook.shutdown()
    hook.server_close()
    thread.join()


def config(hook: Hook, **budgets: object) -> Config:
    """A server whose only model costs a tenth of a dollar for any answer, or so."""
    return {
        "default_model": "echo/echo",
        "providers": {"paid": {"kind": "echo"}},
        "model_facts": {"paid/echo": {"input_usd_per_1m": "1000", "output_usd_per_1m": "1000", "max_output_tokens": 64}},
        "budgets": budgets,
        "alerts": {"channels": {"team": {"webhook": f"http://127.0.0.1:{hook.server_address[1]}/in", "secret": SECRET}}},
    }


ALL = {"limit_usd": "1000", "enforcement": "soft", "alerts": [{"percent": 1, "channel": "team"}]}


async def test_budgets_come_and_go_with_the_file(serve: Serve, hook: Hook) -> None:
    server = serve(config(hook, everything=ALL))
    async with Promptwire(server.target) as client:
        (budget, _), *_ = await client.admin.list_budgets()
        assert (budget.budget_id, budget.limit_nano_usd) == ("everything", 1000 * 10**9)
        with pytest.raises(errors.PolicyDenied, match=r"configuration file, budgets\.everything"):
            await client.admin.delete_budget("everything")
        await client.admin.create_budget(_made("extra"))
        server.rewrite(config(hook, everything=ALL | {"limit_usd": "0.5"}, more={"limit_usd": 5}))
        server.log.wait("config.reloaded")
        assert await _limits(client) == {"everything": 5 * 10**8, "extra": 7, "more": 5 * 10**9}
        server.rewrite(config(hook))
        server.log.wait("config.reloaded", count=2)
        assert await _limits(client) == {"extra": 7}


def _made(name: str) -> admin.Budget:
    window = admin.BudgetWindow(lifetime=admin.LifetimeWindow())
    return admin.Budget(budget_id=name, scope={}, limit_nano_usd=7, window=window, enforcement=admin.BUDGET_ENFORCEMENT_SOFT)


async def _limits(client: Promptwire) -> dict[str, int]:
    return {budget.budget_id: budget.limit_nano_usd for budget, _ in await client.admin.list_budgets()}


async def test_a_threshold_is_told_once_by_log_metric_and_webhook(serve: Serve, hook: Hook) -> None:
    server = serve(config(hook, everything=ALL | {"limit_usd": "0.01"}))
    async with Promptwire(server.target) as client:
        answer = await client.chat("one two three", model="paid/echo")
        await client.chat("one two three", model="paid/echo")
        cost = answer.cost.total_nano_usd
    assert cost > 10**6
    first, second = hook.calls.get(timeout=WITHIN_S), hook.calls.get(timeout=WITHIN_S)
    headers, body = second
    signed = f"{headers['webhook-id']}.{headers['webhook-timestamp']}.".encode() + body
    assert headers["webhook-signature"] == f"v1,{b64encode(hmac.new(SECRET.encode(), signed, hashlib.sha256).digest()).decode()}"
    assert (first[0]["webhook-id"], first[1]) == (headers["webhook-id"], body)
    told = json.loads(body)
    assert (told["type"], told["data"]["budget_id"], told["data"]["percent"], told["data"]["limit_nano_usd"]) == (
        "budget.reached", "everything", 1, 10**7,
    )  # fmt: skip
    assert len(server.log.wait("budget.reached", budget_id="everything")) == 1
    until_s = time.monotonic() + WITHIN_S
    while server.metrics().sum("promptwire_budget_spent_nano_usd", budget="everything") != 2 * cost:
        assert time.monotonic() < until_s
        await asyncio.sleep(0.2)
    assert server.metrics().sum("promptwire_budget_reached_total", budget="everything") == 1
    assert server.metrics().sum("promptwire_budget_limit_nano_usd", budget="everything") == 10**7
    assert hook.count == 2
