"""Schemas: JSON Schemas of inputs. What compiles them is loaded when the first chain has one: it takes three megabytes."""

from importlib import import_module
from typing import Protocol, cast


class SchemaFault(ValueError):
    """The text is no JSON Schema that this server takes; the message says why."""


class Schema(Protocol):
    """One compiled JSON Schema."""

    def faults(self, value: object) -> list[str]:
        """What is wrong with the value, in words that do not quote it; empty when it fits."""
        ...


def compiled(text: str) -> Schema:
    """The schema that a text says. Raises SchemaFault."""
    return cast("Schema", import_module("promptwire_server.chains.schema").Schema(text))
