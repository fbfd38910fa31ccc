"""Answers made up by hypothesis, with every kind of part."""

from hypothesis import strategies as st

from promptwire import v1 as pb

texts = st.text(st.characters(exclude_categories=["Cs"]), max_size=6)


def _content() -> st.SearchStrategy[pb.ContentPart]:
    media = st.one_of(
        st.builds(lambda data: pb.MediaPart(mime_type="audio/wav", data=data), st.binary(max_size=4)),
        st.builds(lambda uri: pb.MediaPart(mime_type="image/png", uri=uri), texts),
        st.builds(lambda transcript: pb.MediaPart(transcript=transcript), texts),
    )
    return st.one_of(
        st.just(pb.ContentPart()),
        st.builds(lambda text: pb.ContentPart(text=text), texts),
        st.builds(lambda part: pb.ContentPart(media=part), media),
        st.builds(
            lambda name, json: pb.ContentPart(tool_call=pb.ToolCallPart(tool_call_id="c", name=name, arguments_json=json)), texts, texts
        ),
        st.builds(lambda text: pb.ContentPart(tool_result=pb.ToolResultPart(parts=[pb.ContentPart(text=text)])), texts),
        st.builds(lambda text, hidden: pb.ContentPart(reasoning=pb.ReasoningPart(text=text, redacted=hidden)), texts, st.booleans()),
        st.builds(lambda text: pb.ContentPart(refusal=pb.RefusalPart(text=text)), texts),
        st.builds(lambda json: pb.ContentPart(provider_part=pb.ProviderPart(provider="p", json=json)), texts),
    )


@st.composite
def parts(draw: st.DrawFn) -> pb.ContentPart:
    part = draw(_content())
    if draw(st.booleans()):
        part.provider_state.data = draw(st.binary(max_size=4))
    if draw(st.booleans()):
        part.citations.add(title=draw(texts))
    return part


@st.composite
def candidates(draw: st.DrawFn, index: int) -> pb.Candidate:
    candidate = pb.Candidate(index=index, finish_reason=draw(st.sampled_from(pb.FinishReason.values())), provider_extra_json=draw(texts))  # type: ignore[arg-type]  # an enum's number
    if draw(st.booleans()):
        candidate.message.role = pb.ROLE_ASSISTANT
        candidate.message.parts.extend(draw(st.lists(parts(), max_size=4)))
    candidate.logprobs.extend(draw(st.lists(st.builds(lambda token: pb.TokenLogprob(token=token, logprob=-1.0), texts), max_size=3)))
    return candidate


@st.composite
def responses(draw: st.DrawFn) -> pb.ChatResponse:
    """A whole answer of one to three candidates, whose text is that of the first."""
    response = pb.ChatResponse(provider=draw(texts), model=draw(texts), request_id="r", trace_id="t", provider_extra_json=draw(texts))
    response.usage.input_tokens = draw(st.integers(0, 2**40))
    response.candidates.extend(draw(candidates(index)) for index in range(draw(st.integers(0, 3))))
    if response.candidates:
        response.text = "".join(part.text for part in response.candidates[0].message.parts)
    return response
