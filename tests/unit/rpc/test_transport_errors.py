"""Whatever goes wrong in a servicer or on the way to it becomes one status, and the server goes on."""

import asyncio

import grpc
import pytest

from promptwire import v1 as pb
from promptwire_server.core.errors import InvalidRequest, NotFound, UpstreamFailed
from promptwire_server.rpc.exchange import Exchange
from tests.unit.rpc.edge import PREFIX, Running, Serve, settings
from tests.unit.rpc.station import delta
from tests.unit.rpc.wire import failure

_STRING, _MESSAGE = 0x0A, 0x22  # tags of ChatRequest.model and .messages


async def hello(request: pb.ChatRequest, exchange: Exchange) -> pb.ChatResponse:
    return pb.ChatResponse(text=f"hello {request.prompt}")


async def secret(request: pb.ChatRequest, exchange: Exchange) -> pb.ChatResponse:
    if request.prompt == "fail":
        raise ValueError("sk-secret")
    return await hello(request, exchange)


async def unharmed(edge: Running) -> bool:
    return (await edge.chat(pb.ChatRequest(prompt="you"))).text == "hello you"


async def test_a_bug_is_internal_and_its_text_stays_here(serve: Serve) -> None:
    edge = await serve(Chat=secret)
    failed = await failure(edge.chat(pb.ChatRequest(prompt="fail")))
    assert (failed.code, failed.reason) == (grpc.StatusCode.INTERNAL, "INTERNAL")
    assert "sk-secret" not in failed.message + str(failed.details) + str(edge.bugs)
    assert failed.details.info.metadata["request_id"] in failed.message
    assert await unharmed(edge)


async def test_a_bug_is_reported_with_its_request_id(serve: Serve) -> None:
    edge = await serve(Chat=secret)
    failed = await failure(edge.chat(pb.ChatRequest(prompt="fail")))
    assert edge.bugs == [("promptwire.v1.ChatService.Chat", failed.details.info.metadata["request_id"], "ValueError")]


async def test_a_cancellation_that_escapes_from_inside_is_answered_at_once(serve: Serve) -> None:
    async def cancelled(request: pb.ChatRequest, exchange: Exchange) -> pb.ChatResponse:
        raise asyncio.CancelledError

    edge = await serve(Chat=cancelled)
    failed = await failure(edge.chat())
    assert failed.code is grpc.StatusCode.INTERNAL
    assert [what for *_, what in edge.bugs] == ["a cancellation escaped from inside"]


async def test_a_cancelled_inner_task_is_answered_at_once(serve: Serve) -> None:
    async def cancelled(request: pb.ChatRequest, exchange: Exchange) -> pb.ChatResponse:
        inner = asyncio.ensure_future(asyncio.Event().wait())
        inner.cancel()
        await inner
        return pb.ChatResponse()

    edge = await serve(Chat=cancelled)
    assert (await failure(edge.chat())).code is grpc.StatusCode.INTERNAL


@pytest.mark.parametrize("answer", [None, "text"])
async def test_an_answer_that_is_no_message_is_internal(serve: Serve, answer: object) -> None:
    async def wrong(request: pb.ChatRequest, exchange: Exchange) -> object:
        return answer

    edge = await serve(Chat=wrong)
    failed = await failure(edge.chat())
    assert (failed.code, failed.reason) == (grpc.StatusCode.INTERNAL, "INTERNAL")
    assert await edge.report() == ("promptwire.v1.ChatService.Chat", 13, "INTERNAL")
    assert edge.finished.empty()


def nested(depth: int) -> bytes:
    """Messages > parts > tool_result > parts > …, deeper than any parser goes."""
    inner = b""
    for _ in range(depth):
        result = _field(3, inner)
        inner = _field(4, result)
    return _field(4, _field(2, inner))


def _field(number: int, data: bytes) -> bytes:
    return bytes([number << 3 | 2]) + _varint(len(data)) + data


def _varint(value: int) -> bytes:
    low, rest = value & 0x7F, value >> 7
    return bytes([low | 0x80]) + _varint(rest) if rest else bytes([low])


MALFORMED = {
    "garbage": b"\xff\xfe\xfd",
    "cut off": pb.ChatRequest(prompt="a question").SerializeToString()[:-3],
    "not UTF-8": bytes([_STRING, 2, 0xC3, 0x28]),
    "nested too deep": nested(10_000),
    "another message": bytes([_MESSAGE, 2, 0xFF, 0xFF]),
    "a length beyond the end": b"\x0a\xff\xff\xff\xff\x0f",
}


@pytest.mark.parametrize("data", MALFORMED.values(), ids=MALFORMED.keys())
async def test_bytes_that_do_not_parse_are_an_invalid_argument(serve: Serve, data: bytes) -> None:
    edge = await serve(Chat=hello)
    failed = await failure(edge.chat(data))
    assert (failed.code, failed.reason) == (grpc.StatusCode.INVALID_ARGUMENT, "INVALID_FIELD")
    assert "Error" not in failed.message
    assert await unharmed(edge)


async def test_bytes_that_do_not_parse_end_a_stream_the_same_way(serve: Serve) -> None:
    edge = await serve(StreamChat=hello)
    assert (await failure(edge.events(MALFORMED["garbage"]))).code is grpc.StatusCode.INVALID_ARGUMENT


async def test_a_message_over_the_limit_is_refused(serve: Serve) -> None:
    edge = await serve(Chat=hello)
    failed = await failure(edge.chat(pb.ChatRequest(prompt="x" * 64 * 2**20)), 20)
    assert failed.code is grpc.StatusCode.RESOURCE_EXHAUSTED
    assert await unharmed(edge)


@pytest.mark.parametrize("path", [PREFIX + "CountTokens", PREFIX + "StreamChat"])
async def test_a_method_that_the_servicer_lacks_is_disabled(serve: Serve, path: str) -> None:
    edge = await serve(Chat=hello)
    failed = await failure(edge.unary(path, b""))
    assert (failed.code, failed.reason) == (grpc.StatusCode.UNIMPLEMENTED, "DISABLED")
    assert path.rpartition("/")[2] in failed.message


@pytest.mark.parametrize("path", [PREFIX + "Unheard", "/promptwire.v1.Nothing/Chat", "/x"])
async def test_a_method_that_nobody_knows_is_unimplemented(serve: Serve, path: str) -> None:
    edge = await serve(Chat=hello)
    assert (await failure(edge.unary(path, b""))).code is grpc.StatusCode.UNIMPLEMENTED
    assert await unharmed(edge)


async def test_errors_go_by_the_clients_own_request_id(serve: Serve) -> None:
    async def renamed(request: pb.ChatRequest, exchange: Exchange) -> pb.ChatResponse:
        exchange.rename("mine-1")
        raise NotFound("nothing here")

    edge = await serve(Chat=renamed)
    assert (await failure(edge.chat())).details.info.metadata["request_id"] == "mine-1"


async def test_every_violation_arrives_with_its_path(serve: Serve) -> None:
    async def strict(request: pb.ChatRequest, exchange: Exchange) -> pb.ChatResponse:
        raise InvalidRequest.at("messages[3].role", "is missing")

    edge = await serve(Chat=strict)
    [violation] = (await failure(edge.chat())).details.bad.field_violations
    assert (violation.field, violation.description) == ("messages[3].role", "is missing")


async def test_details_at_their_largest_arrive_every_time(serve: Serve) -> None:
    async def talkative(request: pb.ChatRequest, exchange: Exchange) -> pb.ChatResponse:
        raise UpstreamFailed("ü" * 10_000, metadata={f"key{n}": "€" * 300 for n in range(100)})

    edge = await serve(Chat=talkative)
    failures = [await failure(edge.chat()) for _ in range(30)]
    assert {failed.reason for failed in failures} == {"UPSTREAM_FAILED"}
    assert {failed.code for failed in failures} == {grpc.StatusCode.UNAVAILABLE}


@pytest.mark.parametrize("text", ["half a pair \ud800", "line\nbreak\r\n\x00", "€" * 4000], ids=["surrogate", "control", "long"])
async def test_no_text_of_an_error_makes_it_unknown(serve: Serve, text: str) -> None:
    async def odd(request: pb.ChatRequest, exchange: Exchange) -> pb.ChatResponse:
        raise NotFound(text, metadata={"odd": text})

    edge = await serve(Chat=odd)
    failed = await failure(edge.chat())
    assert (failed.code, failed.reason) == (grpc.StatusCode.NOT_FOUND, "NOT_FOUND")


async def test_an_answer_over_the_limit_is_too_large(serve: Serve) -> None:
    async def huge(request: pb.ChatRequest, exchange: Exchange) -> pb.ChatResponse:
        return pb.ChatResponse(text="x" * 2**21)

    edge = await serve(Chat=huge, options=settings(max_response_bytes=2**20))
    failed = await failure(edge.chat())
    assert (failed.code, failed.reason) == (grpc.StatusCode.RESOURCE_EXHAUSTED, "TOO_LARGE")
    assert await edge.report() == ("promptwire.v1.ChatService.Chat", 8, "TOO_LARGE")


async def test_an_event_over_the_limit_is_too_large(serve: Serve) -> None:
    async def huge(request: pb.StreamChatRequest, exchange: Exchange) -> None:
        await exchange.send(delta("x" * 2**21))

    edge = await serve(StreamChat=huge, options=settings(max_response_bytes=2**20))
    assert (await failure(edge.events())).code is grpc.StatusCode.RESOURCE_EXHAUSTED
    assert await edge.report() == ("promptwire.v1.ChatService.StreamChat", 8, "TOO_LARGE")
