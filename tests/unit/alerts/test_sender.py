"""Webhooks against a real HTTP server that fails, hangs, and says when to come back."""

import asyncio
import base64
import hashlib
import hmac
import json
from collections.abc import AsyncIterator
from dataclasses import dataclass, field

import pytest

from promptwire_server.alerts.message import Channel, News, body_of
from promptwire_server.alerts.sender import Patience, Sender, _retry_after_s
from promptwire_server.core.clock import Chance, SystemClock
from promptwire_server.core.purse import Reached
from promptwire_server.core.secret import Secret

REACHED = Reached("shop", 80, 800, 20, 1000, 1_700_000_000_000_000)
NEWS = News("msg_1", 1_700_000_000_123_000, REACHED, "The <shop>")
QUICK = Patience(timeout_s=0.3, first_s=0.02, longest_s=0.3, give_up_s=20.0)
WITHIN_S = 20.0
HANG = "hang"


@dataclass
class Seen:
    headers: dict[str, str]
    body: bytes
    at_s: float


@dataclass
class Hook:
    """An HTTP server that answers by its script, then with 204."""

    script: list[str] = field(default_factory=list)  # "500", "429 Retry-After: 1", HANG, "cut"
    seen: list[Seen] = field(default_factory=list)
    arrived: asyncio.Condition = field(default_factory=asyncio.Condition)
    inside: int = 0
    most_inside: int = 0
    port: int = 0

    async def answer(self, reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        try:
            while head := await reader.readuntil(b"\r\n\r\n"):
                await self._answer(head.decode(), reader, writer)
        except (asyncio.IncompleteReadError, ConnectionError):
            pass
        finally:
            writer.close()

    async def _answer(self, head: str, reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        headers = dict(line.lower().split(": ", 1) for line in head.split("\r\n")[1:] if line)
        body = await reader.readexactly(int(headers["content-length"]))
        script = self.script.pop(0) if self.script else "204"
        async with self.arrived:
            self.seen.append(Seen(headers, body, asyncio.get_running_loop().time()))
            self.arrived.notify_all()
        if script == HANG:
            await reader.read()  # until the other side has had enough
            return
        if script == "cut":
            writer.close()
            return
        status, _, more = script.partition(" ")
        writer.write(f"HTTP/1.1 {status} X\r\ncontent-length: 0\r\n{more + chr(13) + chr(10) if more else ''}\r\n".encode())
        await writer.drain()

    async def wait(self, count: int) -> list[Seen]:
        async with asyncio.timeout(WITHIN_S), self.arrived:
            await self.arrived.wait_for(lambda: len(self.seen) >= count)
        return self.seen


@pytest.fixture
async def hook() -> AsyncIterator[Hook]:
    hook = Hook()
    server = await asyncio.start_server(hook.answer, "127.0.0.1", 0)
    hook.port = server.sockets[0].getsockname()[1]
    yield hook
    server.close()
    await server.wait_closed()


class Desk:
    """A sender and what it gave up."""

    def __init__(self, patience: Patience = QUICK) -> None:
        self.lost: list[tuple[str, str, str]] = []
        self.sender = Sender(SystemClock(), Chance(), lambda *lost: self.lost.append(lost), patience)

    async def idle(self) -> None:
        """Wait until nothing waits."""
        await asyncio.gather(*self.sender._tasks)


@pytest.fixture
async def desk() -> AsyncIterator[Desk]:
    desk = Desk()
    yield desk
    await desk.sender.aclose()


def channel(hook: Hook, secret: str | None = "s" * 30, form: str = "json") -> Channel:
    return Channel(Secret(f"http://127.0.0.1:{hook.port}/t0ken"), None if secret is None else Secret(secret), form)  # type: ignore[arg-type] # one of two


async def test_what_is_sent_is_signed_as_standard_webhooks_has_it(hook: Hook, desk: Desk) -> None:
    key = base64.b64encode(b"k" * 32).decode()
    desk.sender.tell("team", channel(hook, f"whsec_{key}"), NEWS)
    (seen,) = await hook.wait(1)
    assert json.loads(seen.body) == {
        "type": "budget.reached",
        "timestamp": "2023-11-14T22:13:20.123Z",
        "data": {
            "budget_id": "shop", "display_name": "The <shop>", "percent": 80, "spent_nano_usd": 800, "held_nano_usd": 20,
            "limit_nano_usd": 1000, "window_start_time": "2023-11-14T22:13:20.000Z",
        },
    }  # fmt: skip
    signed = f"msg_1.{seen.headers['webhook-timestamp']}.".encode() + seen.body
    expected = base64.b64encode(hmac.new(b"k" * 32, signed, hashlib.sha256).digest()).decode()
    assert (seen.headers["webhook-id"], seen.headers["webhook-signature"].lower()) == ("msg_1", f"v1,{expected}".lower())


async def test_without_a_secret_nothing_is_signed(hook: Hook, desk: Desk) -> None:
    desk.sender.tell("team", channel(hook, None), NEWS)
    assert "webhook-signature" not in (await hook.wait(1))[0].headers


def test_slack_gets_a_sentence_without_links_of_ours() -> None:
    text = json.loads(body_of(NEWS, "slack"))["text"]
    assert text == ("Budget The &lt;shop&gt; (shop) has come to 80 % of $0.000001: $0.0000008 spent, $0.00000002 held by calls under way.")


@pytest.mark.parametrize("fault", ["500", "429", "404", "301 location: /elsewhere", HANG, "cut"])
async def test_what_fails_is_tried_again_under_the_same_id(hook: Hook, desk: Desk, fault: str) -> None:
    hook.script = [fault, fault]
    desk.sender.tell("team", channel(hook), NEWS)
    seen = await hook.wait(3)
    await desk.idle()
    assert [each.headers["webhook-id"] for each in seen] == ["msg_1"] * 3
    assert desk.lost == []


async def test_the_other_side_says_when_to_come_back(hook: Hook) -> None:
    desk = Desk(Patience(timeout_s=5.0, first_s=0.001, longest_s=1.0, give_up_s=20.0))
    hook.script = ["429 Retry-After: 1"]
    desk.sender.tell("team", channel(hook), NEWS)
    first, second = await hook.wait(2)
    assert second.at_s - first.at_s >= 0.95
    await desk.sender.aclose()


async def test_the_longest_pause_is_ours_whatever_the_other_side_says(hook: Hook, desk: Desk) -> None:
    hook.script = ["503 Retry-After: 86400"]
    desk.sender.tell("team", channel(hook), NEWS)
    first, second = await hook.wait(2)
    assert second.at_s - first.at_s < 5


async def test_after_its_time_it_is_given_up_and_told(hook: Hook) -> None:
    desk = Desk(Patience(timeout_s=0.3, first_s=0.01, longest_s=0.02, give_up_s=0.1))
    hook.script = ["500"] * 1000
    desk.sender.tell("team", channel(hook), NEWS)
    await asyncio.wait_for(desk.idle(), WITHIN_S)
    assert desk.lost == [("team", "msg_1", "it answered 500")]
    assert len(hook.seen) > 1
    await desk.sender.aclose()


async def test_nobody_there_is_no_secret_in_the_log(unused: int) -> None:
    desk = Desk(Patience(timeout_s=0.3, first_s=0.01, longest_s=0.02, give_up_s=0.05))
    desk.sender.tell("team", Channel(Secret(f"http://127.0.0.1:{unused}/t0ken")), NEWS)
    await asyncio.wait_for(desk.idle(), WITHIN_S)
    ((_, _, why),) = desk.lost
    assert (why, "t0ken" in why) == ("cannot be reached: ConnectError", False)
    await desk.sender.aclose()


@pytest.fixture
async def unused() -> int:
    """A port where nobody listens."""
    server = await asyncio.start_server(lambda *_: None, "127.0.0.1", 0)
    port: int = server.sockets[0].getsockname()[1]
    server.close()
    await server.wait_closed()
    return port


async def test_a_channel_that_hangs_holds_up_no_other_and_a_bounded_number(hook: Hook, desk: Desk) -> None:
    stuck = Desk(Patience(timeout_s=60.0))
    hook.script = [HANG] * 4
    for _ in range(70):
        stuck.sender.tell("stuck", channel(hook), NEWS)
    await hook.wait(4)
    assert stuck.sender.waiting == 64
    assert [lost[2] for lost in stuck.lost] == ["64 others wait for this channel already"] * 6
    stuck.sender.tell("other", channel(hook), NEWS)
    await hook.wait(5)
    assert len(hook.seen) == 5  # four at once of the one, and the other
    await stuck.sender.aclose()


@pytest.mark.parametrize(
    ("text", "delay_s"), [("7", 7.0), ("Tue, 14 Nov 2023 22:13:30 GMT", 10.0), ("soon", 0.0), ("", 0.0), ("9" * 30, 0.0)]
)
def test_retry_after_is_a_number_or_a_date(text: str, delay_s: float) -> None:
    assert _retry_after_s({"retry-after": text} if text else {}, 1_700_000_000.0) == delay_s
