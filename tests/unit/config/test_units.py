"""Values with units."""

import pytest
from hypothesis import given
from hypothesis import strategies as st

from promptwire_server.config.units import Address, duration_text, seconds, size_bytes, size_text


@pytest.mark.parametrize(
    ("text", "expected"),
    [
        ("250ms", 0.25),
        ("30s", 30),
        ("1h30m", 5400),
        ("1.5m", 90),
        (7, 7),
        (0.5, 0.5),
        ("12", 12),
        ("2d", 172800),
        ("0s", 0),
        ("50us", 0.00005),
    ],
)
def test_durations_are_read(text: str | float, expected: float) -> None:
    assert seconds(text) == pytest.approx(expected)


@pytest.mark.parametrize("text", ["", "s", "3 parsecs", "1m30", "-3s", "1s junk", "ten"])
def test_a_bad_duration_says_what_a_good_one_looks_like(text: str) -> None:
    with pytest.raises(ValueError, match="must be a duration such as"):
        seconds(text)


def test_negative_numbers_are_refused() -> None:
    with pytest.raises(ValueError, match="must not be negative"):
        seconds(-1)
    with pytest.raises(ValueError, match="must not be negative"):
        size_bytes(-1)


@pytest.mark.parametrize("text", ["999999999999d", "3651d", 3650 * 86400 + 1, "9" * 400, 10**400, float("inf"), float("nan")])
def test_no_duration_is_longer_than_ten_years(text: str | float) -> None:
    assert seconds("3650d") == 3650 * 86400
    with pytest.raises(ValueError, match="at most 3650d"):
        seconds(text)


@pytest.mark.parametrize(("text", "expected"), [("16MiB", 16 << 20), ("500kB", 500_000), ("1 GiB", 1 << 30), (5, 5), ("5", 5), ("5b", 5)])
def test_sizes_are_read(text: str | int, expected: int) -> None:
    assert size_bytes(text) == expected


@pytest.mark.parametrize("text", ["", "many", "16 MB per call", "1.2.3MB"])
def test_a_bad_size_says_what_a_good_one_looks_like(text: str) -> None:
    with pytest.raises(ValueError, match="must be a size such as"):
        size_bytes(text)


@given(st.integers(0, 10**7))
def test_durations_survive_being_shown(value_s: int) -> None:
    assert seconds(duration_text(value_s)) == value_s


@given(st.integers(0, 2**40))
def test_sizes_survive_being_shown(value: int) -> None:
    assert size_bytes(size_text(value)) == value


@pytest.mark.parametrize(
    ("text", "shown"),
    [
        ("127.0.0.1:50051", "127.0.0.1:50051"),
        ("[::]:50051", "[::]:50051"),
        (":1", "0.0.0.0:1"),
        ("unix:/run/p.sock", "unix:/run/p.sock"),
        ("unix:///run/p.sock", "unix:/run/p.sock"),
    ],
)
def test_addresses_are_read_and_shown(text: str, shown: str) -> None:
    assert str(Address.parse(text)) == shown


@pytest.mark.parametrize("text", ["localhost", "host:", "host:port", "unix:", "::1:50051", "h:65536", "h:123456"])
def test_bad_addresses_are_refused(text: str) -> None:
    with pytest.raises(ValueError, match=r'"|65535'):
        Address.parse(text)


@pytest.mark.parametrize(
    ("text", "loopback"),
    [
        ("127.0.0.1:1", True),
        ("127.9.9.9:1", True),
        ("[::1]:1", True),
        ("localhost:1", True),
        ("unix:/x", True),
        ("0.0.0.0:1", False),
        ("[::]:1", False),
        (":1", False),
        ("10.0.0.1:1", False),
        ("localhost.example.org:1", False),
    ],
)
def test_only_this_machine_is_loopback(text: str, *, loopback: bool) -> None:
    assert Address.parse(text).loopback is loopback
