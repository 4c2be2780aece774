"""The one way to GitHub: which hosts may be asked, with which headers and within which limits."""

from __future__ import annotations

from collections.abc import Mapping
from math import inf

from gistapi.aio.scope import Scope
from gistapi.events import Observer, Resource
from gistapi.github.bodies import Bodies
from gistapi.github.exchange import Exchange, Request
from gistapi.github.host_limits import Host, HostLimits
from gistapi.github.http import CHUNK_BYTES, Http, TransientError
from gistapi.github.response import Response
from gistapi.github.retries import LimitedError, Retries
from gistapi.github.shared_limits import SharedLimits, Waits
from gistapi.github.url_policy import API_KINDS, Kind, Origin, UrlPolicy

__all__ = ["CHUNK_BYTES", "Client", "LimitedError", "Response", "Retries", "TransientError"]

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
        self.shared = None if waits is None else SharedLimits(waits, token)
        refused = (lambda *_: None) if self.shared is None else self.shared.share
        self.limits = HostLimits(observe, concurrency_total, refused)
        self.policy = UrlPolicy(api_url, content_hosts)
        self._token = token
        self.observe = observe
        self.http = Http(timeout_seconds)
        self.bodies = Bodies()

    def has_token(self, scope: Scope) -> bool:
        """Whether requests to the API carry a token."""
        return bool(scope.caller_token or self._token)

    async def close(self) -> None:
        """Close the idle connections, end the thread."""
        self.bodies.close()
        if self.shared is not None:
            self.shared.close()
        await self.http.close()

    def host(self, url: str, kind: Kind, scope: Scope) -> Host:
        """What the host of `url` allows; raises IncompleteError `host_not_allowed`."""
        return self.host_at(self.policy.allowed(url, kind), kind, scope)

    def host_at(self, origin: Origin, kind: Kind, scope: Scope) -> Host:
        """What the host of an allowed origin allows."""
        callers = scope.caller_token if kind in API_KINDS else None
        return self.limits.host(origin.netloc, RESOURCES[kind], callers)

    def get(
        self,
        url: str,
        *,
        kind: Kind,
        scope: Scope,
        headers: Mapping[str, str],
        max_wait_seconds: float = inf,
    ) -> Exchange:
        """One GET, its redirects followed; the answer has any status below 500 that is no limit.

        A host that asked for a wait is waited for, or is a LimitedError if that is longer than
        `max_wait_seconds`.

        Raises TransientError (and its kind LimitedError) where another try may help,
        GithubRateLimitedError when the host must not be asked before `scope.ends_at`, GithubError
        where nothing will help, RateLimitedError and ByteQuotaError when the caller's quota is
        used up, and IncompleteError `host_not_allowed`.
        """
        return Exchange(self, Request(url, kind, scope, headers, None, max_wait_seconds))

    def post(
        self,
        url: str,
        *,
        kind: Kind,
        scope: Scope,
        headers: Mapping[str, str],
        body: bytes,
        max_wait_seconds: float = inf,
    ) -> Exchange:
        """One POST, as `get` but for redirects: they are an answer like any other."""
        return Exchange(self, Request(url, kind, scope, headers, body, max_wait_seconds))

    def headers(self, request: Request) -> Mapping[str, str]:
        """What a request is sent with, the token for the API's origin included."""
        if request.kind in API_KINDS and (token := request.scope.caller_token or self._token):
            return {**request.headers, "Authorization": f"Bearer {token}"}
        return request.headers


def _graphql_url(api_url: str) -> str:
    """Where GraphQL is: on Enterprise Server beside the REST API, not below it."""
    if api_url.endswith("/api/v3"):
        return api_url.removesuffix("/v3") + "/graphql"
    return f"{api_url}/graphql"
