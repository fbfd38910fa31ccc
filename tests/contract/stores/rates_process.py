"""A process that asks again and again, for tests of limits that several processes share: one JSON line when it is ready, one at its end."""

import asyncio
import json
import sys
import time

from promptwire_server.core.clock import Chance, SystemClock
from promptwire_server.core.rate import Ask, Draw, Meter, Refusal, Slot
from promptwire_server.core.secret import Secret
from promptwire_server.stores.redis.connection import Redis
from promptwire_server.stores.redis.rates import Rates
from promptwire_server.stores.redis.settings import RedisSettings

Times = list[tuple[float, float]]


async def _decide(rates: Rates, ask: Ask, until_s: float, admitted: Times, held: Times) -> None:
    """Ask until the time is up, holding what was granted for a moment. Times are of a clock that all processes of a machine share."""
    while time.monotonic() < until_s:
        sent_s = time.monotonic()
        answer = await rates.take(ask)
        received_s = time.monotonic()
        if isinstance(answer, Refusal):
            await asyncio.sleep(min(answer.retry_after_s, 0.005))
            continue
        admitted.append((sent_s, received_s))
        await asyncio.sleep(0.002)
        held.append((received_s, time.monotonic()))
        answer.settle(None)


async def _main(url: str, command: str) -> None:
    options = json.loads(command)
    redis = Redis(RedisSettings(Secret(url), timeout_s=20.0), SystemClock(), Chance())
    rates = Rates(redis, Chance(), lease_s=options["lease_s"])
    draws = [Draw(("shared", "requests"), Meter(options["size"], options["per_minute"]), 1)] if options["size"] else []
    slots = [Slot(("shared", "concurrency"), options["slots"])] if options["slots"] else []
    ask = Ask(draws, slots, 60.0)
    print(json.dumps({"ready": True}), flush=True)
    sys.stdin.readline()
    admitted: Times = []
    held: Times = []
    until_s = time.monotonic() + options["for_s"]
    if options["deciders"]:
        await asyncio.gather(*(_decide(rates, ask, until_s, admitted, held) for _ in range(options["deciders"])))
    else:
        await rates.take(ask)  # and hold it until this process is killed
        print(json.dumps({"held": True}), flush=True)
        await asyncio.sleep(options["for_s"])
    await rates.aclose()
    await redis.aclose()
    print(json.dumps({"admitted": admitted, "held": held}), flush=True)


if __name__ == "__main__":
    asyncio.run(_main(*sys.argv[1:]))
