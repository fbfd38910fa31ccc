"""One line an event, whoever writes it; no secret in any."""

import asyncio
import io
import json
import logging
from collections.abc import Iterator
from contextvars import copy_context

import pytest
import structlog

from promptwire import v1 as pb
from promptwire_server import logs
from promptwire_server.core.call import ANONYMOUS, Call
from promptwire_server.core.clock import ManualClock
from promptwire_server.core.secret import Secret
from promptwire_server.layers.observe import CURRENT

CLOCK = ManualClock(now_s=0.25)


class Sink(io.BytesIO):
    """Standard error, to read."""

    def events(self) -> list[dict[str, object]]:
        return [json.loads(line) for line in self.getvalue().splitlines()]


@pytest.fixture
def sink() -> Sink:
    return Sink()


@pytest.fixture
def lines(sink: Sink) -> logs.Lines:
    return logs.Lines(sink, CLOCK)


@pytest.fixture
def configured(lines: logs.Lines) -> Iterator[logs.Lines]:
    root = logging.getLogger()
    handlers, level = root.handlers[:], root.level
    logs.configure(lines)
    yield lines
    structlog.reset_defaults()
    root.handlers[:] = handlers
    root.setLevel(level)


def test_a_line_is_one_json_object_with_time_level_and_event(sink: Sink, lines: logs.Lines) -> None:
    lines.write("info", "chat.finished", {"tokens": 3})
    lines.write("error", 'odd "event"', {})
    assert sink.events() == [
        {"time": "2023-11-14T22:13:20.250Z", "level": "info", "event": "chat.finished", "tokens": 3},
        {"time": "2023-11-14T22:13:20.250Z", "level": "error", "event": 'odd "event"'},
    ]


def test_lines_below_the_level_are_not_written(sink: Sink) -> None:
    quiet = logs.Lines(sink, CLOCK, level="warning")
    quiet.write("info", "x", {})
    quiet.write_masked("debug", "x", {})
    assert sink.getvalue() == b""


def test_values_that_json_lacks_are_written_all_the_same(sink: Sink, lines: logs.Lines) -> None:
    lines.write("info", "x", {"big": 2**70, "half": "\ud800", "thing": Secret("hidden")})
    assert sink.events()[0]["big"] == 2**70
    assert b"hidden" not in sink.getvalue()


def test_a_closed_standard_error_stops_nobody(sink: Sink, lines: logs.Lines) -> None:
    sink.close()
    lines.write("info", "x", {})


@pytest.mark.parametrize(
    "text",
    [
        "key sk-proj-abcdefghijklmnop refused",
        "Authorization: Bearer abcdefghijkl",
        "http://user:password1@proxy:3128/ is down",
        "AIzaSyA1234567890abcdefghijkl",
        "AKIAIOSFODNN7EXAMPLE",
        "token eyJhbGciOiJIUzI1NiJ9.eyJzdWIiOiIxMjM0In0.abc",
        "gsk_abcdefghijklmnopqrst",
    ],
)
def test_what_looks_like_a_secret_is_masked(sink: Sink, lines: logs.Lines, text: str) -> None:
    lines.write_masked("info", "x", {"message": text, "nested": {"list": [text]}})
    assert sink.getvalue().count(b"***") == 2
    for part in ("abcdefghijkl", "password1", "1234567890", "IOSFODNN", "eyJ"):
        assert part not in sink.getvalue().decode()


@pytest.mark.parametrize("name", ["key", "api_key", "api_keys", "password", "Authorization", "client_secret", "x-token"])
def test_fields_with_the_name_of_a_secret_are_masked(sink: Sink, lines: logs.Lines, name: str) -> None:
    lines.write_masked("info", "x", {name: "anything"})
    assert sink.events()[0][name] == "***"


def test_ordinary_fields_stay_as_they_are(sink: Sink, lines: logs.Lines) -> None:
    fields = {"input_tokens": 5, "keyboard": "qwerty", "model": "risk-free/model-with-a-long-name-2024-07-18", "ok": True, "none": None}
    lines.write_masked("info", "x", fields)
    assert {name: sink.events()[0][name] for name in fields} == fields


def test_a_long_text_is_cut(sink: Sink, lines: logs.Lines) -> None:
    lines.write_masked("info", "x", {"message": "y" * 100_000})
    assert len(sink.getvalue()) < 2000


def test_loggers_add_their_fields(sink: Sink, configured: logs.Lines) -> None:
    logs.get_logger(part="rpc").bind(port=1).warning("server.started", api_key="x")
    assert sink.events() == [
        {"time": "2023-11-14T22:13:20.250Z", "level": "warning", "event": "server.started", "part": "rpc", "port": 1, "api_key": "***"}
    ]


def call(run_id: str, step_id: str) -> Call:
    return Call(pb.ChatRequest(), ANONYMOUS, "req-1", "f" * 32, 10.0, 0.0, run_id=run_id, step_id=step_id)


def test_every_line_within_a_call_names_it(sink: Sink, configured: logs.Lines) -> None:
    def within() -> None:
        CURRENT.set(call(run_id="run-1", step_id="draft"))
        logs.get_logger().info("provider.retried")
        logging.getLogger("aiohttp.client").warning("slow")

    copy_context().run(within)
    for event in sink.events():
        assert (event["request_id"], event["trace_id"], event["run_id"], event["step_id"]) == ("req-1", "f" * 32, "run-1", "draft")


def test_lines_of_libraries_take_the_same_shape(sink: Sink, configured: logs.Lines) -> None:
    logging.getLogger("grpc._server").error("port %d is taken\nand more", 5)
    logging.getLogger("grpc._server").debug("chatter")
    (event,) = sink.events()
    assert (event["event"], event["logger"], event["level"], event["message"]) == ("library", "grpc._server", "error", "port 5 is taken")


def test_a_librarys_broken_format_is_shown_as_it_is(sink: Sink, lines: logs.Lines) -> None:
    logs.LibraryHandler(lines).emit(logging.LogRecord("grpc", logging.ERROR, "x.py", 1, "bad %d", ("text",), None))
    assert sink.events()[0]["message"] == "bad %d"


def test_the_text_of_an_exception_is_not_written_but_its_place_is(sink: Sink, configured: logs.Lines) -> None:
    try:
        int("the prompt was: hello")
    except ValueError:
        logging.getLogger("asyncio").exception("failed")
    (event,) = sink.events()
    assert event["error"] == "ValueError"
    assert "test_logs.py" in str(event["where"])
    assert b"hello" not in sink.getvalue()


async def test_what_asyncio_says_of_a_lost_task_keeps_its_exception_to_itself(sink: Sink, configured: logs.Lines) -> None:
    future = asyncio.get_running_loop().create_future()
    future.set_exception(ValueError("the prompt was: hello"))
    asyncio.get_running_loop().call_exception_handler({"message": "lost", "exception": future.exception(), "future": future})
    assert sink.events()[0]["message"] == "lost"
    assert b"hello" not in sink.getvalue()


def test_pretty_lines_are_for_reading(sink: Sink) -> None:
    pretty = logs.Lines(sink, CLOCK, pretty=True, colors=False)
    pretty.write("info", "server.started", {"port": 50051, "where": ["a"], "half": "\ud800"})
    line = sink.getvalue().decode()
    assert line.startswith("22:13:20 [info")
    assert "server.started port=50051" in line
