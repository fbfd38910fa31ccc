"""Plans kept by the hash of their chain, so that a chain which is run often is compiled once."""

from collections import OrderedDict
from dataclasses import dataclass

from promptwire_server.chains.plan import Plan


@dataclass(frozen=True, slots=True)
class PlanSettings:
    """How much is kept. A plan takes about twenty times the size of its message."""

    max_plans: int = 512
    max_size_bytes: int = 4 * 1024 * 1024  # of the messages


class Plans:
    """The plans used last."""

    def __init__(self, settings: PlanSettings | None = None) -> None:
        self._settings = settings or PlanSettings()
        self._plans: OrderedDict[tuple[str, bool], Plan] = OrderedDict()
        self._size_bytes = 0

    def get(self, chain_hash: str, *, prompts: bool) -> Plan | None:
        """The plan of a chain; its short form has other paths, and so a plan of its own."""
        plan = self._plans.get((chain_hash, prompts))
        if plan is not None:
            self._plans.move_to_end((chain_hash, prompts))
        return plan

    def put(self, plan: Plan, *, prompts: bool) -> None:
        """Keep a plan, and drop those that were not used for longest when there are too many."""
        self._plans[plan.hash, prompts] = plan
        self._size_bytes += plan.size_bytes
        while len(self._plans) > self._settings.max_plans or self._size_bytes > self._settings.max_size_bytes:
            _, dropped = self._plans.popitem(last=False)
            self._size_bytes -= dropped.size_bytes
