"""The interfaces of the packages that a search uses: gists of GitHub, contents of the cache."""

from __future__ import annotations

from collections.abc import AsyncGenerator, AsyncIterator, Iterable, Iterator
from contextlib import AbstractAsyncContextManager, AbstractContextManager
from typing import Protocol

from gistapi.aio.scope import Scope
from gistapi.models import ClonedFile, Gist, GistFile, Page, Target


class GistSource(Protocol):
    """Where gists come from; on the loop. Every method may raise GithubError and its kinds."""

    def pages(self, target: Target, scope: Scope) -> AsyncGenerator[Page]:
        """Yield a target's gists, newest created first, each once."""

    def members(self, organization: str, scope: Scope) -> AsyncGenerator[str]:
        """Yield the logins of an organization's members."""

    async def read(self, gist: Gist, file: GistFile, scope: Scope) -> bytes:
        """Return the whole of a small file."""

    def stream(
        self, gist: Gist, file: GistFile, scope: Scope
    ) -> AsyncGenerator[AsyncGenerator[bytes]]:
        """Yield passes over a large file, as a rule one; a later one replaces it."""

    def clone(
        self, gist: Gist, scope: Scope
    ) -> AbstractAsyncContextManager[AsyncIterator[ClonedFile]]:
        """Read all files of a gist by git."""


class Sink(Protocol):
    """Takes one content as it passes by; see `gistapi.cache.large.ContentSink`."""

    def write(self, chunk: bytes) -> None:
        """Add the next bytes. Never blocks."""

    def close(self) -> None:
        """Keep the content if it is complete and its SHA is right."""


class ContentStore(Protocol):
    """A store of contents between searches; see `gistapi.cache.contract.Cache`."""

    def get_contents(self, blobs: dict[str, int | None]) -> Iterator[tuple[str, bytes]]:
        """Yield the small contents that are kept, by blob SHA. Blocks."""

    def contents_in_memory(self, blobs: Iterable[str]) -> dict[str, bytes]:
        """Return the small contents that need no reading, by blob SHA. Never blocks."""

    def put_content(self, blob_sha: str, content: bytes) -> None:
        """Keep a small content. Never blocks."""

    def open_content(
        self, blob_sha: str, size_bytes: int
    ) -> AbstractContextManager[Iterator[bytes]] | None:
        """Read a large content in chunks; None if it is not kept. Blocks."""

    def store_content(self, blob_sha: str, size_bytes: int) -> Sink:
        """Return a sink that keeps a content. Never blocks."""

    def get_listing(self, key: str) -> bytes | None:
        """Return the listing kept under a key. Blocks."""

    def put_listing(self, key: str, listing: bytes) -> None:
        """Keep a listing under a key. Never blocks."""
