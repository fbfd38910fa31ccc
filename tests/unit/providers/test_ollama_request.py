"""What cannot be put into Ollama's words is said, and nothing is lost silently."""

import pytest

from promptwire import v1 as pb
from promptwire_server.core.errors import CapabilityMissing, InvalidRequest
from promptwire_server.providers.json_value import Json
from promptwire_server.providers.ollama.models import model_from_wire
from promptwire_server.providers.ollama.request import to_wire
from tests.unit.providers.support import make_call

Generation = pb.GenerationSettings
TOOL = pb.Tool(function=pb.FunctionTool(name="look_up"))


def wire(generation: Generation) -> tuple[dict[str, object], list[str]]:
    call = make_call(pb.ChatRequest(prompt="hi", generation=generation))
    return to_wire(call, "ollama"), [notice.field for notice in call.trail.notices]


@pytest.mark.parametrize(
    ("generation", "path"),
    [
        (Generation(candidate_count=2), "generation.candidate_count"),
        (Generation(output_modalities=[pb.MODALITY_AUDIO]), "generation.output_modalities"),
        (Generation(tools=[TOOL], tool_choice=pb.ToolChoice(mode=pb.ToolChoice.MODE_REQUIRED)), "generation.tool_choice"),
        (Generation(response_format=pb.ResponseFormat(regex=pb.RegexFormat(pattern="a"))), "generation.response_format"),
        (Generation(tools=[pb.Tool(provider_tool=pb.ProviderTool(provider="x", json="{}"))]), "generation.tools[0].provider_tool"),
    ],
)
def test_a_missing_capability_is_refused_with_its_path(generation: Generation, path: str) -> None:
    with pytest.raises(CapabilityMissing) as caught:
        wire(generation)
    assert [violation.field for violation in caught.value.violations] == [path]


@pytest.mark.parametrize(
    ("generation", "path"),
    [
        (Generation(logit_bias={"1": 2.0}), "generation.logit_bias"),
        (Generation(parallel_tool_calls=False), "generation.parallel_tool_calls"),
        (Generation(reasoning=pb.ReasoningSettings(budget_tokens=9)), "generation.reasoning.budget_tokens"),
    ],
)
def test_a_knob_that_it_lacks_is_dropped_with_a_notice(generation: Generation, path: str) -> None:
    _, notices = wire(generation)
    assert notices == [path]


@pytest.mark.parametrize(
    "part",
    [
        pb.ContentPart(media=pb.MediaPart(mime_type="audio/wav", data=b"x")),
        pb.ContentPart(media=pb.MediaPart(mime_type="image/png", uri="https://x/y.png")),
        pb.ContentPart(media=pb.MediaPart(mime_type="application/pdf", data=b"x")),
    ],
)
def test_media_that_it_does_not_take_are_refused_with_their_path(part: pb.ContentPart) -> None:
    request = pb.ChatRequest(messages=[pb.ChatMessage(parts=[part])])
    with pytest.raises(CapabilityMissing) as caught:
        to_wire(make_call(request), "ollama")
    assert caught.value.violations[0].field == "messages[0].parts[0].media"


def test_state_of_others_is_dropped_with_a_notice_and_the_text_is_kept() -> None:
    thought = pb.ContentPart(
        reasoning=pb.ReasoningPart(text="hm"), provider_state=pb.ProviderState(provider="anthropic", data=b"signature")
    )
    hidden = pb.ContentPart(reasoning=pb.ReasoningPart(redacted=True))
    parts = [thought, hidden, pb.ContentPart(text="a")]
    request = pb.ChatRequest(prompt="go on", messages=[pb.ChatMessage(role=pb.ROLE_ASSISTANT, parts=parts)])
    call = make_call(request)
    messages = to_wire(call, "ollama")["messages"]
    assert isinstance(messages, list)
    assert messages[0] == {"role": "assistant", "content": "a", "thinking": "hm"}
    assert [notice.field for notice in call.trail.notices] == ["messages[0].parts[0].provider_state", "messages[0].parts[1].reasoning"]


@pytest.mark.parametrize(
    ("owner", "message"),
    [
        ("ollama", "not sent to ollama: this provider gives none and takes none back"),
        ("anthropic", "not sent to ollama: it belongs to anthropic"),
    ],
)
def test_why_state_and_parts_are_dropped_is_told_truly(owner: str, message: str) -> None:
    state = pb.ContentPart(text="a", provider_state=pb.ProviderState(provider=owner, data=b"x"))
    block = pb.ContentPart(provider_part=pb.ProviderPart(provider=owner, json="{}"))
    call = make_call(pb.ChatRequest(prompt="hi", messages=[pb.ChatMessage(role=pb.ROLE_ASSISTANT, parts=[state, block])]))
    to_wire(call, "ollama")
    assert [notice.message for notice in call.trail.notices] == [message, message]


def test_arguments_that_are_no_object_are_refused_since_the_wire_has_no_other() -> None:
    part = pb.ContentPart(tool_call=pb.ToolCallPart(tool_call_id="c", name="f", arguments_json="[1"))
    request = pb.ChatRequest(messages=[pb.ChatMessage(role=pb.ROLE_ASSISTANT, parts=[part])])
    with pytest.raises(InvalidRequest, match="arguments_json"):
        to_wire(make_call(request), "ollama")


def test_protected_fields_cannot_be_set_behind_the_requests_back() -> None:
    with pytest.raises(InvalidRequest, match="cannot set messages"):
        wire(Generation(provider_options_json={"ollama": '{"messages":[]}'}))


def test_a_model_is_described_by_what_the_server_shows() -> None:
    facts: dict[str, Json] = {"general.architecture": "llama", "llama.context_length": 4096}
    shown: dict[str, Json] = {"capabilities": ["completion", "tools", "thinking", "novel"], "model_info": facts}
    model = model_from_wire("m", shown)
    assert model.context_window_tokens == 4096
    assert pb.CAPABILITY_TOOLS in model.capabilities
    assert pb.CAPABILITY_IMAGE_INPUT not in model.capabilities
    assert not model_from_wire("m", {}).capabilities
