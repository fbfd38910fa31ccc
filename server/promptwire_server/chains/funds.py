"""Funds: the money of a run, set aside as a whole before its first step."""

from typing import Protocol

from promptwire_server.core.call import Call


class Funds(Protocol):
    """Where money is set aside."""

    async def reserve(self, call: Call, limit_nano_usd: int) -> str:
        """Set aside what a run may cost; `call` says whose. The hold's id, empty where no budget asks for one.

        Raises BudgetExhausted and BudgetStoreUnavailable.
        """
        ...

    def release(self, hold_id: str) -> None:
        """Give back what is left of it. Never waits, never raises."""
        ...


class NoFunds:
    """Where there are no budgets."""

    async def reserve(self, call: Call, limit_nano_usd: int) -> str:  # noqa: ARG002 - see Funds
        """Nothing needs to be."""
        return ""

    def release(self, hold_id: str) -> None:
        """Nothing was."""
