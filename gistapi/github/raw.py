"""The raw host: one file, whole or as a stream, resumed where it broke, and proved by its SHA."""

from __future__ import annotations

import hashlib
from collections.abc import AsyncGenerator
from contextlib import aclosing
from http import HTTPStatus
from math import inf
from typing import Self

from gistapi.aio.scope import Scope
from gistapi.errors import (
    GithubError,
    GoneError,
    IncompleteError,
    RawRefusedError,
)
from gistapi.github.client import Client, LimitedError, Response
from gistapi.github.exchange import Exchange
from gistapi.github.http import TransientError
from gistapi.github.retries import FileRetries
from gistapi.models import GistFile

MAX_FILE_BYTES = 100 * 1024 * 1024
"""GitHub takes no larger file: https://docs.github.com/en/repositories/working-with-files/managing-large-files"""
RAW_SURE_BYTES = 10 * 1000 * 1000
"""Whether the raw host has larger files is not sure: its 404 does not mean that one was deleted."""
MAX_TRIES = 30
"""A download that breaks again and again, each time a little further on, ends here."""
OK, NO_SUCH_RANGE = HTTPStatus.OK, HTTPStatus.REQUESTED_RANGE_NOT_SATISFIABLE
"""Python 3.11 calls a function for each attribute of an enum."""


class RawFiles:
    """Reads files from the host of the raw contents.

    Every method may raise, besides what it names: GoneError (404), IncompleteError,
    RawRefusedError where only git has the file, GithubError, GithubRateLimitedError, and the
    meter's errors. A file that makes no progress for two timeouts is an IncompleteError
    `file_unavailable`.
    """

    def __init__(self, client: Client) -> None:
        self._client = client

    async def read(self, file: GistFile, scope: Scope, *, max_wait_seconds: float = inf) -> bytes:
        """The whole of a small file, which is what the listing says it is.

        A wait that the host asks for and that is longer than `max_wait_seconds` is a LimitedError.
        """
        first = _Pass(self._client, file, scope, max_wait_seconds)
        content = await first.read()
        if not first.is_as_listed:
            second = _Pass(self._client, file, scope, max_wait_seconds)
            content = await second.read()
            second.confirm(first)
        return content

    async def stream(
        self, file: GistFile, scope: Scope, *, max_wait_seconds: float = inf
    ) -> AsyncGenerator[AsyncGenerator[bytes]]:
        """Passes over a file's content, each an iterator of chunks; a later one replaces it.

        There is one pass as a rule. When its content does not hash to the listed SHA, there is a
        second, which counts if it does, or if both were alike and of the listed size (old
        addresses have a commit's SHA). Else IncompleteError `content_mismatch`.

        Close both generators: closing the chunks' closes the connection.
        """
        first = _Pass(self._client, file, scope, max_wait_seconds)
        async with aclosing(first.chunks()) as chunks:
            yield chunks
        if first.is_as_listed:
            return
        second = _Pass(self._client, file, scope, max_wait_seconds)
        async with aclosing(second.chunks()) as chunks:
            yield chunks
        second.confirm(first)


class _Pass:
    """One reading of a file from its beginning to its end; as a context, it closes its connection.

    `_offset` counts the decoded bytes handed on, all of which went through `_body_hash`; `_etag`
    names them in `If-Range`; `_mixed` says that they may be of two contents.
    """

    def __init__(
        self, client: Client, file: GistFile, scope: Scope, max_wait_seconds: float
    ) -> None:
        self._client = client
        self._file = file
        self._scope = scope
        self._max_wait_seconds = max_wait_seconds
        self._retries = FileRetries(scope)
        self._tries = 0
        self._exchange: Exchange | None = None
        self._answer: Response | None = None
        self._skip = 0
        self._offset = self._try_from = 0
        self._etag: str | None = None
        self._mixed = False
        self._body_hash = hashlib.sha1(usedforsecurity=False)
        if file.size_bytes is not None:
            self._body_hash.update(b"blob %d\0" % file.size_bytes)

    @property
    def _has_listed_size(self) -> bool:
        return self._file.size_bytes in {None, self._offset}

    @property
    def is_as_listed(self) -> bool:
        """Whether size and blob SHA-1 are the listed ones, as far as the listing names them."""
        if self._file.blob_sha is None or self._file.size_bytes is None:
            return self._has_listed_size and not self._mixed
        return self._has_listed_size and self._body_hash.hexdigest() == self._file.blob_sha

    def confirm(self, first: _Pass) -> None:
        """Raise IncompleteError if this second pass shows that the content is another one."""
        is_like = self._body_hash.digest() == first._body_hash.digest()
        if not self.is_as_listed and not (is_like and self._has_listed_size):
            raise IncompleteError(
                "content_mismatch", "GitHub sent something other than it had listed."
            )

    def __enter__(self) -> Self:
        return self

    def __exit__(self, _: object, error: BaseException | None, trace: object) -> None:
        if self._exchange is not None:
            self._exchange.end(error)

    async def read(self) -> bytes:
        """The whole content."""
        chunks = []
        with self:
            while chunk := await self._next_chunk():
                chunks.append(chunk)
        return b"".join(chunks)

    async def chunks(self) -> AsyncGenerator[bytes]:
        """The content in pieces, as they come."""
        with self:
            while chunk := await self._next_chunk():
                yield chunk

    async def _next_chunk(self) -> bytes:
        """The next bytes, b"" at the end; another request continues what broke."""
        while True:
            try:
                return await self._received()
            except TransientError as error:
                await self._try_again(error)

    async def _try_again(self, error: TransientError) -> None:
        if self._exchange is not None:
            self._exchange.end(error)
        self._answer = None
        limited = isinstance(error, LimitedError)
        if limited and error.retry_after_seconds > self._max_wait_seconds:
            raise error
        if self._offset > self._try_from:
            self._retries.progressed()
        await self._retries.again(error)
        self._tries += 1
        if self._tries >= MAX_TRIES:
            raise GithubError(f"The download broke {MAX_TRIES} times.")

    async def _received(self) -> bytes:
        answer = self._answer or await self._rest()
        if answer.status == NO_SUCH_RANGE:
            return b""  # nothing follows what we have; its hash shows whether that is all
        while not self._is_too_long and (received := await answer.next_chunk()):
            chunk = received[self._skip :]
            self._skip -= len(received) - len(chunk)
            if chunk:
                return self._counted(chunk)
        return b""

    async def _rest(self) -> Response:
        """An answer with what is still missing."""
        if not self._file.raw_url:
            raise IncompleteError("file_unavailable", "GitHub listed the file without an address.")
        headers = {}
        if self._offset:
            headers = {"Range": f"bytes={self._offset}-", "Accept-Encoding": "identity"}
            if self._etag:
                headers["If-Range"] = self._etag
        self._try_from = self._offset
        self._exchange = self._client.get(
            self._file.raw_url,
            kind="raw",
            scope=self._scope,
            headers=headers,
            max_wait_seconds=self._max_wait_seconds,
        )
        answer = await self._exchange.begin()
        self._skip = await self._sent_before(answer)
        self._answer = answer
        return answer

    async def _sent_before(self, answer: Response) -> int:
        """How many bytes of this answer were handed on before; raises for all but content.

        An answer to a range with the whole file is read from its beginning again.
        """
        status = answer.status
        if self._offset and status == NO_SUCH_RANGE:
            return 0
        if self._offset and status == HTTPStatus.PARTIAL_CONTENT:
            started = answer.headers.get("Content-Range", "").partition("-")[0]
            if started == f"bytes {self._offset}":
                return 0
            raise TransientError("GitHub answered another range than it was asked for.")
        if status == OK:
            self._mixed |= bool(self._offset and self._etag != answer.headers.get("ETag"))
            if not self._offset and not answer.headers.get("Content-Encoding"):
                etag = answer.headers.get("ETag", "")
                self._etag = None if etag.startswith("W/") else etag
            return self._offset
        if status == HTTPStatus.NOT_FOUND and (self._file.size_bytes or 0) <= RAW_SURE_BYTES:
            raise GoneError("The file was deleted since it was listed.")
        if status in {HTTPStatus.FORBIDDEN, HTTPStatus.NOT_FOUND}:
            raise RawRefusedError(await answer.error_message())
        raise GithubError(await answer.error_message())

    def _counted(self, chunk: bytes) -> bytes:
        if self._offset + len(chunk) > MAX_FILE_BYTES:
            raise IncompleteError(
                "file_too_large", f"No match in the first {MAX_FILE_BYTES} bytes."
            )
        self._offset += len(chunk)
        self._body_hash.update(chunk)
        return chunk

    @property
    def _is_too_long(self) -> bool:
        """More than listed has arrived: it cannot be the right content."""
        size = self._file.size_bytes
        return size is not None and self._offset > size
