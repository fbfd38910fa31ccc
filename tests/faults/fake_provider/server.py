"""The provider: connections in, scripted answers out, everything in the ledger."""

import asyncio
import time
import traceback
from collections.abc import Callable
from typing import IO
from urllib.parse import parse_qsl

from tests.faults.fake_provider import dialects, openai_dialect, script
from tests.faults.fake_provider.control import PREFIX, Control
from tests.faults.fake_provider.http1 import ClientGoneError, Connection, Request
from tests.faults.fake_provider.ledger import Entry, Ledger, api_key
from tests.faults.fake_provider.openai_errors import ApiError, error_reply
from tests.faults.fake_provider.player import Player
from tests.faults.fake_provider.recordings import Recordings, status_of
from tests.faults.fake_provider.reply import Call, Identity, Reply
from tests.faults.fake_provider.script import GOOD, ON_NEXT, Script, ScriptError
from tests.faults.fake_provider.timeline import Timeline, compiled, playback

HOST = "127.0.0.1"
BACKLOG = 1024


class Server:
    """Listens on one port; every connection is served by a task of its own."""

    def __init__(self, ledger_file: IO[str] | None = None) -> None:
        self._ledger = Ledger(ledger_file)
        self._recordings = Recordings()
        self._attempts: dict[object, int] = {}
        self._control = Control(self._ledger, self._recordings, self._attempts)
        self._connections = 0

    async def run(self, port: int, on_ready: Callable[[int], None]) -> None:
        """Serve until cancelled; `on_ready` is told the port."""
        async with asyncio.TaskGroup() as tasks:
            loop = asyncio.get_running_loop()

            def connection() -> Connection:
                self._connections += 1
                return Connection(
                    self._connections,
                    lambda made: tasks.create_task(self._serve(made)),
                )

            listener = await loop.create_server(connection, HOST, port, backlog=BACKLOG)
            async with listener:
                on_ready(listener.sockets[0].getsockname()[1])
                await listener.serve_forever()

    async def _serve(self, connection: Connection) -> None:
        try:
            idle: float | None = None
            while (request := await _next(connection, idle)) is not None:
                if idle == ON_NEXT:
                    self._leave_unanswered(connection, request)
                    break
                keep, idle = await self._exchange(connection, request)
                if not keep:
                    break
        except ClientGoneError:
            pass
        except Exception:  # noqa: BLE001  # the outermost place: a bug must be seen, not hang
            traceback.print_exc()
            connection.rst()
            return
        connection.fin()

    async def _exchange(self, connection: Connection, request: Request) -> tuple[bool, float | None]:
        """Answer one request; return whether to go on, and the idle rule for it."""
        if request.path.startswith(PREFIX):
            await connection.send(await self._control.answer(request))
            return request.keeps_alive, None
        connection.begin()
        entry = self._ledger.open(connection, request)
        how = "error"
        try:
            plan, made = self._planned(entry, request)
            player = Player(connection, entry, plan.wire, made.chunked, self._ledger.touch)
            how = await player.play(made)
        except ClientGoneError:
            how = f"client_{connection.gone.result().how}"
            raise
        finally:
            self._ledger.end(entry, how, connection)
        return how == "complete" and not made.closes, plan.wire.idle_close

    def _planned(self, entry: Entry, request: Request) -> tuple[Script, Timeline]:
        try:
            plan = self._script(entry, request)
            if plan.play.play is not None:
                recording = self._recordings.read(plan.play.play)
                entry.status = status_of(recording)
                return plan, playback(recording, plan.play)
            return plan, _compiled(_reply(entry, request, plan), plan, request)
        except ScriptError as wrong:
            error = ApiError(f"fake provider: {wrong}", code="fake_script")
            reply = error_reply(400, error, _identity(entry))
            entry.status, entry.said = reply.status, reply.said
            return GOOD, _compiled(reply, GOOD, request)

    def _script(self, entry: Entry, request: Request) -> Script:
        model, key = entry.model or "", api_key(request)
        counted: object = script.identity(model=model, api_key=key)
        if counted is None:
            counted = (entry.key_sha256, model, entry.body_sha256, entry.path)
        self._attempts[counted] = entry.attempt = self._attempts.get(counted, 0) + 1
        if request.path.startswith(openai_dialect.REDIRECTED):
            return GOOD
        return script.scripted(model=model, api_key=key, attempt=entry.attempt)

    def _leave_unanswered(self, connection: Connection, request: Request) -> None:
        entry = self._ledger.open(connection, request)
        connection.fin()
        self._ledger.end(entry, "cut_fin", connection)


async def _next(connection: Connection, idle_ms: float | None) -> Request | None:
    """Return the next request; None as well when the connection idled too long."""
    if idle_ms is None or idle_ms == ON_NEXT:
        return await connection.next_request()
    return await connection.next_request(idle_ms / 1000)


def _reply(entry: Entry, request: Request, plan: Script) -> Reply:
    call = Call(
        method=request.method,
        path=request.path,
        authorised=entry.key_sha256 is not None,
        body=entry.body,
        script=plan,
        identity=_identity(entry),
        headers={name.lower(): value for name, value in reversed(request.headers)},
        query=dict(parse_qsl(request.target.partition("?")[2])),
    )
    reply = dialects.reply(call)
    entry.status, entry.said = reply.status, reply.said
    if plan.head.redirect is not None:
        entry.status, entry.said = plan.head.redirect, {}
    return reply


def _compiled(reply: Reply, plan: Script, request: Request) -> Timeline:
    return compiled(reply, plan, now_s=time.time(), keeps_alive=request.keeps_alive)


def _identity(entry: Entry) -> Identity:
    return Identity(entry.number, int(entry.arrived_wall_s))
