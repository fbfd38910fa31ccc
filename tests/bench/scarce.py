"""Scarce: an upstream that works on so many answers at once, each in the same time; whoever comes beyond that waits, as long as it takes.

python -m tests.bench.scarce <port> <at once> <seconds of an answer>
"""

import asyncio
import json
import math
import random
import sys

import uvloop

_BODY = json.dumps(
    {
        "id": "c",
        "object": "chat.completion",
        "model": "scarce",
        "choices": [{"index": 0, "message": {"role": "assistant", "content": "well"}, "finish_reason": "stop"}],
        "usage": {"prompt_tokens": 1, "completion_tokens": 1, "total_tokens": 2},
    }
).encode()
_ANSWER = b"HTTP/1.1 200 OK\r\ncontent-type: application/json\r\ncontent-length: %d\r\n\r\n%s" % (len(_BODY), _BODY)
_SPREAD = 0.7  # of the logarithm


class Scarce:
    """The upstream."""

    def __init__(self, at_once: int, answer_s: float) -> None:
        self._room = asyncio.Semaphore(at_once)
        self._median_s = answer_s * math.exp(-(_SPREAD**2) / 2)
        self._chance = random.Random(1)

    async def serve(self, reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        """One connection, request after request."""
        try:
            while True:
                head = await reader.readuntil(b"\r\n\r\n")
                await reader.readexactly(int(head.lower().partition(b"content-length:")[2].split(b"\r", 1)[0]))
                async with self._room:
                    await asyncio.sleep(self._median_s * math.exp(self._chance.gauss(0, _SPREAD)))
                writer.write(_ANSWER)
        except (asyncio.IncompleteReadError, ConnectionError):
            pass  # it is gone
        finally:
            writer.close()


async def serve(port: int, at_once: int, answer_s: float) -> None:
    """Answer until killed."""
    server = await asyncio.start_server(Scarce(at_once, answer_s).serve, "127.0.0.1", port)
    await server.serve_forever()


if __name__ == "__main__":
    uvloop.run(serve(int(sys.argv[1]), int(sys.argv[2]), float(sys.argv[3])))
