"""What people read when the server is up."""

from dataclasses import replace

from promptwire_server.banner import Facts, banner

FACTS = Facts(
    version="0.1.0",
    listen="127.0.0.1:50051",
    health="127.0.0.1:50052",
    metrics="127.0.0.1:9464",
    state_dir="state",
    default_model="echo/echo",
    providers=["echo"],
    workers=1,
    tls=False,
    authentication=False,
    danger=False,
    config="",
    command="promptwire",
)


def test_it_says_what_runs_where_and_three_lines_to_try() -> None:
    text = banner(FACTS)
    for fact in ("0.1.0", "127.0.0.1:50051", "127.0.0.1:50052", "http://127.0.0.1:9464/metrics", "echo/echo", "embedded defaults"):
        assert fact in text
    assert len(text.partition("Try, in another terminal:\n")[2].partition("\n\n")[0].splitlines()) == 3


def test_lines_to_try_fit_the_server() -> None:
    text = banner(replace(FACTS, tls=True, authentication=True, listen="127.0.0.1:6000", workers=4))
    assert "-plaintext" not in text
    assert "authorization: Bearer YOUR-KEY" in text
    assert "--target 127.0.0.1:6000" in text
    assert "4 workers" in text


def test_danger_is_named() -> None:
    assert "DANGER" in banner(replace(FACTS, danger=True))
    assert "DANGER" not in banner(FACTS)


def test_an_address_that_means_everywhere_is_none_to_call() -> None:
    assert "--target localhost:6000" in banner(replace(FACTS, listen="[::]:6000"))
