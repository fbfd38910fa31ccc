"""The provider process that the contract is tried against."""

from tests.faults.conftest import api_key, fake, key_numbers

__all__ = ["api_key", "fake", "key_numbers"]
