"""Fixtures for tests against a misbehaving provider."""

import itertools
from collections.abc import Iterator

import pytest

from tests.faults.fake_provider import process
from tests.faults.fake_provider.process import FakeProvider


@pytest.fixture(scope="session")
def fake() -> Iterator[FakeProvider]:
    """One provider a test process; tests keep apart by their API keys."""
    with process.running() as running:
        yield running


@pytest.fixture(scope="session")
def key_numbers() -> Iterator[int]:
    return itertools.count(1)


@pytest.fixture
def api_key(key_numbers: Iterator[int]) -> str:
    """A key no other test uses, so that its ledger entries are this test's alone."""
    return f"sk-fake-{next(key_numbers)}"
