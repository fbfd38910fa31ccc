"""The control endpoints: what tests ask of the provider beside what gateways ask."""

import json
import time
from dataclasses import dataclass
from urllib.parse import parse_qsl, unquote

from tests.faults.fake_provider.http1 import Request, head_bytes
from tests.faults.fake_provider.ledger import Ledger
from tests.faults.fake_provider.recordings import Recordings
from tests.faults.fake_provider.reply import JsonObject

PREFIX = "/_"
WAIT_MS = 5000.0


@dataclass(slots=True)
class Control:
    """Answers `/_...`; `attempts` are the counters that a reset forgets as well."""

    ledger: Ledger
    recordings: Recordings
    attempts: dict[object, int]

    async def answer(self, request: Request) -> bytes:
        match request.method, request.path:
            case "GET", "/_ledger":
                return await self._ledger(request)
            case "POST", "/_reset":
                self.ledger.reset()
                self.attempts.clear()
                return _json(200, {"reset": True})
            case "GET", "/_recordings":
                return _json(200, {"recordings": sorted(self.recordings.names())})
            case "PUT", path if path.startswith("/_recordings/"):
                name = unquote(path.removeprefix("/_recordings/"))
                self.recordings.register(name, request.body)
                return _json(200, {"registered": name, "bytes": len(request.body)})
            case _:
                return _json(404, {"error": "no such control endpoint"})

    async def _ledger(self, request: Request) -> bytes:
        """Answer at once, or when so many entries were seen, ended or left."""
        filters = dict(parse_qsl(request.target.partition("?")[2]))
        seen = int(filters.pop("seen", 0))
        ended = int(filters.pop("ended", 0))
        left = int(filters.pop("left", 0))
        timeout_s = float(filters.pop("timeout_ms", WAIT_MS)) / 1000

        def satisfied() -> bool:
            found = list(self.ledger.select(filters))
            return (
                len(found) >= seen
                and sum(e["ended"] is not None for e in found) >= ended
                and sum(e["connection_ended"] is not None for e in found) >= left
            )

        in_time = await self.ledger.until(satisfied, timeout_s)
        entries = list(self.ledger.select(filters))
        value = {"entries": entries, "now_s": time.monotonic(), "in_time": in_time}
        return _json(200, value)


def _json(status: int, value: JsonObject) -> bytes:
    body = json.dumps(value, ensure_ascii=False).encode("utf-8", "replace")
    headers = [("content-type", "application/json"), ("content-length", str(len(body)))]
    return head_bytes(status, headers) + body
