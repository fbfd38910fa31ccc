"""What tests ask of Anthropic's SDK, and what they look for in its answers."""

from base64 import b64encode
from typing import Any

import anthropic
import pytest
from anthropic import AsyncAnthropic
from anthropic.types import Message, TextBlock, ToolUseBlock

from tests.faults.fake_provider.process import FakeProvider

BOTH = pytest.mark.parametrize("stream", [False, True], ids=["whole", "streamed"])
PROMPT = "Which words do you know?"
QUESTION = {"role": "user", "content": PROMPT}
THINKING = {"type": "enabled", "budget_tokens": 1024}
PNG = b64encode(b"\x89PNG\r\n").decode()
PDF = b64encode(b"%PDF-1.7").decode()
Json = dict[str, Any]


def tool(name: str, **properties: str) -> Json:
    kinds = {key: {"type": kind} for key, kind in properties.items()}
    return {"name": name, "input_schema": {"type": "object", "properties": kinds, "required": list(properties)}}


WEATHER = tool("get_weather", city="string", days="integer")
CLOCK = tool("get_time", zone="string")
NOTHING = tool("do_nothing")
DOCUMENT = {"type": "text", "media_type": "text/plain", "data": "Snow falls on cedars."}
CITED = {"type": "document", "source": DOCUMENT, "title": "Weather", "citations": {"enabled": True}}


def connected(fake: FakeProvider, api_key: str) -> AsyncAnthropic:
    """The SDK's client, which tries once."""
    return AsyncAnthropic(base_url=fake.origin, api_key=api_key, max_retries=0, timeout=30)


def asked(model: str = "fake", **more: Any) -> Json:
    """A request; its settings beside those of the SDK's own go into the body as they are."""
    beside = {name: more.pop(name) for name in ("temperature", "top_p", "seed") if name in more}
    return {"model": model, "max_tokens": 4096, "messages": [QUESTION], "extra_body": beside or None} | more


async def answered(client: AsyncAnthropic, *, stream: bool, **more: Any) -> Message:
    """The answer, whole, or put together by the SDK from its events."""
    if not stream:
        answer: Message = await client.messages.create(**asked(**more))
        return answer
    async with client.messages.stream(**asked(**more)) as events:
        return await events.get_final_message()


def texts(message: Message) -> list[str]:
    return [block.text for block in message.content if isinstance(block, TextBlock)]


def calls(message: Message) -> list[ToolUseBlock]:
    return [block for block in message.content if isinstance(block, ToolUseBlock)]


def turn(message: Message) -> Json:
    """The answer as it goes back in the next request."""
    return {"role": "assistant", "content": [block.model_dump(exclude_none=True, exclude={"parsed_output"}) for block in message.content]}


def results(message: Message, content: Any = "sunny") -> Json:
    found = [{"type": "tool_result", "tool_use_id": call.id, "content": content} for call in calls(message)]
    return {"role": "user", "content": found}


async def refused(client: AsyncAnthropic, **more: Any) -> str:
    with pytest.raises(anthropic.BadRequestError) as error:
        await client.messages.create(**asked(**more))
    assert error.value.type == "invalid_request_error"
    return error.value.api_message or ""
