"""What vendors tell of their limits, vendor by vendor."""

from collections.abc import Mapping

import pytest

from promptwire_server.core.limits import Allowance, Counted
from promptwire_server.providers.limits_headers import rate_limits

NOW = 1_700_000_000.0  # 2023-11-14T22:13:20Z
REQUESTS: Counted = "requests"
TOKENS: Counted = "tokens"
INPUT: Counted = "input_tokens"
OUTPUT: Counted = "output_tokens"

# Vendor -> its headers, and each limit as (name, what it counts, remaining, limit, seconds until it is whole, what comes back in a second).
Limit = tuple[str, Counted, float, float | None, float, float]
SAID: Mapping[str, tuple[Mapping[str, str], list[Limit]]] = {
    "openai": (
        {
            "x-ratelimit-limit-requests": "60",
            "x-ratelimit-limit-tokens": "150000",
            "x-ratelimit-remaining-requests": "59",
            "x-ratelimit-remaining-tokens": "149984",
            "x-ratelimit-reset-requests": "1s",
            "x-ratelimit-reset-tokens": "8ms",
        },
        [("requests", REQUESTS, 59, 60, 1.0, 1.0), ("tokens", TOKENS, 149984, 150000, 0.008, 2000.0)],
    ),
    "openai by the day": (
        {"x-ratelimit-limit-requests": "200", "x-ratelimit-remaining-requests": "199", "x-ratelimit-reset-requests": "7m12s"},
        [("requests", REQUESTS, 199, 200, 432.0, 1 / 432)],
    ),
    "openai's projects": (
        {
            "x-ratelimit-limit-project-tokens": "6000",
            "x-ratelimit-remaining-project-tokens": "0",
            "x-ratelimit-reset-project-tokens": "1m0s",
        },
        [("project-tokens", TOKENS, 0, 6000, 60.0, 100.0)],
    ),
    "groq": (
        {
            "retry-after": "2",
            "x-ratelimit-limit-requests": "14400",
            "x-ratelimit-limit-tokens": "18000",
            "x-ratelimit-remaining-requests": "14370",
            "x-ratelimit-remaining-tokens": "17997",
            "x-ratelimit-reset-requests": "2m59.56s",
            "x-ratelimit-reset-tokens": "10ms",
        },
        [("requests", REQUESTS, 14370, 14400, 179.56, 30 / 179.56), ("tokens", TOKENS, 17997, 18000, 0.01, 300.0)],
    ),
    "azure": (
        {
            "x-ratelimit-limit-requests": "9000",
            "x-ratelimit-limit-tokens": "1500000",
            "x-ratelimit-remaining-requests": "8999",
            "x-ratelimit-remaining-tokens": "745399",
            "x-ratelimit-renewalperiod-requests": "10",
            "x-ratelimit-renewalperiod-tokens": "60",
            "x-ratelimit-reset-requests": "0",
            "x-ratelimit-reset-tokens": "30",
        },
        [("requests", REQUESTS, 8999, 9000, 1 / 900, 900.0), ("tokens", TOKENS, 745399, 1_500_000, 754601 / 25000, 25000.0)],
    ),
    "azure, used up": (
        {
            "x-ratelimit-limit-tokens": "5000",
            "x-ratelimit-remaining-tokens": "0",
            "x-ratelimit-renewalperiod-tokens": "60",
            "x-ratelimit-reset-tokens": "0",
        },
        [("tokens", TOKENS, 0, 5000, 60.0, 5000 / 60)],
    ),
    "azure, before it told limits": (
        {"x-ratelimit-remaining-requests": "19", "x-ratelimit-remaining-tokens": "19913"},
        [("requests", REQUESTS, 19, None, 60.0, 0.0), ("tokens", TOKENS, 19913, None, 60.0, 0.0)],
    ),
    "anthropic": (
        {
            "anthropic-ratelimit-requests-limit": "50",
            "anthropic-ratelimit-requests-remaining": "49",
            "anthropic-ratelimit-requests-reset": "2023-11-14T22:13:22Z",
            "anthropic-ratelimit-tokens-limit": "48000",
            "anthropic-ratelimit-tokens-remaining": "36000",
            "anthropic-ratelimit-tokens-reset": "2023-11-14T22:13:35Z",
            "anthropic-ratelimit-input-tokens-limit": "40000",
            "anthropic-ratelimit-input-tokens-remaining": "0",
            "anthropic-ratelimit-input-tokens-reset": "2023-11-14T22:14:20Z",
            "anthropic-ratelimit-output-tokens-limit": "8000",
            "anthropic-ratelimit-output-tokens-remaining": "8000",
            "anthropic-ratelimit-output-tokens-reset": "2023-11-14T22:13:20Z",
        },
        [
            ("requests", REQUESTS, 49, 50, 2.0, 0.5),
            ("tokens", TOKENS, 36000, 48000, 15.0, 800.0),
            ("input-tokens", INPUT, 0, 40000, 60.0, 40000 / 60),
            ("output-tokens", OUTPUT, 8000, 8000, 0.0, 8000 / 60),
        ],
    ),
    "mistral": (
        {
            "x-ratelimit-limit-req-minute": "60",
            "x-ratelimit-limit-tokens-minute": "50000",
            "x-ratelimit-limit-tokens-month": "4000000",
            "x-ratelimit-remaining-req-minute": "59",
            "x-ratelimit-remaining-tokens-minute": "47196",
            "x-ratelimit-remaining-tokens-month": "3950246",
            "x-ratelimit-tokens-query-cost": "2804",
        },
        [
            ("req-minute", REQUESTS, 59, 60, 60.0, 0.0),
            ("tokens-minute", TOKENS, 47196, 50000, 60.0, 0.0),
            ("tokens-month", TOKENS, 3950246, 4_000_000, 2_592_000.0, 0.0),
        ],
    ),
    "mistral without any allowance": ({"x-ratelimit-limit-req-minute": "0", "x-ratelimit-remaining-req-minute": "0"}, []),
    "cerebras": (
        {
            "x-ratelimit-limit-requests-day": "10000",
            "x-ratelimit-limit-tokens-minute": "200000",
            "x-ratelimit-remaining-requests-day": "9500",
            "x-ratelimit-remaining-tokens-minute": "195000",
            "x-ratelimit-reset-requests-day": "33011.382867",
            "x-ratelimit-reset-tokens-minute": "30.2",
        },
        [
            ("requests-day", REQUESTS, 9500, 10000, 33011.382867, 0.0),
            ("tokens-minute", TOKENS, 195000, 200000, 30.2, 0.0),
        ],
    ),
    "sambanova": (
        {
            "x-ratelimit-limit-requests": "60",
            "x-ratelimit-limit-requests-day": "1500",
            "x-ratelimit-remaining-requests": "58",
            "x-ratelimit-remaining-requests-day": "1497",
            "x-ratelimit-reset-requests": str(int(NOW) + 4),
            "x-ratelimit-reset-requests-day": "4h17m",
        },
        [("requests", REQUESTS, 58, 60, 4.0, 0.5), ("requests-day", REQUESTS, 1497, 1500, 15420.0, 0.0)],
    ),
    "xai": (
        {
            "x-ratelimit-limit-requests": "480",
            "x-ratelimit-limit-tokens": "2000000",
            "x-ratelimit-remaining-requests": "240",
            "x-ratelimit-remaining-tokens": "2000000",
        },
        [("requests", REQUESTS, 240, 480, 30.0, 8.0), ("tokens", TOKENS, 2_000_000, 2_000_000, 0.0, 2_000_000 / 60)],
    ),
    "together, by the second": (
        {"x-ratelimit-limit": "10", "x-ratelimit-remaining": "9", "x-ratelimit-reset": "1", "x-tokenlimit-remaining": "2999"},
        [],
    ),
    "fireworks, by the second": ({"x-ratelimit-limit-tokens-prompt": "500", "x-ratelimit-limit-tokens-generated": "125"}, []),
    "gemini": ({"content-type": "application/json"}, []),
    "nonsense": (
        {
            "x-ratelimit-remaining-requests": "many",
            "x-ratelimit-remaining-tokens": "-1",
            "anthropic-ratelimit-requests-remaining": "",
            "x-ratelimit-limit-requests": "60",
        },
        [],
    ),
    "nonsense around a number": (
        {"x-ratelimit-limit-requests": "x", "x-ratelimit-remaining-requests": "5", "x-ratelimit-reset-requests": "tomorrow"},
        [("requests", REQUESTS, 5, None, 60.0, 0.0)],
    ),
    "a reset that has passed": (
        {
            "anthropic-ratelimit-requests-limit": "50",
            "anthropic-ratelimit-requests-remaining": "0",
            "anthropic-ratelimit-requests-reset": "2023-11-14T22:13:00Z",
        },
        [("requests", REQUESTS, 0, 50, 60.0, 50 / 60)],
    ),
}


@pytest.mark.parametrize("vendor", SAID)
def test_each_vendors_words_are_understood(vendor: str) -> None:
    headers, limits = SAID[vendor]
    found = rate_limits(headers, NOW)
    assert [(limit.name, limit.counted, limit.remaining, limit.limit) for limit in found] == [limit[:4] for limit in limits]
    for limit, (*_, whole_in_s, per_s) in zip(found, limits, strict=True):
        assert limit.whole_in_s == pytest.approx(whole_in_s)
        assert limit.per_s == pytest.approx(per_s)


@pytest.mark.parametrize(
    ("said", "amount", "seconds"),
    [
        (Allowance("requests", REQUESTS, 3.0, 60.0, 57.0, 1.0), 3, 0.0),
        (Allowance("requests", REQUESTS, 0.0, 60.0, 60.0, 1.0), 2, 2.0),
        (Allowance("requests", REQUESTS, 0.0, 60.0, 60.0, 1.0), 100, 60.0),
        (Allowance("req-minute", REQUESTS, 0.0, 60.0, 41.0), 1, 41.0),
        (Allowance("tokens", TOKENS, 5.0, None, 60.0), 6, 60.0),
    ],
)
def test_what_is_not_there_has_to_be_waited_for(said: Allowance, amount: float, seconds: float) -> None:
    assert said.wait_s(amount) == pytest.approx(seconds)
