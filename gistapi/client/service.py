"""HTTP requests to a service, which yield the checked lines of its answers."""

from __future__ import annotations

import json
from collections.abc import Callable, Generator, Iterator, Mapping
from types import TracebackType
from typing import Any, Self

import requests
from requests import PreparedRequest
from requests import exceptions as errors

from gistapi.client.answers import ClientError, Line
from gistapi.client.fields import Fields
from gistapi.client.parsing import error_of, parse

PATH = "/api/v1/search"
CONNECT_SECONDS = 10
SILENCE_SECONDS = 120
"""A service sends a line every second, once it has begun to answer."""
MAX_LINE_BYTES = 128 * 2**20
"""A line of a thousand matches, each with full context and every character escaped."""
MAX_ERROR_BYTES = 2**20
_NO_ADDRESS = "it is not an address that begins with http:// or https://"


class RemoteService:
    """A running service; use it as a context manager, or close it."""

    def __init__(
        self, server: str, *, key: str | None = None, github_token: str | None = None
    ) -> None:
        self.server = server.rstrip("/")
        self._key = key
        self._github_token = github_token
        self._session = requests.Session()

    def __enter__(self) -> Self:
        return self

    def __exit__(
        self,
        kind: type[BaseException] | None,
        error: BaseException | None,
        traceback: TracebackType | None,
    ) -> None:
        self.close()

    def close(self) -> None:
        """Close its connections."""
        self._session.close()

    def asking(self, fields: Fields) -> Callable[[str | None, int | None], Generator[Line]]:
        """Return a function that requests one answer, from a cursor on, with a limit."""

        def ask(cursor: str | None, limit: int | None) -> Generator[Line]:
            here: dict[str, object] = {"cursor": cursor, "limit": limit}
            set_here = {name: value for name, value in here.items() if value is not None}
            return self.stream({**fields, **set_here})

        return ask

    def stream(self, fields: Mapping[str, object]) -> Generator[Line]:
        """Yield the lines of one answer, `end` last; closing the generator stops the search.

        Raises:
            ClientError: the service refused, failed, broke off or cannot be reached.
        """
        try:
            with self._post(fields) as response:
                if response.status_code != requests.codes.ok:
                    raise _refusal(response)
                for text in _lines(response):
                    yield parse(_decoded(text))
        except requests.RequestException as error:
            raise ClientError(f"{self.server} cannot be reached: {_cause(error)}") from error
        except ValueError as error:  # an address that urllib3 or http.client does not take
            raise ClientError(f"{self.server} is not the address of a service.") from error

    def _post(self, fields: Mapping[str, object]) -> requests.Response:
        return self._session.post(
            self.server + PATH,
            json=fields,
            headers={"Accept": "application/x-ndjson", "Accept-Encoding": "identity"},
            auth=self._authorize,
            allow_redirects=False,
            stream=True,
            timeout=(CONNECT_SECONDS, SILENCE_SECONDS),
        )

    def _authorize(self, request: PreparedRequest) -> PreparedRequest:
        # Being there, it also keeps requests from sending a password of `.netrc`.
        if self._key is not None:
            request.headers["Authorization"] = f"Bearer {self._key}"
        if self._github_token is not None:
            request.headers["X-GitHub-Token"] = self._github_token
        return request


def _lines(response: requests.Response) -> Iterator[bytes]:
    parts: list[bytes] = []
    size = 0
    for chunk in response.iter_content(None):
        first, *others = chunk.split(b"\n")
        parts.append(first)
        size += len(first)
        if size > MAX_LINE_BYTES:
            raise ClientError("The answer has a line that is too long.")
        for other in others:
            yield b"".join(parts)
            parts, size = [other], len(other)
    if size:
        yield b"".join(parts)


def _decoded(text: bytes) -> Any:  # noqa: ANN401 - any JSON value
    try:
        return json.loads(text)
    except (ValueError, RecursionError):
        raise ClientError("The answer is not one of a gistapi service.") from None


def _refusal(response: requests.Response) -> ClientError:
    status = response.status_code
    body = b""
    for chunk in response.iter_content(65536):
        body += chunk
        if len(body) > MAX_ERROR_BYTES:
            break
    try:
        return error_of(_decoded(body), status)
    except ClientError:
        message = f"{response.url} answered {status} {response.reason}"
        return ClientError(message, status=status)


_CAUSES: dict[type[requests.RequestException], str] = {
    errors.SSLError: "its certificate is not trusted, or it does not speak HTTPS",
    errors.ProxyError: "the proxy does not answer, or refuses",
    errors.ConnectTimeout: f"no connection within {CONNECT_SECONDS} seconds",
    errors.Timeout: f"no answer for {SILENCE_SECONDS} seconds",
    errors.InvalidURL: _NO_ADDRESS,
    errors.MissingSchema: _NO_ADDRESS,
    errors.InvalidSchema: _NO_ADDRESS,
    errors.ChunkedEncodingError: "the answer broke off",
    errors.ContentDecodingError: "the answer broke off",
}


def _cause(error: requests.RequestException) -> str:
    """What happened, in words for people."""
    for kind, words in _CAUSES.items():
        if isinstance(error, kind):
            return words
    return next(_system_words(error), "the connection failed")


def _system_words(error: BaseException) -> Iterator[str]:
    """The operating system's words for an error, or for those that it wraps."""
    if isinstance(error, OSError) and error.strerror:
        yield error.strerror.lower()
    for inner in (*error.args, getattr(error, "reason", None), error.__cause__):
        if isinstance(inner, BaseException):
            yield from _system_words(inner)
