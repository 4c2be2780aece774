"""Reads gists by git, for files that the raw host refuses or that the listing omits.

Our own client downloads the pack, within its limits, into an unnamed file; a child process
(`clone_child`) with a memory limit reads it and pipes the files. There is no checkout.
"""

from __future__ import annotations

import os
import tempfile
from collections.abc import AsyncGenerator, AsyncIterator, Iterator
from concurrent.futures import ThreadPoolExecutor
from contextlib import asynccontextmanager, contextmanager
from typing import BinaryIO

from gistapi.aio.limiter import FairLimiter, Lane
from gistapi.aio.scope import Scope
from gistapi.errors import IncompleteError
from gistapi.github.client import Client
from gistapi.github.git.fetch import fetch
from gistapi.github.git.reading import no_files, reading
from gistapi.github.http import TransientError
from gistapi.github.retries import FileRetries
from gistapi.models import ClonedFile

MAX_PACK_BYTES = 256 * 1024 * 1024
"""Of a pack as it is sent, compressed: beside it, two copies of a file of 100 MB fit in the
child's memory."""
MAX_PACK_BYTES_IN_MEMORY = 64 * 1024 * 1024
"""The same where no file can be written."""
LARGE_PACK_BYTES = 8 * 1024 * 1024
"""Packs from here on are read one at a time."""
MAX_MEMORY_BYTES = 512 * 1024 * 1024
CLONES_AT_ONCE = 2


class Clones:
    """Reads gists by git, a few at a time for the process; building one opens nothing.

    `max_memory_bytes` bounds the address space of a child.
    """

    def __init__(
        self,
        client: Client,
        *,
        max_pack_bytes: int = MAX_PACK_BYTES,
        max_memory_bytes: int = MAX_MEMORY_BYTES,
    ) -> None:
        self._client = client
        self._max_pack_bytes = max_pack_bytes
        self._max_memory_bytes = max_memory_bytes
        self._executor = ThreadPoolExecutor(CLONES_AT_ONCE, thread_name_prefix="gistapi-git")
        self._turns = FairLimiter(CLONES_AT_ONCE)
        self._large = FairLimiter(1)

    def close(self) -> None:
        """End the idle threads."""
        self._executor.shutdown(wait=False)

    @asynccontextmanager
    async def files(
        self, git_pull_url: str | None, scope: Scope
    ) -> AsyncIterator[AsyncGenerator[ClonedFile]]:
        """A context with the files of HEAD; without a commit there are none.

        Names are data and never used as paths. Leaving the context ends the child and deletes the
        pack. Entering it, and each iteration, may raise GoneError (404), IncompleteError,
        GithubError and GithubRateLimitedError.
        """
        if git_pull_url is None:
            raise IncompleteError("file_unavailable", "GitHub listed no git address for the gist.")
        retries = FileRetries(scope)
        host = self._client.host(git_pull_url, "git", scope)
        while True:
            await host.wait(scope.ends_at)
            async with self._turns.beside(scope.lane).place():
                if host.wait_seconds() > 0:
                    continue  # the host refused another request meanwhile
                with self._unnamed_file() as (pack, max_bytes):
                    try:
                        head = await fetch(
                            self._client, git_pull_url, pack, max_bytes, scope, self._executor
                        )
                    except TransientError as error:
                        failure = error
                    else:
                        # pylint: disable-next=contextmanager-generator-missing-cleanup
                        async with self._read(pack, head, scope.lane) as files:
                            yield files
                        return
            await retries.again(failure)

    @asynccontextmanager
    async def _read(
        self, pack: BinaryIO, head: str, lane: Lane
    ) -> AsyncIterator[AsyncGenerator[ClonedFile]]:
        if not head:
            yield no_files()
        elif os.fstat(pack.fileno()).st_size < LARGE_PACK_BYTES:
            async with reading(pack, head, self._max_memory_bytes) as files:
                yield files
        else:
            async with (
                self._large.beside(lane).place(),
                reading(pack, head, self._max_memory_bytes) as files,
            ):
                yield files

    @contextmanager
    def _unnamed_file(self) -> Iterator[tuple[BinaryIO, int]]:
        """An unnamed temporary file, and the most that it may hold.

        It is deleted when the last process that has it open ends, in whatever way.
        """
        max_bytes = self._max_pack_bytes
        try:
            file = tempfile.TemporaryFile(buffering=0)  # noqa: SIM115 - closed below
        except OSError:  # nothing here can be written to
            file = os.fdopen(os.memfd_create("pack"), "w+b", buffering=0)
            max_bytes = min(max_bytes, MAX_PACK_BYTES_IN_MEMORY)
        with file:
            yield file, max_bytes
