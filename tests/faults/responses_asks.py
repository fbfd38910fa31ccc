"""What tests ask of the Responses API through OpenAI's SDK, and what they look for in its answers."""

from base64 import b64encode
from typing import Any

import openai
import pytest
from openai import AsyncOpenAI
from openai.types.responses import Response, ResponseFunctionToolCall

from tests.faults.fake_provider.process import FakeProvider

BOTH = pytest.mark.parametrize("stream", [False, True], ids=["whole", "streamed"])
PROMPT = "Which words do you know?"
QUESTION = {"role": "user", "content": PROMPT}
SEALED = ["reasoning.encrypted_content"]
PNG = b64encode(b"\x89PNG\r\n").decode()
Json = dict[str, Any]


def tool(name: str, **properties: str) -> Json:
    kinds = {key: {"type": kind} for key, kind in properties.items()}
    parameters = {"type": "object", "properties": kinds, "required": list(properties), "additionalProperties": False}
    return {"type": "function", "name": name, "parameters": parameters, "strict": True}


WEATHER = tool("get_weather", city="string", days="integer")
CLOCK = tool("get_time", zone="string")


def connected(fake: FakeProvider, api_key: str) -> AsyncOpenAI:
    """The SDK's client, which tries once."""
    return AsyncOpenAI(base_url=fake.base_url, api_key=api_key, max_retries=0, timeout=30)


async def answered(client: AsyncOpenAI, *, stream: bool, model: str = "fake", **more: Any) -> Response:
    """The answer, whole, or as the last event of its stream tells it."""
    asked: Json = {"model": model, "input": PROMPT, **more}
    if not stream:
        answer: Response = await client.responses.create(**asked)
        return answer
    last = None
    async for event in await client.responses.create(**asked, stream=True):
        last = event
    assert last is not None
    assert last.type in ("response.completed", "response.incomplete", "response.failed")
    response: Response = last.response
    return response


async def refused(client: AsyncOpenAI, **more: Any) -> openai.APIStatusError:
    with pytest.raises(openai.APIStatusError) as caught:
        await answered(client, stream=False, **more)
    return caught.value


def calls(response: Response) -> list[ResponseFunctionToolCall]:
    return [item for item in response.output if isinstance(item, ResponseFunctionToolCall)]


def back(response: Response) -> list[Json]:
    """The answer as it goes back in the next request."""
    return [item.model_dump(exclude_none=True) for item in response.output]


def outputs(response: Response, output: Any = "sunny") -> list[Json]:
    return [{"type": "function_call_output", "call_id": call.call_id, "output": output} for call in calls(response)]
