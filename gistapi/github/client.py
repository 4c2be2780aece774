"""The one seam that touches the network: asking GitHub, its limits, redirects and retries."""

from __future__ import annotations

import random
import time
from collections.abc import Iterator, Mapping
from contextlib import contextmanager, suppress
from functools import partial
from http import HTTPStatus
from urllib.parse import quote

import urllib3

from gistapi.aio.deadline import Deadline
from gistapi.errors import GithubError, GithubRateLimitedError
from gistapi.events import GithubRequestEnded, Observer
from gistapi.github import api
from gistapi.github.host_limits import HostLimits
from gistapi.github.http import TransientError, Transport, map_exceptions, shut
from gistapi.github.url_policy import Kind, UrlPolicy, redirected
from gistapi.quota.usage import account

PRINTABLE_ASCII = "".join(map(chr, range(0x21, 0x7F)))
MAX_REDIRECTS = 5
MAX_RETRIES = 3
CHUNK_BYTES = 64 * 1024
ERROR_BODY_BYTES = 64 * 1024
USER_AGENT = "gistapi"


class LimitedError(TransientError):
    """GitHub asked for a wait."""


class Retries:
    """How often one thing is tried again, and the waits before (exponential, with full jitter)."""

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
        enough = self._failures > MAX_RETRIES
        if isinstance(error, LimitedError):
            if enough:
                raise GithubRateLimitedError(str(error), error.retry_after_seconds) from error
            return  # the next try waits in `HostLimits`, as long as the host asked
        backoff = random.uniform(0, 0.05 * 4**self._failures)  # noqa: S311 - jitter
        wait = max(backoff, error.retry_after_seconds)
        if enough or wait >= self._deadline.remaining():
            raise error
        self._deadline.sleep(wait)


class Response:
    """An answer whose body is still to be read, under the deadline it was asked for.

    `url` is where it came from, redirects followed.
    """

    def __init__(self, raw: urllib3.BaseHTTPResponse, url: str, deadline: Deadline) -> None:
        self.url = url
        self.status = raw.status
        self.headers = raw.headers
        self._raw = raw
        self._deadline = deadline
        self._error_body: bytes | None = None

    def chunks(self) -> Iterator[bytes]:
        """The decoded body in pieces of at most 64 KiB, as they come.

        Raises TransientError where it breaks, DeadlineError or CancelledError when work must stop,
        ByteQuotaError when the caller's share is used up.
        """
        with self._deadline.on_cancel(partial(shut, self._raw)), map_exceptions(self._deadline):
            while chunk := self._raw.read1(CHUNK_BYTES, decode_content=True):
                self._deadline.check()
                account.get().spend_bytes(len(chunk))
                yield chunk
            self._deadline.check()  # else a body that was shut might pass for its end

    def read(self, max_bytes: int) -> bytes:
        """The decoded body; raises GithubError when it is larger than `max_bytes`."""
        body = bytearray()
        for chunk in self.chunks():
            body += chunk
            if len(body) > max_bytes:
                raise GithubError(f"GitHub answered more than {max_bytes} bytes.")
        return bytes(body)

    def read_error(self) -> bytes:
        """The beginning of a body that is not worth more; reading it again gives the same.

        The client itself has read that of every answer from 400 on.
        """
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
        self._addresses = UrlPolicy(api_url, content_hosts)
        self._token = token
        self._observe = observe
        self.limits = HostLimits(observe)
        self._transport = Transport(connections, timeout_seconds)

    def close(self) -> None:
        """Close the idle connections."""
        self._transport.close()

    @contextmanager
    def get(
        self, url: str, *, kind: Kind, deadline: Deadline, headers: Mapping[str, str]
    ) -> Iterator[Response]:
        """One GET, its redirects followed; the answer has any status below 500 that is no limit.

        Raises TransientError (and its kind LimitedError) where another try may help,
        GithubRateLimitedError when the host must not be asked within the deadline, GithubError
        where nothing will help, RateLimitedError and ByteQuotaError when the caller's share is
        used up, and IncompleteError `host_not_allowed`.
        """
        for _ in range(MAX_REDIRECTS + 1):
            with self._request(url, kind, deadline, headers) as response:
                location = response.headers.get("Location")
                if response.status not in {301, 302, 303, 307, 308} or not location:
                    yield response
                    return
                response.read_error()
            url = redirected(url, location)
        raise GithubError("GitHub redirected too often.")

    @contextmanager
    def post(
        self, url: str, *, kind: Kind, deadline: Deadline, headers: Mapping[str, str], body: bytes
    ) -> Iterator[Response]:
        """One POST, as `get` but for redirects: they are an answer like any other."""
        headers = {"Content-Length": str(len(body)), **headers}
        with self._request(url, kind, deadline, headers, body) as response:
            yield response

    @contextmanager
    def _request(
        self,
        url: str,
        kind: Kind,
        deadline: Deadline,
        headers: Mapping[str, str],
        body: bytes | None = None,
    ) -> Iterator[Response]:
        origin = self._addresses.allowed(url, kind)
        host = origin.netloc
        self.limits.wait(host, deadline)
        deadline.check()
        account.get().spend_request()
        sent = {"User-Agent": USER_AGENT, "Accept-Encoding": "gzip", **headers}
        if self._token and kind == "list":
            sent["Authorization"] = f"Bearer {self._token}"
        quoted = quote(url, safe=PRINTABLE_ASCII)  # only what can't be sent: the rest is verbatim
        started = time.monotonic()
        raw: urllib3.BaseHTTPResponse | None = None
        error: str | None = None
        try:
            with map_exceptions(deadline):
                raw = self._transport.send(quoted, str(origin), sent, body, deadline)
            response = Response(raw, url, deadline)
            self._raise_for_failure(host, response)
            yield response
        except Exception as failure:
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
        wait = self.limits.note(host, status, response.headers, body)
        if wait is not None:
            raise LimitedError(response.error_message(), status, wait)
        if status == HTTPStatus.REQUEST_TIMEOUT or status >= HTTPStatus.INTERNAL_SERVER_ERROR:
            wait = api.retry_after(response.headers, time.time()) or 0.0
            raise TransientError(response.error_message(), status, wait)
