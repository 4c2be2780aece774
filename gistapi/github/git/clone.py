"""Gists read by git: what the raw host refuses, and what the listing leaves out.

The pack comes over our own client, under its rules, into a file without a name; a child process
(`clone_child`) with a memory limit reads it and pipes the files. There is no checkout.
"""

from __future__ import annotations

import os
import select
import subprocess
import sys
import tempfile
import threading
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import BinaryIO

from gistapi.aio.deadline import Deadline
from gistapi.errors import IncompleteError
from gistapi.github.client import CHUNK_BYTES, Client
from gistapi.github.contents import MAX_FILE_BYTES
from gistapi.github.git.clone_child import FRAME, OUT_OF_MEMORY
from gistapi.github.git.fetch import fetch

ClonedFiles = Iterator[tuple[str, int, Iterator[bytes]]]
"""The name, the size in bytes and the content in chunks of at most 64 KiB of one file after the
other; chunks that were not taken are skipped when the next file is asked for."""

MAX_PACK_BYTES = 256 * 1024 * 1024
"""What a pack may have as it is sent, compressed: beside it, two copies of a file of 100 MB fit in
the child's memory."""
MAX_PACK_BYTES_IN_MEMORY = 64 * 1024 * 1024
"""The same where no file can be written."""
CHILD = Path(__file__).with_name("clone_child.py")
MAX_MEMORY_BYTES = 512 * 1024 * 1024
POLL_SECONDS = 0.1
"""How long a wait may go on before it is looked whether the work has been called off."""


class Clones:
    """Reads gists by git, one at a time; building one opens nothing.

    `max_memory_bytes` bounds the address space of the child.
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
        self._turn = threading.Lock()

    @contextmanager
    def files(self, git_pull_url: str | None, deadline: Deadline) -> Iterator[ClonedFiles]:
        """The files of HEAD, none when there is no commit.

        Names are UTF-8 with wrong bytes replaced, and data: nothing on the disk bears them.
        Leaving the context ends the child, and the pack with it. Entering it, and each step
        inside, may raise GoneError (404), IncompleteError, GithubError, GithubRateLimitedError,
        DeadlineError and CancelledError.
        """
        if git_pull_url is None:
            raise IncompleteError("file_unavailable", "GitHub listed no git address for the gist.")
        deadline.check()
        while not self._turn.acquire(timeout=min(POLL_SECONDS, deadline.remaining())):
            deadline.check()
        try:
            with self._unnamed_file() as (pack, max_bytes):
                head = fetch(self._client, git_pull_url, pack, max_bytes, deadline)
                if not head:
                    yield iter(())
                    return
                with (
                    _child(pack, head, self._max_memory_bytes) as process,
                    deadline.on_cancel(process.kill),
                ):
                    yield _Pipe(process, deadline).files()
        finally:
            self._turn.release()

    @contextmanager
    def _unnamed_file(self) -> Iterator[tuple[BinaryIO, int]]:
        """A file that no path leads to, and how much it may hold.

        It is gone with the last process that has it open, however that ends.
        """
        max_bytes = self._max_pack_bytes
        try:
            file = tempfile.TemporaryFile(buffering=0)  # noqa: SIM115 - closed below
        except OSError:  # nothing here can be written to
            file = os.fdopen(os.memfd_create("pack"), "w+b", buffering=0)
            max_bytes = min(max_bytes, MAX_PACK_BYTES_IN_MEMORY)
        with file:
            yield file, max_bytes


@contextmanager
def _child(pack: BinaryIO, head: str, max_memory_bytes: int) -> Iterator[subprocess.Popen[bytes]]:
    """The child that reads `pack`; leaving the context kills it.

    It is started by its path, so that it loads none of our modules, and sees no more of the
    environment than it needs to find its libraries. The session of its own spares it the Ctrl-C
    that is meant for us.
    """
    pack.seek(0)
    environment = {"PYTHONPATH": os.pathsep.join(path for path in sys.path if path)}
    if "LD_LIBRARY_PATH" in os.environ:
        environment["LD_LIBRARY_PATH"] = os.environ["LD_LIBRARY_PATH"]
    with subprocess.Popen(  # noqa: S603 - our own program, `head` is 40 hex digits
        [sys.executable, "-P", str(CHILD), head, str(max_memory_bytes)],
        stdin=pack,
        stdout=subprocess.PIPE,
        stderr=subprocess.DEVNULL,
        env=environment,
        bufsize=0,
        start_new_session=True,
    ) as process:
        try:
            yield process
        finally:
            process.kill()


class _Pipe:
    """What the child writes, read under the deadline."""

    def __init__(self, process: subprocess.Popen[bytes], deadline: Deadline) -> None:
        assert process.stdout is not None  # noqa: S101 - it was asked for
        self._process = process
        self._fd = process.stdout.fileno()
        self._deadline = deadline
        self._poll = select.poll()
        self._poll.register(self._fd, select.POLLIN)

    def files(self) -> ClonedFiles:
        """The files, as the child frames them, until it ends well."""
        while header := self._read(FRAME.size):
            name_size, size = FRAME.unpack(self._whole(header, FRAME.size))
            name = self._whole(self._read(name_size), name_size).decode("utf-8", "replace")
            content = _Content(self, size)
            yield name, size, content.chunks()
            content.skip()
        self._check_end()

    def some(self, size: int) -> bytes:
        """At least one and at most `size` bytes; raises IncompleteError at the end."""
        chunk = self._take(size)
        return self._whole(chunk, 1)

    def _read(self, size: int) -> bytes:
        """So many bytes, or fewer at the end."""
        data = bytearray()
        while len(data) < size and (chunk := self._take(size - len(data))):
            data += chunk
        return bytes(data)

    def _take(self, size: int) -> bytes:
        self._deadline.check()
        while not self._poll.poll(1000 * min(POLL_SECONDS, self._deadline.remaining())):
            self._deadline.check()
        return os.read(self._fd, size)

    def _whole(self, data: bytes, size: int) -> bytes:
        if len(data) < size:
            self._check_end()
            raise IncompleteError("file_unavailable", "The gist's files broke off.")
        return data

    def _check_end(self) -> None:
        """Raise if the child did not end of itself and well."""
        self._deadline.check()
        status = self._process.wait()
        self._deadline.check()  # else who called the work off might pass for a lack of memory
        if status == OUT_OF_MEMORY or status < 0:
            raise IncompleteError(
                "file_too_large", "Reading the gist by git needs too much memory."
            )
        if status != 0:
            raise IncompleteError("file_unavailable", "The gist's git repository is unreadable.")


class _Content:
    """One file in the pipe, of which `_left` bytes are still to come."""

    def __init__(self, pipe: _Pipe, size: int) -> None:
        self._pipe = pipe
        self._left = size
        self._may_take = MAX_FILE_BYTES

    def chunks(self) -> Iterator[bytes]:
        """What is left; IncompleteError `file_too_large` beyond what is read of any file."""
        while self._left:
            chunk = self._next()
            self._may_take -= len(chunk)
            if self._may_take < 0:
                raise IncompleteError(
                    "file_too_large", f"No match in its first {MAX_FILE_BYTES:,} bytes."
                )
            yield chunk

    def skip(self) -> None:
        """Throw away what is left."""
        while self._left:
            self._next()

    def _next(self) -> bytes:
        chunk = self._pipe.some(min(CHUNK_BYTES, self._left))
        self._left -= len(chunk)
        return chunk
