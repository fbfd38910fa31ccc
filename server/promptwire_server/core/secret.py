"""Secret: a text that does not show itself when it is printed, logged or put into an error; Credential: one that changes at times."""

import hmac
from dataclasses import dataclass


class Secret:
    """A key or password. Only `reveal()` gives it away; repr, str and format show asterisks."""

    __slots__ = ("_value",)

    def __init__(self, value: str) -> None:
        self._value = value

    def reveal(self) -> str:
        """The text itself: for the place that sends or compares it, never for a message."""
        return self._value

    def __repr__(self) -> str:
        return "Secret('***')"

    def __str__(self) -> str:
        return "***"

    def __len__(self) -> int:
        return len(self.reveal())

    def __eq__(self, other: object) -> bool:
        return isinstance(other, Secret) and hmac.compare_digest(self.reveal().encode(), other.reveal().encode())

    def __hash__(self) -> int:
        return hash((Secret, self.reveal()))

    def __reduce__(self) -> str:
        raise TypeError("a Secret is not pickled: hand it over by reveal() where that is meant")


@dataclass(frozen=True, slots=True)
class Reference:
    """Where a secret is kept. Shown to people as they write it: `vault:secret/data/openai#api_key`."""

    store: str  # "vault", "aws-sm" or "file"
    name: str  # the path in Vault, the name or ARN in Secrets Manager, the path of the file
    field: str = ""  # of the secret's fields; empty: the whole text

    def __str__(self) -> str:
        return f"{self.store}:{self.name}" + (f"#{self.field}" if self.field else "")


class Credential(Secret):
    """A secret that is kept elsewhere and may be changed there: ask for it each time it is used, and keep no copy.

    `reveal()` is cheap, and gives the same str object until the value changes. Threads may read it while another renews it.
    """

    __slots__ = ("reference",)

    def __init__(self, reference: Reference, value: str = "") -> None:
        super().__init__(value)
        self.reference = reference

    @property
    def known(self) -> bool:
        """It was fetched."""
        return bool(self._value)

    def reveal(self) -> str:
        """The present value. Raises LookupError before it was fetched, which start-up does."""
        if not self._value:
            raise LookupError(f"{self.reference} was not fetched yet")
        return self._value

    def renew(self, value: str) -> None:
        """Whoever reveals it from now on gets this value."""
        self._value = value

    def __repr__(self) -> str:
        return f"Credential({str(self.reference)!r})"

    def __eq__(self, other: object) -> bool:
        return self is other or (self.known and super().__eq__(other))

    __hash__ = None  # type: ignore[assignment]  # its value changes
