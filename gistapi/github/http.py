"""requests and urllib3, made to stop in time or when called off, with their errors told apart."""

from __future__ import annotations

import http.client
import io
import os
import socket
from collections.abc import Iterator, Mapping
from contextlib import contextmanager, suppress
from contextvars import ContextVar
from dataclasses import dataclass
from functools import partial
from typing import Any
from urllib.parse import urlsplit

import requests
import urllib3
from requests.adapters import HTTPAdapter
from requests.utils import get_environ_proxies

from gistapi.aio.deadline import Deadline
from gistapi.errors import GithubError

waiting_under: ContextVar[Deadline] = ContextVar("waiting_under")
"""The deadline under which this thread asks for an answer."""

MAX_HOSTS = 100
NO_RETRIES = urllib3.Retry(total=False)
"""The first error is raised as it is."""
USELESS = (
    requests.exceptions.InvalidURL,
    requests.exceptions.InvalidSchema,
    requests.exceptions.MissingSchema,
    requests.exceptions.InvalidProxyURL,
    urllib3.exceptions.LocationValueError,
)
"""What another try would meet again."""
FAILURES = (
    requests.RequestException,
    urllib3.exceptions.HTTPError,
    http.client.HTTPException,
    OSError,
)


class TransientError(GithubError):
    """GitHub failed in a way that may be over soon.

    `status` is that of its answer, if there was one; `retry_after_seconds` what it asked for.
    """

    def __init__(
        self, message: str, status: int | None = None, retry_after_seconds: float = 0.0
    ) -> None:
        super().__init__(message)
        self.status = status
        self.retry_after_seconds = retry_after_seconds


@contextmanager
def map_exceptions(deadline: Deadline) -> Iterator[None]:
    """Raise the libraries' errors as ours.

    CancelledError or DeadlineError when the work had to stop, GithubError for what is useless to
    try again, else TransientError.
    """
    try:
        yield
    except GithubError:
        raise
    except Exception as error:
        deadline.check()
        if isinstance(error, USELESS):
            raise GithubError(f"GitHub can't be asked: {type(error).__name__}.") from error
        if isinstance(error, FAILURES):
            raise TransientError(f"GitHub could not be read: {type(error).__name__}.") from error
        raise


@dataclass(frozen=True, slots=True)
class _Route:
    """How an origin is reached; a proxy that only passes on has to be told the whole URL."""

    pool: urllib3.HTTPConnectionPool
    whole_url: bool


class Transport:
    """Sends requests as they are, and keeps `connections` open to each host.

    `REQUESTS_CA_BUNDLE`, `HTTPS_PROXY` and their kin are honoured; neither cookies nor `.netrc` are
    known here, since requests' Session, which would bring them in, is not. requests' adapter says
    how an origin is reached, once; each request then goes to urllib3 directly, which saves a third
    of its processor time.
    """

    def __init__(self, connections: int, timeout_seconds: float) -> None:
        self._adapter = _Adapter(pool_connections=MAX_HOSTS, pool_maxsize=connections)
        self._timeout_seconds = timeout_seconds
        bundle = os.environ.get("REQUESTS_CA_BUNDLE") or os.environ.get("CURL_CA_BUNDLE")
        self._verify: str | bool = bundle or True
        self._routes: dict[str, _Route] = {}

    def send(
        self,
        url: str,
        origin: str,
        headers: Mapping[str, str],
        body: bytes | None,
        deadline: Deadline,
    ) -> urllib3.BaseHTTPResponse:
        """Ask for `url`, which lies in `origin`: a POST if there is a body.

        The answer's headers have come, its body is still to be read. `url` has the bytes that are
        to be sent: nothing is quoted anew. Raises what `map_exceptions` expects.
        """
        route = self._routes.get(origin)
        if route is None:
            route = self._routes[origin] = self._route(origin)
        seconds = max(0.001, min(self._timeout_seconds, deadline.remaining()))
        waiting = waiting_under.set(deadline)
        try:
            return route.pool.urlopen(
                "GET" if body is None else "POST",
                url.partition("#")[0] if route.whole_url else _target(url),
                body=body,
                headers=headers,
                retries=NO_RETRIES,
                redirect=False,
                assert_same_host=False,
                timeout=urllib3.Timeout(connect=seconds, read=seconds),
                preload_content=False,
                decode_content=False,
            )
        finally:
            waiting_under.reset(waiting)

    def _route(self, origin: str) -> _Route:
        request = requests.PreparedRequest()
        request.method, request.url = "GET", f"{origin}/"
        proxies = get_environ_proxies(origin)
        adapter: Any = self._adapter
        pool = adapter.get_connection_with_tls_context(request, self._verify, proxies=proxies)
        adapter.cert_verify(pool, request.url, self._verify, None)
        return _Route(pool, whole_url=adapter.request_url(request, proxies) != "/")

    def close(self) -> None:
        """Close the idle connections."""
        self._routes = {}
        self._adapter.close()


def _target(url: str) -> str:
    """What of a URL is asked of its own origin (RFC 9112, 3.2.1); not two slashes: see requests."""
    parts = urlsplit(url)
    path = f"/{parts.path.lstrip('/')}" if parts.path.startswith("//") else parts.path or "/"
    return f"{path}?{parts.query}" if parts.query else path


def shut(raw: urllib3.BaseHTTPResponse) -> None:
    """End what reads the body of `raw` in another thread."""
    with suppress(OSError, ValueError, RuntimeError):  # it has just been read, or closed
        raw.shutdown()


def _shut_socket(connected: socket.socket) -> None:
    with suppress(OSError, AttributeError):  # TLS inside TLS (an https proxy) has no shutdown
        connected.shutdown(socket.SHUT_RDWR)


class _Incoming(io.RawIOBase):
    """What comes from a socket, waited for until the deadline and no longer.

    The socket's own timeout bounds each silence; this bounds what drips, headers too.
    """

    def __init__(self, raw: io.RawIOBase, connected: socket.socket, deadline: Deadline) -> None:
        self._raw = raw
        self._socket = connected
        self._deadline = deadline

    def readable(self) -> bool:
        return True

    def readinto(self, buffer: Any) -> int | None:  # noqa: ANN401 - any writable buffer
        left = self._deadline.remaining()
        if left < (self._socket.gettimeout() or 0.0):
            self._socket.settimeout(max(0.001, left))
        return self._raw.readinto(buffer)

    def close(self) -> None:
        self._raw.close()
        super().close()


class _Answer(http.client.HTTPResponse):
    """Reads its socket under the deadline of the request that it answers."""

    def __init__(self, sock: socket.socket, *args: Any, **kwargs: Any) -> None:  # noqa: ANN401
        super().__init__(sock, *args, **kwargs)
        raw = self.fp.detach()
        self.fp = io.BufferedReader(_Incoming(raw, sock, waiting_under.get()))


class _Interruptible(http.client.HTTPConnection):
    """Wakes a thread that waits for an answer's headers when its work is called off."""

    response_class = _Answer

    def getresponse(self) -> Any:  # noqa: ANN401 - two libraries' types at once
        with waiting_under.get().on_cancel(partial(_shut_socket, self.sock)):
            return super().getresponse()


class _HTTPConnection(_Interruptible, urllib3.connection.HTTPConnection):
    """Plain."""


class _HTTPSConnection(_Interruptible, urllib3.connection.HTTPSConnection):
    """With TLS."""


class _HTTPPool(urllib3.HTTPConnectionPool):
    ConnectionCls = _HTTPConnection


class _HTTPSPool(urllib3.HTTPSConnectionPool):
    ConnectionCls = _HTTPSConnection


class _Adapter(HTTPAdapter):
    """Builds its pools from the classes above."""

    def init_poolmanager(self, *args: Any, **kwargs: Any) -> None:  # noqa: ANN401 - passed on
        super().init_poolmanager(*args, **kwargs)
        _use_pools(self.poolmanager)

    def proxy_manager_for(self, *args: Any, **kwargs: Any) -> Any:  # noqa: ANN401 - passed on
        manager = super().proxy_manager_for(*args, **kwargs)
        _use_pools(manager)
        return manager


def _use_pools(manager: urllib3.PoolManager) -> None:
    manager.pool_classes_by_scheme = {"http": _HTTPPool, "https": _HTTPSPool}
