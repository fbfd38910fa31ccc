"""A whole answer and its events say the same."""

from hypothesis import given
from hypothesis import strategies as st

from promptwire import v1 as pb
from promptwire_server.core.answer import Assembly, delta_of, emptied, events_of, failures
from tests.unit.core.answers import parts, responses


def assembled(events: list[pb.StreamChatResponse]) -> Assembly:
    assembly = Assembly()
    for event in events:
        assembly.add(event)
    return assembly


@given(responses())
def test_the_events_of_an_answer_make_the_same_answer(response: pb.ChatResponse) -> None:
    before = response.SerializeToString(deterministic=True)
    assembly = assembled(list(events_of(response)))
    assert assembly.response == response
    assert assembly.partial() is None
    assert response.SerializeToString(deterministic=True) == before


@given(responses())
def test_the_events_begin_and_end_as_the_contract_says(response: pb.ChatResponse) -> None:
    kinds = [event.WhichOneof("event") for event in events_of(response)]
    assert (kinds[0], kinds[-1]) == ("started", "finished")
    assert set(kinds[1:-1]) <= {"part_started", "part_delta", "part_finished"}
    assert kinds.count("part_started") == kinds.count("part_finished")


@given(responses())
def test_the_end_carries_no_parts_again(response: pb.ChatResponse) -> None:
    *_, end = events_of(response)
    assert not end.finished.response.text
    assert not any(candidate.message.parts for candidate in end.finished.response.candidates)


@given(responses())
def test_every_logprob_is_told_once(response: pb.ChatResponse) -> None:
    events = list(events_of(response))
    told = [logprob.token for event in events for logprob in event.part_delta.logprobs]
    told += [logprob.token for candidate in events[-1].finished.response.candidates for logprob in candidate.logprobs]
    assert sorted(told) == sorted(logprob.token for candidate in response.candidates for logprob in candidate.logprobs)


def test_logprobs_travel_with_the_text_not_the_reasoning_before_it() -> None:
    message = pb.ChatMessage(parts=[pb.ContentPart(reasoning=pb.ReasoningPart(text="hm")), pb.ContentPart(text="yes")])
    response = pb.ChatResponse(candidates=[pb.Candidate(message=message, logprobs=[pb.TokenLogprob(token="yes")])])
    assert [event.part_delta.WhichOneof("delta") for event in events_of(response) if event.part_delta.logprobs] == ["text"]


@given(responses(), st.data())
def test_a_cut_stream_gives_the_parts_that_were_finished(response: pb.ChatResponse, data: st.DataObject) -> None:
    events = list(events_of(response))
    cut = events[: data.draw(st.integers(0, len(events) - 1))]
    partial = assembled(cut).partial()
    assert partial is not None
    finished = [event.part_finished.part for event in cut if event.HasField("part_finished")]
    assert [part for candidate in partial.candidates for part in candidate.message.parts] == finished
    indices = [candidate.index for candidate in partial.candidates]
    assert indices == sorted(set(indices))


def attempt(provider: str, model: str, *, failed: bool = True) -> pb.Attempt:
    return pb.Attempt(provider=provider, model=model, failure=pb.Failure(message="down") if failed else None)


def test_every_failure_says_who_was_asked_next() -> None:
    told = failures([attempt("a", "m"), attempt("a", "m"), attempt("b", "m"), attempt("c", "n", failed=False)], "c", "n")
    retry, fallback = pb.AttemptFailed.NEXT_ACTION_RETRY, pb.AttemptFailed.NEXT_ACTION_FALLBACK
    assert [(each.attempt.provider, each.next_action, each.next_provider, each.next_model) for each in told] == [
        ("a", retry, "a", "m"),
        ("a", fallback, "b", "m"),
        ("b", fallback, "c", "n"),
    ]
    assert not any(each.discard_partial_output for each in told)


def test_without_a_failure_nothing_is_told() -> None:
    assert failures([attempt("a", "m", failed=False)], "a", "m") == []


def test_discarded_output_is_forgotten() -> None:
    first, second = (pb.ChatResponse(text=text, candidates=[candidate(text)]) for text in ("wrong", "right"))
    discard = pb.StreamChatResponse(attempt_failed=pb.AttemptFailed(discard_partial_output=True))
    assert assembled([*list(events_of(first))[:-1], discard, *events_of(second)]).response == second


def candidate(text: str) -> pb.Candidate:
    return pb.Candidate(message=pb.ChatMessage(parts=[pb.ContentPart(text=text)]))


@given(parts())
def test_a_part_begins_as_its_own_kind_without_what_follows(part: pb.ContentPart) -> None:
    beginning = emptied(part)
    assert beginning.WhichOneof("content") == part.WhichOneof("content")
    if delta_of(part) is not None:
        again = delta_of(beginning)
        assert again is None or not getattr(again, str(again.WhichOneof("delta")))
