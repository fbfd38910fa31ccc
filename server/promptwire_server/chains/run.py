"""Run: a cursor that walks the steps of a plan."""

import asyncio
import copy
from dataclasses import dataclass

from promptwire import v1 as pb
from promptwire_server.chains.asking import Asker, Context
from promptwire_server.chains.check import Job
from promptwire_server.chains.deadline import Deadline, Whose
from promptwire_server.chains.events import WHOLE_RUN, Events, Place, Watcher
from promptwire_server.chains.findings import inside
from promptwire_server.chains.funds import Funds, NoFunds
from promptwire_server.chains.plan import DEFAULT_MAX_STEPS, END, Step
from promptwire_server.chains.results import add_outputs
from promptwire_server.chains.settings import DEFAULT_RUN_SETTINGS, RunSettings
from promptwire_server.chains.times import set_seconds
from promptwire_server.chains.values import Values
from promptwire_server.chains.visit import Progress, Visit
from promptwire_server.core.call import Call
from promptwire_server.core.clock import Clock
from promptwire_server.core.errors import ChainFailed, PromptwireError
from promptwire_server.core.handler import Handler
from promptwire_server.core.ids import Ids
from promptwire_server.core.money import dollars

__all__ = ["Context", "Engine", "Run", "Watcher"]

NO_FUNDS = NoFunds()


@dataclass(frozen=True, slots=True)
class Engine:
    """What all runs of a server share."""

    handler: Handler  # the whole gateway
    clock: Clock
    ids: Ids
    funds: Funds = NO_FUNDS
    settings: RunSettings = DEFAULT_RUN_SETTINGS

    def run(self, job: Job, context: Context, watcher: Watcher | None = None) -> "Run":
        """A run that has not begun yet: await its `finish`."""
        return Run(self, job, context, watcher)


class Run:
    """One run. It belongs to the task that awaits `finish`: cancelling that closes the upstream call under way at once."""

    def __init__(self, engine: Engine, job: Job, context: Context, watcher: Watcher | None) -> None:
        self.run_id = engine.ids.run()
        self._settings = engine.settings
        self._clock = engine.clock
        self._job = job
        self._context = context
        self._events = Events(self.run_id, engine.clock, watcher)
        self._funds = engine.funds
        self._asker = Asker(engine.handler, engine.clock, context, job.base, self._events, self.run_id, job.plan.name)
        self._asker.limit_nano_usd = job.bounds.max_cost_nano_usd
        self._deadline = Deadline(context.deadline_s, Whose.CALLER).within(job.bounds.timeout_s, engine.clock.monotonic(), Whose.CHAIN)
        self._progress = Progress(Values(job.inputs))
        self._visits: dict[int, int] = {}  # by position
        self._visited = 0
        self._taken = 0
        self._step_id = ""  # the step under way
        self._rested_s = engine.clock.monotonic()

    async def finish(self) -> pb.RunChainResponse:
        """Run to the end. The watcher is told everything, last of all run_finished.

        Raises the PromptwireError of the step that ended the run, or one of its own. Its metadata has run_id, step_id, last_sequence (of
        the last event delivered) and billed_nano_usd (where known).
        """
        try:
            await self._tell_started()
            await self._reserve()
            await self._walk()
            self._step_id = ""
            response = self._response()
        except PromptwireError as error:
            raise self._annotated(error) from error
        finally:
            if self._asker.fund:
                self._funds.release(self._asker.fund)
        await self._tell_finished(response.result)
        return response

    async def _reserve(self) -> None:
        """Set aside the whole limit, so that no other call takes what a later step needs."""
        limit, context = self._asker.limit_nano_usd, self._context
        if limit:
            call = Call(self._asker.base, context.principal, context.request_id, context.trace_id, self._deadline.at_s, context.arrival_s)
            call.run_id, call.chain = self.run_id, self._asker.chain
            self._asker.fund = await self._funds.reserve(call, limit)

    async def _walk(self) -> None:
        position = 0
        while position != END:
            step = self._job.plan.steps[position]
            self._step_id = step.id
            position = await self._visit(step)
            await self._rest()

    async def _visit(self, step: Step) -> int:
        """Carry out a step, or pass it over; gives the position of the next."""
        self._visited += 1
        number = self._visits[step.position] = self._visits.get(step.position, 0) + 1
        place = Place(step.id, step.id, number)
        self._check_time(step)
        if step.when is not None and not step.when.holds(self._progress.values.names):
            await self._pass_over(step, place)
            return self._following(step)
        self._check_bounds(step)
        visit = Visit(step, place, self._asker, self._deadline, self._progress, self._settings)
        state = await visit.carry_out(self._job.plan.models_of(step, self._job.model))
        self._context.trail.attempts.clear()  # an error of a later step is none of this one's
        match state:
            case pb.STEP_STATE_SKIPPED:
                return self._following(step)
            case pb.STEP_STATE_FAILED:
                return step.policy.goto
        return self._next(step)

    def _next(self, step: Step) -> int:
        """Where the step's transitions lead."""
        for transition in step.next:
            if transition.when is None or transition.when.holds(self._progress.values.names):
                return transition.to
        return self._following(step)

    def _following(self, step: Step) -> int:
        return step.position + 1 if step.position + 1 < len(self._job.plan.steps) else END

    def _check_time(self, step: Step) -> None:
        if self._clock.monotonic() >= self._deadline.at_s:
            raise self._deadline.passed(step.id)
        if self._visited > self._settings.max_visits:
            raise ChainFailed(f"the run came to a step {self._settings.max_visits} times, at last to '{step.id}': check its loop")

    def _check_bounds(self, step: Step) -> None:
        """Whether another step may be taken."""
        max_steps = self._job.bounds.max_steps or DEFAULT_MAX_STEPS
        if self._taken >= max_steps:
            raise ChainFailed(
                f"the run has taken {max_steps} steps and '{step.id}' would be next: raise limits.max_steps, or check its loop"
            )
        self._taken += 1
        if self._progress.size_bytes > self._settings.max_size_bytes:
            raise ChainFailed(f"the outputs of the run are larger than {self._settings.max_size_bytes} bytes together")
        self._check_cost(step)

    def _check_cost(self, step: Step) -> None:
        limit, spent = self._job.bounds.max_cost_nano_usd, self._progress.totals.known_nano_usd
        if limit is not None and spent and spent >= limit and step.action.asks_model:
            what = f"the run has cost {dollars(spent)} of at most {dollars(limit)}"
            raise ChainFailed(f"{what} and '{step.id}' would be next: raise limits.max_cost_nano_usd")

    async def _pass_over(self, step: Step, place: Place) -> None:
        self._progress.values.ended(step.id, "skipped", place.visit)
        self._progress.results.append(
            pb.StepResult(step_id=place.step_id, step_path=place.step_path, visit=place.visit, state=pb.STEP_STATE_SKIPPED)
        )
        if self._events.on:
            event = self._events.about(place)
            event.step_skipped.reason = "its `when` does not hold"
            await self._events.tell(event)

    async def _rest(self) -> None:
        """Let others have their turn when steps that never wait have taken long: transforms in a loop would stop the whole server."""
        if self._clock.monotonic() - self._rested_s >= self._settings.longest_slice_s:
            await asyncio.sleep(0)
            self._rested_s = self._clock.monotonic()

    def _response(self) -> pb.RunChainResponse:
        plan, context, progress = self._job.plan, self._context, self._progress
        response = pb.RunChainResponse(
            run_id=self.run_id,
            request_id=context.request_id,
            chain_name=plan.name,
            chain_hash=plan.hash,
            trace_id=context.trace_id,
        )
        result = response.result
        add_outputs(result, plan, progress.values)
        result.steps.extend(progress.results)
        result.notices.extend(progress.notices)
        progress.totals.write(result)
        set_seconds(result.timing.total, self._clock.monotonic() - context.arrival_s)
        return response

    def _annotated(self, error: PromptwireError) -> PromptwireError:
        """A copy that knows the run. A copy, since one error may have reached several runs."""
        told = copy.copy(error)
        told.metadata = {**error.metadata, "run_id": self.run_id, "last_sequence": str(self._events.last_sequence)}
        if self._step_id:
            told.metadata["step_id"] = self._step_id
        billed = self._progress.totals.known_nano_usd
        if billed is not None:
            told.metadata["billed_nano_usd"] = str(billed)
        told.violations = inside(self._job.path, error.violations)
        return told

    async def _tell_started(self) -> None:
        if not self._events.on:
            return
        event = self._events.about(WHOLE_RUN)
        started = event.run_started
        started.chain_name = self._job.plan.name
        started.chain_hash = self._job.plan.hash
        started.request_id = self._context.request_id
        started.trace_id = self._context.trace_id
        await self._events.tell(event)

    async def _tell_finished(self, result: pb.RunResult) -> None:
        if not self._events.on:
            return
        event = self._events.about(WHOLE_RUN)
        event.run_finished.state = pb.RUN_STATE_SUCCEEDED
        event.run_finished.result.CopyFrom(result)
        await self._events.release()
        await self._events.tell(event)
