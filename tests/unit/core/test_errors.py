"""What errors say of themselves."""

import pytest

from promptwire import v1 as pb
from promptwire_server.core.errors import (
    Code,
    DeadlineExceeded,
    InvalidRequest,
    NotFound,
    Origin,
    PromptwireError,
    UpstreamRateLimited,
    Violation,
    failure_of,
)


def kinds(base: type[PromptwireError] = PromptwireError) -> list[type[PromptwireError]]:
    return [base, *(below for kind in base.__subclasses__() for below in kinds(kind))]


@pytest.mark.parametrize("kind", kinds(), ids=lambda kind: kind.__name__)
def test_every_error_has_a_code_and_a_published_reason(kind: type[PromptwireError]) -> None:
    assert kind.code in vars(Code).values()
    assert kind.reason != pb.ERROR_REASON_UNSPECIFIED
    assert kind("x").reason_name in {name.removeprefix("ERROR_REASON_") for name in pb.ErrorReason.keys()}  # noqa: SIM118 - an enum wrapper


def test_the_message_is_the_first_violation_and_how_many_more() -> None:
    assert str(InvalidRequest.at("a.b", "is missing")) == "a.b: is missing"
    assert str(InvalidRequest.of(Violation("a", "is bad"), Violation("b", "too"), Violation("c", "too"))) == "a: is bad (and 2 more)"
    assert str(InvalidRequest.of(Violation("", "is empty"))) == "is empty"


def test_a_deadline_says_its_phase() -> None:
    assert DeadlineExceeded.during("queue").metadata == {"phase": "queue"}


def test_errors_do_not_share_their_metadata() -> None:
    given = {"subject": "t"}
    one, other = NotFound("x", metadata=given), NotFound("x", metadata=given)
    one.metadata["more"] = "1"
    assert other.metadata == given == {"subject": "t"}


def test_a_failure_has_all_that_an_error_knows() -> None:
    origin = Origin(provider="p", http_status=429, provider_code="rate_limit")
    failure = failure_of(UpstreamRateLimited("slow down", origin=origin, retry_after_s=1.5, violations=[Violation("model", "busy")]))
    assert (failure.code, failure.reason, failure.message) == (14, pb.ERROR_REASON_UPSTREAM_RATE_LIMITED, "slow down")
    assert (failure.provider, failure.http_status, failure.provider_code, failure.field) == ("p", 429, "rate_limit", "model")
    assert failure.retry_after.ToMilliseconds() == 1500


def test_a_failure_without_origin_leaves_out_what_is_not_known() -> None:
    failure = failure_of(NotFound("x"))
    assert not failure.HasField("http_status")
    assert not failure.HasField("retry_after")
