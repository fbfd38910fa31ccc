"""Facts: what is known of a model, whoever says so."""

from dataclasses import dataclass
from typing import Final

from promptwire import v1 as pb
from promptwire_server.core.price import Price


@dataclass(frozen=True, slots=True)
class Facts:
    """What is known of one model. Nothing, by default."""

    price: Price | None = None
    context_window_tokens: int = 0  # 0: unknown
    max_output_tokens: int = 0  # 0: unknown
    capabilities: tuple["pb.Capability", ...] = ()  # empty: unknown

    def under(self, upper: "Facts") -> "Facts":
        """These facts, and on top of them what `upper` knows."""
        price = upper.price if self.price is None or upper.price is None else self.price.under(upper.price)
        return Facts(
            price or self.price,
            upper.context_window_tokens or self.context_window_tokens,
            upper.max_output_tokens or self.max_output_tokens,
            upper.capabilities or self.capabilities,
        )


UNKNOWN: Final = Facts()
