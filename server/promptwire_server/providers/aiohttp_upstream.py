"""The upstream port over aiohttp: the only module that imports it.

A request that met a kept-alive connection just as the other side closed it is sent once more on another connection, and only when not a
single byte of an answer had come: the rule of HTTP clients for stale connections. It leaves no attempt behind, since nobody looked at it.
"""

import asyncio
import ssl
from collections.abc import Mapping
from contextvars import ContextVar
from functools import partial

import aiohttp
from aiohttp.client_proto import ResponseHandler
from aiohttp.http import HttpProcessingError
from multidict import CIMultiDict
from yarl import URL

from promptwire_server.core.clock import Clock
from promptwire_server.core.errors import DeadlineExceeded, Origin, PromptwireError, UpstreamAccount
from promptwire_server.providers.failed import failed, misdirected, timed_out, too_long
from promptwire_server.providers.patience import TICK_S, Cause, Patience
from promptwire_server.providers.upstream import Answer, Endpoint, Request, Tls, sendable

_KEEPALIVE_S = 30.0
_MOST_URLS = 1024  # kept parsed
_BESIDE = "/../"  # begins a path that leads beside the last part of the base URL
_READ_BYTES = 16 << 10  # of a stream at once: what they mean takes twenty times as much, and no timer is heard before it is told
_HEADS_BYTES = 4 << 10  # looked at together while a head is waited for
_MOST_HEADS = 8  # of one answer, interim ones included, or of answers that nobody waits for
_LINGER_S = 0.25  # how long a stream that said its end may take to end as HTTP too, before its connection is closed


class _Protocol(ResponseHandler):
    """One connection, which knows how many answers it gave and whether the present one has begun."""

    requests = 0
    heard = False

    def data_received(self, data: bytes) -> None:
        self.heard = True
        if len(data) <= _HEADS_BYTES or (self._payload is not None and not self._payload.is_eof()):
            super().data_received(data)
            return
        # aiohttp keeps all heads that it is sent, also those that nobody asked for, and there are ten thousand in one read.
        for start in range(0, len(data), _HEADS_BYTES):
            super().data_received(data[start : start + _HEADS_BYTES])
            if len(self._buffer) > _MOST_HEADS:
                self.close()
                self.set_exception(HttpProcessingError(message="too many heads"))  # behind `close`, which forgets it
                return

    def connection_lost(self, exc: BaseException | None) -> None:
        payload = self._payload
        super().connection_lost(exc)
        # aiohttp forgets the reader of a body whose framing broke after its head was read: it would wait for ever.
        if payload is not None and not payload.is_eof() and payload.exception() is None:
            payload.set_exception(aiohttp.ClientPayloadError("broken framing"))

    @property
    def stale(self) -> bool:
        """It was used before, and closed without a word: the request was never looked at."""
        return self.requests > 1 and not self.heard


_IN_USE: ContextVar[_Protocol | None] = ContextVar("_IN_USE", default=None)  # of the task; aiohttp's errors do not say which connection


class _Connector(aiohttp.TCPConnector):
    """Notes which connection a request goes out on."""

    def __init__(self, *, limit: int, tls: Tls) -> None:
        super().__init__(limit=limit, keepalive_timeout=_KEEPALIVE_S, ssl=_context(tls))
        kind: type[ResponseHandler] = _Protocol
        self._factory = partial(kind, loop=self._loop)

    async def connect(
        self,
        req: aiohttp.ClientRequest,
        traces: list[aiohttp.tracing.Trace],
        timeout: aiohttp.ClientTimeout,  # noqa: ASYNC109 - aiohttp's
    ) -> aiohttp.connector.Connection:
        connection = await super().connect(req, traces, timeout)
        protocol = connection.protocol
        if isinstance(protocol, _Protocol):
            protocol.requests += 1
            protocol.heard = False
            _IN_USE.set(protocol)
        return connection


class AiohttpUpstream:
    """HTTP/1.1 to one endpoint over a pool of its own, which opens with the first request."""

    def __init__(self, endpoint: Endpoint, clock: Clock) -> None:
        self._endpoint = endpoint
        self._clock = clock
        self._base = URL(endpoint.base_url.rstrip("/"))
        self._proxy = None if endpoint.proxy is None else URL(endpoint.proxy.reveal())
        self._urls: dict[str, URL] = {}
        self._secret_headers: Mapping[str, str] = {}  # as the session has them
        self._session: aiohttp.ClientSession | None = None
        self._closed = False
        self._lingering: set[AiohttpStream] = set()  # at their own end, but not yet at that of HTTP

    async def fetch(self, request: Request) -> Answer:
        """See Upstream."""
        now_s = asyncio.get_running_loop().time()
        patience = self._patience(request, now_s)
        response = None
        try:
            async with asyncio.timeout_at(patience.end_s) as timer:
                response = await self._send(request)
                limit = request.most_bytes or self._endpoint.bounds.body_bytes
                return Answer(response.status, response.headers, await self._body(response, patience, timer, limit))
        except aiohttp.ConnectionTimeoutError as error:
            raise self._failure(error) from None
        except TimeoutError:
            raise self._late(patience, "idle") from None
        except (aiohttp.ClientError, OSError) as error:
            raise self._failure(error) from None
        finally:
            if response is not None:
                response.close()

    async def open(self, request: Request) -> "AiohttpStream":
        """See Upstream."""
        begun_s = asyncio.get_running_loop().time()
        patience = self._patience(request, begun_s)
        try:
            async with asyncio.timeout_at(patience.until_first_token_s(begun_s)):
                response = await self._send(request)
        except aiohttp.ConnectionTimeoutError as error:
            raise self._failure(error) from None
        except TimeoutError:
            raise self._late(patience, "first_token") from None
        except (aiohttp.ClientError, OSError) as error:
            raise self._failure(error) from None
        return AiohttpStream(response, self._endpoint, patience, begun_s, self._lingering)

    async def aclose(self) -> None:
        """See Upstream."""
        self._closed = True
        for stream in list(self._lingering):
            stream.close()
        if self._session is not None:
            await self._session.close()

    def _late(self, patience: Patience, waited_for: Cause) -> PromptwireError:
        """The error for a wait without success; of one for a connection, that nothing was asked yet."""
        return patience.error(asyncio.get_running_loop().time(), waited_for if _IN_USE.get() is not None else "connect")

    def _patience(self, request: Request, now_s: float) -> Patience:
        remaining_s = request.deadline_s - self._clock.monotonic()
        if remaining_s <= 0:
            raise DeadlineExceeded.during("upstream")
        if self._closed:
            raise failed(self._endpoint.name, "its connections are closed, this server is stopping")
        return Patience(self._endpoint.name, self._endpoint.timeouts, begun_s=now_s, remaining_s=remaining_s)

    async def _send(self, request: Request) -> aiohttp.ClientResponse:
        _IN_USE.set(None)  # that of the request before
        session = self._session or self._opened()
        try:
            response = await self._ask(session, request)
        except (aiohttp.ServerDisconnectedError, aiohttp.ClientOSError):
            in_use = _IN_USE.get()
            if in_use is None or not in_use.stale:
                raise
            response = await self._ask(session, request)
        encoding = response.headers.get("content-encoding", "identity")
        if encoding.lower() != "identity":
            response.close()
            kind = misdirected if response.ok else failed  # an error page of somebody on the way may pass
            raise kind(self._endpoint.name, "it compresses its answers though told not to; a proxy on the way may be the cause")
        return response

    async def _ask(self, session: aiohttp.ClientSession, request: Request) -> aiohttp.ClientResponse:
        if self._endpoint.secret_headers() != self._secret_headers:
            headers = self._headers()
            session.headers.clear()
            session.headers.extend(headers)
        if request.headers:
            self._check(request.headers)
        return await session.request(
            request.method,
            self._url(request.path),
            data=request.body or None,
            headers=request.headers or None,
            allow_redirects=False,
            proxy=self._proxy,
        )

    def _url(self, path: str) -> URL:
        """Where a path leads. Parsing it costs 15 µs, so it is kept; some dialects name the model in it, so not for ever."""
        known = self._urls.get(path)
        if known is None:
            if len(self._urls) >= _MOST_URLS:
                self._urls.clear()
            known = self._urls[path] = URL(f"{self._base}{path}" if not path.startswith(_BESIDE) else self._beside(path), encoded=True)
        return known

    def _beside(self, path: str) -> str:
        return str(self._base.parent).rstrip("/") + path.removeprefix(_BESIDE.rstrip("/"))

    async def _body(self, response: aiohttp.ClientResponse, patience: Patience, timer: asyncio.Timeout, limit: int) -> bytes:
        content = response.content
        if (response.content_length or 0) > limit:
            raise too_long(self._endpoint.name, limit)
        pieces: list[bytes] = []
        while True:
            if not content.is_eof():
                timer.reschedule(patience.until_idle_s(asyncio.get_running_loop().time()))
            piece = await content.readany()
            if not piece:
                return pieces[0] if len(pieces) == 1 else b"".join(pieces)
            pieces.append(piece)
            if content.total_bytes > limit:
                raise too_long(self._endpoint.name, limit)

    def _opened(self) -> aiohttp.ClientSession:
        endpoint = self._endpoint
        self._session = aiohttp.ClientSession(
            connector=_Connector(limit=endpoint.max_connections, tls=endpoint.tls),
            headers=self._headers(),
            cookie_jar=aiohttp.DummyCookieJar(),
            auto_decompress=False,
            trust_env=False,
            timeout=aiohttp.ClientTimeout(total=None, sock_connect=endpoint.timeouts.connect_s),
            max_line_size=endpoint.bounds.head_bytes,
            max_field_size=endpoint.bounds.head_bytes,
        )
        return self._session

    def _headers(self) -> CIMultiDict[str]:
        secret_headers = self._endpoint.secret_headers()
        self._check(secret_headers)
        self._secret_headers = secret_headers
        headers = CIMultiDict({**self._endpoint.headers, **secret_headers})
        headers.setdefault("user-agent", "promptwire")
        headers["accept-encoding"] = "identity"  # half a megabyte of gzip has become a gigabyte of memory
        headers["accept"] = "application/json, text/event-stream"
        headers["content-type"] = "application/json"
        return headers

    def _check(self, headers: Mapping[str, str]) -> None:
        """Of a secret that was read anew nobody knows what is in it. aiohttp would raise a ValueError, or send what is no HTTP."""
        if not sendable(headers):
            message = f"{self._endpoint.name}: the provider's credential has characters that cannot be sent; correct the secret"
            raise UpstreamAccount(message, origin=Origin(self._endpoint.name))

    def _failure(self, error: Exception) -> PromptwireError:
        return _failure(error, self._endpoint)


class AiohttpStream:
    """An answer while it arrives. One timer watches it; a read costs no timer of its own."""

    __slots__ = (
        "_content",
        "_endpoint",
        "_lingering",
        "_loop",
        "_patience",
        "_response",
        "_since_s",
        "_waiting_for",
        "_watch",
        "headers",
        "status",
    )

    def __init__(
        self, response: aiohttp.ClientResponse, endpoint: Endpoint, patience: Patience, begun_s: float, lingering: "set[AiohttpStream]"
    ) -> None:
        self.status: int = response.status
        self.headers: Mapping[str, str] = response.headers
        self._response = response
        self._content = response.content
        self._endpoint = endpoint
        self._lingering = lingering
        self._patience = patience
        self._loop = asyncio.get_running_loop()
        self._since_s: float | None = begun_s  # since when the next event is waited for; None: nobody waits, so the other side is not idle
        self._waiting_for: Cause = "first_token"
        self._watch: asyncio.TimerHandle = self._loop.call_at(patience.until_first_token_s(begun_s), self._look)

    async def read(self) -> bytes:
        """See Stream."""
        if self._since_s is None:
            self._since_s = self._loop.time()
        try:
            data = await self._content.read(_READ_BYTES)
        except (aiohttp.ClientError, OSError) as error:
            raise _failure(error, self._endpoint) from None
        if self._content.total_bytes > self._endpoint.bounds.stream_bytes:
            raise too_long(self._endpoint.name, self._endpoint.bounds.stream_bytes, "stream")
        return data

    def progress(self) -> None:
        """See Stream."""
        self._since_s = None
        if self._waiting_for == "first_token":
            self._waiting_for = "idle"
            self._watch.cancel()  # set for the first token, which may be allowed much more time
            self._watch = self._loop.call_at(self._patience.until_idle_s(self._loop.time()), self._look)

    def close(self) -> None:
        """See Stream."""
        self._watch.cancel()
        self._lingering.discard(self)
        self._response.close()

    def finish(self) -> None:
        """See Stream."""
        self._watch.cancel()
        if not self._content.is_eof() and self._content.exception() is None:
            # aiohttp gives the connection back by itself when the end comes; here is only what happens when it does not.
            self._watch = self._loop.call_later(_LINGER_S, self.close)
            self._lingering.add(self)
            self._content.on_eof(self.close)

    def _look(self) -> None:
        now_s = self._loop.time()
        due_s = self._due_s(now_s)
        if now_s + TICK_S < due_s:
            self._watch = self._loop.call_at(due_s, self._look)
            return
        self._content.set_exception(self._patience.error(now_s, self._waiting_for))
        self._response.close()

    def _due_s(self, now_s: float) -> float:
        if self._waiting_for == "first_token" and self._since_s is not None:
            return self._patience.until_first_token_s(self._since_s)
        return self._patience.until_idle_s(now_s if self._since_s is None else self._since_s)


def _context(tls: Tls) -> ssl.SSLContext | bool:
    """Whom to believe and what to show; True is aiohttp's own context, the system's authorities."""
    if not tls.ca_file and not tls.cert_file:
        return True
    context = ssl.create_default_context(cafile=tls.ca_file or None)
    context.set_alpn_protocols(["http/1.1"])
    if tls.cert_file:
        context.load_cert_chain(tls.cert_file, tls.key_file)
    return context


def _failure(error: Exception, endpoint: Endpoint) -> PromptwireError:
    """What went wrong, without the words of the other side."""
    if isinstance(error, aiohttp.ConnectionTimeoutError):
        return timed_out(endpoint.name, f"no connection within {endpoint.timeouts.connect_s:g} s", "connect")
    return failed(endpoint.name, _reason(error))


def _reason(error: Exception) -> str:  # noqa: PLR0911 - one line a kind
    match error:
        case aiohttp.ClientConnectorDNSError():
            return "its host name is not known; check base_url"
        case aiohttp.ClientConnectorCertificateError() | aiohttp.ClientSSLError():
            return "its certificate or TLS is not acceptable"
        case aiohttp.ClientProxyConnectionError() | aiohttp.ClientHttpProxyError():
            return "the proxy does not connect; check proxy"
        case aiohttp.ClientConnectorError():
            return "it does not take connections; check base_url, and whether it runs"
        case aiohttp.ClientPayloadError():
            return "its answer broke off, or its framing is garbled"
        case aiohttp.ClientResponseError():
            return "its answer is not HTTP, or its head is too large"
        case aiohttp.ServerDisconnectedError() | aiohttp.ClientOSError() | OSError():
            return "it closed the connection"
    return "the request could not be sent"
