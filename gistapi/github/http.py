"""HTTP without policies of its own: one request, one answer.

aiohttp provides the connections and the parser. Its session is not used, since cookies, `.netrc`,
redirects and a second try on a broken connection would have to be switched off. A body is
decompressed here, within a bound, and is complete or an error. A connection is used again only if
nothing on it is unread.
"""

from __future__ import annotations

import asyncio
from collections.abc import Mapping
from http import HTTPStatus

import aiohttp
from aiohttp.client_proto import ResponseHandler
from aiohttp.connector import Connection
from aiohttp.http import RawResponseMessage

from gistapi.github.connection_pool import ConnectionPool
from gistapi.github.content_coding import CODINGS, Decompressor
from gistapi.github.http_errors import SilenceError, TransientError, mapped_errors

__all__ = ["CHUNK_BYTES", "Answer", "Http", "SilenceError", "TransientError"]

CHUNK_BYTES = 64 * 1024
SLOWEST_BYTES = 1024
"""Fewer bytes within one timeout count as silence."""


class Answer:
    """An answer whose body is still to be read; `received` counts the bytes as they were sent."""

    def __init__(
        self,
        connection: Connection,
        head: RawResponseMessage,
        content: aiohttp.StreamReader,
        silence_seconds: float,
    ) -> None:
        self.status = head.code
        self.headers: Mapping[str, str] = head.headers
        self.received = 0
        self._connection = connection
        self._content = content
        self._silence_seconds = silence_seconds
        self._slow_since = asyncio.get_running_loop().time()
        self._slow_from = 0
        self._decompressor = _decompressor(self.headers)
        content.on_eof(connection.release)  # kept for another request

    async def next_chunk(self) -> bytes:
        """The next decoded bytes, at most CHUNK_BYTES; b"" at the end of a complete body.

        Raises SilenceError and TransientError.
        """
        decompressor = self._decompressor
        if decompressor is None:
            return await self._receive()
        with mapped_errors():
            while not (chunk := decompressor.next()):
                received = await self._receive()
                if not received:
                    decompressor.end()
                    return b""
                decompressor.feed(received)
        return chunk

    def close(self) -> None:
        """Close the connection, unless the answer was read to its end. Idempotent."""
        self._connection.close()

    @property
    def is_over(self) -> bool:
        """Whether the whole body was returned: there is nothing to wait for or to check."""
        decompressor = self._decompressor
        return self._content.at_eof() and (decompressor is None or decompressor.is_over)

    async def _receive(self) -> bytes:
        """Bytes as they were sent. aiohttp raises for a body that ends before its length."""
        content = self._content
        with mapped_errors():
            chunk = content.read_nowait(CHUNK_BYTES)  # a small body comes with its head
            if not chunk and not content.at_eof():
                async with asyncio.timeout(self._silence_seconds):
                    chunk = await content.read(CHUNK_BYTES)
        self.received += len(chunk)
        self._check_pace()
        return chunk

    def _check_pace(self) -> None:
        """Raise SilenceError for a body that drips."""
        now = asyncio.get_running_loop().time()
        if now - self._slow_since < self._silence_seconds:
            return
        if self.received - self._slow_from < SLOWEST_BYTES and not self._content.at_eof():
            raise SilenceError("GitHub sent next to nothing within the timeout.")
        self._slow_since, self._slow_from = now, self.received


def _decompressor(headers: Mapping[str, str]) -> Decompressor | None:
    coding = headers.get("Content-Encoding", "").strip().lower()
    if coding in {"", "identity"}:
        return None
    if coding not in CODINGS:
        raise TransientError("GitHub's answer could not be read: its encoding is unknown.")
    return Decompressor(coding, CHUNK_BYTES)


class Http:
    """Sends requests on the loop that first uses it; building one opens nothing.

    `timeout_seconds` bounds connecting, the wait for an answer's head, and each silence in its
    body.
    """

    def __init__(self, timeout_seconds: float) -> None:
        self._timeout_seconds = timeout_seconds
        self._pool = ConnectionPool(timeout_seconds)

    async def send(
        self, url: str, origin: str, headers: Mapping[str, str], body: bytes | None
    ) -> Answer:
        """The answer to one request, its head read, to be closed: a POST if there is a body.

        `url` lies in `origin` and is sent byte for byte; `headers` are all but `Host` and
        `Content-Length`. Raises GithubError for what another try would meet again, else
        TransientError.
        """
        with mapped_errors():
            route = self._pool.route_to(origin)
            connection, protocol, transport = await self._pool.take(route)
            try:
                transport.write(route.head(url, headers, body) + (body or b""))
                async with asyncio.timeout(self._timeout_seconds):
                    head, content = await _final(protocol)
                return Answer(connection, head, content, self._timeout_seconds)
            except BaseException:
                connection.close()
                raise

    async def close(self) -> None:
        """Close the idle connections. The next request opens new ones."""
        await self._pool.close()


async def _final(protocol: ResponseHandler) -> tuple[RawResponseMessage, aiohttp.StreamReader]:
    """The head and the body of the first answer that is not an interim one."""
    while True:
        head, content = await protocol.read()
        if head.code >= HTTPStatus.OK or head.code == HTTPStatus.SWITCHING_PROTOCOLS:
            return head, content
