"""Server reflection, v1 and v1alpha, so that grpcurl and its friends need no files."""

import grpc
from google.protobuf import descriptor_pb2, descriptor_pool, text_format
from google.protobuf.descriptor import FileDescriptor, ServiceDescriptor
from google.protobuf.message import DecodeError
from google.rpc import error_details_pb2
from grpc_reflection.v1alpha import reflection, reflection_pb2

V1 = "grpc.reflection.v1.ServerReflection"
V1ALPHA = "grpc.reflection.v1alpha.ServerReflection"


def pool_of(services: list[ServiceDescriptor]) -> descriptor_pool.DescriptorPool:
    """A pool with the files of these services and all they import; our health contract differs from grpcio's, so not the default pool."""
    pool = descriptor_pool.DescriptorPool()
    seen: set[str] = set()
    for service in services:
        _add(pool, service.file, seen)
    _add(pool, error_details_pb2.DESCRIPTOR, seen)  # with it grpcurl shows the details of errors; without, base64
    return pool


def _add(pool: descriptor_pool.DescriptorPool, file: FileDescriptor, seen: set[str]) -> None:
    if file.name in seen:
        return
    seen.add(file.name)
    for dependency in file.dependencies:
        _add(pool, dependency, seen)
    pool.AddSerializedFile(file.serialized_pb)


def handlers(services: list[ServiceDescriptor]) -> list[grpc.GenericRpcHandler]:
    """Both versions by one servicer: their messages are the same on the wire."""
    names = [*(service.full_name for service in services), V1, V1ALPHA]
    pool = pool_of([*services, reflection_pb2.DESCRIPTOR.services_by_name["ServerReflection"]])  # type: ignore[list-item]  # upb's own class
    pool.AddSerializedFile(_v1().SerializeToString())
    servicer = reflection.aio.ReflectionServicer(names, pool=pool)
    method = grpc.stream_stream_rpc_method_handler(
        servicer.ServerReflectionInfo,
        request_deserializer=_parse,
        response_serializer=reflection_pb2.ServerReflectionResponse.SerializeToString,
    )
    return [grpc.method_handlers_generic_handler(name, {"ServerReflectionInfo": method}) for name in (V1, V1ALPHA)]


def _v1() -> descriptor_pb2.FileDescriptorProto:
    """The v1 contract, which grpcio does not ship: the older one by its final name. Without it `grpcurl describe` fails."""
    alpha = descriptor_pb2.FileDescriptorProto()
    reflection_pb2.DESCRIPTOR.CopyToProto(alpha)
    text = text_format.MessageToString(alpha).replace("reflection.v1alpha", "reflection.v1").replace("reflection/v1alpha", "reflection/v1")
    return text_format.Parse(text, descriptor_pb2.FileDescriptorProto())


def _parse(data: bytes) -> reflection_pb2.ServerReflectionRequest:
    """What does not parse is an empty request, which the servicer answers with INVALID_ARGUMENT; raising would end in UNKNOWN."""
    try:
        return reflection_pb2.ServerReflectionRequest.FromString(data)
    except DecodeError:
        return reflection_pb2.ServerReflectionRequest()
