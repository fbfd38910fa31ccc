"""The live view of a run."""

import io

import pytest
from rich.console import Console

from promptwire import v1 as pb
from promptwire_server.cli.progress import Progress
from promptwire_server.core.clock import ManualClock
from tests.unit.cli.fake_server import at, step_result


@pytest.fixture
def clock() -> ManualClock:
    return ManualClock()


@pytest.fixture
def progress(clock: ManualClock) -> Progress:
    return Progress(clock)


def shown(progress: Progress, width: int = 60, height: int = 25) -> list[str]:
    console = Console(file=io.StringIO(), width=width, height=height, force_terminal=True, color_system=None)
    console.print(progress)
    file = console.file
    assert isinstance(file, io.StringIO)
    return [line.rstrip() for line in file.getvalue().splitlines()]


def started(step: str, model: str = "fast", visit: int = 1) -> pb.RunEvent:
    return at(step, pb.RunEvent(step_started=pb.StepStarted(action="prompt", model=model)), visit)


def said(step: str, text: str) -> pb.RunEvent:
    return at(step, pb.RunEvent(part_delta=pb.PartDelta(text=text)))


def finished(step: str, text: str, state: "pb.StepState" = pb.STEP_STATE_SUCCEEDED, visit: int = 1) -> pb.RunEvent:
    return at(step, pb.RunEvent(step_finished=pb.StepFinished(result=step_result(step, text, state))), visit)


def test_a_failed_step_says_why(progress: Progress) -> None:
    event = finished("draft", "", pb.STEP_STATE_FAILED)
    event.step_finished.result.failure.message = "HTTP 500"
    progress.take(started("draft"))
    assert progress.take(event) == "draft: failed in 0 ms, 3 in + 5 out tokens: HTTP 500"
    assert shown(progress)[0].startswith("✗ draft fast   0.0 s  5 tok HTTP 500")


def test_what_is_under_way_when_the_call_fails_is_shown_as_stopped(progress: Progress, clock: ManualClock) -> None:
    progress.take(started("done"))
    progress.take(finished("done", "ok"))
    progress.take(started("draft"))
    clock.advance(2)
    progress.stop()
    assert shown(progress)[1] == "✗ draft fast   2.0 s        stopped"


def test_a_text_that_is_void_is_dropped(progress: Progress) -> None:
    progress.take(started("draft"))
    progress.take(said("draft", "Once upon"))
    failure = pb.Attempt(provider="openai", model="gpt", failure=pb.Failure(message="HTTP 500"))
    event = at("draft", pb.RunEvent(attempt_failed=pb.AttemptFailed(attempt=failure, next_provider="groq", next_model="llama")))
    event.attempt_failed.discard_partial_output = True
    assert progress.take(event) == "draft: openai/gpt failed: HTTP 500; next: groq/llama"
    assert "Once" not in shown(progress)[0]
    assert "groq/llama" in shown(progress)[0]


def test_a_skipped_step_says_why(progress: Progress) -> None:
    event = at("translate", pb.RunEvent(step_skipped=pb.StepSkipped(reason="its `when` did not hold")))
    assert progress.take(event) == "translate: skipped: its `when` did not hold"
    assert shown(progress)[0].split(maxsplit=2) == ["-", "translate", "its `when` did not hold"]


def test_a_text_cannot_steer_the_terminal(progress: Progress) -> None:
    progress.take(started("draft"))
    progress.take(finished("draft", "\x1b[2Jall\nin one line"))
    assert shown(progress)[0].endswith("[2Jall in one line")


def test_while_a_step_runs_the_end_of_its_text_is_shown(progress: Progress, clock: ManualClock) -> None:
    progress.take(started("draft"))
    progress.take(said("draft", "beginning " * 20))
    progress.take(said("draft", "and the 世界"))
    clock.advance(1.25)
    line = shown(progress)[0]
    assert line.endswith("beginning and the 世界")
    assert "1.2 s" in line
    assert len(line) <= 60


def test_a_turn_of_a_loop_is_a_line_of_its_own(progress: Progress) -> None:
    for visit in (1, 2):
        progress.take(started("loop", visit=visit))
        progress.take(finished("loop", f"turn {visit}", visit=visit))
    first, second = shown(progress)
    assert first.startswith("✓ loop    fast")
    assert second.startswith("✓ loop #2 fast")


def test_of_many_steps_the_newest_are_shown(progress: Progress) -> None:
    for number in range(30):
        progress.take(started(f"s{number}"))
        progress.take(finished(f"s{number}", "ok"))
    lines = shown(progress, height=10)
    assert lines[0] == "… 24 before"
    assert [line.split()[1] for line in lines[1:]] == ["s24", "s25", "s26", "s27", "s28", "s29"]


def test_the_model_that_answered_is_shown_in_the_end(progress: Progress) -> None:
    event = finished("draft", "ok")
    event.step_finished.result.responses.add(provider="groq", model="llama")
    progress.take(started("draft", "fast"))
    progress.take(event)
    assert "groq/llama" in shown(progress)[0]


def test_the_summary_counts_what_ran(progress: Progress) -> None:
    progress.take(started("draft"))
    progress.take(finished("draft", "ok"))
    progress.take(at("skipped", pb.RunEvent(step_skipped=pb.StepSkipped())))
    result = pb.RunResult(usage=pb.Usage(input_tokens=3, output_tokens=5, estimated=True), cost=pb.Cost(total_nano_usd=10**9))
    result.timing.total.FromMilliseconds(1500)
    progress.take(pb.RunEvent(run_finished=pb.RunFinished(result=result)))
    assert progress.summary() == "1 step in 1.5 s, ~3 in + 5 out tokens, $1"
