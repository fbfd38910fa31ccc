"""Reflection: what grpcurl and its friends ask, in both versions."""

import asyncio
import json
import shutil
from collections.abc import Iterable

import grpc
import pytest
from google.protobuf import descriptor_pb2
from google.protobuf.descriptor_pool import DescriptorPool
from grpc_reflection.v1alpha import reflection_pb2

from promptwire_server.rpc import reflection
from tests.unit.rpc.edge import Running, Serve, settings

VERSIONS = [reflection.V1, reflection.V1ALPHA]


@pytest.fixture
async def reflecting(serve: Serve) -> Running:
    return await serve(options=settings(reflection=True))


async def asked(edge: Running, version: str, request: bytes) -> reflection_pb2.ServerReflectionResponse:
    """One question, one answer."""
    call = edge.channel.stream_stream(f"/{version}/ServerReflectionInfo", bytes, reflection_pb2.ServerReflectionResponse.FromString)(
        iter([request])
    )
    async with asyncio.timeout(5):
        [answer] = [response async for response in call]
    return answer


def question(**what: str) -> bytes:
    return reflection_pb2.ServerReflectionRequest(**what).SerializeToString()  # type: ignore[arg-type]  # one of a oneof


@pytest.mark.parametrize("version", VERSIONS)
async def test_every_service_is_listed(reflecting: Running, version: str) -> None:
    answer = await asked(reflecting, version, question(list_services=""))
    names = {service.name for service in answer.list_services_response.service}
    assert names == {"promptwire.v1.ChatService", "grpc.health.v1.Health", *VERSIONS}


@pytest.mark.parametrize("version", VERSIONS)
async def test_the_files_of_a_service_suffice_to_call_it(reflecting: Running, version: str) -> None:
    answer = await asked(reflecting, version, question(file_containing_symbol="promptwire.v1.ChatService"))
    pool = DescriptorPool()
    for data in sorted_by_need(answer.file_descriptor_response.file_descriptor_proto):
        pool.AddSerializedFile(data)
    assert pool.FindServiceByName("promptwire.v1.ChatService").FindMethodByName("StreamChat").server_streaming


def sorted_by_need(files: Iterable[bytes]) -> list[bytes]:
    """Dependencies first."""
    waiting = {file.name: file for file in map(descriptor_pb2.FileDescriptorProto.FromString, files)}
    done: list[descriptor_pb2.FileDescriptorProto] = []
    while waiting:
        ready = [name for name, file in waiting.items() if not set(file.dependency) & set(waiting)]
        done += [waiting.pop(name) for name in ready]
    return [file.SerializeToString() for file in done]


@pytest.mark.parametrize("version", VERSIONS)
async def test_health_has_its_list(reflecting: Running, version: str) -> None:
    answer = await asked(reflecting, version, question(file_containing_symbol="grpc.health.v1.Health"))
    files = map(descriptor_pb2.FileDescriptorProto.FromString, answer.file_descriptor_response.file_descriptor_proto)
    assert {"Check", "Watch", "List"} <= {method.name for file in files for service in file.service for method in service.method}


@pytest.mark.parametrize(
    "symbol",
    ["google.rpc.ErrorInfo", "google.rpc.BadRequest", "google.rpc.RetryInfo", "google.rpc.QuotaFailure", "promptwire.v1.AttemptTrail"],
)
async def test_the_details_of_errors_can_be_read(reflecting: Running, symbol: str) -> None:
    answer = await asked(reflecting, reflection.V1, question(file_containing_symbol=symbol))
    assert answer.file_descriptor_response.file_descriptor_proto


@pytest.mark.parametrize("version", VERSIONS)
async def test_an_unknown_symbol_is_not_found(reflecting: Running, version: str) -> None:
    answer = await asked(reflecting, version, question(file_containing_symbol="nobody"))
    assert answer.error_response.error_code == grpc.StatusCode.NOT_FOUND.value[0]


@pytest.mark.parametrize("version", VERSIONS)
async def test_garbage_is_an_invalid_argument(reflecting: Running, version: str) -> None:
    answer = await asked(reflecting, version, b"\xff\xfe")
    assert answer.error_response.error_code == grpc.StatusCode.INVALID_ARGUMENT.value[0]


async def test_it_is_off_when_switched_off(serve: Serve) -> None:
    edge = await serve(options=settings(reflection=False))
    with pytest.raises(grpc.aio.AioRpcError) as caught:
        await asked(edge, reflection.V1, question(list_services=""))
    assert caught.value.code() is grpc.StatusCode.UNIMPLEMENTED


async def test_channelz_answers_when_asked_for(serve: Serve) -> None:
    edge = await serve(options=settings(channelz=True))
    assert await edge.channel.unary_unary("/grpc.channelz.v1.Channelz/GetServers", bytes, bytes)(b"")


@pytest.mark.skipif(shutil.which("grpcurl") is None, reason="grpcurl is not on the PATH")
async def test_grpcurl_needs_no_files(reflecting: Running) -> None:
    address = f"127.0.0.1:{reflecting.server.port}"
    process = await asyncio.create_subprocess_exec(
        "grpcurl", "-plaintext", address, "grpc.health.v1.Health/List", stdout=asyncio.subprocess.PIPE
    )
    output, _ = await process.communicate()
    assert json.loads(output)["statuses"][""] == {"status": "SERVING"}
