"""Controls the child process that reads a pack: its frames, its limits, its end."""

from __future__ import annotations

import asyncio
import os
import signal
import sys
from asyncio.subprocess import PIPE, Process
from collections.abc import AsyncGenerator, AsyncIterator
from contextlib import asynccontextmanager, suppress
from pathlib import Path
from typing import BinaryIO

from gistapi.errors import IncompleteError
from gistapi.github.client import CHUNK_BYTES
from gistapi.github.git import clone_child
from gistapi.github.git.clone_child import END, FRAME, MAX_NAME_BYTES
from gistapi.github.raw import MAX_FILE_BYTES
from gistapi.models import ClonedFile

CHILD = Path(clone_child.__file__)
STALL_SECONDS = 60.0
"""How long the child may take to send its next bytes."""
STDERR_BYTES = 4096
ALLOCATION_FAILED = b"memory allocation"
"""Printed by Rust before it aborts for lack of memory."""
ENDS = {
    clone_child.OUT_OF_MEMORY: (
        "file_too_large",
        "Reading the gist by git needs too much memory.",
    ),
    clone_child.NAME_TOO_LONG: (
        "file_unavailable",
        "The gist's git repository has a file whose name is too long.",
    ),
    clone_child.UNREADABLE: (
        "file_unavailable",
        "The gist's git repository is unreadable.",
    ),
}


class ChildEndedError(Exception):
    """How a child ended, for the operator's log."""


async def no_files() -> AsyncGenerator[ClonedFile]:
    """The files of a repository without a commit."""
    nothing: tuple[ClonedFile, ...] = ()
    for file in nothing:
        yield file


@asynccontextmanager
async def reading(
    pack: BinaryIO, head: str, max_memory_bytes: int
) -> AsyncIterator[AsyncGenerator[ClonedFile]]:
    """The files of commit `head`, read by a child; leaving the context kills it.

    The child is started by its path, so that it loads none of our modules. It gets only those
    environment variables that it needs to find its libraries. It has a session of its own, so that
    a Ctrl-C in the terminal does not reach it.
    """
    pack.seek(0)
    environment = {"PYTHONPATH": os.pathsep.join(path for path in sys.path if path)}
    if "LD_LIBRARY_PATH" in os.environ:
        environment["LD_LIBRARY_PATH"] = os.environ["LD_LIBRARY_PATH"]
    process = await asyncio.create_subprocess_exec(
        sys.executable,
        "-P",
        str(CHILD),
        head,
        str(max_memory_bytes),
        stdin=pack,
        stdout=PIPE,
        stderr=PIPE,
        env=environment,
        start_new_session=True,
        limit=CHUNK_BYTES,
    )
    pipe = _Pipe(process)
    try:
        yield pipe.files()
    finally:
        await pipe.kill()


class _Pipe:
    """The output of the child."""

    def __init__(self, process: Process) -> None:
        assert process.stdout is not None  # noqa: S101 - it was asked for
        assert process.stderr is not None  # noqa: S101 - it was asked for
        self._process = process
        self._out = process.stdout
        self._err = process.stderr

    async def files(self) -> AsyncGenerator[ClonedFile]:
        """The files, as the child frames them, until it says that there are no more."""
        while (header := await self.read(FRAME.size)) != END:
            name_size, size, sha = FRAME.unpack(header)
            if name_size > MAX_NAME_BYTES:
                raise IncompleteError(*ENDS[clone_child.NAME_TOO_LONG])
            name = (await self.read(name_size)).decode("utf-8", "replace")
            content = _Content(self, size)
            yield ClonedFile(name, size, sha.decode("ascii", "replace"), content.chunks())
            await content.skip()

    async def read(self, size: int) -> bytes:
        """Exactly `size` bytes, for a small size; raises IncompleteError at the end."""
        data = bytearray()
        while len(data) < size:
            data += await self.some(size - len(data))
        return bytes(data)

    async def some(self, size: int) -> bytes:
        """At least one and at most `size` bytes; raises IncompleteError at the end."""
        try:
            async with asyncio.timeout(STALL_SECONDS):
                chunk = await self._out.read(size)
        except TimeoutError as error:
            raise IncompleteError(
                "file_unavailable", "Reading the gist by git takes too long."
            ) from error
        if not chunk:
            await self._raise_end()
        return chunk

    async def _raise_end(self) -> None:
        """Raise the error of a child that ended before its last frame."""
        words = await self._err.read(STDERR_BYTES)
        status = await self._process.wait()
        reason, message = ENDS.get(
            status, ("file_unavailable", "Reading the gist by git ended early.")
        )
        if ALLOCATION_FAILED in words:
            reason, message = ENDS[clone_child.OUT_OF_MEMORY]
        said = words.decode("utf-8", "replace").strip()
        raise IncompleteError(reason, message) from ChildEndedError(
            f"the child that reads a git pack ended with status {status}: {said or 'no message'}"
        )

    async def kill(self) -> None:
        """End the child, and read what is left in its pipes so that they close.

        Not by Popen's own kill: it would take the exit status of a child that has just ended, and
        asyncio would miss it.
        """
        if self._process.returncode is None:
            with suppress(ProcessLookupError):
                os.kill(self._process.pid, signal.SIGKILL)
        for stream in (self._out, self._err):
            while await stream.read(CHUNK_BYTES):
                pass
        await self._process.wait()


class _Content:
    """One file in the pipe, of which `_left` bytes are still to come."""

    def __init__(self, pipe: _Pipe, size: int) -> None:
        self._pipe = pipe
        self._left = size
        self._may_take = MAX_FILE_BYTES

    async def chunks(self) -> AsyncGenerator[bytes]:
        """The rest; raises IncompleteError `file_too_large` beyond MAX_FILE_BYTES."""
        while self._left:
            chunk = await self._next()
            self._may_take -= len(chunk)
            if self._may_take < 0:
                raise IncompleteError(
                    "file_too_large", f"No match in its first {MAX_FILE_BYTES:,} bytes."
                )
            yield chunk

    async def skip(self) -> None:
        """Discard what is left."""
        while self._left:
            await self._next()

    async def _next(self) -> bytes:
        chunk = await self._pipe.some(min(CHUNK_BYTES, self._left))
        self._left -= len(chunk)
        return chunk
