"""The one seam that touches the network: a GET to GitHub, its limits, redirects and retries."""

from __future__ import annotations

import random
import re
import time
from collections.abc import Iterator, Mapping
from contextlib import contextmanager, suppress
from functools import partial
from http import HTTPStatus
from typing import Literal
from urllib.parse import quote, urljoin

import requests
import urllib3
from requests.utils import get_environ_proxies

from gistapi.deadline import Deadline
from gistapi.errors import GapError, GithubError, GithubRateLimitedError
from gistapi.github import api
from gistapi.github.limits import Limits
from gistapi.github.transport import TransientError, session, shut, told_apart, waiting_under
from gistapi.observe import GithubRequestEnded, Observer

Kind = Literal["list", "raw"]

URL = re.compile(
    r"(https?)://([a-z0-9.-]+|\[[0-9a-f:.]+\])(?::([0-9]{1,5}))?(?:[/?][^\\\s]*)?", re.IGNORECASE
)
"""What may be asked for: no user part, no backslash, nothing that two parsers read differently."""
DEFAULT_PORTS = {"http": "80", "https": "443"}
PRINTABLE_ASCII = "".join(map(chr, range(0x21, 0x7F)))
MAX_REDIRECTS = 5
MAX_RETRIES = 3
LONGEST_BACKOFF_SECONDS = 8.0
CHUNK_BYTES = 64 * 1024
ERROR_BODY_BYTES = 64 * 1024
USER_AGENT = "gistapi"


class LimitedError(TransientError):
    """GitHub asked for a wait."""


class Retries:
    """How often one thing is tried, and the waits between (exponential, with full jitter)."""

    def __init__(self, deadline: Deadline) -> None:
        self._deadline = deadline
        self._failures = 0

    def progressed(self) -> None:
        """Count anew: the last try got further."""
        self._failures = 0

    def again(self, error: TransientError) -> None:
        """Wait before another try; raises `error` where there can't be one."""
        self._deadline.check()
        self._failures += 1
        backoff = min(LONGEST_BACKOFF_SECONDS, 0.25 * 2**self._failures)
        wait = max(random.uniform(0, backoff), error.retry_after_seconds)  # noqa: S311 - jitter
        enough = self._failures > MAX_RETRIES
        if isinstance(error, LimitedError):
            if enough:
                raise GithubRateLimitedError(str(error), wait)
            return  # the next try waits in `Limits`, as long as the host asked
        if enough or wait >= self._deadline.remaining():
            raise error
        self._deadline.sleep(wait)


class Response:
    """An answer whose body is still to be read, under the deadline it was asked for."""

    def __init__(self, raw: urllib3.BaseHTTPResponse, deadline: Deadline) -> None:
        self.status = raw.status
        self.headers = raw.headers
        self._raw = raw
        self._deadline = deadline
        self._error_body: bytes | None = None

    def chunks(self) -> Iterator[bytes]:
        """The decoded body in pieces of at most 64 KiB, as they come.

        Raises TransientError where it breaks, DeadlineError or CancelledError when work must stop.
        """
        with self._deadline.on_cancel(partial(shut, self._raw)), told_apart(self._deadline):
            while chunk := self._raw.read1(CHUNK_BYTES, decode_content=True):
                self._deadline.check()
                yield chunk

    def read(self, max_bytes: int) -> bytes:
        """The decoded body; raises GithubError when it is larger than `max_bytes`."""
        body = bytearray()
        for chunk in self.chunks():
            body += chunk
            if len(body) > max_bytes:
                raise GithubError(f"GitHub answered more than {max_bytes} bytes.")
        return bytes(body)

    def read_error(self) -> bytes:
        """The beginning of a body that is not worth more; reading it again gives the same."""
        if self._error_body is None:
            body = bytearray()
            with suppress(TransientError):
                for chunk in self.chunks():
                    body += chunk
                    if len(body) >= ERROR_BODY_BYTES:
                        break
            self._error_body = bytes(body)
        return self._error_body

    def error_message(self) -> str:
        """GitHub's own words about a failure."""
        return api.error_message(self.status, self.headers, self.read_error())


class Client:
    """Asks GitHub's API and the hosts of its contents, and nobody else.

    `api_url` is an origin, perhaps with a path; `content_hosts` are `host` or `host:port`.
    The token goes to the API's origin alone; `.netrc` is never read; `HTTPS_PROXY`, `NO_PROXY`
    and `REQUESTS_CA_BUNDLE` are honoured. Building one opens nothing.
    """

    def __init__(
        self,
        *,
        api_url: str,
        content_hosts: tuple[str, ...],
        token: str | None,
        timeout_seconds: float,
        connections: int,
        observe: Observer,
    ) -> None:
        self.api_url = api_url.rstrip("/")
        self._api_origin = _origin(api_url) or ("", "", "")
        self._content_hosts = frozenset(host.lower() for host in content_hosts)
        self._token = token
        self._timeout_seconds = timeout_seconds
        self._observe = observe
        self.limits = Limits(observe)
        self._session = session(connections)
        self._proxies: dict[str, dict[str, str]] = {}

    def close(self) -> None:
        """Close the idle connections."""
        self._session.close()

    @contextmanager
    def get(
        self, url: str, *, kind: Kind, deadline: Deadline, headers: Mapping[str, str]
    ) -> Iterator[Response]:
        """One GET, its redirects followed; the answer has any status below 500 that is no limit.

        Raises TransientError (and its kind LimitedError) where another try may help,
        GithubRateLimitedError when the host must not be asked within the deadline, GithubError
        where nothing will help, and GapError `host_not_allowed`.
        """
        for _ in range(MAX_REDIRECTS + 1):
            with self._request(url, kind, deadline, headers) as response:
                location = response.headers.get("Location")
                if response.status not in {301, 302, 303, 307, 308} or not location:
                    yield response
                    return
                response.read_error()
            target = urljoin(url, location)
            if url.startswith("https:") and not target.startswith("https:"):
                raise GapError("host_not_allowed", "A redirect led from https to http.")
            url = target
        raise GithubError("GitHub redirected too often.")

    @contextmanager
    def _request(
        self, url: str, kind: Kind, deadline: Deadline, headers: Mapping[str, str]
    ) -> Iterator[Response]:
        host = self._allowed(url, kind)
        self.limits.wait(host, deadline)
        deadline.check()
        started = time.monotonic()
        raw: urllib3.BaseHTTPResponse | None = None
        error: str | None = None
        try:
            with told_apart(deadline):
                raw = self._send(url, host, deadline, self._headers(url, headers))
            response = Response(raw, deadline)
            self._raise_for_failure(host, response)
            yield response
        except BaseException as failure:
            error = type(failure).__name__
            raise
        finally:
            size = 0
            if raw is not None:
                size = raw.tell()
                raw.close()  # a body that was read to its end has gone back to the pool before
            seconds = time.monotonic() - started
            status = raw.status if raw is not None else None
            self._observe(GithubRequestEnded(kind, host, status, error, seconds, size))

    def _raise_for_failure(self, host: str, response: Response) -> None:
        status = response.status
        body = response.read_error() if status >= HTTPStatus.BAD_REQUEST else b""
        limit = self.limits.note(host, status, response.headers, body)
        if limit is not None:
            raise LimitedError(response.error_message(), status)
        if status == HTTPStatus.REQUEST_TIMEOUT or status >= HTTPStatus.INTERNAL_SERVER_ERROR:
            wait = api.retry_after(response.headers, time.time()) or 0.0
            raise TransientError(response.error_message(), status, wait)

    def _headers(self, url: str, headers: Mapping[str, str]) -> dict[str, str]:
        sent = {"User-Agent": USER_AGENT, "Accept-Encoding": "gzip", **headers}
        if self._token and _origin(url) == self._api_origin:
            sent["Authorization"] = f"Bearer {self._token}"
        return sent

    def _send(
        self, url: str, host: str, deadline: Deadline, headers: dict[str, str]
    ) -> urllib3.BaseHTTPResponse:
        request = requests.Request("GET", f"{url.partition('://')[0]}://{host}/").prepare()
        request.url = quote(url, safe=PRINTABLE_ASCII)  # verbatim: requests would quote anew
        request.headers.update(headers)
        timeout = max(0.001, min(self._timeout_seconds, deadline.remaining()))
        origin = "/".join(url.split("/", 3)[:3])
        if origin not in self._proxies:
            self._proxies[origin] = get_environ_proxies(origin)
        waiting = waiting_under.set(deadline)
        try:
            response = self._session.send(
                request,
                stream=True,
                timeout=timeout,
                allow_redirects=False,
                proxies=self._proxies[origin],
            )
        finally:
            waiting_under.reset(waiting)
        raw: urllib3.BaseHTTPResponse = response.raw
        return raw

    def _allowed(self, url: str, kind: Kind) -> str:
        """The host to ask, with its port where that is not the default one."""
        origin = _origin(url)
        if origin is None:
            raise GapError("host_not_allowed", "GitHub named an address that is no plain http URL.")
        scheme, host, port = origin
        netloc = host if port == DEFAULT_PORTS[scheme] else f"{host}:{port}"
        if kind == "list":
            allowed = origin == self._api_origin
        else:
            secure = scheme == "https" or self._api_origin[0] == "http"
            allowed = secure and not self._content_hosts.isdisjoint({netloc, f"{host}:{port}"})
        if not allowed:
            raise GapError("host_not_allowed", f"GitHub led to {scheme}://{netloc}: not allowed.")
        return netloc


def _origin(url: str) -> tuple[str, str, str] | None:
    """Scheme, host and port of a plain http URL; None for anything else."""
    found = URL.fullmatch(url)
    if found is None:
        return None
    scheme = found[1].lower()
    return scheme, found[2].lower(), found[3] or DEFAULT_PORTS[scheme]
