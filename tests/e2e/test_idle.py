"""A server that nobody calls."""

import pytest

from tests.e2e.conftest import Serve

MOST_IDLE_MB = 90


def test_an_idle_server_is_small(serve: Serve, capsys: pytest.CaptureFixture[str]) -> None:
    server = serve()
    idle_mb = server.rss_bytes() / 1e6
    with capsys.disabled():
        print(f"\nidle RSS of a bare server: {idle_mb:.1f} MB")
    assert idle_mb < MOST_IDLE_MB
