"""GitHub's answer to one request, and the errors of answers that are failures."""

from __future__ import annotations

import time
from collections.abc import AsyncGenerator
from contextlib import suppress
from http import HTTPStatus

from gistapi.aio.scope import UsageMeter
from gistapi.errors import GithubError
from gistapi.github import api
from gistapi.github.host_limits import Permit
from gistapi.github.http import Answer, TransientError
from gistapi.github.retries import LimitedError

ERROR_BODY_BYTES = 64 * 1024
BAD_REQUEST = HTTPStatus.BAD_REQUEST


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
        answer = self._answer
        if answer.is_complete:
            return b""
        chunk = await answer.next_chunk()
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


async def raise_for_failure(permit: Permit, response: Response) -> None:
    """Raise for limits and for the server's failures; remember limits."""
    status = response.status
    if status < BAD_REQUEST:
        permit.note(status, response.headers, b"")
        return
    body = await response.read_error()
    wait = permit.note(status, response.headers, body)
    if wait is not None:
        raise LimitedError(await response.error_message(), status, wait)
    if status == HTTPStatus.REQUEST_TIMEOUT or status >= HTTPStatus.INTERNAL_SERVER_ERROR:
        wait = api.retry_after(response.headers, time.time()) or 0.0
        raise TransientError(await response.error_message(), status, wait)
