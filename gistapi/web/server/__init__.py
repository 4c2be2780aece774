"""The HTTP server: aiohttp receives requests and sends answers, threads run the WSGI application.

A request holds a thread only while the application works on it. Heads, bodies, slow readers and
silent connections wait on the event loop, each within a bound of time, size and number.
"""

from __future__ import annotations

import asyncio
import socket

from gistapi.web.server.bridge import WsgiApp, WsgiBridge
from gistapi.web.server.connections import Bounds, Connections

__all__ = ["BACKLOG", "Bounds", "HttpServer", "WsgiApp"]

BACKLOG = 1024
"""Connections that the kernel holds until the loop accepts them."""
UNREAD_MS = 20_000
"""The kernel ends a connection whose client has acknowledged nothing for this long."""


class HttpServer:
    """Serves one WSGI application on one listening socket. For one event loop."""

    def __init__(self, app: WsgiApp, *, threads: int, bounds: Bounds) -> None:
        self._bridge = WsgiBridge(app, threads=threads)
        self._bounds = bounds
        self._connections: Connections | None = None
        self._listener: asyncio.Server | None = None

    async def start(self, listener: socket.socket) -> None:
        """Accept connections. Raises RuntimeError if the threads cannot be started."""
        await self._bridge.start()
        option = getattr(socket, "TCP_USER_TIMEOUT", None)
        if option is not None:  # Linux; connections inherit it: tcp(7)
            listener.setsockopt(socket.IPPROTO_TCP, option, UNREAD_MS)
        loop = asyncio.get_running_loop()
        self._connections = Connections(self._bridge.handle, self._bounds)
        self._listener = await loop.create_server(self._connections, sock=listener, backlog=BACKLOG)

    def stop_accepting(self) -> None:
        """Accept no connections and no further requests on those that are open."""
        if self._listener is not None:
            self._listener.close()
        if self._connections is not None:
            self._connections.stop()

    async def close(self, seconds: float) -> None:
        """Wait up to `seconds` for answers in progress, then abort every connection."""
        if self._connections is not None:
            await self._connections.idle(seconds)
            await self._connections.abort()
        self._bridge.close()
