"""The yardstick: a bare grpc.aio server that answers the same messages and does nothing else."""

import sys
from typing import Any

import grpc
import uvloop

from promptwire import v1 as pb

SERVICE = "promptwire.v1.ChatService"
Context = grpc.aio.ServicerContext[object, object]


def answer(request: pb.ChatRequest) -> pb.ChatResponse:
    """What echo answers, with the fields that ours fills."""
    response = pb.ChatResponse(text=request.prompt, model="echo", provider="echo", request_id="req-0123456789abcdef0123456789a")
    response.served_from = pb.SERVED_FROM_PROVIDER
    response.trace_id = "0af7651916cd43dd8448eb211c80319c"
    candidate = response.candidates.add(finish_reason=pb.FINISH_REASON_STOP, provider_finish_reason="stop")
    candidate.message.role = pb.ROLE_ASSISTANT
    candidate.message.parts.add(text=request.prompt)
    response.usage.input_tokens = response.usage.output_tokens = len(request.prompt.split())
    return response


async def chat(request: pb.ChatRequest, context: Context) -> pb.ChatResponse:
    """One answer."""
    return answer(request)


async def stream_chat(request: pb.StreamChatRequest, context: Context) -> None:
    """As many deltas as max_output_tokens says, a word each."""
    for sequence in range(1, request.chat.generation.max_output_tokens + 1):
        await context.write(pb.StreamChatResponse(sequence=sequence, part_delta=pb.PartDelta(text="word ")))


async def serve(port: int) -> None:
    """Answer until killed."""
    server = grpc.aio.server()
    handlers: dict[str, grpc.RpcMethodHandler[Any, Any]] = {
        "Chat": grpc.unary_unary_rpc_method_handler(chat, pb.ChatRequest.FromString, pb.ChatResponse.SerializeToString),
        "StreamChat": grpc.unary_stream_rpc_method_handler(
            stream_chat, pb.StreamChatRequest.FromString, pb.StreamChatResponse.SerializeToString
        ),
    }
    server.add_generic_rpc_handlers([grpc.method_handlers_generic_handler(SERVICE, handlers)])
    server.add_insecure_port(f"127.0.0.1:{port}")
    await server.start()
    await server.wait_for_termination()


if __name__ == "__main__":
    uvloop.run(serve(int(sys.argv[1])))
