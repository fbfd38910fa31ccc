"""Errors as text, and back."""

import pytest

from promptwire_server.core import errors
from promptwire_server.core.error_text import from_text, to_text


@pytest.mark.parametrize(
    "error",
    [
        errors.InvalidRequest.of(errors.Violation("a.b[1]", "is wrong"), errors.Violation("", "all of it", 3)),
        errors.UpstreamFailed("öffnet nicht", retry_after_s=1.5, origin=errors.Origin("p", 503, "code", "id")),
        errors.DeadlineExceeded.during("upstream"),
        errors.PromptwireError(""),
    ],
    ids=lambda error: type(error).__name__,
)
def test_an_error_comes_back_as_it_was(error: errors.PromptwireError) -> None:
    again = from_text(to_text(error))
    assert type(again) is type(error)
    for name in ("message", "retry_after_s", "origin", "violations", "metadata", "reason_name"):
        assert getattr(again, name) == getattr(error, name)


def test_an_error_of_a_newer_version_is_a_bug_with_its_message() -> None:
    text = to_text(errors.NotFound("not here")).replace(b"NotFound", b"Vanished")
    again = from_text(text)
    assert isinstance(again, errors.InternalError)
    assert again.message == "not here"


@pytest.mark.parametrize("text", [b"", b"{}", b"[]", b'"x"', b'{"kind": "NotFound"}', b"\xff"])
def test_what_is_no_error_is_refused(text: bytes) -> None:
    with pytest.raises(ValueError):
        from_text(text)
