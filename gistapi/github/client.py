"""The only module that sends requests to GitHub: its limits and redirects."""

from __future__ import annotations

import time
from collections.abc import AsyncGenerator, AsyncIterator, Mapping
from contextlib import AbstractAsyncContextManager, asynccontextmanager, suppress
from http import HTTPStatus
from math import inf

from gistapi.aio.scope import Scope, UsageMeter
from gistapi.errors import GithubError
from gistapi.events import Observer, Resource
from gistapi.github import api
from gistapi.github.exchange import Exchange, Request
from gistapi.github.host_limits import Host, HostLimits, Permit
from gistapi.github.http import CHUNK_BYTES, Answer, Http, TransientError
from gistapi.github.retries import LimitedError, Retries
from gistapi.github.shared_limits import SharedLimits, Waits
from gistapi.github.url_policy import API_KINDS, Kind, Origin, UrlPolicy, redirected

__all__ = ["CHUNK_BYTES", "Client", "LimitedError", "Response", "Retries", "TransientError"]

MAX_REDIRECTS = 5
ERROR_BODY_BYTES = 64 * 1024
USER_AGENT = "gistapi"


class Response:
    """An answer whose body is still to be read; `url` is where it came from, redirects followed."""

    def __init__(self, answer: Answer, url: str, meter: UsageMeter) -> None:
        self.url = url
        self.status = answer.status
        self.headers = answer.headers
        self._answer = answer
        self._meter = meter
        self._error_body: bytes | None = None

    async def next_chunk(self) -> bytes:
        """The next decoded bytes, at most 64 KiB; b"" at the end of a complete body.

        Raises TransientError where the body breaks, ByteQuotaError when the caller's quota is used
        up.
        """
        chunk = await self._answer.next_chunk()
        if chunk:
            self._meter.spend_bytes(len(chunk))
        return chunk

    async def chunks(self) -> AsyncGenerator[bytes]:
        """The decoded body in pieces of at most 64 KiB, as they come; raises as `next_chunk`."""
        while chunk := await self.next_chunk():
            yield chunk

    async def read(self, max_bytes: int) -> bytes:
        """The decoded body; raises GithubError when it is larger than `max_bytes`."""
        body = bytearray()
        while chunk := await self.next_chunk():
            body += chunk
            if len(body) > max_bytes:
                raise GithubError(f"GitHub answered more than {max_bytes} bytes.")
        return bytes(body)

    async def read_error(self) -> bytes:
        """The beginning of a body that is not worth more; reading it again gives the same.

        The client itself has read that of every answer from 400 on.
        """
        if self._error_body is None:
            body = bytearray()
            with suppress(TransientError):
                while len(body) < ERROR_BODY_BYTES and (chunk := await self.next_chunk()):
                    body += chunk
            self._error_body = bytes(body)
        return self._error_body

    async def error_message(self) -> str:
        """GitHub's message about a failure."""
        return api.error_message(self.status, self.headers, await self.read_error())


RESOURCES: dict[Kind, Resource] = {
    "list": "api",
    "gist": "api",
    "graphql": "graphql",
    "raw": "raw",
    "git": "git",
}
"""What GitHub limits separately."""


class Client:
    """Sends requests to GitHub's API and content hosts, and to no other host. For one loop.

    `api_url` is an origin, perhaps with a path; `content_hosts` are `host` or `host:port`. The
    token, or the caller's in its place, goes to the API's origin alone. Building one opens nothing.
    `waits` shares the hosts' waits with other instances.

    Each request takes a place of `scope.lane` while it runs; waits take none.
    """

    def __init__(
        self,
        *,
        api_url: str,
        content_hosts: tuple[str, ...],
        token: str | None,
        timeout_seconds: float,
        concurrency_total: int,
        observe: Observer,
        waits: Waits | None = None,
    ) -> None:
        self.api_url = api_url.rstrip("/")
        self.graphql_url = _graphql_url(self.api_url)
        self._shared = None if waits is None else SharedLimits(waits, token)
        refused = (lambda *_: None) if self._shared is None else self._shared.share
        self.limits = HostLimits(observe, concurrency_total, refused)
        self._policy = UrlPolicy(api_url, content_hosts)
        self._token = token
        self._observe = observe
        self._http = Http(timeout_seconds)

    def has_token(self, scope: Scope) -> bool:
        """Whether requests to the API carry a token."""
        return bool(scope.caller_token or self._token)

    async def close(self) -> None:
        """Close the idle connections."""
        if self._shared is not None:
            self._shared.close()
        await self._http.close()

    def host(self, url: str, kind: Kind, scope: Scope) -> Host:
        """What the host of `url` allows; raises IncompleteError `host_not_allowed`."""
        return self._host(self._policy.allowed(url, kind), kind, scope)

    @asynccontextmanager
    async def get(
        self,
        url: str,
        *,
        kind: Kind,
        scope: Scope,
        headers: Mapping[str, str],
        max_wait_seconds: float = inf,
    ) -> AsyncIterator[Response]:
        """One GET, its redirects followed; the answer has any status below 500 that is no limit.

        A host that asked for a wait is waited for, or is a LimitedError if that is longer than
        `max_wait_seconds`.

        Raises TransientError (and its kind LimitedError) where another try may help,
        GithubRateLimitedError when the host must not be asked before `scope.ends_at`, GithubError
        where nothing will help, RateLimitedError and ByteQuotaError when the caller's quota is
        used up, and IncompleteError `host_not_allowed`.
        """
        for _ in range(MAX_REDIRECTS + 1):
            request = self._made(url, kind, scope, headers, None)
            async with self._request(request, scope, max_wait_seconds) as response:
                location = response.headers.get("Location")
                if response.status not in {301, 302, 303, 307, 308} or not location:
                    yield response
                    return
                await response.read_error()
            url = redirected(url, location)
        raise GithubError("GitHub redirected too often.")

    def post(
        self,
        url: str,
        *,
        kind: Kind,
        scope: Scope,
        headers: Mapping[str, str],
        body: bytes,
        max_wait_seconds: float = inf,
    ) -> AbstractAsyncContextManager[Response]:
        """One POST, as `get` but for redirects: they are an answer like any other."""
        request = self._made(url, kind, scope, headers, body)
        return self._request(request, scope, max_wait_seconds)

    def _made(
        self, url: str, kind: Kind, scope: Scope, headers: Mapping[str, str], body: bytes | None
    ) -> Request:
        origin = self._policy.allowed(url, kind)
        sent = {"User-Agent": USER_AGENT, "Accept-Encoding": "gzip", **headers}
        if kind in API_KINDS and (token := scope.caller_token or self._token):
            sent["Authorization"] = f"Bearer {token}"
        return Request(url, origin, kind, sent, body)

    @asynccontextmanager
    async def _request(
        self, request: Request, scope: Scope, max_wait_seconds: float
    ) -> AsyncIterator[Response]:
        """Send a request when its host and its lane have a place for it."""
        host = self._host(request.origin, request.kind, scope)
        while True:
            if self._shared is not None:
                await self._shared.learn(self.limits.own())
            if (seconds := host.wait_seconds()) > max_wait_seconds:
                raise LimitedError("GitHub asked for a wait.", retry_after_seconds=seconds)
            await host.wait(scope.ends_at)
            async with host.throttle.place(scope.lane):
                if host.wait_seconds() > 0:
                    continue  # the host refused another request meanwhile
                await host.throttle.keep_pace()
                async with scope.lane.place():
                    permit = host.begin()
                    if permit is None:
                        continue
                    try:
                        scope.meter.spend_request()
                        exchange = Exchange(self._http, self._observe, request, permit)
                        async with exchange as answer:
                            response = Response(answer, request.url, scope.meter)
                            await _raise_for_failure(permit, response)
                            yield response
                            return
                    finally:
                        permit.release()

    def _host(self, origin: Origin, kind: Kind, scope: Scope) -> Host:
        callers = scope.caller_token if kind in API_KINDS else None
        return self.limits.host(origin.netloc, RESOURCES[kind], callers)


async def _raise_for_failure(permit: Permit, response: Response) -> None:
    """Raise for limits and for the server's failures; remember limits."""
    status = response.status
    body = await response.read_error() if status >= HTTPStatus.BAD_REQUEST else b""
    wait = permit.note(status, response.headers, body)
    if wait is not None:
        raise LimitedError(await response.error_message(), status, wait)
    if status == HTTPStatus.REQUEST_TIMEOUT or status >= HTTPStatus.INTERNAL_SERVER_ERROR:
        wait = api.retry_after(response.headers, time.time()) or 0.0
        raise TransientError(await response.error_message(), status, wait)


def _graphql_url(api_url: str) -> str:
    """Where GraphQL is: on Enterprise Server beside the REST API, not below it."""
    if api_url.endswith("/api/v3"):
        return api_url.removesuffix("/v3") + "/graphql"
    return f"{api_url}/graphql"
