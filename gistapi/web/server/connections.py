"""The connections of the server: their number, their networks, and how long they may be silent."""

from __future__ import annotations

import asyncio
import json
import logging
import re
import uuid
from collections.abc import Awaitable, Callable, Iterator
from contextlib import contextmanager, suppress
from dataclasses import dataclass, field
from typing import Any, cast

from aiohttp import StreamReader, web
from aiohttp.http_exceptions import BadHttpMethod, LineTooLong

from gistapi.web.error_table import HTTP_PROBLEMS
from gistapi.web.protection.client_ip import network_of
from gistapi.web.protection.headers import SECURITY

MAX_HEAD_BYTES = 64 * 1024
MAX_FIELDS = 100
SILENT_SECONDS = 10.0
"""How long a connection may take to send a head."""
LINGER_SECONDS = 10.0
"""How long the rest of a refused body is read, so that its sender gets the answer."""

ABORT_ROUNDS = 100
"""Rounds of the loop in which aborted connections are closed; the first should be enough."""

# A method that the parser does not know is still a method.
_REQUEST_LINE = re.compile(rb"[A-Z]{1,20} /[!-~]* HTTP/1\.[01]\r?\n")

Handler = Callable[[web.BaseRequest], Awaitable[web.StreamResponse]]

_log = logging.getLogger(__name__)


@dataclass(frozen=True, slots=True)
class Bounds:
    """How many connections are allowed, and how many of one network; None is without bound.

    A network is an IPv4 address or an IPv6 /64.
    """

    connections: int = 1024
    of_one_network: int | None = 256


@dataclass
class _Network:
    """The connections of one network; `waiting` are those without a request, oldest first."""

    open: int = 0
    waiting: dict[Connection, None] = field(default_factory=dict)


class Connection(web.RequestHandler):
    """One client's connection."""

    def __init__(self, connections: Connections, **options: Any) -> None:  # noqa: ANN401 - aiohttp's
        super().__init__(connections, loop=asyncio.get_running_loop(), **options)
        self._connections = connections
        self._head_bytes = 0
        self._has_method = False
        self._body: StreamReader | None = None
        self._wire: asyncio.Transport | None = None  # also while it closes
        self.network = ""

    def connection_made(self, transport: asyncio.BaseTransport) -> None:
        """Begin to serve the connection."""
        self._wire = cast("asyncio.Transport", transport)
        super().connection_made(transport)

    def data_received(self, data: bytes) -> None:
        """Refuse a head that is larger than MAX_HEAD_BYTES as a whole."""
        count = self._request_count
        self._has_method = _REQUEST_LINE.match(data) is not None
        super().data_received(data)
        if self._request_count > count:
            self._body = self._messages[-1][1]
        in_body = self._body is not None and not self._body.is_eof()
        if self._request_count > count or self._current_request is not None or in_body:
            self._head_bytes = 0
            return
        self._head_bytes += len(data)
        if self._head_bytes > MAX_HEAD_BYTES and self.transport is not None:
            self.transport.write(_refusal(431))
            self.force_close()

    def eof_received(self) -> bool:  # type: ignore[override]  # asyncio: true keeps it open
        """Distinguish an incomplete body from a disconnect.

        The sender of half a body may still read its refusal. A client that has sent its request
        and closes its side has disconnected: proxies and browsers do that only then.
        """
        body = self._body
        if body is None or body.is_eof() or body.exception() is not None:
            return False
        body.set_exception(EOFError("the body broke off"))
        body.feed_eof()
        self._close = True
        return True

    def handle_error(
        self,
        request: web.BaseRequest,
        status: int = 500,
        exc: BaseException | None = None,
        message: str | None = None,  # noqa: ARG002 - the parser's words are no caller's
    ) -> web.StreamResponse:
        """The answer to a message that is not HTTP, and to a bug of the bridge."""
        if request.writer.output_size > 0:
            raise ConnectionError("the answer has begun")
        if isinstance(exc, LineTooLong) or "Too many" in str(exc):
            status = 431
        elif isinstance(exc, BadHttpMethod) and self._has_method:
            status = 405
        elif status >= 500:  # noqa: PLR2004 - HTTP's classes
            _log.error("the server failed", exc_info=exc)
        body, headers = _problem(status)
        if status == 405:  # noqa: PLR2004
            headers["Allow"] = "GET, HEAD, OPTIONS, POST, QUERY"
        response = web.Response(status=status, body=body, headers=headers)
        response.force_close()
        return response

    def abort(self) -> None:
        """Reset the connection: what was being sent is visibly cut."""
        if self._wire is not None:
            self._wire.abort()

    @contextmanager
    def busy(self) -> Iterator[None]:
        """Mark the connection as having a complete request, so that it is not replaced."""
        self._connections.mark(self, busy=True)
        try:
            yield
        finally:
            self._connections.mark(self, busy=False)


class Connections(web.Server):
    """Creates the connections and limits their numbers.

    At a bound, a new connection replaces the oldest one that is waiting for a request; if all
    of them have one, the new connection gets a 503.
    """

    def __init__(self, handle: Handler, bounds: Bounds) -> None:
        super().__init__(
            handle,
            handler_cancellation=True,
            keepalive_timeout=SILENT_SECONDS,
            lingering_time=LINGER_SECONDS,
            max_line_size=MAX_HEAD_BYTES,
            max_field_size=MAX_HEAD_BYTES,
            max_headers=MAX_FIELDS,
            auto_decompress=False,
            access_log=None,
        )
        self._bounds = bounds
        self._networks: dict[str, _Network] = {}
        self._open: set[Connection] = set()
        self._busy = 0
        self._stopping = False
        self._all_idle = asyncio.Event()
        self._all_idle.set()

    def __call__(self) -> Connection:
        """Create a connection for the loop's listener."""
        return Connection(self, **self._kwargs)

    def connection_made(self, handler: web.RequestHandler, transport: asyncio.Transport) -> None:
        """Admit a connection, drop an older one for it, or refuse it."""
        super().connection_made(handler, transport)
        assert isinstance(handler, Connection)  # noqa: S101 - made by __call__
        peer = transport.get_extra_info("peername")
        handler.network = network_of(str(peer[0])) if peer else ""
        network = self._networks.setdefault(handler.network, _Network())
        if not self._make_room(network):
            transport.write(_refusal(503))
            handler.force_close()
        network.open += 1
        network.waiting[handler] = None
        self._open.add(handler)

    def connection_lost(
        self, handler: web.RequestHandler, exc: BaseException | None = None
    ) -> None:
        """Remove a connection."""
        super().connection_lost(handler, exc)
        assert isinstance(handler, Connection)  # noqa: S101 - made by __call__
        network = self._networks[handler.network]
        network.open -= 1
        network.waiting.pop(handler, None)
        self._open.discard(handler)
        if not network.open:
            del self._networks[handler.network]

    def mark(self, connection: Connection, *, busy: bool) -> None:
        """Count a connection as working on a request, or as waiting for one."""
        self._busy += 1 if busy else -1
        network = self._networks.get(connection.network)
        if network is not None and connection in self._open:
            network.waiting.pop(connection, None)
            if not busy:
                network.waiting[connection] = None
        if self._busy:
            self._all_idle.clear()
        else:
            self._all_idle.set()
        if self._stopping and not busy:
            connection.close()

    def stop(self) -> None:
        """Close each connection that waits for a request, and the others after their answer."""
        self._stopping = True
        for connection in list(self._open):
            if connection in self._networks[connection.network].waiting:
                connection.force_close()
            else:
                connection.close()

    async def idle(self, seconds: float) -> None:
        """Wait until no request is in progress, at most `seconds`."""
        with suppress(TimeoutError):
            await asyncio.wait_for(self._all_idle.wait(), seconds)

    async def abort(self) -> None:
        """Reset every connection."""
        for connection in self._open:
            connection.abort()
        for _ in range(ABORT_ROUNDS):
            if not self._open:
                break
            await asyncio.sleep(0)

    def _make_room(self, network: _Network) -> bool:
        of_one = self._bounds.of_one_network
        if of_one is not None and network.open >= of_one:
            return _drop_oldest(network)
        if len(self._open) >= self._bounds.connections:
            return _drop_oldest(max(self._networks.values(), key=lambda net: len(net.waiting)))
        return True


def _drop_oldest(network: _Network) -> bool:
    for connection in network.waiting:
        del network.waiting[connection]
        connection.abort()
        return True
    return False


def _problem(status: int) -> tuple[bytes, dict[str, str]]:
    """A JSON error body, and its header fields."""
    code, message = HTTP_PROBLEMS[status]
    request_id = uuid.uuid4().hex
    shape = {"status": "error", "code": code, "message": message, "request_id": request_id}
    headers = {
        "Content-Type": "application/json",
        "X-Request-ID": request_id,
        "Cache-Control": "no-store",
        "Server": "gistapi",
        **SECURITY,
    }
    return json.dumps(shape).encode() + b"\n", headers


def _refusal(status: int) -> bytes:
    """A whole answer, for a connection that gets no handler."""
    body, headers = _problem(status)
    headers |= {"Content-Length": str(len(body)), "Connection": "close"}
    if status == 503:  # noqa: PLR2004
        headers["Retry-After"] = "1"
    lines = "".join(f"{name}: {value}\r\n" for name, value in headers.items())
    return f"HTTP/1.1 {status} \r\n{lines}\r\n".encode() + body
