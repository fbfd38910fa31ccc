"""Plan: a chain that was checked and compiled. Never changed, so that runs share it."""

from dataclasses import dataclass
from typing import Final, Protocol

from promptwire import v1 as pb
from promptwire_server.chains.inputs import Input
from promptwire_server.chains.rendering import Formula
from promptwire_server.chains.turn import Outcome, Turn

END: Final = -1  # the position after the last step
DEFAULT_MAX_STEPS: Final = 100
MOST_STEPS_OF_RUN: Final = 10_000  # each step of a run is kept until its end


class Action(Protocol):
    """What a step does. One class a kind; a new kind needs an entry in `compiling.COMPILERS` and nothing here."""

    @property
    def models(self) -> tuple[str, ...]:
        """The models that the step names itself."""
        ...

    @property
    def asks_model(self) -> bool:
        """Whether it calls models at all."""
        ...

    async def perform(self, turn: Turn) -> Outcome:
        """Do it once. Raises PromptwireError; TimeoutError when the turn's time is up."""
        ...


@dataclass(frozen=True, slots=True)
class Transition:
    """Where to go after a step."""

    when: Formula | None  # None: always
    to: int


@dataclass(frozen=True, slots=True)
class Policy:
    """What to do when a step fails."""

    timeout_s: float | None = None
    attempts: int = 1
    on_error: int = pb.StepPolicy.ON_ERROR_FAIL
    fallback: Outcome | None = None
    goto: int = END


@dataclass(frozen=True, slots=True)
class Step:
    """One step."""

    position: int
    id: str
    kind: str  # "prompt", "transform"
    action: Action
    when: Formula | None
    policy: Policy
    next: tuple[Transition, ...]
    output_key: str


@dataclass(frozen=True, slots=True)
class Output:
    """One of the chain's outputs."""

    name: str
    formula: Formula


@dataclass(frozen=True, slots=True)
class Bounds:
    """Bounds of a run; None: none of this kind."""

    timeout_s: float | None = None
    max_cost_nano_usd: int | None = None
    max_steps: int | None = None

    def stricter(self, other: "Bounds") -> "Bounds":
        """The nearer of each."""
        return Bounds(
            timeout_s=min((limit for limit in (self.timeout_s, other.timeout_s) if limit is not None), default=None),
            max_cost_nano_usd=min(
                (limit for limit in (self.max_cost_nano_usd, other.max_cost_nano_usd) if limit is not None), default=None
            ),
            max_steps=min((limit for limit in (self.max_steps, other.max_steps) if limit is not None), default=None),
        )


@dataclass(frozen=True, slots=True)
class FreeName:
    """A name that a chain without declared inputs takes from the caller."""

    name: str
    path: str  # where it is used first
    source: str  # what it is used in


@dataclass(frozen=True, slots=True)
class Plan:
    """A compiled chain."""

    name: str
    hash: str  # SHA-256 in hex
    steps: tuple[Step, ...]
    outputs: tuple[Output, ...]
    inputs: tuple[Input, ...]
    free_names: tuple[FreeName, ...]  # only of a chain that declares no inputs
    taken_names: frozenset[str]  # names that no undeclared input may have
    default_models: tuple[str, ...]
    bounds: Bounds
    size_bytes: int  # of the message it was compiled from

    def models_of(self, step: Step, override: str) -> tuple[str, ...]:
        """The models that a step tries in order; empty for the server's default. `override` is the model of the request."""
        if not step.action.asks_model:
            return ()
        return step.action.models or ((override,) if override else self.default_models)
