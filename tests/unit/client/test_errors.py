"""A failed call raises the exception that says why."""

import inspect
import re
from typing import Any

import grpc
import pytest
from google.rpc import error_details_pb2

from promptwire import Promptwire, _status, errors
from promptwire import v1 as pb
from tests.unit.client.callers import Caller
from tests.unit.client.gateway import Context, Gateway, abort, details, text_events

CODE = grpc.StatusCode
TREE = [each for _, each in inspect.getmembers(errors, inspect.isclass) if issubclass(each, errors.PromptwireError)]


@pytest.mark.parametrize("name", [name for name in pb.ErrorReason.keys() if name != "ERROR_REASON_UNSPECIFIED"])  # noqa: SIM118 - no mapping
def test_every_reason_of_the_contract_has_a_class(name: str) -> None:
    assert name.removeprefix("ERROR_REASON_") in _status._BY_REASON


def test_no_reason_is_known_that_the_contract_has_not() -> None:
    assert {f"ERROR_REASON_{name}" for name in _status._BY_REASON} <= set(pb.ErrorReason.keys())


def test_every_class_stands_in_the_picture_and_says_what_to_do() -> None:
    drawn = set(re.findall(r"── (\w+)|^ {4}(PromptwireError)", errors.__doc__ or "", re.MULTILINE))
    assert {first or second for first, second in drawn} - {"ChainFileError"} == {each.__name__ for each in TREE}
    assert all(each.hint for each in TREE)


async def fail_with(gateway: Gateway, caller: Caller, code: grpc.StatusCode, *more: Any, **about: Any) -> errors.PromptwireError:
    async def answer(_: object, context: Context) -> None:
        await abort(context, code, *more, **about)

    gateway.on["Chat"] = answer
    with pytest.raises(errors.PromptwireError) as caught:
        await caller.call(gateway.target, "chat", "hi", request_id="mine")
    return caught.value


async def test_an_invalid_request_names_its_fields(gateway: Gateway, caller: Caller) -> None:
    bad = error_details_pb2.BadRequest()
    bad.field_violations.add(field="messages[2].parts[0]", description="is empty")
    error = await fail_with(gateway, caller, CODE.INVALID_ARGUMENT, "INVALID_FIELD", bad, request_id="theirs")
    assert type(error) is errors.InvalidRequest
    assert error.violations == (errors.Violation("messages[2].parts[0]", "is empty"),)
    assert (error.reason, error.code, error.request_id) == ("INVALID_FIELD", CODE.INVALID_ARGUMENT, "theirs")


async def test_a_rate_limit_says_when_to_come_back_and_which_it_was(gateway: Gateway, caller: Caller) -> None:
    retry = error_details_pb2.RetryInfo()
    retry.retry_delay.FromMilliseconds(1500)
    quota = error_details_pb2.QuotaFailure()
    quota.violations.add(subject="tenant:acme/rpm", description="60 a minute")
    error = await fail_with(gateway, caller, CODE.RESOURCE_EXHAUSTED, "RATE_LIMITED", retry, quota)
    assert isinstance(error, errors.RateLimited)
    assert (error.retry_after_s, error.quotas) == (1.5, (errors.Quota("tenant:acme/rpm", "60 a minute"),))


@pytest.mark.parametrize(
    ("code", "reason", "expected"),
    [
        (CODE.UNAVAILABLE, "OVERLOADED", errors.Overloaded),
        (CODE.UNAVAILABLE, "UPSTREAM_FAILED", errors.UpstreamFailed),
        (CODE.UNAVAILABLE, "UPSTREAM_RATE_LIMITED", errors.UpstreamRateLimited),
        (CODE.RESOURCE_EXHAUSTED, "BUDGET_EXHAUSTED", errors.BudgetExhausted),
        (CODE.RESOURCE_EXHAUSTED, "TOO_LARGE", errors.TooLarge),
        (CODE.INVALID_ARGUMENT, "INVALID_TEMPLATE", errors.InvalidTemplate),
        (CODE.FAILED_PRECONDITION, "BLOCKED_INPUT", errors.Blocked),
        (CODE.UNIMPLEMENTED, "DISABLED", errors.Disabled),
        (CODE.ABORTED, "REQUEST_IN_PROGRESS", errors.RequestInProgress),
        (CODE.INTERNAL, "INTERNAL", errors.ServerFault),
    ],
)
async def test_the_reason_chooses_the_class(
    gateway: Gateway, caller: Caller, code: grpc.StatusCode, reason: str, expected: type[errors.PromptwireError]
) -> None:
    assert type(await fail_with(gateway, caller, code, reason)) is expected


async def test_a_reason_of_a_newer_server_falls_back_to_the_code_and_is_kept(gateway: Gateway, caller: Caller) -> None:
    error = await fail_with(gateway, caller, CODE.NOT_FOUND, "MISLAID")
    assert (type(error), error.reason) == (errors.NotFound, "MISLAID")


@pytest.mark.parametrize(
    ("code", "expected"),
    [
        (CODE.UNAUTHENTICATED, errors.CredentialInvalid),
        (CODE.PERMISSION_DENIED, errors.PolicyDenied),
        (CODE.UNIMPLEMENTED, errors.Disabled),
        (CODE.UNAVAILABLE, errors.Unavailable),
        (CODE.UNKNOWN, errors.PromptwireError),
        (CODE.FAILED_PRECONDITION, errors.PromptwireError),
        (CODE.CANCELLED, errors.Cancelled),
    ],
)
async def test_without_details_the_code_chooses(
    gateway: Gateway, caller: Caller, code: grpc.StatusCode, expected: type[errors.PromptwireError]
) -> None:
    error = await fail_with(gateway, caller, code)
    assert (type(error), error.reason, error.request_id) == (expected, "", "mine")


async def test_garbled_details_leave_the_code_standing(gateway: Gateway, caller: Caller) -> None:
    async def answer(_: object, context: Context) -> None:
        await context.abort(CODE.NOT_FOUND, "gone", (("grpc-status-details-bin", b"\xff\xff\xff"),))

    gateway.on["Chat"] = answer
    with pytest.raises(errors.NotFound, match="gone"):
        await caller.call(gateway.target, "chat", "hi")


def test_reasons_of_other_domains_are_not_ours() -> None:
    trailers = [("grpc-status-details-bin", details(CODE.NOT_FOUND, "RATE_LIMITED", domain="example.com"))]
    assert not _status.details_of(trailers).reason


def attempt(model: str, reason: "pb.ErrorReason | None" = pb.ERROR_REASON_UPSTREAM_FAILED) -> pb.Attempt:
    return pb.Attempt(provider="p", model=model, failure=None if reason is None else pb.Failure(reason=reason))


async def test_what_was_tried_is_told(gateway: Gateway, caller: Caller) -> None:
    tried = [attempt("a", pb.ERROR_REASON_UPSTREAM_RATE_LIMITED), attempt("b")]
    error = await fail_with(gateway, caller, CODE.UNAVAILABLE, "UPSTREAM_FAILED", pb.AttemptTrail(attempts=tried), attempts="2")
    assert error.attempts == tuple(tried)
    assert "; 2 attempts: p/a (UPSTREAM_RATE_LIMITED), p/b (UPSTREAM_FAILED) (try again later" in str(error)


async def test_a_single_attempt_is_no_news(gateway: Gateway, caller: Caller) -> None:
    trail = pb.AttemptTrail(attempts=[attempt("a")])
    error = await fail_with(gateway, caller, CODE.UNAVAILABLE, "UPSTREAM_FAILED", trail, attempts="1")
    assert (len(error.attempts), "attempt" in str(error)) == (1, False)


async def test_the_text_names_the_newest_of_many_attempts(gateway: Gateway, caller: Caller) -> None:
    trail = pb.AttemptTrail(attempts=[attempt(name) for name in "cdef"])
    error = await fail_with(gateway, caller, CODE.UNAVAILABLE, "UPSTREAM_FAILED", trail, attempts="6")
    assert "; 6 attempts: …, p/d (UPSTREAM_FAILED), p/e (UPSTREAM_FAILED), p/f (UPSTREAM_FAILED) (" in str(error)


@pytest.mark.parametrize(("reason", "word"), [(None, "OK"), (pb.ERROR_REASON_DEADLINE, "DEADLINE"), (999, "999")])
def test_how_an_attempt_ended_is_a_word(reason: "pb.ErrorReason", word: str) -> None:
    assert errors.reason_of(attempt("a", reason)) == word


async def test_the_text_has_reason_hint_and_request_id(gateway: Gateway, caller: Caller) -> None:
    error = await fail_with(gateway, caller, CODE.UNAUTHENTICATED, "CREDENTIAL_INVALID", request_id="r1")
    assert str(error) == ("CREDENTIAL_INVALID: about CREDENTIAL_INVALID (give a valid api_key, or set PROMPTWIRE_API_KEY) [request r1]")


async def test_an_interrupted_stream_says_how_far_it_came(gateway: Gateway, caller: Caller) -> None:
    async def events(_: object, context: Context) -> Any:
        for event in text_events("par", "tial")[:-1]:
            yield event
        await abort(context, CODE.UNAVAILABLE, "STREAM_INTERRUPTED", last_sequence="5", billed_nano_usd="1200")

    gateway.on["StreamChat"] = events
    pieces: list[Any] = []
    with pytest.raises(errors.StreamInterrupted) as caught:
        await caller.collect(gateway.target, "stream_chat", "hi", into=pieces)
    assert pieces == ["par", "tial"]
    assert (caught.value.last_sequence, caught.value.billed_nano_usd) == (5, 1200)


async def test_what_a_broken_stream_delivered_stays_readable_and_the_stream_is_over(gateway: Gateway) -> None:
    async def events(_: object, context: Context) -> Any:
        yield text_events("par")[2]
        await abort(context, CODE.UNAVAILABLE, "STREAM_INTERRUPTED")

    gateway.on["StreamChat"] = events
    async with Promptwire(gateway.target) as client:
        stream = client.stream_chat("hi")
        with pytest.raises(errors.StreamInterrupted):
            await stream.read()
        assert stream.text == "par"
        assert [piece async for piece in stream] == []


@pytest.mark.parametrize("value", ["", "x", "-1", "9" * 40, "٣"])
def test_a_number_that_is_none_is_unknown(value: str) -> None:
    error = errors.StreamInterrupted("x", details=errors.Details(metadata={"last_sequence": value}))
    assert error.last_sequence is None


async def test_nobody_there_is_said_with_the_address_and_what_to_do(dead_target: str, caller: Caller) -> None:
    with pytest.raises(errors.Unavailable) as caught:
        await caller.call(dead_target, "chat", "hi")
    assert f"is it running at {dead_target}? promptwire serve" in str(caught.value)


async def test_an_answer_over_the_clients_limit_is_too_large(gateway: Gateway, caller: Caller) -> None:
    gateway.on["Chat"] = pb.ChatResponse(text="x" * (65 << 20))
    with pytest.raises(errors.TooLarge):
        await caller.call(gateway.target, "chat", "hi")


async def test_the_cause_shows_no_pages_of_transport_state(gateway: Gateway, caller: Caller) -> None:
    error = await fail_with(gateway, caller, CODE.NOT_FOUND, "NOT_FOUND")
    assert error.__suppress_context__
