"""HTTP by aiohttp, without policies of its own: one request, one answer.

No `.netrc`, no cookies, no redirects, no second try of a request on a new connection. A body is
decompressed here, with a bound, and complete or an error. A connection is used again only if
nothing on it is unread.
"""

from __future__ import annotations

import asyncio
import ssl
from collections.abc import Mapping
from typing import Any

import aiohttp
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
HEADERS = {"User-Agent": "gistapi", "Accept": "*/*", "Accept-Encoding": "gzip"}
"""Sent unless a request has its own."""
SLOWEST_BYTES = 1024
"""Fewer bytes within one timeout count as silence."""


class Answer:
    """An answer whose body is still to be read; `received` counts the bytes as they were sent.

    `is_complete` is true once `next_chunk` has returned all of a complete body.
    """

    def __init__(self, raw: aiohttp.ClientResponse, silence_seconds: float) -> None:
        self.status = raw.status
        self.headers: Mapping[str, str] = raw.headers
        self.received = 0
        self.is_complete = False
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
        with mapped_errors():
            if decompressor is None:
                chunk = await self._receive()
                self.is_complete = self._raw.content.at_eof()
                return chunk
            while not (chunk := decompressor.next()):
                received = await self._receive()
                if not received:
                    decompressor.end()
                    return b""
                decompressor.feed(received)
            self.is_complete = decompressor.is_complete and self._raw.content.at_eof()
            return chunk

    def close(self) -> None:
        """Close the connection, unless the answer was read to its end. Idempotent."""
        self._raw.close()

    async def _receive(self) -> bytes:
        """Bytes as they were sent. aiohttp raises for a body that ends before its length."""
        chunk = await self._raw.content.read(CHUNK_BYTES)
        self.received += len(chunk)
        self._check_pace()
        return chunk

    def _check_pace(self) -> None:
        """Raise SilenceError for a body that drips. aiohttp bounds the time without any byte."""
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

    `timeout_seconds` bounds connecting and each silence of the server.
    """

    def __init__(self, timeout_seconds: float) -> None:
        self._timeout_seconds = timeout_seconds
        self._session: aiohttp.ClientSession | None = None
        self._proxies: dict[str, str | None] = {}
        self._tls: ssl.SSLContext | None = None

    async def send(
        self, url: str, origin: str, headers: Mapping[str, str], body: bytes | None
    ) -> Answer:
        """The answer to one request, its head read, to be closed: a POST if there is a body.

        `url` lies in `origin` and is sent byte for byte. Raises GithubError for what another try
        would meet again, else TransientError.
        """
        session = self._session or self._open()
        proxy, tls = self._way_to(origin)
        # aiohttp bounds connecting and each silence; this bounds a head that drips.
        with mapped_errors():
            async with asyncio.timeout(3 * self._timeout_seconds):
                raw = await session.request(
                    "GET" if body is None else "POST",
                    URL(url, encoded=True),
                    headers=headers,
                    data=body,
                    proxy=proxy,
                    ssl=tls,
                    allow_redirects=False,
                )
        try:
            return Answer(raw, self._timeout_seconds)
        except TransientError:
            raw.close()
            raise

    def _way_to(self, origin: str) -> tuple[str | None, ssl.SSLContext | bool]:
        """The proxy for an origin and the certificates to trust, each looked up once."""
        try:
            if origin not in self._proxies:
                self._proxies[origin] = proxy_of(origin)
            proxy = self._proxies[origin]
            if self._tls is None and "https://" in {origin[:8], (proxy or "")[:8]}:
                self._tls = tls_context()
        except SettingsError as error:
            raise GithubError(f"GitHub cannot be reached: {error}") from error
        return proxy, True if self._tls is None else self._tls

    def _open(self) -> aiohttp.ClientSession:
        self._session = aiohttp.ClientSession(
            connector=_Connector(limit=0, keepalive_timeout=KEEP_SECONDS),
            cookie_jar=aiohttp.DummyCookieJar(),
            timeout=aiohttp.ClientTimeout(
                total=None,
                connect=self._timeout_seconds,
                sock_connect=self._timeout_seconds,
                sock_read=self._timeout_seconds,
            ),
            auto_decompress=False,
            headers=HEADERS,
            middlewares=(_once,),
        )
        return self._session

    async def close(self) -> None:
        """Close the idle connections. The next request opens new ones."""
        session, self._session = self._session, None
        if session is not None:
            await session.close()


async def _once(
    request: aiohttp.ClientRequest, handler: aiohttp.ClientHandlerType
) -> aiohttp.ClientResponse:
    """Map errors where aiohttp does not see them yet.

    Else it would send a request again by itself when a kept connection breaks, uncounted.
    """
    with mapped_errors():
        return await handler(request)


class _Connector(aiohttp.TCPConnector):
    """Never hands out a connection that got bytes while it was idle.

    They would be taken for the answer to the next request.
    """

    async def connect(self, *args: Any, **kwargs: Any) -> Any:  # noqa: ANN401 - passed on
        for _ in range(MAX_STRAYS):
            connection = await super().connect(*args, **kwargs)
            if connection.protocol is None or not connection.protocol.should_close:
                return connection
            connection.close()
        raise aiohttp.ClientConnectionError("every connection has unread bytes")
