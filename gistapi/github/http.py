"""HTTP by aiohttp, without policies of its own: one request, one answer.

No `.netrc`, no cookies, no redirects, no second try of a request on a new connection. A body is
decompressed here, with a bound, and complete or an error. A connection is used again only if
nothing on it is unread.
"""

from __future__ import annotations

import asyncio
import ssl
from collections.abc import Mapping

import aiohttp
from aiohttp.connector import Connection
from yarl import URL

from gistapi.errors import GithubError, SettingsError
from gistapi.github.content_coding import CODINGS, Decompressor
from gistapi.github.environment import proxy_of, tls_context
from gistapi.github.http_errors import SilenceError, TransientError, mapped_errors

__all__ = ["CHUNK_BYTES", "Answer", "Http", "SilenceError", "TransientError"]

CHUNK_BYTES = 64 * 1024
KEEP_SECONDS = 30.0
"""How long an idle connection is kept."""
MAX_STRAYS = 100
SLOWEST_BYTES = 1024
"""Fewer bytes within one timeout count as silence."""


class Answer:
    """An answer whose body is still to be read; `received` counts the bytes as they were sent."""

    def __init__(self, raw: aiohttp.ClientResponse, silence_seconds: float) -> None:
        self.status = raw.status
        self.headers: Mapping[str, str] = raw.headers
        self.received = 0
        self._raw = raw
        self._silence_seconds = silence_seconds
        self._slow_since = asyncio.get_running_loop().time()
        self._slow_from = 0
        self._decompressor = _decompressor(self.headers)

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
        self._raw.close()

    @property
    def is_over(self) -> bool:
        """Whether the whole body was returned: there is nothing to wait for or to check."""
        decompressor = self._decompressor
        return self._raw.content.at_eof() and (decompressor is None or decompressor.is_over)

    async def _receive(self) -> bytes:
        """Bytes as they were sent. aiohttp raises for a body that ends before its length."""
        content = self._raw.content
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
        if self.received - self._slow_from < SLOWEST_BYTES and not self._raw.content.at_eof():
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
    """Sends requests from the loop that it is first used on; building one opens nothing.

    `timeout_seconds` bounds connecting, the wait for an answer's head, and each silence in its
    body.
    """

    def __init__(self, timeout_seconds: float) -> None:
        self._timeout_seconds = timeout_seconds
        self._timeout = aiohttp.ClientTimeout(
            total=None,
            connect=timeout_seconds,
            sock_connect=timeout_seconds,
            sock_read=timeout_seconds,
        )
        self._connector: aiohttp.TCPConnector | None = None
        self._ways: dict[str, tuple[URL | None, ssl.SSLContext | bool]] = {}
        self._tls: ssl.SSLContext | None = None

    async def send(
        self, url: str, origin: str, headers: Mapping[str, str], body: bytes | None
    ) -> Answer:
        """The answer to one request, its head read, to be closed: a POST if there is a body.

        `url` lies in `origin` and is sent byte for byte; `headers` are all but `Host` and
        `Content-Length`, with `User-Agent`, `Accept` and `Accept-Encoding`. Raises GithubError for
        what another try would meet again, else TransientError.
        """
        way = self._ways.get(origin)
        proxy, tls = way if way is not None else self._way_to(origin)
        with mapped_errors():
            request = aiohttp.ClientRequest(
                "GET" if body is None else "POST",
                URL(url, encoded=True),
                headers=headers,
                data=body,
                loop=asyncio.get_running_loop(),
                proxy=proxy,
                ssl=tls,
            )
            raw = await self._begun(request, await self._connection(request))
        try:
            return Answer(raw, self._timeout_seconds)
        except TransientError:
            raw.close()
            raise

    async def _connection(self, request: aiohttp.ClientRequest) -> Connection:
        """A connection that is ready for a request, an idle one if there is one.

        Never one that got bytes while it was idle: they would be taken for the answer.
        """
        connector = self._connector
        if connector is None:
            connector = aiohttp.TCPConnector(limit=0, keepalive_timeout=KEEP_SECONDS)
            self._connector = connector
        for _ in range(MAX_STRAYS):
            try:
                connection = await connector.connect(request, [], self._timeout)
            except TimeoutError as error:
                raise aiohttp.ConnectionTimeoutError(str(request.url)) from error
            protocol = connection.protocol
            if protocol is not None and not protocol.should_close:
                protocol.set_response_params(read_until_eof=True, auto_decompress=False)
                return connection
            connection.close()
        raise aiohttp.ClientConnectionError("every connection has unread bytes")

    async def _begun(
        self, request: aiohttp.ClientRequest, connection: Connection
    ) -> aiohttp.ClientResponse:
        """Send a request and read the head of its answer.

        aiohttp's session would do the same, and more that is not wanted here: a second try when a
        kept connection breaks, cookies, redirects, three timers.
        """
        raw = None
        try:
            async with asyncio.timeout(self._timeout_seconds):
                raw = await request.send(connection)
                await raw.start(connection)
        except BaseException:
            (raw or connection).close()
            raise
        return raw

    def _way_to(self, origin: str) -> tuple[URL | None, ssl.SSLContext | bool]:
        """The proxy for an origin and the certificates to trust, looked up once."""
        try:
            proxy = proxy_of(origin)
            if self._tls is None and "https://" in {origin[:8], (proxy or "")[:8]}:
                self._tls = tls_context()
        except SettingsError as error:
            raise GithubError(f"GitHub cannot be reached: {error}") from error
        way = URL(proxy) if proxy else None, True if self._tls is None else self._tls
        self._ways[origin] = way
        return way

    async def close(self) -> None:
        """Close the idle connections. The next request opens new ones."""
        connector, self._connector = self._connector, None
        if connector is not None:
            await connector.close()
