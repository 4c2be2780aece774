"""aiohttp's connections to origins, with the environment's proxies and certificates."""

from __future__ import annotations

import asyncio
import re
import ssl
from collections.abc import Mapping
from typing import NamedTuple

import aiohttp
from aiohttp.client_proto import ResponseHandler
from aiohttp.connector import Connection
from yarl import URL

from gistapi.errors import GithubError, SettingsError
from gistapi.github.environment import proxy_of, tls_context

KEEP_SECONDS = 30.0
"""How long an idle connection is kept."""
MAX_STRAYS = 100
PATH = re.compile(r"\w+://[^/?#]*([^#]*)")
PROXY_HEADER = "Proxy-Authorization"


class OriginRoute(NamedTuple):
    """How an origin is reached.

    `request` describes that to aiohttp and is never sent. `target` precedes the path in a request
    line: the origin where a proxy forwards plain HTTP, else nothing.
    """

    request: aiohttp.ClientRequest
    target: str

    def head(self, url: str, headers: Mapping[str, str], body: bytes | None) -> bytes:
        """The head of a request (RFC 9112): of a POST if there is a body, else of a GET.

        Call it after `ConnectionPool.take`, which adds the proxy's header to `request`. Raises
        GithubError for a header of more than one line.
        """
        found = PATH.match(url)
        path = found[1] if found else ""
        slash = "" if path.startswith("/") else "/"
        own = self.request.headers
        sent = {"Host": own["Host"], **headers}
        if PROXY_HEADER in own:
            sent[PROXY_HEADER] = own[PROXY_HEADER]
        if body is not None:
            sent["Content-Length"] = str(len(body))
        method = "GET" if body is None else "POST"
        lines = [f"{method} {self.target}{slash}{path} HTTP/1.1"]
        lines += [f"{name}: {value}" for name, value in sent.items()]
        text = "\r\n".join(lines)
        if len(text.splitlines()) != len(lines):
            raise GithubError("GitHub cannot be asked: a header has more than one line.")
        return f"{text}\r\n\r\n".encode()


class ConnectionPool:
    """Connections on the loop that first uses them; building the pool opens nothing."""

    def __init__(self, timeout_seconds: float) -> None:
        self._timeout = aiohttp.ClientTimeout(
            total=None,
            connect=timeout_seconds,
            sock_connect=timeout_seconds,
            sock_read=timeout_seconds,
        )
        self._connector: aiohttp.TCPConnector | None = None
        self._routes: dict[str, OriginRoute] = {}
        self._tls: ssl.SSLContext | None = None

    def route_to(self, origin: str) -> OriginRoute:
        """How to reach an origin; looked up once. Raises GithubError for an unusable proxy."""
        route = self._routes.get(origin)
        if route is None:
            route = self._routes[origin] = self._route_to(origin)
        return route

    def _route_to(self, origin: str) -> OriginRoute:
        """Read the proxy for an origin and the certificates to trust from the environment."""
        is_secure = origin.startswith("https:")
        try:
            proxy = proxy_of(origin)
            if self._tls is None and (is_secure or (proxy or "").startswith("https:")):
                self._tls = tls_context()
        except SettingsError as error:
            raise GithubError(f"GitHub cannot be reached: {error}") from error
        request = aiohttp.ClientRequest(
            "GET",
            URL(f"{origin}/", encoded=True),
            loop=asyncio.get_running_loop(),
            proxy=URL(proxy) if proxy else None,
            ssl=True if self._tls is None else self._tls,
        )
        return OriginRoute(request, origin if proxy and not is_secure else "")

    async def take(
        self, route: OriginRoute
    ) -> tuple[Connection, ResponseHandler, asyncio.Transport]:
        """A connection for one request, an idle one if there is one.

        Never one that received bytes while it was idle: they would be taken for the answer.
        """
        connector = self._connector
        if connector is None:
            connector = aiohttp.TCPConnector(limit=0, keepalive_timeout=KEEP_SECONDS)
            self._connector = connector
        for _ in range(MAX_STRAYS):
            try:
                connection = await connector.connect(route.request, [], self._timeout)
            except TimeoutError as error:
                raise aiohttp.ConnectionTimeoutError(str(route.request.url)) from error
            protocol, transport = connection.protocol, connection.transport
            if protocol is not None and transport is not None and not protocol.should_close:
                protocol.set_response_params(read_until_eof=True, auto_decompress=False)
                return connection, protocol, transport
            connection.close()
        raise aiohttp.ClientConnectionError("every connection has unread bytes")

    async def close(self) -> None:
        """Close the idle connections. The next request opens new ones."""
        connector, self._connector = self._connector, None
        if connector is not None:
            await connector.close()
