"""How a run of a chain is doing, told by its events: as state, as lines, and as a live view for terminals."""

from collections.abc import Iterator
from dataclasses import dataclass, field

from rich.cells import cell_len
from rich.console import Console, ConsoleOptions, Group, RenderableType, RenderResult
from rich.padding import Padding
from rich.spinner import Spinner
from rich.table import Table
from rich.text import Text

from promptwire import v1 as pb
from promptwire_server.cli.render import printable, seconds_of, spent_text, time_text
from promptwire_server.core.clock import Clock

_TAIL_CHARACTERS = 500  # of a running step's text: more than a line of any terminal shows
_FRAME_LINES = 4  # below and above the steps
_ECHO_CELLS = 3  # room for the "^C" that a terminal shows: in a full line it would wrap, and the view lose its place

_MARKS = {
    pb.STEP_STATE_SUCCEEDED: ("✓", "green"),
    pb.STEP_STATE_SKIPPED: ("-", "dim"),
    pb.STEP_STATE_FAILED: ("✗", "red"),
    pb.STEP_STATE_DEFAULTED: ("!", "yellow"),
}
_WORDS = {
    pb.STEP_STATE_SUCCEEDED: "done",
    pb.STEP_STATE_SKIPPED: "skipped",
    pb.STEP_STATE_FAILED: "failed",
    pb.STEP_STATE_DEFAULTED: "failed, its default stands in",
}


@dataclass(slots=True)
class StepView:
    """One step as it is shown; a turn of a loop is a step of its own."""

    name: str  # its path, and which turn from the second on
    began_s: float
    model: str = ""
    state: "pb.StepState" = pb.STEP_STATE_UNSPECIFIED  # while it runs
    text: str = ""  # the end of it while it runs, then all
    took_s: float | None = None
    usage: pb.Usage = field(default_factory=pb.Usage)
    cost: pb.Cost = field(default_factory=pb.Cost)
    remark: str = ""  # a failure, or why it was skipped
    spinner: Spinner = field(default_factory=lambda: Spinner("dots", style="cyan"))

    @property
    def running(self) -> bool:
        """It has begun and not ended."""
        return self.state == pb.STEP_STATE_UNSPECIFIED

    def finish(self, result: pb.StepResult, now_s: float) -> None:
        """Take in how it ended."""
        self.state = result.state or pb.STEP_STATE_SUCCEEDED
        self.took_s = seconds_of(result.duration) if result.HasField("duration") else now_s - self.began_s
        self.usage = result.usage
        self.cost = result.cost
        self.text = result.text or result.output_json or self.text
        self.remark = result.failure.message
        if result.responses:
            answer = result.responses[-1]
            self.model = f"{answer.provider}/{answer.model}"


@dataclass(frozen=True, slots=True)
class Preview:
    """A text in one line: its beginning, or while it grows its end, since that is what moves."""

    text: str
    style: str
    from_end: bool

    def __rich_console__(self, console: Console, options: ConsoleOptions) -> RenderResult:
        """As much as the column holds."""
        line = " ".join(printable(self.text).split())
        if self.from_end:
            line = line[-options.max_width :]
            while cell_len(line) > options.max_width:  # wide characters take two cells
                line = line[1:]
        yield Text(line, style=self.style, no_wrap=True, overflow="ellipsis")


class Progress:
    """The steps so far, and what the run gave once it has ended."""

    def __init__(self, clock: Clock) -> None:
        self.steps: dict[tuple[str, int], StepView] = {}
        self.result: pb.RunResult | None = None
        self.run_id = ""
        self.notices: list[str] = []
        self._clock = clock

    def take(self, event: pb.RunEvent) -> str:
        """Take an event in; a line that tells it, empty for what is not worth one."""
        self.run_id = event.run_id
        kind = event.WhichOneof("event")
        if kind == "part_delta":
            step = self._step(event)
            step.text = (step.text + event.part_delta.text)[-_TAIL_CHARACTERS:]
        elif kind == "step_started":
            return self._started(event)
        elif kind == "step_finished":
            return self._finished(event)
        elif kind == "step_skipped":
            return self._skipped(event)
        elif kind == "attempt_failed":
            return self._attempt_failed(event)
        elif kind == "notice":
            self.notices.append(event.notice.message)
            return f"note: {event.notice.message}"
        elif kind == "run_finished":
            self.result = event.run_finished.result
        return ""

    def stop(self) -> None:
        """The run has ended without a word about the steps under way: the call failed or was cancelled."""
        for step in self.steps.values():
            if step.running:
                step.state = pb.STEP_STATE_FAILED
                step.took_s = self._clock.monotonic() - step.began_s
                step.remark = "stopped"

    def summary(self) -> str:
        """What all of it took, in a line."""
        if self.result is None:
            return ""
        ran = sum(step.state != pb.STEP_STATE_SKIPPED for step in self.steps.values())
        time = time_text(seconds_of(self.result.timing.total))
        return f"{ran} step{'' if ran == 1 else 's'} in {time}, {spent_text(self.result.usage, self.result.cost)}"

    def __rich_console__(self, console: Console, options: ConsoleOptions) -> RenderResult:
        """The live view: a line a step, the newest when not all fit."""
        steps = list(self.steps.values())
        hidden = max(0, len(steps) - max(1, console.height - _FRAME_LINES))
        table = Table.grid(padding=(0, 1))
        for width in (1, None, None, None):
            table.add_column(no_wrap=True, width=width)
        table.add_column(no_wrap=True, overflow="ellipsis", ratio=1)
        for step in steps[hidden:]:
            table.add_row(*self._row(step))
        table.expand = True
        view = Group(Text(f"… {hidden} before", style="dim"), table) if hidden else table
        yield Padding(view, (0, _ECHO_CELLS, 0, 0))

    def _row(self, step: StepView) -> Iterator[RenderableType]:
        mark, style = _MARKS.get(step.state, ("", ""))
        yield step.spinner if step.running else Text(mark, style=style)
        yield Text(printable(step.name), style="bold")
        yield Text(printable(step.model), style="cyan")
        took_s = self._clock.monotonic() - step.began_s if step.took_s is None else step.took_s
        tokens = f"{step.usage.output_tokens} tok" if step.usage.output_tokens else ""
        yield Text("" if step.state == pb.STEP_STATE_SKIPPED else f"{took_s:5.1f} s  {tokens}", style="dim")
        yield Preview(step.remark or step.text, style if step.remark else "", from_end=step.running)

    def _step(self, event: pb.RunEvent) -> StepView:
        key = (event.step_path or event.step_id, event.visit)
        if key not in self.steps:
            turn = f" #{event.visit}" if event.visit > 1 else ""
            self.steps[key] = StepView(name=f"{key[0]}{turn}", began_s=self._clock.monotonic())
        return self.steps[key]

    def _started(self, event: pb.RunEvent) -> str:
        step = self._step(event)
        step.model = event.step_started.model or event.step_started.action
        return f"{step.name}: started ({step.model})"

    def _finished(self, event: pb.RunEvent) -> str:
        step = self._step(event)
        step.finish(event.step_finished.result, self._clock.monotonic())
        spent = f", {spent_text(step.usage, step.cost)}" if step.usage.output_tokens else ""
        why = f": {step.remark}" if step.remark else ""
        return f"{step.name}: {_WORDS.get(step.state, 'done')} in {time_text(step.took_s or 0.0)}{spent}{why}"

    def _skipped(self, event: pb.RunEvent) -> str:
        step = self._step(event)
        step.state = pb.STEP_STATE_SKIPPED
        step.remark = event.step_skipped.reason or event.step_skipped.failure.message
        return f"{step.name}: skipped: {step.remark}"

    def _attempt_failed(self, event: pb.RunEvent) -> str:
        step = self._step(event)
        failed = event.attempt_failed
        if failed.discard_partial_output:
            step.text = ""
        following = f"{failed.next_provider}/{failed.next_model}" if failed.next_provider else "again"
        step.model = following if failed.next_provider else step.model
        tried = f"{failed.attempt.provider}/{failed.attempt.model}"
        return f"{step.name}: {tried} failed: {failed.attempt.failure.message}; next: {following}"
