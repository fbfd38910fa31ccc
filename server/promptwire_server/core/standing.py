"""Standing: whether a provider is used, as the operator has said."""

from dataclasses import dataclass


@dataclass(frozen=True, slots=True)
class Standing:
    """Of one provider. Times are in seconds since 1970."""

    enabled: bool = True
    reason: str = ""  # why not
    changed_s: float | None = None  # None: never
    clear_by_s: float | None = None  # of one that is not used: when what is still under way is ended; None: when it ends by itself
