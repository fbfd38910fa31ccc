"""Every method: what it sends, what it gives back."""

import asyncio
import json
from pathlib import Path
from typing import Any

import pytest

from promptwire import Promptwire
from promptwire import v1 as pb
from promptwire.errors import NotFound, ServerFault, Unavailable
from tests.unit.client.callers import Caller
from tests.unit.client.gateway import Context, Gateway, numbered, run_events, text_events


async def test_chat_gives_the_answer_itself(gateway: Gateway, caller: Caller) -> None:
    gateway.on["Chat"] = pb.ChatResponse(text="hello", model="m")
    assert await caller.call(gateway.target, "chat", "hi", model="fast", temperature=0.0) == pb.ChatResponse(text="hello", model="m")
    sent = gateway.seen[0].request
    assert (sent.prompt, sent.model, sent.generation.HasField("temperature")) == ("hi", "fast", True)


async def test_the_credential_travels_with_every_kind_of_call(gateway: Gateway, caller: Caller) -> None:
    client = {"api_key": "pw-secret"}
    for method, argument in (("chat", "hi"), ("count_tokens", "hi"), ("run_chain", ["hi"]), ("validate_chain", ["hi"]), ("get_model", "m")):
        await caller.call(gateway.target, method, argument, client=client)
    await caller.call(gateway.target, "list_models", client=client)
    assert [seen.metadata.get("authorization") for seen in gateway.seen] == ["Bearer pw-secret"] * 6


async def test_key_target_and_user_agent_come_from_the_environment(
    gateway: Gateway, caller: Caller, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("PROMPTWIRE_TARGET", gateway.target)
    monkeypatch.setenv("PROMPTWIRE_API_KEY", "pw-env")
    await caller.call("", "server_info")
    assert gateway.seen[0].metadata["authorization"] == "Bearer pw-env"
    assert gateway.seen[0].metadata["user-agent"].startswith("promptwire-python/")


async def test_without_a_key_none_is_sent(gateway: Gateway, caller: Caller) -> None:
    await caller.call(gateway.target, "chat", "hi")
    assert "authorization" not in gateway.seen[0].metadata


async def test_a_stream_gives_text_and_then_the_whole_answer(gateway: Gateway, caller: Caller) -> None:
    gateway.on["StreamChat"] = text_events("Hel", "lo")
    pieces: list[Any] = []
    stream = await caller.collect(gateway.target, "stream_chat", "hi", into=pieces)
    assert pieces == ["Hel", "lo"]
    assert (stream.text, stream.response.text, stream.response.model, stream.last_sequence) == ("Hello", "Hello", "m", 6)
    assert stream.response.candidates[0].message.parts[0].text == "Hello"


async def test_a_stream_of_events_ends_in_the_same_answer(gateway: Gateway, caller: Caller) -> None:
    gateway.on["StreamChat"] = text_events("Hel", "lo")
    events: list[Any] = []
    stream = await caller.collect(gateway.target, "stream_chat", "hi", into=events, events=True)
    assert [event.WhichOneof("event") for event in events] == [
        "started",
        "part_started",
        "part_delta",
        "part_delta",
        "part_finished",
        "finished",
    ]
    assert stream.response.text == "Hello"


async def test_only_text_of_the_first_candidate_is_iterated_but_everything_is_in_the_answer(gateway: Gateway, caller: Caller) -> None:
    call = pb.ToolCallPart(tool_call_id="c", name="f", arguments_json="{}")
    logprob = pb.TokenLogprob(token="a", logprob=-1.0)
    gateway.on["StreamChat"] = numbered(
        pb.StreamChatResponse(part_delta=pb.PartDelta(reasoning="hm")),
        pb.StreamChatResponse(part_finished=pb.PartFinished(part=pb.ContentPart(reasoning=pb.ReasoningPart(text="hm")))),
        pb.StreamChatResponse(part_delta=pb.PartDelta(part_index=1, text="a", logprobs=[logprob])),
        pb.StreamChatResponse(part_delta=pb.PartDelta(candidate_index=1, text="b")),
        pb.StreamChatResponse(part_finished=pb.PartFinished(candidate_index=1, part=pb.ContentPart(text="b"))),
        pb.StreamChatResponse(part_finished=pb.PartFinished(part_index=2, part=pb.ContentPart(tool_call=call))),
        pb.StreamChatResponse(part_finished=pb.PartFinished(part_index=1, part=pb.ContentPart(text="a"))),
        pb.StreamChatResponse(finished=pb.ChatFinished(response=pb.ChatResponse(candidates=[{"index": 0}, {"index": 1}]))),
    )
    pieces: list[Any] = []
    response = (await caller.collect(gateway.target, "stream_chat", "hi", into=pieces)).response
    assert pieces == ["a"]
    assert [part.WhichOneof("content") for part in response.candidates[0].message.parts] == ["reasoning", "text", "tool_call"]
    assert (response.text, response.candidates[1].message.parts[0].text) == ("a", "b")
    assert response.candidates[0].logprobs == [logprob]


async def test_a_restart_voids_what_came_before(gateway: Gateway, caller: Caller) -> None:
    failed = pb.AttemptFailed(discard_partial_output=True)
    gateway.on["StreamChat"] = [*text_events("wro")[:3], pb.StreamChatResponse(attempt_failed=failed), *text_events("right", "!")]
    pieces: list[Any] = []
    stream = await caller.collect(gateway.target, "stream_chat", "hi", into=pieces, restart_policy="restart_with_discard")
    assert [(piece, piece.restarts) for piece in pieces] == [("wro", False), ("right", True), ("!", False)]
    assert stream.text == stream.response.text == "right!"
    assert gateway.seen[0].request.restart_policy == pb.StreamChatRequest.RESTART_POLICY_RESTART_WITH_DISCARD


async def test_a_stream_without_its_last_event_is_a_fault_of_the_server(gateway: Gateway, caller: Caller) -> None:
    gateway.on["StreamChat"] = text_events("Hello")[:-1]
    pieces: list[Any] = []
    with pytest.raises(ServerFault, match="finished"):
        await caller.collect(gateway.target, "stream_chat", "hi", into=pieces)
    assert pieces == ["Hello"]


async def test_the_answer_of_an_unread_stream_is_not_given_out(gateway: Gateway) -> None:
    async with Promptwire(gateway.target) as client:
        stream = client.stream_chat("hi")
        with pytest.raises(RuntimeError, match="not complete"):
            _ = stream.response
    assert not gateway.seen


async def test_read_reads_a_stream_to_its_end(gateway: Gateway) -> None:
    gateway.on["StreamChat"] = text_events("Hel", "lo")
    gateway.on["StreamChain"] = run_events("done")
    async with Promptwire(gateway.target) as client:
        assert (await client.stream_chat("hi").read()).text == "Hello"
        assert (await client.stream_chain(["hi"]).read()).text == "done"


async def test_heartbeats_are_asked_for_in_seconds(gateway: Gateway, caller: Caller) -> None:
    gateway.on["StreamChat"] = [pb.StreamChatResponse(heartbeat=pb.Heartbeat()), *text_events("x")]
    pieces: list[Any] = []
    await caller.collect(gateway.target, "stream_chat", "hi", into=pieces, heartbeat_interval_s=1.5)
    assert gateway.seen[0].request.heartbeat_interval.ToMilliseconds() == 1500
    assert pieces == ["x"]


async def test_run_chain_takes_a_file_and_inputs_by_name(gateway: Gateway, caller: Caller, tmp_path: Path) -> None:
    gateway.on["RunChain"] = pb.RunChainResponse(result=pb.RunResult(text="done"))
    path = tmp_path / "chain.yaml"
    path.write_text("steps: [{prompt: 'about {{ topic }}'}]")
    response = await caller.call(gateway.target, "run_chain", str(path), topic="tea", count=3, model="fast", inputs={"model": "T"})
    sent = gateway.seen[0].request
    assert response.result.text == "done"
    assert sent.spec.steps[0].prompt.user == "about {{ topic }}"
    assert (dict(sent.inputs), json.loads(sent.inputs_json), sent.model) == ({"topic": "tea", "model": "T"}, {"count": 3}, "fast")


async def test_stream_chain_gives_events_and_then_the_result(gateway: Gateway, caller: Caller) -> None:
    gateway.on["StreamChain"] = run_events("done")
    events: list[Any] = []
    stream = await caller.collect(gateway.target, "stream_chain", ["a", "b"], into=events, topic="tea", omit_parts=True)
    assert [event.WhichOneof("event") for event in events] == ["run_started", "part_delta", "run_finished"]
    assert (stream.result.text, stream.run_id, stream.last_sequence) == ("done", "run1", 3)
    sent = gateway.seen[0].request
    assert (list(sent.run.prompts), dict(sent.run.inputs), sent.omit_parts) == (["a", "b"], {"topic": "tea"}, True)


async def test_a_run_without_its_last_event_is_a_fault_of_the_server(gateway: Gateway, caller: Caller) -> None:
    gateway.on["StreamChain"] = run_events("done")[:-1]
    with pytest.raises(ServerFault, match="run_finished"):
        await caller.collect(gateway.target, "stream_chain", ["a"], into=[])


async def test_validate_chain_gives_the_faults(gateway: Gateway, caller: Caller) -> None:
    faults = [pb.ChainFault(field="spec.steps[0].prompt.user", message="no such input")]
    gateway.on["ValidateChain"] = pb.ValidateChainResponse(faults=faults)
    assert list((await caller.call(gateway.target, "validate_chain", ["{{ x }}"])).faults) == faults


async def test_list_models_reads_all_pages(gateway: Gateway, caller: Caller) -> None:
    async def page(request: pb.ListModelsRequest, _: Context) -> pb.ListModelsResponse:
        number = int(request.page_token or 0)
        return pb.ListModelsResponse(models=[pb.Model(name=f"m{number}")], next_page_token=str(number + 1) if number < 2 else "")

    gateway.on["ListModels"] = page
    models = await caller.call(gateway.target, "list_models", provider="p")
    assert [model.name for model in models] == ["m0", "m1", "m2"]
    assert [seen.request.provider for seen in gateway.seen] == ["p"] * 3


async def test_the_small_methods(gateway: Gateway, caller: Caller) -> None:
    gateway.on["CountTokens"] = pb.CountTokensResponse(input_tokens=7)
    gateway.on["GetModel"] = pb.GetModelResponse(model=pb.Model(name="fast"))
    gateway.on["GetServerInfo"] = pb.GetServerInfoResponse(version="0.1.0")
    assert (await caller.call(gateway.target, "count_tokens", "hi")).input_tokens == 7
    assert (await caller.call(gateway.target, "get_model", "fast")).name == "fast"
    assert (await caller.call(gateway.target, "server_info")).version == "0.1.0"


async def test_health_tells_serving_from_not_serving_from_absent(gateway: Gateway, caller: Caller) -> None:
    assert await caller.call(gateway.target, "health") is True
    await gateway.serve(serving=False)
    assert await caller.call(gateway.target, "health") is False
    with pytest.raises(NotFound):
        await caller.call(gateway.target, "health", "no.such.Service")


async def test_health_of_nobody_is_unavailable(caller: Caller, dead_target: str) -> None:
    with pytest.raises(Unavailable, match="is it running"):
        await caller.call(dead_target, "health")


async def test_raw_stubs_are_within_reach(gateway: Gateway) -> None:
    async with Promptwire(gateway.target, api_key="k") as client:
        await client.stubs.chat.Chat(pb.ChatRequest(prompt="raw"), metadata=client.metadata, timeout=5)
    assert gateway.seen[0].request.prompt == "raw"
    assert gateway.seen[0].metadata["authorization"] == "Bearer k"


async def test_one_connection_serves_many_calls_at_once(gateway: Gateway) -> None:
    async with Promptwire(gateway.target) as client:
        stubs = client.stubs
        await asyncio.gather(*(client.chat("hi") for _ in range(20)))
        assert client.stubs is stubs
    assert len({seen.request.request_id for seen in gateway.seen}) == 20


async def test_a_closed_client_says_so(gateway: Gateway) -> None:
    client = Promptwire(gateway.target)
    await client.chat("hi")
    await client.aclose()
    await client.aclose()
    with pytest.raises(RuntimeError, match="closed"):
        await client.chat("hi")
