"""Visit: one step carried out once, with its attempts, its policy and its events."""

from dataclasses import dataclass, field

from promptwire import v1 as pb
from promptwire_server.chains.asking import Asker, Asking
from promptwire_server.chains.deadline import Deadline, Whose
from promptwire_server.chains.events import Place
from promptwire_server.chains.limit import TimeLimit
from promptwire_server.chains.plan import Step
from promptwire_server.chains.results import Totals, add_answers, add_failed, add_outcome, told
from promptwire_server.chains.settings import RunSettings
from promptwire_server.chains.times import set_seconds
from promptwire_server.chains.turn import Outcome, Turn
from promptwire_server.chains.values import Values
from promptwire_server.core.answer import failures
from promptwire_server.core.errors import CallCancelled, DeadlineExceeded, OutputSchemaMismatch, PromptwireError, failure_of

_STATES = {
    pb.STEP_STATE_SUCCEEDED: "succeeded",
    pb.STEP_STATE_SKIPPED: "skipped",
    pb.STEP_STATE_FAILED: "failed",
    pb.STEP_STATE_DEFAULTED: "defaulted",
}


@dataclass(slots=True)
class Progress:
    """What a run has come to so far."""

    values: Values
    totals: Totals = field(default_factory=Totals)
    results: list[pb.StepResult] = field(default_factory=list)
    notices: list[pb.Notice] = field(default_factory=list)
    size_bytes: int = 0  # of all results


class Visit:
    """One visit to one step, whose `when` holds."""

    def __init__(self, step: Step, place: Place, asker: Asker, deadline: Deadline, progress: Progress, settings: RunSettings) -> None:
        self._step = step
        self._place = place
        self._asker = asker
        self._clock = asker.clock
        self._events = asker.events
        self._progress = progress
        self._settings = settings
        self._began_s = asker.clock.monotonic()
        self._deadline = deadline.within(step.policy.timeout_s, self._began_s, Whose.STEP)
        self._limit = TimeLimit(self._deadline.at_s - self._began_s)
        self._asking = Asking(asker, place, self._limit, self._deadline.at_s)

    async def carry_out(self, models: tuple[str, ...]) -> int:
        """Carry the step out, and give how it ended: a StepState. Raises PromptwireError when that ends the run."""
        try:
            await self._tell_started(models)
            outcome = await self._attempts(Turn(self._progress.values.names, models, self._asking.ask))
        except CallCancelled:
            raise  # nobody is there any more, and no policy makes that good
        except PromptwireError as error:
            return await self._fail(error)
        finally:
            self._limit.close()
        return await self._succeed(outcome)

    async def _attempts(self, turn: Turn) -> Outcome:
        """The outcome of the first attempt that succeeds."""
        for left in range(self._step.policy.attempts - 1, -1, -1):
            began_s = self._clock.monotonic()
            try:
                return await self._attempt(turn)
            except PromptwireError as error:
                pause_s = self._pause_s(error, self._step.policy.attempts - left)
                if not left or not _worthwhile(error) or began_s + pause_s >= self._deadline.at_s:
                    raise
                await self._tell_failed_attempt(error, began_s, pause_s)
                await self._pause(pause_s)
        raise AssertionError("a policy has at least one attempt")

    async def _attempt(self, turn: Turn) -> Outcome:
        try:
            return await self._step.action.perform(turn)
        except TimeoutError:
            if not self._limit.expired:
                raise  # not ours: a bug below
            raise self._deadline.passed(self._step.id) from None
        except DeadlineExceeded as error:
            if self._deadline.whose is Whose.CALLER:
                raise  # whoever waited last knows best in which phase the caller's time ran out
            raise self._deadline.passed(self._step.id) from error

    async def _pause(self, pause_s: float) -> None:
        try:
            with self._limit:
                await self._settings.sleep(pause_s)
        except TimeoutError:
            raise self._deadline.passed(self._step.id) from None

    def _pause_s(self, error: PromptwireError, attempt: int) -> float:
        """No jitter: the layers below have retried with jitter before an error gets here."""
        if error.retry_after_s is not None:
            return error.retry_after_s
        return min(self._settings.first_pause_s * 2.0 ** (attempt - 1), self._settings.longest_pause_s)

    async def _succeed(
        self, outcome: Outcome, state: "pb.StepState" = pb.STEP_STATE_SUCCEEDED, error: PromptwireError | None = None
    ) -> int:
        result = self._result(state, error)
        add_outcome(result, outcome)
        self._record(result)
        self._progress.values.gave(self._step.id, self._step.output_key, outcome)
        await self._tell_finished(result)
        return state

    async def _fail(self, error: PromptwireError) -> int:
        """What the policy says. Time that is up for the whole run cannot be made good by a policy."""
        policy = self._step.policy
        over = isinstance(error, DeadlineExceeded) and self._deadline.whose is not Whose.STEP
        if policy.fallback is not None and not over:
            return await self._succeed(policy.fallback, pb.STEP_STATE_DEFAULTED, error)
        if policy.on_error == pb.StepPolicy.ON_ERROR_SKIP and not over:
            return await self._skip(error)
        result = self._result(pb.STEP_STATE_FAILED, error)
        self._record(result)
        await self._tell_finished(result)
        if policy.on_error != pb.StepPolicy.ON_ERROR_GOTO or over:
            raise error
        return pb.STEP_STATE_FAILED

    async def _skip(self, error: PromptwireError) -> int:
        result = self._result(pb.STEP_STATE_SKIPPED, error)
        self._record(result)
        if self._events.on:
            event = self._events.about(self._place)
            event.step_skipped.reason = "it failed, and its policy is to go on without it"
            event.step_skipped.failure.CopyFrom(result.failure)
            await self._events.tell(event)
            await self._tell_usage()
        return pb.STEP_STATE_SKIPPED

    def _result(self, state: "pb.StepState", error: PromptwireError | None) -> pb.StepResult:
        place = self._place
        result = pb.StepResult(step_id=place.step_id, step_path=place.step_path, visit=place.visit, state=state)
        add_answers(result, self._asking.responses)
        add_failed(result, self._asking.attempts)
        if error is not None:
            result.failure.CopyFrom(failure_of(error))
        set_seconds(result.duration, self._clock.monotonic() - self._began_s)
        return result

    def _record(self, result: pb.StepResult) -> None:
        progress = self._progress
        progress.results.append(result)
        progress.size_bytes += result.ByteSize()
        progress.totals.add(result)
        progress.notices.extend(self._asking.notices)
        progress.values.ended(self._step.id, _STATES[result.state], self._place.visit)

    async def _tell_started(self, models: tuple[str, ...]) -> None:
        if self._events.on:
            event = self._events.about(self._place)
            event.step_started.action = self._step.kind
            event.step_started.model = models[0] if models else ""
            await self._events.tell(event)

    async def _tell_failed_attempt(self, error: PromptwireError, began_s: float, pause_s: float) -> None:
        if not self._events.on:
            return
        *before, last = self._asking.untold() or [self._failed_attempt(error, began_s)]
        for each in failures(before, last.provider, last.model):
            await self._asking.tell(each)
        failed = pb.AttemptFailed(attempt=last, next_action=pb.AttemptFailed.NEXT_ACTION_RETRY)
        failed.discard_partial_output = self._asking.delivered
        set_seconds(failed.delay, pause_s)
        self._asking.delivered = False
        await self._asking.tell(failed)
        await self._events.release()

    def _failed_attempt(self, error: PromptwireError, began_s: float) -> pb.Attempt:
        """An attempt of the step in which no model failed: it was not reached, or what it said is of no use."""
        attempt = pb.Attempt(
            provider=error.origin.provider, failure=failure_of(error), provider_request_id=error.origin.provider_request_id
        )
        set_seconds(attempt.latency, self._clock.monotonic() - began_s)
        return attempt

    async def _tell_finished(self, result: pb.StepResult) -> None:
        if not self._events.on:
            return
        event = self._events.about(self._place)
        delivered = self._asking.delivered and result.state == pb.STEP_STATE_SUCCEEDED
        event.step_finished.result.CopyFrom(told(result, text_delivered=delivered))
        await self._events.tell(event)
        await self._tell_usage()

    async def _tell_usage(self) -> None:
        """After each step that asked a model."""
        if self._asking.responses:
            event = self._events.about(self._place)
            event.usage_updated.usage.CopyFrom(self._progress.totals.usage)
            if self._progress.totals.cost.ListFields():
                event.usage_updated.cost.CopyFrom(self._progress.totals.cost)
            await self._events.tell(event)


def _worthwhile(error: PromptwireError) -> bool:
    """Whether another attempt may end better. A model that gave no JSON may give some the next time, which no layer below would try."""
    return error.retryable or error.elsewhere or isinstance(error, OutputSchemaMismatch)
