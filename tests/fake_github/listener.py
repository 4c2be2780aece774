"""A loopback port that can accept connections, refuse them, and accept them again."""

from __future__ import annotations

import asyncio
import socket

from tests.fake_github.server import Connection, Site

_HOST = "127.0.0.1"
_BACKLOG = 1024
# a small send buffer: the server's count of bytes sent is close to what the client has read
_SEND_BUFFER_BYTES = 65536


class Listener:
    """Keeps a port reserved; connections are refused while it is closed."""

    def __init__(self, port: int) -> None:
        self._socket = _bound(port)
        self._server: asyncio.Server | None = None
        self.port: int = self._socket.getsockname()[1]
        self.address = f"{_HOST}:{self.port}"

    async def open(self, site: Site) -> None:
        """Accept connections."""
        loop = asyncio.get_running_loop()
        self._server = await loop.create_server(
            lambda: Connection(site), sock=self._socket, backlog=_BACKLOG
        )

    async def refuse(self, site: Site) -> None:
        """Accept no more connections and close those that are open; the port stays reserved."""
        await self.close(site)
        self._socket = _bound(self.port)

    async def close(self, site: Site) -> None:
        """Release the port; all connections are closed when this returns."""
        if self._server is not None:
            self._server.close()
        self._socket.close()
        for connection in list(site.live):
            await connection.abort()


def _bound(port: int) -> socket.socket:
    # bound and not listening: the system refuses connections
    # asyncio turns Nagle's algorithm off only for a socket that is TCP by name; with it on, a body
    # written apart from its head is 40 ms late
    sock = socket.socket(socket.AF_INET, socket.SOCK_STREAM, socket.IPPROTO_TCP)
    sock.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)
    sock.setsockopt(socket.SOL_SOCKET, socket.SO_SNDBUF, _SEND_BUFFER_BYTES)
    sock.bind((_HOST, port))
    return sock
