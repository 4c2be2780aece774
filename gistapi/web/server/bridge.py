"""Runs the WSGI application for an HTTP request (PEP 3333).

https://peps.python.org/pep-3333/
"""

from __future__ import annotations

import asyncio
import io
import logging
import threading
from collections.abc import Callable, Coroutine, Iterable
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass
from typing import Any, cast
from urllib.parse import unquote_to_bytes, urlsplit

from aiohttp import web
from aiohttp.http import HttpVersion10
from multidict import CIMultiDict

from gistapi.web.operations.probes import LIVENESS
from gistapi.web.protection.body_limits import MAX_BODY_BYTES
from gistapi.web.server.connections import Connection  # pylint: disable=unused-import  # in casts

Headers = list[tuple[str, str]]
WsgiApp = Callable[[dict[str, Any], Any], Iterable[bytes]]

BODY_SECONDS = 10.0
"""How long a body may take to arrive."""
STALL_SECONDS = 20.0
"""How long one part of an answer may wait to be read."""
READ_SECONDS = 60.0
"""How long all parts of an answer together may wait to be read."""
PART_BYTES = 64 * 1024

_log = logging.getLogger(__name__)


class ClientLeftError(ConnectionError):
    """The client has closed its connection."""


@dataclass(frozen=True, slots=True)
class _Whole:
    """An answer whose length is known."""

    status: str
    headers: Headers
    body: bytes


class WsgiBridge:
    """Runs the application in its own threads, all started before the first request.

    The environ has two additions: `gistapi.client_left`, a function that says whether the client
    has closed its connection, and `REQUEST_URI`, the path and query as they were sent. An answer
    with a Content-Length is sent without a thread, and closed before; if the application sets
    `gistapi.hold` in the environ, one of more than PART_BYTES is closed afterwards, so that large
    unread answers count as work.
    """

    def __init__(self, app: WsgiApp, *, threads: int) -> None:
        self._app = app
        self._threads = threads
        self._executor = ThreadPoolExecutor(threads, thread_name_prefix="gistapi-web")

    async def start(self) -> None:
        """Start every thread now: later there may be no memory for one.

        Raises RuntimeError if there is none.
        """
        loop = asyncio.get_running_loop()
        started = threading.Barrier(self._threads)
        try:
            waits = [
                loop.run_in_executor(self._executor, started.wait) for _ in range(self._threads)
            ]
        except RuntimeError:
            started.abort()  # those that were started would wait, and the process with them
            raise
        await asyncio.gather(*waits)

    def close(self) -> None:
        """Accept no more work."""
        self._executor.shutdown(wait=False, cancel_futures=True)

    async def handle(self, request: web.BaseRequest) -> web.StreamResponse:
        """Answer one request."""
        connection = cast("Connection", request.protocol)
        body = await _receive(request)
        exchange = _Exchange(request)
        loop = asyncio.get_running_loop()
        environ = _environ(request, body)
        environ["gistapi.client_left"] = exchange.left.is_set
        with connection.busy():
            try:
                if request.method in {"GET", "HEAD"} and environ["PATH_INFO"] in LIVENESS:
                    # It waits for nothing; each change of threads waits for the interpreter.
                    answer = exchange.run(self._app, environ)
                else:
                    answer = await loop.run_in_executor(
                        self._executor, exchange.run, self._app, environ
                    )
                if answer is not None:
                    await exchange.send(answer)
            except BaseException:
                exchange.left.set()
                raise
        return exchange.response


class _Exchange:
    """One request and its answer, between the event loop and one thread."""

    def __init__(self, request: web.BaseRequest) -> None:
        self._request = request
        self._loop = asyncio.get_running_loop()
        self._left_seconds = READ_SECONDS
        self.left = threading.Event()
        self.response = web.StreamResponse()

    def run(self, app: WsgiApp, environ: dict[str, Any]) -> _Whole | None:
        """Have the application answer, in a thread.

        Returns an answer whose length is known; a stream is sent from here. If a stream cannot be
        sent or produced to its end, the connection is reset, so that it never looks complete.
        """
        head: list[Any] = []

        def start_response(status: str, headers: Headers, _exc_info: object = None) -> None:
            head[:] = [status, headers]

        chunks = app(environ, start_response)
        try:
            status, headers = head
            if _is_whole(environ, status, headers):
                answer = _Whole(status, headers, b"".join(chunks))
                if len(answer.body) <= PART_BYTES or not environ.get("gistapi.hold"):
                    return answer
                self._await(self.send(answer))
                return None
            self._await(self.start(status, headers))
            for chunk in chunks:
                self._await(self.write(chunk))
        except BaseException:
            self._loop.call_soon_threadsafe(self._cut_if_begun)
            raise
        finally:
            close = getattr(chunks, "close", None)
            if close is not None:
                close()
        return None

    async def send(self, answer: _Whole) -> None:
        """Send an answer; raises as `write` does."""
        await self.start(answer.status, answer.headers)
        for begin in range(0, len(answer.body), PART_BYTES):
            await self.write(answer.body[begin : begin + PART_BYTES])

    async def start(self, status: str, headers: Headers) -> None:
        """Send the head."""
        number, _, reason = status.partition(" ")
        fields = CIMultiDict(headers)
        fields["Server"] = "gistapi"
        self.response = web.StreamResponse(status=int(number), reason=reason, headers=fields)
        await self.response.prepare(self._request)

    async def write(self, chunk: bytes) -> None:
        """Send a part of the body and wait until most of it has been sent.

        Raises ConnectionError when the client has disconnected or has not read in time.
        """
        began = self._loop.time()
        try:
            async with asyncio.timeout(min(STALL_SECONDS, self._left_seconds)):
                await self.response.write(chunk)
        except TimeoutError:
            _log.info("answer not read in time")
            self._cut_if_begun()
            raise ClientLeftError("the answer was not read in time") from None
        self._left_seconds -= self._loop.time() - began

    def _await(self, coroutine: Coroutine[Any, Any, None]) -> None:
        if self.left.is_set():
            coroutine.close()
            raise ClientLeftError("the client has left")
        try:
            sent = asyncio.run_coroutine_threadsafe(coroutine, self._loop)
        except RuntimeError:  # the loop is closed: the server has ended
            coroutine.close()
            raise
        sent.result()

    def _cut_if_begun(self) -> None:
        if self.response.prepared:
            cast("Connection", self._request.protocol).abort()


async def _receive(request: web.BaseRequest) -> io.BufferedIOBase:
    """The body as the application reads it. Reading an incomplete one raises OSError.

    No more than one byte beyond MAX_BODY_BYTES is kept; of a body that is announced as larger,
    nothing is read.
    """
    if not request.body_exists or (request.content_length or 0) > MAX_BODY_BYTES:
        return io.BytesIO()
    if request.headers.get("Expect", "").lower() == "100-continue":
        await request.writer.write(b"HTTP/1.1 100 Continue\r\n\r\n")
        request.writer.output_size = 0
    received = bytearray()
    try:
        async with asyncio.timeout(BODY_SECONDS):
            while len(received) <= MAX_BODY_BYTES and (part := await request.content.readany()):
                received += part
    except TimeoutError:
        return _Unreadable(TimeoutError("the body did not arrive in time"))
    except (EOFError, web.PayloadAccessError, web.RequestPayloadError, ConnectionError):
        return _Unreadable(OSError("the body broke off"))
    return io.BytesIO(received[: MAX_BODY_BYTES + 1])


class _Unreadable(io.BufferedIOBase):
    """An incomplete body."""

    def __init__(self, error: OSError) -> None:
        self._error = error

    def read(self, _size: int | None = -1, /) -> bytes:
        """Raise the reason."""
        raise self._error


def _environ(request: web.BaseRequest, body: io.BufferedIOBase) -> dict[str, Any]:
    target = _origin_form(request.raw_path)
    path, _, query = target.partition("?")
    client, server = _address(request, "peername"), _address(request, "sockname")
    environ: dict[str, Any] = {
        "REQUEST_METHOD": request.method,
        "SCRIPT_NAME": "",
        "PATH_INFO": unquote_to_bytes(path).decode("latin-1"),
        "QUERY_STRING": query,
        "REQUEST_URI": target,
        "SERVER_NAME": server[0],
        "SERVER_PORT": server[1],
        "SERVER_PROTOCOL": "HTTP/1.0" if request.version == HttpVersion10 else "HTTP/1.1",
        "REMOTE_ADDR": client[0],
        "REMOTE_PORT": client[1],
        "wsgi.version": (1, 0),
        "wsgi.url_scheme": "http",
        "wsgi.input": body,
        "wsgi.input_terminated": True,
        "wsgi.errors": io.StringIO(),
        "wsgi.multithread": True,
        "wsgi.multiprocess": False,
        "wsgi.run_once": False,
    }
    for name, value in request.raw_headers:
        # A name with an underscore could be taken for another header's.
        if b"_" not in name:
            _add_header(environ, name.decode("latin-1"), value.decode("latin-1"))
    return environ


def _address(request: web.BaseRequest, end: str) -> tuple[str, str]:
    """Host and port of one end of the connection, empty if it has just been lost."""
    address = None if request.transport is None else request.transport.get_extra_info(end)
    return (str(address[0]), str(address[1])) if address else ("", "")


def _add_header(environ: dict[str, Any], name: str, value: str) -> None:
    key = name.upper().replace("-", "_")
    if key not in {"CONTENT_TYPE", "CONTENT_LENGTH"}:
        key = f"HTTP_{key}"
    separator = "; " if key == "HTTP_COOKIE" else ","
    environ[key] = f"{environ[key]}{separator}{value}" if key in environ else value


def _origin_form(target: str) -> str:
    """The path and query of a request's target, which may be a whole URL (RFC 9112, 3.2.2)."""
    if target.startswith("/"):
        return target
    parts = urlsplit(target)
    return (parts.path or "/") + (f"?{parts.query}" if parts.query else "")


def _is_whole(environ: dict[str, Any], status: str, headers: Headers) -> bool:
    if environ["REQUEST_METHOD"] == "HEAD" or status[:3] in {"204", "304"}:
        return True
    return any(name.lower() == "content-length" for name, _ in headers)
