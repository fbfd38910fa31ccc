"""The table from errors to statuses."""

from collections.abc import Sequence
from typing import Any

import grpc
import pytest
from hypothesis import given
from hypothesis import strategies as st

from promptwire import v1 as pb
from promptwire_server.core import errors
from promptwire_server.core.errors import InvalidRequest, Origin, PromptwireError, RateLimited, TooLarge, UpstreamFailed, Violation
from promptwire_server.rpc.status import code_of, shortened, trailers_of
from tests.unit.rpc.wire import Details, details

FACTS = {"request_id": "req-1"}
MAX_DETAILS_BYTES = 4096

# The contract's table: code, reason, retry pushback when nobody says when ("-1" is never), further details.
TABLE = {
    errors.InvalidRequest: ("INVALID_ARGUMENT", "INVALID_FIELD", "-1", []),
    errors.InvalidTemplate: ("INVALID_ARGUMENT", "INVALID_TEMPLATE", "-1", []),
    errors.TooLarge: ("RESOURCE_EXHAUSTED", "TOO_LARGE", "-1", []),
    errors.ContextTooLong: ("INVALID_ARGUMENT", "CONTEXT_TOO_LONG", "-1", []),
    errors.CredentialInvalid: ("UNAUTHENTICATED", "CREDENTIAL_INVALID", "-1", []),
    errors.RequestIdReused: ("INVALID_ARGUMENT", "REQUEST_ID_REUSED", "-1", []),
    errors.RequestInProgress: ("ABORTED", "REQUEST_IN_PROGRESS", "1000", ["RetryInfo"]),
    errors.PolicyDenied: ("PERMISSION_DENIED", "POLICY_DENIED", "-1", []),
    errors.NotFound: ("NOT_FOUND", "NOT_FOUND", "-1", []),
    errors.AlreadyExists: ("ALREADY_EXISTS", "ALREADY_EXISTS", "-1", []),
    errors.EtagMismatch: ("ABORTED", "ETAG_MISMATCH", "-1", []),
    errors.CapabilityMissing: ("FAILED_PRECONDITION", "CAPABILITY_MISSING", "-1", []),
    errors.Disabled: ("UNIMPLEMENTED", "DISABLED", "-1", []),
    errors.BudgetExhausted: ("RESOURCE_EXHAUSTED", "BUDGET_EXHAUSTED", "-1", ["QuotaFailure"]),
    errors.PriceUnknown: ("FAILED_PRECONDITION", "PRICE_UNKNOWN", "-1", []),
    errors.BudgetStoreUnavailable: ("UNAVAILABLE", "BUDGET_STORE_UNAVAILABLE", "1000", ["RetryInfo"]),
    errors.Overloaded: ("UNAVAILABLE", "OVERLOADED", "1000", ["RetryInfo"]),
    errors.Draining: ("UNAVAILABLE", "DRAINING", "10", ["RetryInfo"]),
    errors.QueueTooLong: ("UNAVAILABLE", "QUEUE_TOO_LONG", "-1", ["RetryInfo"]),
    errors.RateLimited: ("RESOURCE_EXHAUSTED", "RATE_LIMITED", "1000", ["RetryInfo", "QuotaFailure"]),
    errors.UpstreamAccount: ("FAILED_PRECONDITION", "UPSTREAM_ACCOUNT", "-1", []),
    errors.UpstreamKey: ("FAILED_PRECONDITION", "UPSTREAM_ACCOUNT", "1000", ["RetryInfo"]),
    errors.UpstreamRateLimited: ("UNAVAILABLE", "UPSTREAM_RATE_LIMITED", "1000", ["RetryInfo"]),
    errors.UpstreamInvalidRequest: ("INVALID_ARGUMENT", "UPSTREAM_INVALID_REQUEST", "-1", []),
    errors.UpstreamMisdirected: ("UNAVAILABLE", "UPSTREAM_FAILED", "-1", []),
    errors.UpstreamModelUnknown: ("INVALID_ARGUMENT", "UPSTREAM_INVALID_REQUEST", "-1", []),
    errors.UpstreamPolicy: ("FAILED_PRECONDITION", "UPSTREAM_POLICY", "-1", []),
    errors.UpstreamFailed: ("UNAVAILABLE", "UPSTREAM_FAILED", "1000", ["RetryInfo"]),
    errors.NoHealthyUpstream: ("UNAVAILABLE", "NO_HEALTHY_UPSTREAM", "1000", ["RetryInfo"]),
    errors.StreamInterrupted: ("UNAVAILABLE", "STREAM_INTERRUPTED", "-1", []),
    errors.DeadlineExceeded: ("DEADLINE_EXCEEDED", "DEADLINE", "-1", []),
    errors.CallCancelled: ("CANCELLED", "CANCELLED", "-1", []),
    errors.ChainFailed: ("ABORTED", "CHAIN_FAILED", "-1", []),
    errors.OutputSchemaMismatch: ("ABORTED", "OUTPUT_SCHEMA_MISMATCH", "-1", []),
    errors.InternalError: ("INTERNAL", "INTERNAL", "-1", []),
}
NODES = {errors.CallerError, errors.CapacityError, errors.UpstreamError}  # of the tree; never raised themselves


def sent(error: PromptwireError, attempts: Sequence[pb.Attempt] = ()) -> Details:
    return details(trailers_of(error, FACTS, attempts))


def attempt(model: str = "m", message: str = "down", **more: Any) -> pb.Attempt:
    failure = pb.Failure(code=14, reason=pb.ERROR_REASON_UPSTREAM_FAILED, message=message, provider="p")
    return pb.Attempt(provider="p", model=model, failure=failure, **more)


def kinds(base: type[PromptwireError] = PromptwireError) -> set[type[PromptwireError]]:
    below = set(base.__subclasses__())
    return below.union(*map(kinds, below)) if below else below


def test_the_table_is_whole() -> None:
    ours = {kind for kind in kinds() if kind.__module__ == errors.__name__}
    assert ours - NODES == set(TABLE)


@pytest.mark.parametrize("kind", TABLE, ids=lambda kind: kind.__name__)
def test_an_error_travels_as_the_contract_says(kind: type[PromptwireError]) -> None:
    code, reason, pushback, further = TABLE[kind]
    seen = sent(kind("what is wrong"))
    assert (code_of(kind("x")).name, seen.status.code) == (code, code_of(kind("x")).value[0])
    assert (seen.info.reason, seen.info.domain, dict(seen.info.metadata)) == (reason, "promptwire", FACTS)
    assert (seen.pushback, seen.kinds) == (pushback, ["ErrorInfo", *further])


@pytest.mark.parametrize("kind", kinds(), ids=lambda kind: kind.__name__)
def test_no_error_is_unknown_or_ok(kind: type[PromptwireError]) -> None:
    assert code_of(kind("x")) not in (grpc.StatusCode.UNKNOWN, grpc.StatusCode.OK)


def test_a_client_is_not_told_to_wait_beyond_its_own_deadline() -> None:
    error = errors.UpstreamRateLimited("x", retry_after_s=7.0)
    late, early = (details(trailers_of(error, FACTS, (), remaining_s)) for remaining_s in (3.0, 8.0))
    assert (late.pushback, early.pushback) == ("-1", "7000")
    assert late.retry.retry_delay.ToSeconds() == 7


def test_the_delay_is_both_a_detail_and_the_pushback() -> None:
    seen = sent(RateLimited("slow down", retry_after_s=2.5, metadata={"subject": "tenant:t"}))
    assert (seen.pushback, seen.retry.retry_delay.ToMilliseconds()) == ("2500", 2500)
    assert seen.quota.violations[0].subject == "tenant:t"


def test_a_queue_too_long_says_when_it_may_be_shorter_but_not_to_a_clients_own_retry() -> None:
    seen = sent(errors.QueueTooLong("x", retry_after_s=2.5))
    assert (seen.pushback, seen.retry.retry_delay.ToMilliseconds()) == ("-1", 2500)


def test_nobody_is_told_to_try_again_after_no_time() -> None:
    seen = sent(errors.Draining("x", retry_after_s=0.0))
    assert (seen.pushback, seen.retry.retry_delay.ToMilliseconds()) == ("10", 10)


def test_an_error_that_is_not_to_be_retried_has_no_delay() -> None:
    assert sent(TooLarge("big", retry_after_s=5.0)).kinds == ["ErrorInfo"]


@pytest.mark.parametrize("delay_s", [-1.0, float("inf"), float("nan"), 1e300])
def test_an_impossible_delay_harms_nothing(delay_s: float) -> None:
    assert 0 <= int(sent(UpstreamFailed("x", retry_after_s=delay_s)).pushback or "") <= 86_400_000
    assert 0 <= errors.failure_of(UpstreamFailed("x", retry_after_s=delay_s)).retry_after.seconds <= 86_400


def test_where_an_upstream_failure_came_from_is_told() -> None:
    origin = Origin(provider="openai", http_status=503, provider_code="overloaded", provider_request_id="r-9")
    told = {"provider": "openai", "http_status": "503", "provider_code": "overloaded", "provider_request_id": "r-9"}
    assert dict(sent(UpstreamFailed("x", origin=origin)).info.metadata) == {**FACTS, **told}


def test_facts_of_the_rpc_win_over_the_errors() -> None:
    assert sent(UpstreamFailed("x", metadata={"request_id": "another"})).info.metadata["request_id"] == "req-1"


def test_what_does_not_fit_of_a_thousand_violations_is_counted() -> None:
    seen = sent(InvalidRequest.of(*(Violation(f"messages[{n}].role", "is missing") for n in range(1000))))
    *told, rest = seen.bad.field_violations
    assert [violation.field for violation in told] == [f"messages[{n}].role" for n in range(len(told))]
    assert rest.description == f"and {1000 - len(told)} more"
    assert len(told) >= 10


def test_violations_that_fit_are_all_told() -> None:
    seen = sent(InvalidRequest.of(*(Violation(f"f{n}", "bad") for n in range(5))))
    assert [violation.field for violation in seen.bad.field_violations] == ["f0", "f1", "f2", "f3", "f4"]


def test_everything_that_was_tried_is_told_in_order() -> None:
    cost = pb.Cost(total_nano_usd=7)
    tried = [attempt("a", cost=cost, chosen_because="first by priority"), attempt("b", cost=cost), attempt("c")]
    seen = sent(UpstreamFailed("down"), tried)
    assert list(seen.trail.attempts) == tried
    assert seen.kinds == ["ErrorInfo", "RetryInfo", "AttemptTrail"]
    assert (seen.info.metadata["attempts"], seen.info.metadata["billed_nano_usd"]) == ("3", "14")


def test_without_attempts_nothing_is_said_of_them() -> None:
    seen = sent(UpstreamFailed("down"))
    assert ("AttemptTrail" in seen.kinds, set(seen.info.metadata)) == (False, {"request_id"})


def test_an_error_that_knows_what_was_billed_is_believed() -> None:
    seen = sent(UpstreamFailed("down", metadata={"billed_nano_usd": "100"}), [attempt(cost=pb.Cost(total_nano_usd=7))])
    assert seen.info.metadata["billed_nano_usd"] == "100"


def test_messages_are_shortened_before_an_attempt_is_left_out() -> None:
    seen = sent(UpstreamFailed("down"), [attempt(str(number), "x" * 1000) for number in range(15)])
    assert [each.model for each in seen.trail.attempts] == [str(number) for number in range(15)]
    assert {len(each.failure.message.encode()) for each in seen.trail.attempts} == {96}


def test_of_too_many_attempts_the_newest_are_told_and_all_are_counted() -> None:
    seen = sent(UpstreamFailed("down"), [attempt(f"{number:03}", "x" * 1000, chosen_because="y" * 1000) for number in range(100)])
    models = [each.model for each in seen.trail.attempts]
    assert models == [f"{number:03}" for number in range(100 - len(models), 100)]
    assert len(models) >= 5
    assert seen.info.metadata["attempts"] == "100"


def test_the_trail_of_the_call_is_left_as_it_is() -> None:
    tried = [attempt(message="x" * 1000)] * 20
    sent(UpstreamFailed("down"), tried)
    assert {len(each.failure.message) for each in tried} == {1000}


def test_what_is_wrong_with_the_request_comes_before_what_was_tried() -> None:
    seen = sent(InvalidRequest.of(*(Violation(f"f{n}", "x" * 400) for n in range(30))), [attempt()])
    assert seen.size_bytes < MAX_DETAILS_BYTES * 3 / 4
    assert len(seen.bad.field_violations) > 1


texts = st.text(st.characters(), max_size=20).map(lambda text: text * 200) | st.text(st.characters())  # half surrogate pairs too
legible = texts.map(lambda text: text.encode("utf-8", "replace").decode())  # what a message can hold
violations = st.builds(Violation, field=texts, message=texts)


@given(
    kind=st.sampled_from(list(TABLE)),
    message=texts,
    metadata=st.dictionaries(texts, texts, max_size=30),
    found=st.lists(violations, max_size=30),
    delay_s=st.none() | st.floats(),
    tried=st.lists(st.builds(attempt, legible, legible, chosen_because=legible, provider_request_id=legible), max_size=20),
)
def test_details_are_always_bounded(
    kind: type[PromptwireError],
    message: str,
    metadata: dict[str, str],
    found: list[Violation],
    delay_s: float | None,
    tried: list[pb.Attempt],
) -> None:
    seen = sent(kind(message, metadata=metadata, violations=found, retry_after_s=delay_s), tried)
    assert seen.size_bytes < MAX_DETAILS_BYTES
    assert seen.info.metadata["request_id"] == "req-1"
    assert bool(seen.bad.field_violations) is bool(found)


@given(texts, st.integers(3, 50))
def test_a_shortened_text_is_a_beginning_in_bounds(text: str, max_bytes: int) -> None:
    short = shortened(text, max_bytes)
    assert len(short.encode()) <= max_bytes
    assert text.encode("utf-8", "replace").decode().startswith(short.removesuffix("…"))
