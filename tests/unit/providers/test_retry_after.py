"""Every shape in which a vendor says when to come back."""

from email.utils import formatdate

import pytest

from promptwire_server.providers.retry_after import LONGEST_S, retry_after_s

NOW = 1_700_000_000.0


@pytest.mark.parametrize(
    ("headers", "seconds"),
    [
        ({}, None),
        ({"retry-after": "2"}, 2.0),
        ({"retry-after": "0"}, 0.0),
        ({"retry-after": "1.5"}, 1.5),
        ({"retry-after": " 7 "}, 7.0),
        ({"retry-after": "20s"}, 20.0),
        ({"retry-after": formatdate(NOW + 30, usegmt=True)}, 30.0),
        ({"retry-after": formatdate(NOW - 30, usegmt=True)}, 0.0),
        ({"retry-after-ms": "250"}, 0.25),
        ({"retry-after-ms": "250", "retry-after": "9"}, 0.25),
        ({"retry-after": "soon"}, None),
        ({"retry-after": "-5"}, None),
        ({"retry-after": "NaN"}, None),
        ({"retry-after": "1e9"}, None),
        ({"retry-after": "99999999"}, LONGEST_S),
        ({"retry-after": "soon", "x-ratelimit-reset-requests": "3s"}, 3.0),
        ({"x-ratelimit-reset-requests": "6m0s"}, 360.0),
        ({"x-ratelimit-reset-tokens": "20ms"}, 0.02),
        ({"x-ratelimit-reset-requests": "1s", "x-ratelimit-reset-tokens": "1h2m3.5s"}, 3723.5),
        ({"x-ratelimit-reset-requests": "1s", "x-ratelimit-reset-tokens": "1h", "x-ratelimit-remaining-requests": "0"}, 1.0),
        ({"x-ratelimit-reset": str(int(NOW) + 12)}, 12.0),
        ({"x-ratelimit-reset": str((int(NOW) + 12) * 1000)}, 12.0),
        ({"x-ratelimit-reset": "12"}, 12.0),
        ({"x-ratelimit-reset": "12 parsecs"}, None),
        ({"anthropic-ratelimit-requests-reset": "2023-11-14T22:13:50Z"}, 30.0),
        ({"anthropic-ratelimit-requests-reset": "2023-11-14T22:13:50"}, 30.0),
        ({"anthropic-ratelimit-tokens-reset": "2023-11-14T23:13:50+01:00", "anthropic-ratelimit-tokens-remaining": "0"}, 30.0),
        (
            {
                "anthropic-ratelimit-input-tokens-reset": "2023-11-14T22:13:25Z",
                "anthropic-ratelimit-input-tokens-remaining": "0",
                "anthropic-ratelimit-output-tokens-reset": "2023-11-14T22:14:20Z",
                "anthropic-ratelimit-output-tokens-remaining": "9000",
            },
            5.0,
        ),
        ({"anthropic-ratelimit-tokens-reset": "tomorrow"}, None),
    ],
)
def test_headers_become_seconds(headers: dict[str, str], seconds: float | None) -> None:
    assert retry_after_s(headers, NOW, limited=True) == (None if seconds is None else pytest.approx(seconds, abs=1e-6))


def test_resets_mean_nothing_unless_a_limit_was_hit() -> None:
    assert retry_after_s({"x-ratelimit-reset-requests": "6ms"}, NOW, limited=False) is None
    assert retry_after_s({"retry-after": "3"}, NOW, limited=False) == 3.0
