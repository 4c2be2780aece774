"""requests and urllib3, made to stop when the work is called off, with their errors told apart."""

from __future__ import annotations

import http.client
import os
import socket
from collections.abc import Iterator
from contextlib import contextmanager, suppress
from contextvars import ContextVar
from functools import partial
from http.cookiejar import DefaultCookiePolicy
from typing import Any

import requests
import urllib3
from requests.adapters import HTTPAdapter

from gistapi.deadline import Deadline
from gistapi.errors import GithubError

waiting_under: ContextVar[Deadline | None] = ContextVar("waiting_under", default=None)
"""The deadline under which this thread waits for the headers of an answer."""

USELESS = (
    requests.exceptions.InvalidURL,
    requests.exceptions.InvalidSchema,
    requests.exceptions.MissingSchema,
    requests.exceptions.InvalidHeader,
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
def told_apart(deadline: Deadline) -> Iterator[None]:
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


def session(connections: int) -> requests.Session:
    """A session that keeps `connections` open a host, and neither cookies nor `.netrc`.

    `REQUESTS_CA_BUNDLE` is honoured; the proxies of the environment are the caller's to name.
    """
    made = requests.Session()
    made.trust_env = False
    made.verify = os.environ.get("REQUESTS_CA_BUNDLE") or os.environ.get("CURL_CA_BUNDLE") or True
    made.cookies.set_policy(DefaultCookiePolicy(allowed_domains=[]))
    adapter = _Adapter(pool_maxsize=connections)
    made.mount("https://", adapter)
    made.mount("http://", adapter)
    return made


def shut(raw: urllib3.BaseHTTPResponse) -> None:
    """End what reads the body of `raw` in another thread."""
    with suppress(OSError, ValueError):
        raw.shutdown()


def _shut_socket(connected: socket.socket) -> None:
    with suppress(OSError):
        connected.shutdown(socket.SHUT_RDWR)


class _Interruptible:
    """Wakes a thread that waits for an answer's headers when its work is called off."""

    sock: socket.socket | None

    def getresponse(self) -> Any:  # noqa: ANN401 - two libraries' types at once
        deadline = waiting_under.get()
        if deadline is None or self.sock is None:
            return super().getresponse()  # type: ignore[misc]
        with deadline.on_cancel(partial(_shut_socket, self.sock)):
            return super().getresponse()  # type: ignore[misc]


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
