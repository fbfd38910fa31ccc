"""What is written of an attempt, however it ends."""

import pytest

from promptwire import v1 as pb
from promptwire_server.core.call import Call
from promptwire_server.core.clock import ManualClock
from promptwire_server.core.errors import DeadlineExceeded, PromptwireError, UpstreamFailed
from promptwire_server.providers.attempt import Try
from promptwire_server.providers.failed import timed_out, too_late
from tests.unit.providers.support import make_call


@pytest.fixture
def call() -> Call:
    return make_call("four words, or five")


@pytest.fixture
def attempt(call: Call) -> Try:
    return Try(call, "openai", "m", ManualClock())


def spent() -> pb.Usage:
    return pb.Usage(input_tokens=7, output_tokens=3)


def told(call: Call) -> pb.Attempt:
    (attempt,) = call.trail.attempts
    return attempt


def test_a_failure_before_anything_came_cost_nothing(call: Call, attempt: Try) -> None:
    attempt.failed(UpstreamFailed("refused"))
    assert (told(call).failure.message, told(call).HasField("usage")) == ("refused", False)


def test_an_answer_that_breaks_off_has_taken_its_tokens(call: Call, attempt: Try) -> None:
    attempt.begun(spent)
    attempt.failed(UpstreamFailed("reset"))
    assert told(call).usage == spent()


def test_an_answer_that_is_left_has_taken_its_tokens(call: Call, attempt: Try) -> None:
    attempt.begun(spent)
    attempt.abandoned()
    assert (told(call).usage, told(call).failure.reason) == (spent(), pb.ERROR_REASON_CANCELLED)


def test_who_is_left_before_answering_has_read_the_prompt(call: Call, attempt: Try) -> None:
    attempt.abandoned()
    assert told(call).usage == pb.Usage(input_tokens=5, estimated=True)


@pytest.mark.parametrize(
    "error", [too_late("openai"), timed_out("openai", "no first token", "first_token"), timed_out("openai", "no end", "total")]
)
def test_who_was_asked_and_has_not_answered_in_time_has_read_the_prompt(call: Call, attempt: Try, error: PromptwireError) -> None:
    attempt.failed(error)
    assert told(call).usage == pb.Usage(input_tokens=5, estimated=True)


@pytest.mark.parametrize("error", [DeadlineExceeded.during("upstream"), timed_out("openai", "no connection", "connect")])
def test_who_was_not_asked_in_time_has_read_nothing(call: Call, attempt: Try, error: PromptwireError) -> None:
    attempt.failed(error)
    assert not told(call).HasField("usage")


def test_an_answer_that_has_begun_and_is_late_says_what_it_took(call: Call, attempt: Try) -> None:
    attempt.begun(spent)
    attempt.failed(too_late("openai"))
    assert told(call).usage == spent()


def test_what_a_complete_answer_took_stands_in_the_answer(call: Call, attempt: Try) -> None:
    attempt.begun(spent)
    attempt.answered()
    assert (told(call).HasField("usage"), told(call).HasField("failure")) == (False, False)


def test_the_first_end_is_the_end(call: Call, attempt: Try) -> None:
    attempt.failed(UpstreamFailed("first"))
    attempt.begun(spent)
    attempt.abandoned()
    assert (told(call).failure.message, told(call).HasField("usage")) == ("first", False)


def test_nothing_asked_is_nothing_spent() -> None:
    asked = make_call("")
    Try(asked, "openai", "m", ManualClock()).abandoned()
    assert not told(asked).HasField("usage")
