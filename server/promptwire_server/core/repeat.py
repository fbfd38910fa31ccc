"""Repeat: what is known of a request that may have been made before, by its request_id."""

from dataclasses import dataclass


@dataclass(frozen=True, slots=True)
class Mine:
    """Nobody has made it, or whoever did has died: it is the asker's to answer, as long as its lease lasts."""


@dataclass(frozen=True, slots=True)
class Running:
    """Somebody is answering it."""

    lease_s: float  # until its answer is there, or its lease was renewed, or it is free


@dataclass(frozen=True, slots=True)
class Answered:
    """It was answered."""

    outcome: bytes  # as it was kept


@dataclass(frozen=True, slots=True)
class Reused:
    """The same id was used for a request with another body."""


Claim = Mine | Running | Answered | Reused


@dataclass(frozen=True, slots=True)
class RequestKey:
    """Which request: ids of different tenants, principals and methods have nothing to do with each other."""

    tenant: str
    name: str  # SHA-256 in hex of principal, method and request_id
    body: str  # SHA-256 in hex of the request
