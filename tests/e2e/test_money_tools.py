"""Budgets and usage by the real command line, against real servers."""

import csv
import io
import json
import subprocess
import sys
from pathlib import Path

import pytest

from promptwire import SyncPromptwire, errors
from promptwire.admin import v1 as admin
from tests.e2e import process
from tests.e2e.conftest import Serve
from tests.e2e.process import Config, Server

APP, OTHER, OPERATOR = "app-" + "k" * 30, "oth-" + "k" * 30, "ops-" + "k" * 30
KEYS = [
    {"name": "app", "key": APP, "tenant": "shop"},
    {"name": "other", "key": OTHER, "tenant": "search"},
    {"name": "ops", "key": OPERATOR, "tenant": None},
]


class Tool:
    """`promptwire` as somebody."""

    def __init__(self, server: Server, folder: Path) -> None:
        self._server, self._folder = server, folder

    def run(self, *words: str, key: str = OPERATOR, code: int = 0) -> subprocess.CompletedProcess[str]:
        """Run it; it must end with this code."""
        environ = process.environment(self._folder, {"PROMPTWIRE_TARGET": self._server.target, "PROMPTWIRE_API_KEY": key})
        command = [sys.executable, "-m", "promptwire_server", *words]
        done = subprocess.run(command, env=environ, cwd=self._folder, capture_output=True, text=True, timeout=60, check=False)
        assert done.returncode == code, done.stderr
        return done

    def table(self, *words: str, key: str = OPERATOR) -> list[list[str]]:
        """What it prints, cell by cell."""
        return [line.split("\t") for line in self.run(*words, key=key).stdout.splitlines()]


@pytest.fixture
def config() -> Config:
    return {"auth": {"api_keys": KEYS}, "default_model": "echo/echo"}


@pytest.fixture
def tool(serve: Serve, config: Config, tmp_path: Path) -> Tool:
    return Tool(serve(config), tmp_path)


def test_a_budget_lives_from_its_making_to_its_end(tool: Tool) -> None:
    made = tool.run(
        "budget", "create", "shop", "--limit", "0.25", "--window", "day", "--tenant", "shop", "--alert", "80", "--label", "team=a"
    )
    assert made.stderr == "made: shop, $0.25 a day, tenant shop, team=a\n"
    header, row = tool.table("budget", "list")
    assert header == ["budget", "counts", "window", "limit", "spent", "held", "left", "used", ""]
    assert row == ["shop", "tenant shop, team=a", "a day", "$0.25", "$0", "$0", "$0.25", "0 %", ""]
    tool.run("budget", "set", "shop", "--limit", "1", "--enforcement", "soft")
    tool.run("budget", "adjust", "shop", "-0.000000001", "--reason", "a test", "--request-id", "once")
    tool.run("budget", "adjust", "shop", "-0.000000001", "--reason", "a test", "--request-id", "once")
    facts = dict(tool.table("budget", "show", "shop"))
    assert (facts["adjusted"], facts["left"], facts["enforcement"]) == ("-$0.000000001", "$0.999999999 (0 % used)", "soft")
    assert json.loads(tool.run("budget", "list", "--json").stdout)["statuses"][0]["adjusted_nano_usd"] == "-1"
    tool.run("budget", "delete", "shop")
    assert "there is no budget 'shop'" in tool.run("budget", "show", "shop", code=2).stderr


def test_a_tenant_reaches_its_own_budgets(tool: Tool) -> None:
    tool.run("budget", "create", "own", "--limit", "5", key=APP)
    tool.run("budget", "create", "all", "--limit", "5")
    assert [row[0] for row in tool.table("budget", "list")] == ["budget", "all", "own"]
    assert [row[0] for row in tool.table("budget", "list", key=APP)] == ["budget", "own"]
    assert [row[0] for row in tool.table("budget", "list", key=OTHER)] == ["budget"]
    assert "there is no budget 'own'" in tool.run("budget", "delete", "own", key=OTHER, code=2).stderr


WRONG = [
    (["budget", "create", "b", "--limit", "ten"], "--limit ten: is no amount"),
    (["budget", "create", "b", "--limit", "0.0000000001"], "billionths of a dollar"),
    (["budget", "create", "b", "--limit", "1", "--window", "fortnight"], "--window fortnight: is none"),
    (["budget", "create", "b", "--limit", "1", "--alert", "most"], "--alert most: is none"),
    (["budget", "create", "b", "--limit", "1", "--model", "fast"], "budget.scope.model"),
    (["budget", "create", "b", "--limit", "1", "--time-zone", "Mars"], "budget.window.calendar.time_zone"),
    (["budget", "set", "b"], "nothing to change"),
    (["usage", "--by", "colour"], "--by colour: is no dimension"),
    (["usage", "--since", "yesterday"], "--since yesterday: is no time"),
    (["usage", "--where", "colour=red"], "--where colour=red: colour is none"),
]


def test_what_is_wrong_is_said_in_the_words_of_the_option(tool: Tool) -> None:
    for words, said in WRONG:
        assert said in tool.run(*words, code=2).stderr


def test_usage_is_added_up_for_who_may_see_it(tool: Tool) -> None:
    for key in (APP, APP, OTHER):
        tool.run("chat", "one two three", key=key)
    header, *rows = tool.table("usage", "--by", "tenant,model")
    assert header[:4] == ["tenant", "model", "calls", "failed"]
    assert [row[:3] for row in rows] == [["search", "echo", "1"], ["shop", "echo", "2"], ["total", "", "3"]]
    assert [row[:2] for row in tool.table("usage", "--by", "tenant", key=APP)[1:]] == [["shop", "2"], ["total", "2"]]
    assert tool.table("usage")[1][0] == "3"
    (line,) = csv.DictReader(io.StringIO(tool.run("usage", "--where", "tenant=shop", "--bucket", "day", "--csv").stdout))
    assert (line["entries"], line["cost_nano_usd"], line["cost_usd"]) == ("2", "0", "0")
    assert json.loads(tool.run("usage", "--json").stdout)["total"]["entry_count"] == "3"


def test_the_ledger_is_written_out_and_gone_on_with(tool: Tool, tmp_path: Path) -> None:
    for _ in range(3):
        tool.run("chat", "hi", key=APP)
    done = tool.run("usage", "export", "--csv", "ledger.csv")
    assert done.stderr == "3 entries in ledger.csv\n"
    lines = list(csv.DictReader(io.StringIO((tmp_path / "ledger.csv").read_text())))
    assert [(line["tenant"], line["kind"], line["model"], line["requested_model"]) for line in lines] == [
        ("shop", "ATTEMPT", "echo", "")
    ] * 3
    rest = tool.run("usage", "export", "--json", "--after", lines[1]["entry_id"])
    assert [json.loads(line)["entry_id"] for line in rest.stdout.splitlines()] == [lines[2]["entry_id"]]


def test_the_sync_client_does_the_same(serve: Serve, config: Config) -> None:
    server = serve(config)
    window = admin.BudgetWindow(rolling=admin.RollingWindow(duration={"seconds": 3600}))
    budget = admin.Budget(budget_id="b", scope={}, limit_nano_usd=10, window=window, enforcement=admin.BUDGET_ENFORCEMENT_SOFT)
    with SyncPromptwire(server.target, api_key=OPERATOR) as client:
        made = client.admin.create_budget(budget, request_id="same")
        assert client.admin.create_budget(budget, request_id="same") == made == client.admin.get_budget("b")
        with pytest.raises(errors.Conflict, match="ALREADY_EXISTS"):
            client.admin.create_budget(budget)
        with pytest.raises(errors.Conflict, match="ETAG_MISMATCH"):
            client.admin.update_budget(budget, ["limit_nano_usd"], etag="other")
        for _ in range(2):
            given = client.admin.adjust_budget("b", 5, reason="a test", request_id="once")
        assert (given.status.remaining_nano_usd, client.admin.budget_status("b").adjusted_nano_usd) == (15, 5)
        client.chat("hi")
        assert client.admin.query_usage(admin.QueryUsageRequest()).total.entry_count == 1
        kinds = [entry.kind for entry in client.admin.export_usage(admin.ExportUsageRequest())]
        assert kinds == [admin.LEDGER_ENTRY_KIND_ADJUSTMENT, admin.LEDGER_ENTRY_KIND_ATTEMPT]
        client.admin.delete_budget("b")
        assert client.admin.list_budgets() == []


def test_on_several_workers_a_budget_is_there_at_once(serve: Serve, config: Config, tmp_path: Path) -> None:
    tool = Tool(serve(config | {"server": {"workers": 2}}), tmp_path)
    for number in range(4):
        tool.run("budget", "create", f"b{number}", "--limit", "5")
        assert tool.table("budget", "show", f"b{number}")[0][1] == f"b{number}"
