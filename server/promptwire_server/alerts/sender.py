"""Sender: tells webhooks, each piece of news by a task of its own, again and again for about an hour. Loaded only where there are any."""

import asyncio
from collections.abc import Callable, Mapping
from dataclasses import dataclass
from email.utils import parsedate_to_datetime
from typing import Final

import httpx2

from promptwire_server.alerts.message import Channel, News, body_of, headers_of
from promptwire_server.core.clock import Chance, Clock

_MOST_WAITING: Final = 64  # of one channel: budgets have a few thresholds each, once a window
_AT_ONCE: Final = 4  # calls to one channel


@dataclass(frozen=True, slots=True)
class Patience:
    """How long and how often it is tried."""

    timeout_s: float = 10.0  # of one call
    first_s: float = 1.0  # before the second try at most; each time twice as long
    longest_s: float = 300.0  # between two tries, whatever the other side says
    give_up_s: float = 3600.0


Failed = Callable[[str, str, str], None]  # channel, id of the news, why: nobody tries any more; must not raise


class Sender:
    """Of one process. `tell` never waits and never raises."""

    def __init__(self, clock: Clock, chance: Chance, failed: Failed, patience: Patience | None = None) -> None:
        self._clock = clock
        self._chance = chance
        self._failed = failed
        self._patience = patience or Patience()
        self._client = httpx2.AsyncClient(timeout=self._patience.timeout_s, follow_redirects=False, trust_env=False)
        self._tasks: dict[asyncio.Task[None], str] = {}  # owned here: see aclose
        self._turns: dict[str, asyncio.Semaphore] = {}

    def tell(self, name: str, channel: Channel, news: News) -> None:
        """Have a channel told."""
        if sum(waiting == name for waiting in self._tasks.values()) >= _MOST_WAITING:
            self._failed(name, news.news_id, f"{_MOST_WAITING} others wait for this channel already")
            return
        task = asyncio.get_running_loop().create_task(self._deliver(name, channel, news))
        self._tasks[task] = name
        task.add_done_callback(self._tasks.pop)

    @property
    def waiting(self) -> int:
        """News that nobody has taken yet."""
        return len(self._tasks)

    async def aclose(self) -> None:
        """Stop trying; what was not told is told to nobody."""
        tasks = list(self._tasks)
        for task, name in list(self._tasks.items()):
            task.cancel()
            self._failed(name, "", "the server goes away")
        await asyncio.gather(*tasks, return_exceptions=True)
        await self._client.aclose()

    async def _deliver(self, name: str, channel: Channel, news: News) -> None:
        patience, turns = self._patience, self._turns.setdefault(name, asyncio.Semaphore(_AT_ONCE))
        until_s = self._clock.monotonic() + patience.give_up_s
        limit_s = patience.first_s
        while True:
            async with turns:
                problem, asked_s = await self._try(channel, news)
            if not problem:
                return
            pause_s = min(max(asked_s, self._chance.uniform(0, limit_s)), patience.longest_s)
            if self._clock.monotonic() + pause_s >= until_s:
                self._failed(name, news.news_id, problem)
                return
            await asyncio.sleep(pause_s)
            limit_s = min(limit_s * 2, patience.longest_s)

    async def _try(self, channel: Channel, news: News) -> tuple[str, float]:
        """Call it once: what went wrong, empty when nothing did; and for how long the other side wants to be left alone."""
        body = body_of(news, channel.format)
        try:
            async with asyncio.timeout(self._patience.timeout_s):  # also of a side that trickles
                headers = headers_of(news, body, channel, self._clock.time())
                answer = await self._client.post(channel.url.reveal(), content=body, headers=dict(headers))
        except (httpx2.HTTPError, httpx2.InvalidURL, TimeoutError) as error:
            return f"cannot be reached: {type(error).__name__}", 0.0  # its text may quote the address, which may be a secret
        if answer.is_success:
            return "", 0.0
        return f"it answered {answer.status_code}", _retry_after_s(answer.headers, self._clock.time())


def _retry_after_s(headers: Mapping[str, str], now_s: float) -> float:
    """Seconds of a Retry-After, which is a number or a date; 0: there is none that can be read."""
    text = headers.get("retry-after", "").strip()
    if text.isdecimal() and len(text) < 9:  # noqa: PLR2004 - thirty years
        return float(text)
    try:
        return max(0.0, parsedate_to_datetime(text).timestamp() - now_s)
    except (ValueError, TypeError):
        return 0.0
