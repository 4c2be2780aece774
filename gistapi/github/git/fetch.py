"""Fetches HEAD's objects as one pack: dulwich speaks git's smart HTTP, our client sends it.

dulwich blocks while it reads, so it runs in a thread and asks the loop for each request and chunk.
https://git-scm.com/docs/http-protocol and https://git-scm.com/docs/protocol-v2
"""

from __future__ import annotations

from collections.abc import Callable, Iterator, Mapping
from concurrent.futures import Executor
from contextlib import AsyncExitStack
from dataclasses import dataclass
from http import HTTPStatus
from typing import Any, BinaryIO

from dulwich.client import AbstractHttpGitClient
from dulwich.errors import GitProtocolError
from dulwich.object_store import ObjectStoreGraphWalker
from dulwich.objects import ObjectID, valid_hexsha
from dulwich.refs import HEADREF, Ref

from gistapi.aio.bridge import Bridge
from gistapi.aio.scope import Scope
from gistapi.errors import GoneError, IncompleteError
from gistapi.github.client import Client, Response
from gistapi.github.http import TransientError

USER_AGENT = "git/gistapi"
"""GitHub answers git requests of such a User-Agent: https://github.com/jelmer/dulwich/issues/562"""
MAX_REFS_BYTES = 1024 * 1024
"""Read at most of all answers before the pack: some capabilities and one ref."""
UNREADABLE = (GitProtocolError, ValueError, LookupError, AssertionError)
"""Errors of dulwich for an answer that breaks off or is not git's."""


async def fetch(
    client: Client, url: str, pack: BinaryIO, max_bytes: int, scope: Scope, executor: Executor
) -> str:
    """Write the pack of HEAD without its history, and return the commit's SHA-1 in hex.

    "" when the repository has no commit. `pack` is an empty unbuffered file. Raises GoneError
    (404), IncompleteError `file_too_large` beyond `max_bytes`, and what `Client.get` raises.
    """
    async with AsyncExitStack() as answers:

        def work(bridge: Bridge) -> str:
            git = _GitClient(client, url, scope, answers, bridge)
            try:
                return git.fetch_head(pack, max_bytes)
            except UNREADABLE as error:
                raise TransientError("GitHub's git answer could not be understood.") from error

        return await Bridge(executor).run(work)


@dataclass(frozen=True, slots=True)
class _Answer:
    """The attributes of an answer that dulwich reads; the location is empty without a redirect."""

    content_type: str
    redirect_location: str

    def close(self) -> None:
        """Do nothing: `_GitClient` closes every answer, because dulwich forgets some."""


class _Body:
    """The body of an answer, each byte counted, read as a file."""

    def __init__(self, answer: Response, bridge: Bridge, count: Callable[[int], None]) -> None:
        self._answer = answer
        self._bridge = bridge
        self._count = count
        self._buffer = bytearray()

    def read(self, size: int) -> bytes:
        """`size` bytes, or fewer at the end."""
        while len(self._buffer) < size and (chunk := self._bridge.ask(self._answer.next_chunk())):
            self._count(len(chunk))
            self._buffer += chunk
        data = bytes(self._buffer[:size])
        del self._buffer[:size]
        return data


class _GitClient(AbstractHttpGitClient):
    """Reads one repository: no configuration, no credentials, no dumb protocol.

    `answers` holds the one answer that is being read; it belongs to the loop.
    """

    def __init__(
        self, client: Client, url: str, scope: Scope, answers: AsyncExitStack, bridge: Bridge
    ) -> None:
        super().__init__(url)
        self._client = client
        self._scope = scope
        self._answers = answers
        self._bridge = bridge
        self._bytes_left = MAX_REFS_BYTES

    def fetch_head(self, pack: BinaryIO, max_bytes: int) -> str:
        """Write the pack; returns the commit's hex, or ""."""
        head = ""

        def wants(refs: Mapping[Ref, ObjectID], depth: int | None = None) -> list[ObjectID]:
            del depth
            nonlocal head
            self._bytes_left = max_bytes
            found = refs.get(HEADREF)
            if found is None or not valid_hexsha(found):
                return []
            head = found.decode("ascii")
            return [found]

        def keep(data: bytes) -> int:
            try:
                written = pack.write(data)
            except OSError:
                written = 0
            if written != len(data):
                raise IncompleteError("file_too_large", "There is no room for the gist's git pack.")
            return written

        walker = ObjectStoreGraphWalker([], get_parents=lambda _: [])
        self.fetch_pack("", wants, walker, keep, depth=1, ref_prefix=[HEADREF])
        return head

    def _get_url(self, path: str | bytes) -> str:
        del path  # there is one repository
        return self._base_url

    def _http_request(
        self,
        url: str,
        headers: dict[str, str] | None = None,
        data: bytes | Iterator[bytes] | None = None,
        raise_for_status: bool = True,  # noqa: FBT001, FBT002 - dulwich's own signature
    ) -> tuple[Any, Callable[[int], bytes]]:
        del raise_for_status  # only git's answers are of use
        body = data if data is None or isinstance(data, bytes) else b"".join(data)
        answer = self._bridge.ask(self._ask(url, headers or {}, body))
        moved_to = answer.url if answer.url != url else ""
        reader = _Body(answer, self._bridge, self._count)
        return _Answer(answer.headers["Content-Type"], moved_to), reader.read

    async def _ask(self, url: str, headers: dict[str, str], body: bytes | None) -> Response:
        """On the loop: close the previous answer, which has been read, and send a request."""
        await self._answers.aclose()
        headers = {"User-Agent": USER_AGENT, **headers}
        about: Any = {
            "kind": "git",
            "scope": self._scope,
            "headers": headers,
            "max_wait_seconds": 0,  # a wait for GitHub would hold this thread
        }
        answer = await self._answers.enter_async_context(
            self._client.get(url, **about)
            if body is None
            else self._client.post(url, body=body, **about)
        )
        await _check(answer)
        return answer

    def _count(self, size: int) -> None:
        self._bytes_left -= size
        if self._bytes_left < 0:
            raise IncompleteError("file_too_large", "The gist's git repository is too large.")


async def _check(answer: Response) -> None:
    """Raise an error unless the answer is git's."""
    if answer.status == HTTPStatus.NOT_FOUND:
        await answer.read_error()
        raise GoneError("The gist was deleted since it was listed.")
    if answer.status != HTTPStatus.OK:
        raise IncompleteError("file_unavailable", await answer.error_message())
    if not answer.headers.get("Content-Type", "").startswith("application/x-git-"):
        await answer.read_error()
        raise TransientError("GitHub answered something that is not git.", answer.status)
