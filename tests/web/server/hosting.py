"""The HTTP server with an application of the test's, and bare connections to it."""

from __future__ import annotations

import asyncio
import socket
import threading
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from typing import Any

from gistapi.web.server import Bounds, HttpServer, WsgiApp

SECONDS = 30
ROOMY = Bounds(100, 100)
GET = b"GET %s HTTP/1.1\r\nHost: x\r\n\r\n"
CLOSE = b"Connection: close\r\n"
POST = b"POST / HTTP/1.1\r\nHost: x\r\n" + CLOSE


@dataclass
class Host:
    """A running server, on an event loop in a thread."""

    port: int
    server: HttpServer
    loop: asyncio.AbstractEventLoop

    def connect(self, sent: bytes = b"", *, buffer: int | None = None) -> socket.socket:
        """A connection over which `sent` was sent; `buffer` bounds the kernel's receive buffer."""
        connection = socket.socket()
        if buffer is not None:
            connection.setsockopt(socket.SOL_SOCKET, socket.SO_RCVBUF, buffer)
        connection.settimeout(SECONDS)
        connection.connect(("127.0.0.1", self.port))
        connection.sendall(sent)
        return connection

    def ask(self, sent: bytes, *, end: bool = False) -> bytes:
        """Send, and return all that is received until the end; `end` closes the sending side."""
        with self.connect(sent) as connection:
            if end:
                connection.shutdown(socket.SHUT_WR)
            return everything(connection)

    def call(self, coroutine: Any) -> Any:
        """Run a coroutine on the server's loop."""
        return asyncio.run_coroutine_threadsafe(coroutine, self.loop).result(SECONDS)


def everything(connection: socket.socket) -> bytes:
    """Read until the connection ends, however it ends."""
    received = b""
    try:
        while data := connection.recv(65536):
            received += data
    except ConnectionResetError:
        pass
    return received


@contextmanager
def hosting(app: WsgiApp, *, bounds: Bounds = ROOMY, threads: int = 4) -> Iterator[Host]:
    """Serve an application."""
    listener = socket.create_server(("127.0.0.1", 0))
    loop = asyncio.new_event_loop()
    thread = threading.Thread(target=loop.run_forever)
    thread.start()
    host = Host(listener.getsockname()[1], HttpServer(app, threads=threads, bounds=bounds), loop)
    try:
        host.call(host.server.start(listener))
        yield host
        loop.call_soon_threadsafe(host.server.stop_accepting)
        host.call(host.server.close(0.1))
    finally:
        loop.call_soon_threadsafe(loop.stop)
        thread.join()
        loop.close()


def plain(body: bytes) -> WsgiApp:
    """An application that answers every request with this body."""

    def app(_environ: dict[str, Any], start_response: Any) -> list[bytes]:
        start_response("200 OK", [("Content-Length", str(len(body)))])
        return [body]

    return app
